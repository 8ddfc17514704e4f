package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Retry asks for a new run that goes on where a failed one ended.
type Retry struct {
	Run     security.ID
	Key     string // Idempotency-Key; empty: none
	Request string // Request-Id
	DryRun  bool
}

// Retry makes a new run of the same version on the same input. Steps that have
// succeeded are taken over by reference and not paid again; approvals are asked
// anew, because a permission is used once. The new run carries the retrier's
// own mandate.
//
// Its errors are store.ErrNotFound, *Denied, ErrRunNotFailed, ErrGone,
// ErrKinds and store.ErrMismatch.
func (e *Engine) Retry(ctx context.Context, who security.Principal, r Retry) (Submitted, error) {
	old, err := e.db.Load(ctx, r.Run)
	if err != nil {
		return Submitted{}, err
	}
	if old.Run.Tenant != who.Tenant {
		return Submitted{}, store.ErrNotFound
	}
	def, _, err := e.defs.get(ctx, who.Tenant, old.Run.Workflow, old.Run.Digest)
	if err != nil {
		return Submitted{}, err
	}
	now := time.Now()
	decision := policy.Submit(who, def.Requires, now)
	if !decision.Allowed() {
		return Submitted{}, &Denied{decision}
	}
	if old.Run.State != store.Failed {
		return Submitted{}, ErrRunNotFailed
	}
	input, err := e.inputOf(old)
	if err != nil {
		return Submitted{}, err
	}
	n, err := e.newRun(ctx, who, def, input, now)
	if err != nil {
		return Submitted{}, err
	}
	n.run.RetryOf = r.Run
	n.fact.RetryOf, n.fact.Request, n.fact.Decision = r.Run.Name("run"), r.Request, decided(decision)
	adopt(n, def, &old.Run)
	if r.DryRun {
		return Submitted{Run: n.run}, e.revoked(ctx, who)
	}
	return e.make(ctx, who, n, r.Key, digestOf("retry", r.Run.String()))
}

// inputOf opens the input of a run.
func (e *Engine) inputOf(l store.Loaded) ([]byte, error) {
	key, err := e.cfg.Vault.Unwrap(l.Run.Tenant, l.Run.ID, l.Mandate.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: the run's key", ErrGone)
	}
	opened, err := key.Open(l.Run.Tenant, l.Run.ID, l.Mandate.Input, inputKind, l.Input)
	if err != nil {
		return nil, fmt.Errorf("%w: the input", ErrGone)
	}
	return opened.Content, nil
}

// adopt takes over what has succeeded. A step below an approval that is asked
// anew is taken over as well: doing an effect twice is worse than asking twice.
func adopt(n *newRun, def *workflow.Definition, old *store.Run) {
	for i, s := range old.Progress.Steps {
		if s.Status != workflow.Succeeded || def.Steps[i].Approval != nil {
			continue
		}
		from := s.From
		if from.IsZero() {
			from = old.ID
		}
		n.run.Progress.Steps[i] = store.Step{Status: workflow.Succeeded, Attempt: s.Attempt, Payload: s.Payload, From: from, Call: s.Call}
		f := audit.Fact{
			Action: audit.StepSkipped, Outcome: "adopted", Actor: n.fact.Actor, ActorKind: n.fact.ActorKind, Build: n.fact.Build,
			Step: def.Steps[i].ID, Attempt: s.Attempt, Adopted: from.Name("run"),
		}
		n.more = append(n.more, f)
	}
}
