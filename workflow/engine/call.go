package engine

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// maxJudge is how often the judge is asked about one draft before it is
// withheld; between two times lies Clock.Judge or what the judge asks for.
const (
	maxJudge     = 3
	maxJudgeWait = time.Minute // of what the other side asks for
)

// A call is one request under way, of a step or of its judge.
type call struct {
	step     int
	id       security.ID // of the step's call
	attempt  int
	checked  steps.Checked
	judging  *judging  // set: the judge is asked about the step's draft
	revising *revising // set: the model is asked again, because the rules refused what it answered before
	cancel   context.CancelFunc
}

// judging is what is known while the judge is asked.
type judging struct {
	id       security.ID // of the judge's call
	screened guard.Screened
	found    []security.Finding
	use      steps.Use // of the step's call
	tries    int
}

// A result is how a call ended.
type result struct {
	call     *call
	screened guard.Screened
	found    []security.Finding
	use      steps.Use
	err      error
	draft    []byte // as JSON, if the rules refused it
	verdict  guard.Verdict
	rubric   string            // of the judge
	unmet    []string          // criteria, by the judge
	reason   string            // of the judge
	denied   security.Decision // it never left: the caller may no longer
	refused  bool
	again    bool // the pause before asking the judge again is over; with err: nothing more is asked
}

// start makes the request. The goroutine holds no connection and no lock, and
// sends exactly one result.
func (c *call) start(d *driver) {
	ctx, cancel := context.WithCancel(d.under)
	c.cancel = cancel
	results, tracer := d.results, d.e.cfg.Tracer
	id := steps.CallID{Run: d.id.Name("run"), Key: d.keyOf(c.step), Call: c.id.Name("call"), Attempt: c.attempt}
	pipeline := d.e.cfg.Pipeline
	w := d.work(WorkStep)
	w.Step, w.Uses, w.Attempt, w.Call = d.def.Steps[c.step].ID, d.def.Steps[c.step].Uses, c.attempt, c.id
	if c.judging != nil {
		w.Part, w.Call = WorkJudge, c.judging.id
	} else if c.revising != nil {
		id.Key, id.Call, w.Call = id.Key+c.revising.part(), c.revising.id.Name("call"), c.revising.id
	}
	engine, tenant, caller := d.e, d.run.Tenant, d.mandate.ID
	forgive := func(ctx context.Context, texts []guard.Offending) guard.Pardon {
		return engine.again(ctx, tenant, caller, texts)
	}
	d.e.callers.run(d.e.stop, func() {
		defer cancel()
		ctx := tracer.Begin(ctx, w)
		r := result{call: c}
		defer func() {
			// A runner's panic ends in the pipeline. This one is a guard's: it must
			// not end the process, whose runs would end the next one.
			if p := recover(); p != nil {
				r = result{call: c, use: r.use, err: &steps.Error{
					Code: steps.CodePanic, Detail: "the answer could not be checked", Use: r.use, Err: &steps.Panic{Stack: debug.Stack()},
				}}
			}
			tracer.End(ctx, w, r.ended())
			results <- r
		}()
		if c.judging == nil {
			c.execute(ctx, pipeline, id, forgive, &r)
		} else {
			c.judge(ctx, pipeline, id, &r)
		}
	})
}

// execute makes the step's call and screens its draft. When the rules refuse it,
// forgive says what people let pass.
func (c *call) execute(ctx context.Context, p *steps.Pipeline, id steps.CallID, forgive func(context.Context, []guard.Offending) guard.Pardon, r *result) {
	draft, err := p.Execute(ctx, c.checked, id)
	if err != nil {
		r.err = err
		return
	}
	r.use = draft.Use()
	r.screened, r.found, r.err = p.Screen(c.checked, draft, guard.Pardon{})
	if refusal, ok := errorAs[*guard.Refusal](r.err); ok && len(refusal.Texts()) > 0 {
		r.screened, r.found, r.err = p.Screen(c.checked, draft, forgive(ctx, refusal.Texts()))
	}
	if r.err == nil {
		return
	}
	if body, err := draft.Bytes(); err == nil {
		r.draft = body
	}
}

// judge asks the judge about the step's draft.
func (c *call) judge(ctx context.Context, p *steps.Pipeline, id steps.CallID, r *result) {
	id.Key, id.Call = id.Key+judgePart, c.judging.id.Name("call")
	var use steps.JudgeUse
	r.verdict, use, r.err = p.Judge(ctx, c.checked, c.judging.screened, id)
	r.use, r.reason, r.rubric, r.unmet = use.Use, use.Reason, use.Rubric, use.Unmet
}

// end turns a result into the moves that commit it.
func (d *driver) end(r result) []*move {
	c := r.call
	if d.calls[c.step] != c {
		return nil // ended meanwhile by other means
	}
	delete(d.calls, c.step)
	m := &move{step: c.step, ends: c.id, next: d.run.Progress.Steps[c.step]}
	switch {
	case r.refused:
		return []*move{d.endRefused(m, c, r.denied)}
	case r.again && c.judging == nil:
		return []*move{d.withholds(m, c.revising.err, c.revising.use, c.id.Name("call"))}
	case r.again:
		return []*move{d.asksJudge(m, c, r.err == nil)}
	case c.judging != nil:
		return []*move{d.endJudge(m, c, r)}
	}
	paid := d.endRevision(m, c, &r)
	return []*move{d.withCost(d.endStep(m, c, r), paid)}
}

