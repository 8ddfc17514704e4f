package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

const (
	watchPoll = 500 * time.Millisecond // the bound on what a lost notification costs
	watchWake = 10 * time.Millisecond  // several commits in a row are one look
)

// A Watch tells when a run has new entries. Changed receives a value after the
// run's stream has grown; values are not one per entry. Closed is closed once
// the run has ended.
type Watch struct {
	Changed <-chan struct{}
	Closed  <-chan struct{}
	run     security.ID
	ch      chan struct{}
	end     chan struct{}
	seq     int64
	t       *tailer
}

// Close ends the watch.
func (w *Watch) Close() { w.t.remove(w) }

// A tailer follows all watched runs of this process with one statement,
// whether they are driven here or elsewhere.
type tailer struct {
	db      *DB
	mu      sync.Mutex
	watches map[security.ID]map[*Watch]bool
	wake    chan struct{}
}

func newTailer(db *DB) *tailer {
	return &tailer{db: db, watches: map[security.ID]map[*Watch]bool{}, wake: make(chan struct{}, 1)}
}

// Watch begins to watch a run whose stream the caller has read up to and
// without seq.
func (db *DB) Watch(run security.ID, seq int64) *Watch {
	ch, end := make(chan struct{}, 1), make(chan struct{})
	w := &Watch{Changed: ch, Closed: end, ch: ch, end: end, run: run, seq: seq, t: db.watch}
	t := db.watch
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watches[run] == nil {
		t.watches[run] = map[*Watch]bool{}
	}
	t.watches[run][w] = true
	return w
}

func (t *tailer) remove(w *Watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watches[w.run], w)
	if len(t.watches[w.run]) == 0 {
		delete(t.watches, w.run)
	}
}

// committed tells watchers of runs that this process has just changed.
func (t *tailer) committed(w *writes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.watches) == 0 {
		return
	}
	for _, l := range w.changed {
		t.tell(l.ID, l.Seq, l.State.Closed())
	}
	for _, l := range w.made {
		t.tell(l.ID, l.Seq, l.State.Closed())
	}
}

func (t *tailer) tell(run security.ID, seq int64, closed bool) {
	for w := range t.watches[run] {
		if closed && w.end != nil {
			close(w.end)
			w.end = nil
		}
		if seq <= w.seq {
			continue
		}
		w.seq = seq
		select {
		case w.ch <- struct{}{}:
		default:
		}
	}
}

// run looks at the watched runs' streams when another process notifies, and
// every half second in any case.
func (t *tailer) run(ctx context.Context) {
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-t.wake:
			pause(ctx, watchWake)
		}
		t.look(ctx)
	}
}

func (t *tailer) look(ctx context.Context) {
	t.mu.Lock()
	ids := make([]security.ID, 0, len(t.watches))
	for id, watches := range t.watches {
		for w := range watches {
			if w.end != nil { // nothing follows the end of a run
				ids = append(ids, id)
				break
			}
		}
	}
	t.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	rows, err := t.db.pool.Query(ctx, `select id, seq, closed_us is not null from run where id = any($1::uuid[])`, ids)
	if err != nil {
		return // the next look is in half a second
	}
	type place struct {
		ID     security.ID
		Seq    int64
		Closed bool
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place]) // before the lock, which commits wait for
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range places {
		t.tell(p.ID, p.Seq, p.Closed)
	}
}

// listen turns other processes' notifications into looks. It only makes them
// earlier.
func (t *tailer) listen(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := t.db.dial(ctx, nil)
		if err == nil {
			_, err = conn.Exec(ctx, `listen custody_commit`)
		}
		for err == nil {
			note, e := conn.WaitForNotification(ctx)
			if err = e; err == nil && note.Payload != t.db.process.String() {
				select {
				case t.wake <- struct{}{}:
				default:
				}
			}
		}
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
		pause(ctx, time.Second)
	}
}
