package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow/engine"
)

// Begin begins the span of a piece of work (engine.Tracer). Without traces it
// costs nothing.
func (t *Telemetry) Begin(ctx context.Context, w engine.Work) context.Context {
	if w.Part == engine.WorkDrive {
		t.prepare(ctx, w.Workflow)
	}
	if t.tracer == nil {
		return ctx
	}
	if w.Part == engine.WorkDrive {
		ctx = t.inRun(ctx, w.Run)
	}
	ctx, span := t.tracer.Start(ctx, w.Part, trace.WithTimestamp(w.Began))
	if !span.IsRecording() {
		return ctx
	}
	span.SetAttributes(runName.String(w.Run.Name("run")), workflowName.String(w.Workflow))
	switch w.Part {
	case engine.WorkDrive:
		span.SetAttributes(epochName.Int(int(w.Epoch)))
	case engine.WorkStep, engine.WorkJudge:
		span.SetAttributes(stepName.String(w.Step), kindName.String(w.Uses), attemptName.Int(w.Attempt), callName.String(w.Call.Name("call")))
	}
	return ctx
}

// End ends it, and counts how long it took (engine.Tracer).
func (t *Telemetry) End(ctx context.Context, w engine.Work, o engine.Outcome) {
	took := time.Since(w.Began).Seconds()
	switch w.Part {
	case engine.WorkStep:
		t.stepTime.to.Record(ctx, took, t.stepTime.by.of(labels{t.kinds.of(w.Uses), o.Outcome}).record...)
	case engine.WorkJudge:
		t.stepTime.to.Record(ctx, took, t.stepTime.by.of(labels{"judge", o.Outcome}).record...)
	case engine.WorkCommit:
		t.commitTime.to.Record(ctx, took, t.commitTime.by.of(labels{}).record...)
	}
	if t.tracer == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	for _, step := range o.Waits {
		span.AddEvent("approval.waiting", trace.WithAttributes(stepName.String(step)))
	}
	ended(span, o.Outcome, o.Code)
}

// prepare begins, at zero, what alerts look for in a workflow: the rise of a
// series that begins at one is not seen.
func (t *Telemetry) prepare(ctx context.Context, workflow string) {
	if !t.prepared.first(workflow) {
		return
	}
	flow := t.workflows.of(workflow)
	for _, outcome := range []string{"denied", "blocked", "withheld", "unknown"} {
		t.stopped.to.Add(ctx, 0, t.stopped.by.of(labels{outcome, flow}).add...)
	}
	for _, verdict := range []string{security.Block, security.Withhold} {
		t.findings.to.Add(ctx, 0, t.findings.by.of(labels{"injection", verdict, flow}).add...)
	}
}
