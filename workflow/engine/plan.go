package engine

import (
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// plan adds to the given moves what may begin once they are committed. Nothing
// here does I/O: admitting and checking a step takes microseconds, so the
// intent of the next step rides with the outcome of this one.
func (d *driver) plan(moves []*move) []*move {
	progress := d.run.Clone().Progress
	d.ended = nil // made anew, from what is known now
	for _, m := range moves {
		progress.Steps[m.step] = m.next
	}
	for {
		next := workflow.Next(d.def, progress.State(d.run.CancelUS != 0))
		if next.Close == workflow.OutcomeSucceeded {
			d.ended = d.finish()
		}
		began := false
		for _, i := range next.Ready {
			if d.e.draining.Load() && d.leaves(i) {
				continue // another process will begin it
			}
			m := d.begin(i, progress.Steps[i])
			if m == nil {
				continue // first it must be asked whether people let its input pass
			}
			delete(d.mercies, i) // they hold for one beginning
			progress.Steps[i] = m.next
			moves = append(moves, m)
			began = true
		}
		if !began {
			return moves
		}
	}
}

// leaves reports whether beginning the step starts a call.
func (d *driver) leaves(step int) bool { return d.def.Steps[step].Kind.Intent }

// A finish is what a run leaves behind whose steps have all passed: its output,
// or why there is none.
type finish struct {
	sealed []vault.Sealed
	reason *store.Reason
}

// finish computes what the run returns. To succeed is to use everything that
// the row says of its steps, so a doubt about one of them, even one that no
// other step needs, ends the run as denied.
func (d *driver) finish() *finish {
	for step := everywhere; step < len(d.def.Steps); step++ {
		if len(d.doubts[step]) == 0 {
			continue
		}
		r := &store.Reason{Code: "denied", Detail: d.doubts[step][0].Detail}
		if step != everywhere {
			r.Step = d.def.Steps[step].ID
		}
		return &finish{reason: r}
	}
	sealed, err := d.output()
	if err != nil {
		return &finish{reason: &store.Reason{Code: "error", Detail: "the run's output cannot be computed: " + err.Error()}}
	}
	return &finish{sealed: []vault.Sealed{sealed}}
}

func (d *driver) output() (vault.Sealed, error) {
	v, err := d.def.EvalOutput(d.values)
	if err != nil {
		return vault.Sealed{}, err
	}
	content, err := json.Marshal(v.V)
	if err != nil {
		return vault.Sealed{}, errors.New("it is not JSON") // the error may repeat a value
	}
	return d.key.Seal(d.run.Tenant, d.id, "output", content)
}

// admit asks whether the run's caller may take the step now.
func (d *driver) admit(step int) (steps.Admitted, security.Decision) {
	facts := steps.Facts{Now: d.now(), Doubts: d.doubtsAbout(step)}
	if d.revoked {
		facts.Doubts = append(facts.Doubts, security.Reason{Code: "revoked", Detail: "the caller, the session, the token, the run or a key that signed for it was revoked"})
	}
	return d.e.cfg.Pipeline.Admit(d.mandate, d.def, step, facts)
}

// doubtsAbout are what speaks against the run and against everything that the
// step builds on.
func (d *driver) doubtsAbout(step int) []security.Reason {
	if len(d.doubts) == 0 {
		return nil
	}
	out := slices.Clone(d.doubts[everywhere])
	for _, above := range ancestors(d.def, step) {
		out = append(out, d.doubts[above]...)
	}
	return out
}

// begin decides how a step that is ready begins: as an intent, or at once as
// its own end. A guard that panics has refused: else the run would be taken up
// and panic again, for ever.
func (d *driver) begin(i int, s store.Step) (m *move) {
	s.Attempt++
	s.DueUS = 0
	defer func() {
		if r := recover(); r != nil {
			d.e.cfg.Log.Error("a check panicked", slog.String("run", d.id.Name("run")), slog.String("step", d.def.Steps[i].ID), slog.String("stack", string(debug.Stack())))
			m = d.blocks(&move{step: i, next: s}, nil)
		}
	}()
	return d.opens(&move{step: i, next: s})
}

// opens asks, in this order: is what the step builds on what it claims to be;
// does its condition hold; may the caller; are its arguments clean.
func (d *driver) opens(m *move) *move {
	i, step := m.step, &d.def.Steps[m.step]
	if len(d.doubtsAbout(i)) > 0 {
		_, decision := d.admit(i)
		return d.denies(m, decision)
	}
	if step.If != "" {
		wanted, err := d.def.If(i, d.values)
		if err != nil {
			return d.fails(m, "condition", "its condition cannot be evaluated: "+err.Error())
		}
		if !wanted {
			return d.skips(m)
		}
	}
	admitted, decision := d.admit(i)
	if !decision.Allowed() {
		return d.denies(m, decision)
	}
	if step.Approval != nil {
		return d.asks(m)
	}
	bound, err := d.def.Bind(i, d.values)
	if err != nil {
		return d.fails(m, "binding", "its arguments cannot be evaluated: "+err.Error())
	}
	return d.checks(m, admitted, bound, decision)
}

// checks begins a step whose arguments are clean, or that people let pass. What
// they said is not known here when the guard refuses for the first time: then
// the step is put aside, and forgive asks.
func (d *driver) checks(m *move, admitted steps.Admitted, bound workflow.Bound, decision security.Decision) *move {
	i := m.step
	said, heard := d.mercies[i]
	checked, found, err := d.e.cfg.Pipeline.Check(admitted, bound, said.Pardon)
	r := d.e.marked(d.run.Tenant, err)
	switch {
	case !heard && (len(textsOf(r)) > 0 || !m.next.Ask.IsZero()):
		d.refused[i] = textsOf(r)
		return nil
	case said.doubt != nil:
		return d.denies(m, doubtful(said.doubt))
	case said.ended != "":
		return d.ends(d.blocks(m, err), said.ended)
	case d.mayAsk(i, r):
		return d.asksReview(m, r)
	case err != nil:
		return d.blocks(m, err)
	case !d.def.Steps[i].Kind.Intent:
		return d.sets(m, checked)
	}
	d.e.mark(d.run.Tenant, found, checked.Noted())
	m.uses = said.used(found)
	return d.intends(m, checked, decision, found)
}

// intends is a step whose call leaves after this commit.
func (d *driver) intends(m *move, checked steps.Checked, decision security.Decision, findings []security.Finding) *move {
	id := security.NewID()
	m.next.Status, m.next.Call, m.next.Judge, m.next.Payload, m.next.Tries = workflow.Running, id, security.ID{}, security.ID{}, 0
	m.fresh, m.intent = true, true
	f := d.stepFact(m.step, m.next.Attempt, audit.StepIntent, "ok")
	f.Call, f.Decision, f.Findings = id.Name("call"), decided(decision), findings
	m.facts = append(m.facts, f)
	if d.def.Steps[m.step].Kind.Effect {
		m.uses = append(m.uses, d.approvalsAbove(m.step)...)
	}
	m.call = &call{step: m.step, id: id, attempt: m.next.Attempt, checked: checked}
	return m
}

// approvalsAbove names the approvals that let this effect happen.
func (d *driver) approvalsAbove(step int) []security.ID {
	var out []security.ID
	for _, i := range ancestors(d.def, step) {
		if d.def.Steps[i].Approval != nil && d.run.Progress.Steps[i].Status == workflow.Succeeded && d.approved(i) {
			out = append(out, d.run.Progress.Steps[i].Ask)
		}
	}
	return out
}

func (d *driver) approved(step int) bool {
	v, ok := d.values.Steps[d.def.Steps[step].ID].V.(map[string]any)
	return ok && v["decision"] == approval.Approve
}

// skips ends a step whose condition is false. It needs no permission.
func (d *driver) skips(m *move) *move {
	m.next.Status = workflow.Skipped
	m.facts = append(m.facts, d.stepFact(m.step, m.next.Attempt, audit.StepSkipped, "ok"))
	return m
}

// fails ends a step that cannot even begin.
func (d *driver) fails(m *move, code, detail string) *move {
	m.next.Status = workflow.Failed
	f := d.stepFact(m.step, m.next.Attempt, audit.StepResult, "error")
	f.Code = code
	m.facts = append(m.facts, f)
	return d.because(m, "error", detail)
}

// because notes why the run will end.
func (d *driver) because(m *move, code, detail string) *move {
	m.reason = &store.Reason{Code: code, Step: d.def.Steps[m.step].ID, Detail: detail}
	return m
}

// denies ends a step that the caller may not take now.
func (d *driver) denies(m *move, decision security.Decision) *move {
	m.next.Status, m.next.Payload, m.next.Judge = workflow.Denied, security.ID{}, security.ID{}
	f := d.stepFact(m.step, m.next.Attempt, audit.StepDenied, "denied")
	f.Decision, f.Code = decided(decision), decision.Code()
	m.facts = append(m.facts, f)
	code := "denied"
	if slices.ContainsFunc(decision.Reasons(), func(r security.Reason) bool { return r.Code == "revoked" }) {
		code = "revoked"
	}
	return d.because(m, code, decision.String())
}

// blocks ends a step whose input the guard refused.
func (d *driver) blocks(m *move, err error) *move {
	m.next.Status = workflow.Blocked
	f := d.stepFact(m.step, m.next.Attempt, audit.StepBlocked, "blocked")
	f.Findings = findings(err)
	m.facts = append(m.facts, f)
	return d.because(m, "blocked", d.unasked(m.step, err)+why(err))
}

// findings are those of a guard's refusal.
func findings(err error) []security.Finding {
	if r, ok := errorAs[*guard.Refusal](err); ok {
		return r.Findings
	}
	return nil
}

// why is a refusal's first reason, for people and without content.
func why(err error) string {
	all := findings(err)
	if len(all) == 0 {
		return "the guard refused it"
	}
	return all[0].Rule + " at " + all[0].Path + ": " + all[0].Why
}

// sets ends a step without I/O: it has no intent, only a result.
func (d *driver) sets(m *move, checked steps.Checked) *move {
	m.fresh = true
	id := steps.CallID{Run: d.id.Name("run"), Key: d.keyOf(m.step), Call: security.NewID().Name("call"), Attempt: m.next.Attempt}
	draft, err := d.e.cfg.Pipeline.Execute(d.e.stop, checked, id)
	if err != nil {
		return d.fails(m, "error", err.Error())
	}
	screened, found, err := d.e.cfg.Pipeline.Screen(checked, draft, guard.Pardon{})
	if err != nil {
		_ = d.e.marked(d.run.Tenant, err) // for its findings
		return d.withholds(m, err, steps.Use{}, "")
	}
	d.e.mark(d.run.Tenant, found, screened.Noted())
	released, err := screened.Release(guard.NoJudge())
	if err != nil {
		return d.withholds(m, err, steps.Use{}, "")
	}
	return d.succeeds(m, released, found, steps.Use{}, "")
}

// succeeds ends a step with an output that everything below may use. What it
// cannot seal or read back is nobody's output: the attempt has failed then,
// with what it has cost.
func (d *driver) succeeds(m *move, released guard.Released, found []security.Finding, use steps.Use, call string) *move {
	content := released.JSON()
	v, err := decode(content)
	sealed, sealing := d.key.Seal(d.run.Tenant, d.id, outputKind(d.def.Steps[m.step].ID), content)
	if err != nil || sealing != nil || !released.OK() {
		f := d.stepFact(m.step, m.next.Attempt, audit.StepResult, "error")
		f.Call, f.Model, f.Status, f.Code = call, use.Model, use.Status, steps.CodeError
		m.facts, m.cost = append(m.facts, f), use.Model
		m.next.Status, m.next.Payload, m.next.Judge = workflow.Failed, security.ID{}, security.ID{}
		return d.because(m, "error", "its output cannot be sealed")
	}
	f := d.stepFact(m.step, m.next.Attempt, audit.StepResult, "ok")
	f.Call, f.Findings, f.Model, f.Status, f.Payloads = call, found, use.Model, use.Status, []audit.Payload{refer(sealed)}
	m.facts, m.sealed, m.cost = append(m.facts, f), append(m.sealed, sealed), use.Model
	m.next.Status, m.next.Payload, m.next.Judge, m.next.DueUS = workflow.Succeeded, sealed.ID, security.ID{}, 0
	d.keep(m.step, v)
	m.learnt = true
	return m
}

// withholds ends a step whose draft may not be released.
func (d *driver) withholds(m *move, err error, use steps.Use, call string) *move {
	m.next.Status, m.next.Payload, m.next.Judge = workflow.Withheld, security.ID{}, security.ID{}
	f := d.stepFact(m.step, m.next.Attempt, audit.StepWithheld, "withheld")
	f.Call, f.Findings, f.Model, f.Status = call, findings(err), use.Model, use.Status
	m.facts, m.cost = append(m.facts, f), use.Model
	return d.because(m, "withheld", d.unasked(m.step, err)+why(err))
}

// asks begins an approval: what is shown is sealed, what is asked is a document
// that names its commitments, and the run waits without a job.
func (d *driver) asks(m *move) *move {
	step := &d.def.Steps[m.step]
	parts, err := d.shown(m.step)
	if err != nil {
		return d.fails(m, "binding", "what it shows cannot be evaluated: "+err.Error())
	}
	m.fresh = true
	f := d.stepFact(m.step, m.next.Attempt, audit.ApprovalRequested, "ok")
	f.Key = ""
	if err := d.asksFor(m, step.Approval, d.question(m, step.Approval), parts, &f); err != nil {
		return d.fails(m, "error", err.Error())
	}
	return m
}

// retryIn says whether a failed attempt is followed by another, and when.
func (d *driver) retryIn(step, attempt int, e *steps.Error) (time.Duration, bool) {
	s := &d.def.Steps[step]
	switch {
	case e.Unknown && !s.Kind.Effect: // nobody will ever know; asking again harms nobody
		return max(s.Retry.Wait(attempt), e.After), attempt < max(s.Retry.Attempts, unknownAttempts)
	case e.Unknown:
		return max(s.Retry.Wait(attempt), e.After), attempt < s.Retry.Attempts
	}
	return max(s.Retry.Wait(attempt), e.After), e.Retry && attempt < s.Retry.Attempts
}

// unknownAttempts bounds how often a call is made whose outcome was never
// learnt, even without `retry`: a run that kills its process must not kill them
// all.
const unknownAttempts = 3
