package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/custodyhq/custody/security"
)

// A lease is what this process knows of its own heartbeat. Times are of the
// monotonic clock, taken before a renewal was sent: what the database saw is
// never older.
type lease struct {
	clock Clock
	mu    sync.Mutex
	last  time.Time   // the newest renewal that was answered
	term  int         // raised by a renewal that came too late to vouch for anything
	beats []time.Time // of the last Silent, for judging others
}

// renewed notes a renewal that was sent at the given time. One that comes too
// late after the one before starts a new term: in between this process may
// have been recovered by others, so every driver must pass the fence first.
func (l *lease) renewed(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && sent.Sub(l.last) >= l.clock.Fresh {
		l.term++
	}
	l.last = sent
	l.beats = append(l.beats, sent)
	for len(l.beats) > 0 && sent.Sub(l.beats[0]) > l.clock.Silent+l.clock.Gap {
		l.beats = l.beats[1:]
	}
}

// current is the term that a commit begun now vouches for.
func (l *lease) current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

// holds reports whether a request may leave whose intent was committed by a
// batch begun in the given term.
func (l *lease) holds(term int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return term == l.term && !l.last.IsZero() && time.Since(l.last) < l.clock.Fresh
}

func (l *lease) fresh() bool { return l.holds(l.current()) }

// mayJudge reports whether this process's own heartbeats were regular for long
// enough to say that another one's silence is its own fault, and not the
// database's.
func (l *lease) mayJudge() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.beats) == 0 || now.Sub(l.beats[0]) < l.clock.Silent {
		return false
	}
	for i, b := range l.beats {
		next := now
		if i+1 < len(l.beats) {
			next = l.beats[i+1]
		}
		if next.Sub(b) > l.clock.Gap {
			return false
		}
	}
	return true
}

// beating renews the lease for as long as the engine runs, and tells drivers
// whose runs were nudged.
func (e *Engine) beating() {
	for e.stop.Err() == nil {
		e.pause(e.cfg.Clock.Beat)
		if err := e.beat(e.stop); err != nil && e.stop.Err() == nil {
			e.cfg.Log.Debug("the heartbeat was not renewed", slog.Any("error", err))
		}
	}
}

func (e *Engine) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Clock.Fresh/2)
	defer cancel()
	sent := time.Now()
	nudged, err := e.db.Beat(ctx)
	if err != nil {
		return err
	}
	e.lease.renewed(sent)
	e.nudge(nudged...)
	return nil
}

// nudge wakes the drivers of these runs, if they are in this process.
func (e *Engine) nudge(runs ...security.ID) {
	for _, id := range runs {
		if d := e.driver(id); d != nil {
			d.nudge()
		}
	}
}
