package engine

import (
	"slices"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A move is one thing that a driver wants to commit about one step: an intent,
// an outcome, a refusal, a skip, a request for votes. Whether it may is decided
// on the locked row, never from memory.
type move struct {
	step   int
	ends   security.ID // the open call that it ends or continues; zero: it begins a step that is ready
	next   store.Step  // what the step becomes
	facts  []audit.Fact
	sealed []vault.Sealed
	ask    *store.Approval
	fresh  bool          // it takes a permission: not for a caller who is revoked
	intent bool          // a request leaves after it
	uses   []security.ID // approvals that it uses up
	cost   *audit.Model
	reason *store.Reason // why the run will end, if this is the first failure
	learnt bool          // its output stands in the driver's memory
	call   *call         // to launch after the commit

	dropped bool // the row no longer allowed it
	revoked bool // because the caller was revoked
}

// apply makes the move on the locked row, or drops it. state is what
// workflow.Next sees of the row, kept up to date.
func (m *move) apply(d *driver, l *store.Locked, state *workflow.State) error {
	m.dropped, m.revoked = false, false
	s := &l.Progress.Steps[m.step]
	if m.ends.IsZero() {
		if !slices.Contains(workflow.Next(d.def, *state).Ready, m.step) {
			m.dropped = true
			return nil
		}
	} else if !s.Open() || s.Call != m.ends {
		return ErrFenced // the attempt it ends is not the open one
	}
	if m.fresh && l.IsRevoked(d.rights, d.mandate.Began()) {
		m.dropped, m.revoked = true, true
		return nil
	}
	if m.intent && l.CancelUS != 0 { // of a judge: steps are not ready any more
		m.dropped = true
		return nil
	}
	seq := l.Seq
	for _, f := range m.facts {
		l.Append(f)
	}
	if m.reason != nil && l.Reason == nil && l.CancelUS == 0 { // else the run ends because somebody asked for it
		r := *m.reason
		r.Seq = max(seq, l.Seq-1)
		l.Reason = &r
	}
	l.Seal(m.sealed...)
	if m.ask != nil {
		l.Ask(*m.ask)
	}
	for _, id := range m.uses {
		l.Settle(id, approval.Approved, true)
	}
	if m.intent && m.call.judging != nil {
		l.Progress.Judged++
	}
	if m.cost != nil {
		l.Progress.Micros += m.cost.Micros
		l.Progress.TokensIn += m.cost.In
		l.Progress.TokensOut += m.cost.Out
	}
	*s = m.next
	state.Steps[m.step] = workflow.StepState{Status: s.Status, Attempt: s.Attempt}
	return nil
}

// withdraw ends an approval that nobody needs any more.
func withdraw(l *store.Locked, step string, s *store.Step, f audit.Fact) {
	if s.Ask.IsZero() {
		return
	}
	l.Settle(s.Ask, approval.Withdrawn, false)
	f.Action, f.Outcome, f.Step, f.Attempt = audit.ApprovalClosed, "withdrawn", step, s.Attempt
	f.Approval = &audit.Approval{ID: s.Ask.Name("apr"), Decision: "withdrawn"}
	f.State, f.Reason, f.Payloads = "", "", nil
	l.Append(f)
}

// withholdDraft ends the call whose draft waited for people who are not needed
// any more.
func withholdDraft(l *store.Locked, step string, s *store.Step, f audit.Fact) {
	f.Action, f.Outcome, f.Step, f.Attempt = audit.StepWithheld, "withheld", step, s.Attempt
	f.Key, f.Call, f.Code = l.Name()+"/"+step, s.Call.Name("call"), "withdrawn"
	f.State, f.Reason, f.Payloads = "", "", nil
	l.Append(f)
	s.Status, s.DueUS, s.Payload = workflow.Withheld, 0, security.ID{}
}
