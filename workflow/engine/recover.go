package engine

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// recovering takes runs from processes that are silent, and from this one:
// whatever the database says it holds without a driver in its memory (a driver
// that panicked, a fetch of River's whose answer was lost).
func (e *Engine) recovering() {
	var suspects map[store.Stranded]bool
	for e.stop.Err() == nil {
		e.pause(e.cfg.Clock.Silent / 10)
		if e.lease.mayJudge() {
			e.bury()
		}
		suspects = e.recoverSelf(suspects)
	}
}

// bury takes everything from the silent processes.
func (e *Engine) bury() {
	silent, err := e.db.Silent(e.stop, e.cfg.Clock.Silent)
	if err != nil {
		return
	}
	for _, process := range silent {
		err := e.db.Bury(e.stop, process, e.cfg.Clock.Silent, func(strays []store.Stranded) bool {
			return e.takeAll(strays, process)
		})
		if err != nil && !errors.Is(err, store.ErrAlive) && e.stop.Err() == nil {
			e.cfg.Log.Warn("a silent process could not be recovered yet", slog.String("process", process.String()), slog.Any("error", err))
		}
	}
}

// recoverSelf takes runs that this process holds without driving them, at the
// second look: one that its driver was just leaving is gone by then.
func (e *Engine) recoverSelf(suspects map[store.Stranded]bool) map[store.Stranded]bool {
	me := e.db.Process()
	strays, err := e.db.Strays(e.stop, me, e.cfg.Clock.Silent)
	if err != nil {
		return nil
	}
	seen := map[store.Stranded]bool{}
	var lost []store.Stranded
	for _, s := range strays {
		if d := e.driver(s.Run); d != nil && d.epoch == s.Epoch {
			continue
		}
		seen[s] = true
		if suspects[s] {
			lost = append(lost, s)
		}
	}
	e.takeAll(lost, me)
	return seen
}

// takeAll gives each run a new epoch and a job, and reports whether all of them
// are in other hands now.
func (e *Engine) takeAll(strays []store.Stranded, from security.ID) bool {
	var left atomic.Int64
	each(strays, func(s store.Stranded) {
		if err := e.take(s, from); err != nil {
			left.Add(1)
		}
	})
	return left.Load() == 0
}

// take gives a run a new epoch and a job, if it still is where it was seen.
func (e *Engine) take(s store.Stranded, from security.ID) error {
	err := e.db.Write(e.stop, store.Change{Run: s.Run, Apply: func(l *store.Locked) error {
		if l.State.Closed() || l.Epoch != s.Epoch || !l.Holder.IsZero() && l.Holder != from {
			return errNotDue
		}
		l.Append(audit.Fact{
			Action: audit.RunRecovered, Outcome: "ok", Actor: "custody", ActorKind: string(security.Service), Build: e.cfg.Build,
			Target: "process " + from.String(),
		})
		l.Holder, l.Nudged, l.State = security.ID{}, false, store.Queued
		l.Epoch++
		l.Job()
		return nil
	}})
	if errors.Is(err, errNotDue) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
