package engine

import (
	"context"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Cancellation asks a run to end.
type Cancellation struct {
	Run     security.ID
	Reason  string // content: it is sealed
	Key     string // Idempotency-Key; empty: none
	Request string // Request-Id
	DryRun  bool
	// Fits says whether the run's version is one that is to be cancelled; nil: any.
	Fits func(version int64) bool
}

// Cancel asks a run to end. A run that nobody drives ends in this commit, its
// open intents as unknown. Otherwise its driver cancels the calls under way,
// commits each one's outcome, and closes. A last outcome that is ahead of the
// request under the lock wins.
//
// Its errors are store.ErrNotFound, ErrRunClosed, store.ErrChanged (the version
// does not fit) and store.ErrMismatch.
func (e *Engine) Cancel(ctx context.Context, who security.Principal, c Cancellation) (Submitted, error) {
	run, err := e.db.Run(ctx, who.Tenant, c.Run)
	if err != nil {
		return Submitted{}, err
	}
	if (c.Key == "" || c.DryRun) && run.State.Closed() {
		return Submitted{}, ErrRunClosed
	}
	if c.DryRun {
		if c.Fits != nil && !c.Fits(run.Version) {
			return Submitted{}, store.ErrChanged
		}
		return Submitted{Run: run}, nil
	}
	def, _, err := e.defs.get(ctx, run.Tenant, run.Workflow, run.Digest)
	if err != nil {
		def = nil // a run whose kinds this process lacks: its driver closes it
	}
	reason, err := e.sealComment(ctx, run.Tenant, run.ID, c.Reason)
	if err != nil {
		return Submitted{}, err
	}
	var out Submitted
	ch := store.Change{
		Run: c.Run, Bytes: weight(reason),
		Key: store.Key{Scope: who.Tenant + "/" + who.ID, Key: c.Key, Body: digestOf("cancel", c.Run.String(), c.Reason), Object: c.Run},
		Apply: func(l *store.Locked) (err error) {
			out, err = e.cancelLocked(l, who, c, def, reason)
			return err
		},
	}
	err = e.db.Write(ctx, ch)
	if replay, ok := errorAs[*store.Replayed](err); ok {
		run, err := e.db.Run(ctx, who.Tenant, replay.Object)
		return Submitted{Run: run, Replayed: true}, err
	}
	if err == nil {
		e.nudge(c.Run)
	}
	return out, err
}

// cancelLocked asks the run's driver to end it, or ends it if there is none.
func (e *Engine) cancelLocked(l *store.Locked, who security.Principal, c Cancellation, def *workflow.Definition, reason []vault.Sealed) (Submitted, error) {
	switch {
	case c.Fits != nil && !c.Fits(l.Version-1): // it counts this change already
		return Submitted{}, store.ErrChanged
	case l.State.Closed():
		return Submitted{}, ErrRunClosed
	}
	f := audit.Fact{
		Action: audit.RunCancelRequested, Outcome: "ok", Actor: who.ID, ActorKind: string(who.Kind), Client: who.Client,
		Request: c.Request, Build: e.cfg.Build,
	}
	for _, p := range reason {
		f.Payloads = append(f.Payloads, refer(p))
	}
	receipt := l.Append(f)
	l.Seal(reason...)
	if l.CancelUS == 0 {
		l.CancelUS = l.AtUS
	}
	if !l.Holder.IsZero() || def == nil {
		wake(l)
	} else {
		closeCancelled(l, def, f)
	}
	return Submitted{Run: l.Clone(), Receipt: receipt}, nil
}

// closeCancelled closes a run that nobody drives.
func closeCancelled(l *store.Locked, def *workflow.Definition, f audit.Fact) {
	f.Payloads, f.Request = nil, ""
	for i := range l.Progress.Steps {
		s := &l.Progress.Steps[i]
		if !s.Open() {
			continue
		}
		u := f
		u.Action, u.Outcome, u.Step, u.Attempt = audit.StepUnknown, "unknown", def.Steps[i].ID, s.Attempt
		u.Key, u.Call, u.Code = l.Name()+"/"+def.Steps[i].ID, s.Call.Name("call"), "cancelled"
		if !s.Judge.IsZero() {
			j := u
			j.Action, j.Key, j.Call = audit.CallResult, u.Key+innerPart(s), s.Judge.Name("call")
			l.Append(j)
		}
		l.Append(u)
		s.Status, s.Payload, s.Judge = workflow.Unknown, security.ID{}, security.ID{}
	}
	closeRun(l, workflow.OutcomeCancelled, def, finish{}, f)
}
