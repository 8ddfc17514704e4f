package engine

import (
	"context"
	"errors"
	"log/slog"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// maxDue is how many due runs one look takes.
const maxDue = 500

// timing looks for runs whose time has come: a back-off that is over, an
// approval that expires. Any number of processes may look; the lock decides.
func (e *Engine) timing() {
	for e.stop.Err() == nil {
		e.pause(e.cfg.Clock.Due)
		ids, err := e.db.Due(e.stop, maxDue)
		if err != nil {
			continue // the database is away: it is due at the next look
		}
		each(ids, func(id security.ID) {
			if err := e.due(e.stop, id); err != nil && e.stop.Err() == nil && !errors.Is(err, errNotDue) {
				e.cfg.Log.Warn("what is due could not be done; it stays due", slog.String("run", id.Name("run")), slog.Any("error", err))
			}
		})
	}
}

// each calls f for all ids at the same time, so that their commits share
// batches.
func each[T any](all []T, f func(T)) {
	done := make(chan struct{}, len(all))
	for _, v := range all {
		go func() {
			defer func() { done <- struct{}{} }()
			f(v)
		}()
	}
	for range all {
		<-done
	}
}

var errNotDue = errors.New("nothing is due")

// due does what is due in a run: first the approval that expires, if there is
// one, then the back-offs. One change sees one approval, so that a run with
// several is due again at once.
func (e *Engine) due(ctx context.Context, id security.ID) error {
	run, err := e.db.Load(ctx, id)
	if err != nil {
		return err
	}
	err = e.db.Write(ctx, store.Change{Run: id, Ask: soonest(run.Run.Progress.Steps), Apply: func(l *store.Locked) error {
		if l.State.Closed() {
			return errNotDue
		}
		back, expired := backoffs(l), e.expire(l)
		if !back && !expired {
			return errNotDue
		}
		setDue(l)
		if !expired { // else it has woken the run
			wake(l)
		}
		return nil
	}})
	if err == nil {
		e.nudge(id)
	}
	return err
}

// backoffs makes steps ready whose back-off is over.
func backoffs(l *store.Locked) (changed bool) {
	for i := range l.Progress.Steps {
		s := &l.Progress.Steps[i]
		if s.Status == workflow.Backoff && s.DueUS <= l.NowUS {
			s.Status, s.DueUS = workflow.Pending, 0
			changed = true
		}
	}
	return changed
}

// expire ends the approval whose time is over. One that is not pending any more
// although its step waits was changed by somebody else's hand; it ends too, and
// the driver that uses it finds out what it is worth.
func (e *Engine) expire(l *store.Locked) bool {
	if l.Asked == nil {
		return false
	}
	req, votes := request(*l.Asked)
	state, err := approval.Decide(req, votes, nil, l.NowUS)
	if err != nil {
		return false
	}
	return conclude(l, &l.Asked.Approval, state, audit.Fact{Actor: "custody", ActorKind: string(security.Service), Build: e.cfg.Build})
}

// soonest is the approval that expires first of those that steps wait for.
func soonest(all []store.Step) (id security.ID) {
	var at int64
	for i := range all {
		s := &all[i]
		if s.Status == workflow.Waiting && (at == 0 || s.DueUS < at) {
			at, id = s.DueUS, s.Ask
		}
	}
	return id
}