// endStep says what follows from an answer of the step's own call.
func (d *driver) endStep(m *move, c *call, r result) *move {
	if r.err != nil {
		return d.endError(m, c, r)
	}
	d.e.mark(d.run.Tenant, r.found, r.screened.Noted())
	if d.e.cfg.Pipeline.NeedsJudge(c.checked) {
		c.judging = &judging{screened: r.screened, found: r.found, use: r.use}
		return d.asksJudge(m, c, true)
	}
	return d.releases(m, c, guard.NoJudge(), r.screened, r.found, r.use)
}

// endRefused ends a call that was admitted, committed late, and may no longer
// leave.
func (d *driver) endRefused(m *move, c *call, decision security.Decision) *move {
	var f audit.Fact
	switch {
	case c.judging != nil:
		f = d.innerFact(m, judgePart, c.judging.id, audit.CallResult, "denied")
		m.cost = c.judging.use.Model
	case c.revising != nil:
		f = d.innerFact(m, c.revising.part(), c.revising.id, audit.CallResult, "denied")
	}
	if f.Action != "" {
		f.Decision, f.Code = decided(decision), decision.Code()
		m.facts = append(m.facts, f)
	}
	m = d.denies(m, decision)
	m.facts[len(m.facts)-1].Call = c.id.Name("call")
	return m
}

// asksJudge asks the judge, if there is time: for a run that was cancelled
// nothing more is asked, and what nobody judged is withheld.
func (d *driver) asksJudge(m *move, c *call, time bool) *move {
	if !time || d.run.CancelUS != 0 {
		return d.releases(m, c, guard.Verdict{}, c.judging.screened, c.judging.found, c.judging.use)
	}
	return d.judges(m, c)
}

// judgePart stands behind the key of a step in that of its judge's call.
const judgePart = "#judge"

// innerPart stands behind the key of a step in that of its open inner call.
func innerPart(s *store.Step) string {
	if s.Payload.IsZero() {
		return revisePart(s.Tries)
	}
	return judgePart
}

// innerFact is an entry about a call inside a step: of the judge, or for another
// draft.
func (d *driver) innerFact(m *move, part string, id security.ID, action audit.Action, outcome string) audit.Fact {
	f := d.stepFact(m.step, m.next.Attempt, action, outcome)
	f.Key, f.Call = f.Key+part, id.Name("call")
	return f
}

// releases ends a step with its output, or withholds it.
func (d *driver) releases(m *move, c *call, v guard.Verdict, s guard.Screened, found []security.Finding, use steps.Use) *move {
	released, err := s.Release(v)
	if err != nil {
		return d.withholds(m, err, use, c.id.Name("call"))
	}
	return d.succeeds(m, released, found, use, c.id.Name("call"))
}

// endError ends an attempt without an output: withheld by the rules, failed, or
// unknown.
func (d *driver) endError(m *move, c *call, r result) *move {
	if refusal := d.e.marked(d.run.Tenant, r.err); refusal != nil {
		return d.endRefusal(m, c, r, refusal)
	}
	e, ok := errorAs[*steps.Error](r.err)
	if !ok {
		e = &steps.Error{Code: steps.CodeError, Detail: "the step failed", Err: r.err}
	}
	d.logError(c, e)
	return d.failed(m, c.id, e)
}

// endRefusal ends an attempt whose draft the rules refused, unless the model may
// mend it or people are to look at it.
func (d *driver) endRefusal(m *move, c *call, r result, refusal *guard.Refusal) *move {
	switch {
	case d.mayRevise(c, refusal):
		return d.revises(m, c, r, refusal)
	case d.mayAsk(m.step, refusal):
		return d.asksDraft(m, c, r, refusal)
	}
	return d.withholds(m, r.err, r.use, c.id.Name("call"))
}

// logError keeps what an operator needs and the ledger must not hold.
func (d *driver) logError(c *call, e *steps.Error) {
	attrs := []any{
		slog.String("run", d.id.Name("run")), slog.String("step", d.def.Steps[c.step].ID), slog.Int("attempt", c.attempt),
		slog.String("code", e.Code), slog.Bool("unknown", e.Unknown),
	}
	if p, ok := errorAs[*steps.Panic](e); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	d.e.cfg.Log.Info("a call did not succeed", attrs...)
}

