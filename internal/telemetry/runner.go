package telemetry

import (
	"context"
	"errors"
	"regexp"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
)

// Runners puts each runner behind one that counts and traces its request. What
// leaves carries the trace on.
func (t *Telemetry) Runners(all map[string]steps.Runner) map[string]steps.Runner {
	out := make(map[string]steps.Runner, len(all))
	for uses, r := range all {
		out[uses] = runner{t, r}
	}
	return out
}

// Judge does the same for the judge, whose model has the given alias; nil stays
// nil.
func (t *Telemetry) Judge(j steps.Judge, alias string) steps.Judge {
	if j == nil {
		return nil
	}
	return judge{t, j, t.models.of(alias)}
}

type runner struct {
	t    *Telemetry
	next steps.Runner
}

// Run implements steps.Runner.
func (r runner) Run(ctx context.Context, call steps.Call) (draft steps.Draft, err error) {
	e := r.t.request(ctx, call.Workflow)
	switch {
	case call.Step.Kind.Model:
		e.part, e.name = "answer", r.t.models.of(call.Input.String("model"))
	case call.Step.Uses == "http":
		e.name, e.method = r.t.models.of(call.Input.String("connection")), call.Input.String("method")
	}
	ctx = e.begin(ctx)
	defer func() { e.end(draft.Use(), err) }()
	draft, err = r.next.Run(ctx, call)
	e.returned = true
	return draft, err
}

type judge struct {
	t     *Telemetry
	next  steps.Judge
	alias string
}

// Judge implements steps.Judge.
func (j judge) Judge(ctx context.Context, call steps.JudgeCall) (answer steps.JudgeAnswer, err error) {
	e := j.t.request(ctx, call.Workflow)
	e.part, e.name = "judge", j.alias
	ctx = e.begin(ctx)
	defer func() { e.end(answer.Use, err) }()
	answer, err = j.next.Judge(ctx, call)
	e.returned = true
	return answer, err
}

// A request is one that a runner may send: to a model (part is set), over a
// connection (method is set), or by a function, whose own span is its step's.
type request struct {
	t        *Telemetry
	ctx      context.Context //nolint:containedctx // of the span, from begin to end
	span     trace.Span
	began    time.Time
	workflow string
	part     string
	name     string // alias or connection
	method   string
	returned bool // else the runner panicked
}

func (t *Telemetry) request(ctx context.Context, workflow string) request {
	return request{t: t, ctx: ctx, began: time.Now(), workflow: t.workflows.of(workflow)}
}

// begin begins the span and hands its trace to what leaves.
func (e *request) begin(ctx context.Context) context.Context {
	if e.t.tracer == nil {
		return ctx
	}
	carrier := trace.SpanFromContext(ctx)
	switch {
	case e.part != "":
		ctx, e.span = e.t.tracer.Start(ctx, "chat "+e.name, trace.WithSpanKind(trace.SpanKindClient))
		e.span.SetAttributes(aliasName.String(e.name))
		carrier = e.span
	case e.method != "":
		ctx, e.span = e.t.tracer.Start(ctx, e.method, trace.WithSpanKind(trace.SpanKindClient))
		e.span.SetAttributes(connectionName.String(e.name), semconv.HTTPRequestMethodKey.String(e.method))
		carrier = e.span
	}
	e.ctx = ctx
	if header := traceparent(carrier.SpanContext()); header != "" {
		ctx = model.WithTrace(ctx, header)
	}
	return ctx
}

// end counts what came of it.
func (e *request) end(use steps.Use, err error) {
	outcome, code := "ok", ""
	var failure *steps.Error
	switch {
	case !e.returned:
		outcome, code = "error", steps.CodePanic
	case errors.As(err, &failure):
		outcome, code, use = "error", failure.Code, failure.Use
		if use.Status == 0 {
			use.Status = failure.Status
		}
		if failure.Unknown {
			outcome = "unknown"
		}
	case err != nil:
		outcome, code = "error", steps.CodeError
	}
	code = e.t.codes.of(code)
	switch {
	case e.part != "":
		e.countPrompt(use.Model, outcome, code)
	case e.method != "":
		e.t.effects.to.Add(e.ctx, 1, e.t.effects.by.of(labels{e.name, e.method, classOf(use.Status)}).add...)
	}
	if e.span == nil {
		return
	}
	if use.Status != 0 {
		e.span.SetAttributes(semconv.HTTPResponseStatusCode(use.Status))
	}
	e.describe(use.Model)
	ended(e.span, outcome, code)
}

// countPrompt counts a model call. m is nil if nothing is known of it.
func (e *request) countPrompt(m *audit.Model, outcome, code string) {
	t := e.t
	t.prompts.to.Add(e.ctx, 1, t.prompts.by.of(labels{e.workflow, e.name, e.part, outcome}).add...)
	var provider, asked string
	if m != nil {
		provider, asked = word(m.Provider), t.models.of(m.Model)
	}
	t.promptTime.to.Record(e.ctx, time.Since(e.began).Seconds(), t.promptTime.by.of(labels{"chat", provider, asked, code}).record...)
	if m == nil {
		return
	}
	if m.UsageKnown {
		t.tokens.to.Record(e.ctx, float64(m.In), t.tokens.by.of(labels{"chat", provider, asked, "input"}).record...)
		t.tokens.to.Record(e.ctx, float64(m.Out), t.tokens.by.of(labels{"chat", provider, asked, "output"}).record...)
	}
	if m.Micros > 0 {
		t.cost.Add(e.ctx, float64(m.Micros)/1e6, t.costBy.of(labels{e.workflow, e.name, e.part}).add...)
	}
}

// describe says of a model call what the GenAI conventions name, and nothing of
// what was asked or answered.
func (e *request) describe(m *audit.Model) {
	if m == nil {
		return
	}
	e.span.SetName("chat " + word(m.Model))
	e.span.SetAttributes(
		semconv.GenAIOperationNameChat, semconv.GenAIProviderNameKey.String(word(m.Provider)), semconv.GenAIRequestModel(word(m.Model)))
	if m.ResponseModel != "" {
		e.span.SetAttributes(semconv.GenAIResponseModel(word(m.ResponseModel)))
	}
	if m.Finish != "" {
		e.span.SetAttributes(semconv.GenAIResponseFinishReasons(word(m.Finish)))
	}
	if m.UsageKnown {
		e.span.SetAttributes(semconv.GenAIUsageInputTokens(int(m.In)), semconv.GenAIUsageOutputTokens(int(m.Out)))
	}
}

// aWord is what a name from outside must look like. The other side writes it,
// so it may hold anything.
var aWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,79}$`)

func word(s string) string {
	if s == "" || aWord.MatchString(s) {
		return s
	}
	return other
}