// failed ends an attempt with an error, and says whether another follows.
func (d *driver) failed(m *move, id security.ID, e *steps.Error) *move {
	action, outcome, status := audit.StepResult, "error", workflow.Failed
	if e.Unknown {
		action, outcome, status = audit.StepUnknown, "unknown", workflow.Unknown
	}
	f := d.stepFact(m.step, m.next.Attempt, action, outcome)
	f.Call, f.Code, f.Status, f.Model = id.Name("call"), e.Code, e.Status, e.Use.Model
	m.cost = e.Use.Model
	m.next.Payload, m.next.Judge = security.ID{}, security.ID{}
	wait, again := d.retryIn(m.step, m.next.Attempt, e)
	if again && d.run.CancelUS == 0 {
		m.next.Status, m.next.DueUS = workflow.Backoff, d.now().Add(wait).UnixMicro()
		f.Due = m.next.DueUS
		m.facts = append(m.facts, f)
		return m
	}
	m.next.Status = status
	m.facts = append(m.facts, f)
	code := "error"
	if e.Code == steps.CodeTimeout {
		code = "timeout"
	}
	return d.because(m, code, e.Error())
}

// A sealedDraft is a draft as it waits for the judge: with what it cost, so
// that recovery can say it.
type sealedDraft struct {
	Draft json.RawMessage `json:"draft"`
	Use   steps.Use       `json:"use"`
}

func draftKind(step string) string { return "draft:" + step }

// judges asks the judge, for the first time or again. The draft is sealed in
// the commit of the intent: a crash from here on costs no second model call.
func (d *driver) judges(m *move, c *call) *move {
	j := c.judging
	if d.judged = max(d.judged, d.run.Progress.Judged); d.judged >= d.e.cfg.Pipeline.JudgeCalls() {
		return d.releases(m, c, guard.Unasked(), j.screened, j.found, j.use)
	}
	d.judged++
	j.id = security.NewID()
	j.tries++
	f := d.innerFact(m, judgePart, j.id, audit.CallIntent, "ok")
	if m.next.Payload.IsZero() {
		body, err := json.Marshal(sealedDraft{Draft: j.screened.Bytes(), Use: j.use})
		if err != nil {
			return d.failed(m, c.id, &steps.Error{Code: steps.CodeError, Detail: "its draft cannot be sealed", Use: j.use})
		}
		sealed, err := d.key.Seal(d.run.Tenant, d.id, draftKind(d.def.Steps[m.step].ID), body)
		if err != nil {
			return d.failed(m, c.id, &steps.Error{Code: steps.CodeError, Detail: "its draft cannot be sealed", Use: j.use})
		}
		m.sealed, f.Payloads = append(m.sealed, sealed), []audit.Payload{refer(sealed)}
		m.next.Payload = sealed.ID
	}
	m.facts = append(m.facts, f)
	m.next.Status, m.next.Judge, m.next.Tries = workflow.Running, j.id, j.tries
	m.fresh, m.intent, m.call = true, true, c
	return m
}

// endJudge ends a call of the judge, and with its verdict the step.
func (d *driver) endJudge(m *move, c *call, r result) *move {
	f := d.innerFact(m, judgePart, c.judging.id, audit.CallResult, "ok")
	f.Model, f.Rubric, f.Unmet = r.use.Model, r.rubric, r.unmet
	if r.reason != "" {
		if sealed, err := d.key.Seal(d.run.Tenant, d.id, "judge:"+d.def.Steps[m.step].ID, []byte(r.reason)); err == nil {
			m.sealed, f.Payloads = append(m.sealed, sealed), []audit.Payload{refer(sealed)}
		}
	}
	e, failed := errorAs[*steps.Error](r.err)
	if r.err != nil {
		f.Outcome, f.Code = "error", steps.CodeError
		if failed {
			f.Code, f.Status = e.Code, e.Status
		}
		if failed && e.Unknown {
			f.Outcome = "unknown"
		}
	}
	m.facts = append(m.facts, f)
	if r.err != nil && c.judging.tries < maxJudge && d.run.CancelUS == 0 {
		d.judgeLater(c, e)
		m.next.Judge, m.cost = security.ID{}, r.use.Model // the step stays open, between two calls of the judge
		return m
	}
	verdict := r.verdict
	if r.err != nil {
		verdict = guard.Verdict{} // it said nothing, which is not a no
	}
	return d.withCost(d.releases(m, c, verdict, c.judging.screened, c.judging.found, c.judging.use), r.use.Model)
}

// withCost adds what a second call of a step cost.
func (d *driver) withCost(m *move, more *audit.Model) *move {
	if more == nil {
		return m
	}
	sum := audit.Model{}
	if m.cost != nil {
		sum = *m.cost
	}
	sum.In, sum.Out, sum.Micros = sum.In+more.In, sum.Out+more.Out, sum.Micros+more.Micros
	m.cost = &sum
	return m
}

// judgeLater asks the judge again after a pause. Until then the step is under
// way in memory; if the process dies, recovery asks.
func (d *driver) judgeLater(c *call, e *steps.Error) {
	wait := d.e.cfg.Clock.Judge
	if e != nil {
		wait = max(wait, min(e.After, maxJudgeWait))
	}
	ctx, cancel := context.WithCancel(d.e.stop)
	c.cancel = cancel
	d.calls[c.step] = c
	results := d.results
	go func() {
		defer cancel()
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
			results <- result{call: c, again: true}
		case <-ctx.Done():
			results <- result{call: c, again: true, err: ctx.Err()}
		}
	}()
}
