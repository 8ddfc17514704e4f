package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/custodyhq/custody/security"
)

const (
	maxBatch      = 1000    // changes, beside those that wait for somebody's lock
	maxBatchBytes = 8 << 20 // of payloads and entries; also of one change
	batchTimeout  = 20 * time.Second
	lockPatience  = 10 * time.Second // longer than the server lets anybody sit on a lock (batchSettings)
	shortLull     = 2 * time.Millisecond
	longLull      = 20 * time.Millisecond
	lookAfter     = 3 // tries, before asking whether the run exists at all
	weatherPause  = 50 * time.Millisecond
)

// A committer turns queued changes into transactions, one at a time. It owns
// its connection.
type committer struct {
	db       *DB
	conn     *pgx.Conn
	fault    func() Fault
	names    func(int16) string // of logs; bound once, for every Locked
	patience time.Duration      // with a run that is locked elsewhere
	buf      []byte             // of Locked.Append, one after another
	held     []*Change          // changes whose run was locked elsewhere
	lull     time.Duration      // before held alone is tried again
	ended    chan struct{}      // closed when nothing will be answered any more
	batch    atomic.Int64
	items    atomic.Int64
	lost     atomic.Int64
	halve    atomic.Int64
}

// A Fault is what a test does to a batch. The zero Fault does nothing.
type Fault int

// The ways to lose a COMMIT, for tests of what follows.
const (
	NoFault     Fault = iota
	LoseRequest       // the connection breaks before COMMIT leaves: nothing persists
	LoseAnswer        // the connection breaks after COMMIT: it persists, nobody is told
)

func newCommitter(db *DB) *committer {
	return &committer{db: db, fault: db.cfg.Fault, names: db.logName, patience: db.cfg.patience, ended: make(chan struct{})}
}

// run takes everything queued, commits it, and begins again. What is queued
// when it ends is answered by Write itself.
func (c *committer) run(ctx context.Context) {
	defer close(c.ended)
	defer func() {
		if c.conn != nil {
			_ = c.conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		items := c.next(ctx)
		if ctx.Err() != nil {
			return
		}
		if len(items) == 0 {
			continue
		}
		c.batch.Add(1)
		c.items.Add(int64(len(items)))
		began := time.Now()
		c.commit(ctx, items)
		c.db.meterBatch(len(items), began)
	}
}

// next waits for a change and takes all that are queued behind it, up to the
// limits of a batch. Changes that wait for another process's lock go first and
// take no room from the others: one process that is stopped must not starve
// this one.
func (c *committer) next(ctx context.Context) []*Change {
	items := c.await(ctx)
	room, bytes := len(c.held)+maxBatch, 0
	items, c.held = append(c.held, items...), nil
	for len(items) < room && bytes < maxBatchBytes {
		select {
		case ch := <-c.db.changes:
			items = append(items, ch)
			bytes += ch.Bytes
		default:
			return items
		}
	}
	return items
}

// await returns the first new change, or nothing when it is time to try those
// that were locked again: a batch of only locked runs must not spin.
func (c *committer) await(ctx context.Context) []*Change {
	var again <-chan time.Time
	if len(c.held) > 0 {
		if c.lull == 0 {
			return nil
		}
		t := time.NewTimer(c.lull)
		defer t.Stop()
		again = t.C
	}
	select {
	case <-ctx.Done():
	case <-again:
	case ch := <-c.db.changes:
		return []*Change{ch}
	}
	return nil
}

// commit answers every change once, when the fate of its transaction is known.
// It returns when all are answered or put aside.
func (c *committer) commit(ctx context.Context, items []*Change) {
	for {
		err := c.try(ctx, items)
		switch {
		case err == nil:
			c.db.fair()
			c.answer(ctx, items)
			return
		case ctx.Err() != nil:
			reply(items, ErrClosed)
			return
		case blamesRow(err):
			if len(items) == 1 { // the culprit stands alone
				reply(items, fmt.Errorf("the database refused the change: %w", err))
				return
			}
			c.halve.Add(1)
			c.commit(ctx, items[:len(items)/2])
			items = items[len(items)/2:]
		default: // the weather: the whole batch again. Apply is pure, so it may run twice.
			c.db.weather(ctx, err)
			pause(ctx, weatherPause)
		}
	}
}

func reply(items []*Change, err error) {
	for _, ch := range items {
		ch.done <- err
	}
}

// blamesRow reports whether PostgreSQL refused the batch for its data. Only
// these classes blame a row; everything else is weather and is tried whole:
// deadlocks, full disks, a failover, a plan that a migration outdated.
func blamesRow(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && len(pe.Code) == 5 && slices.Contains([]string{"22", "23", "54"}, pe.Code[:2])
}

// answer tells each change how it went. A change whose run was locked
// elsewhere waits for a later batch, never for another turn of this loop.
func (c *committer) answer(ctx context.Context, items []*Change) {
	settled := false
	for _, ch := range items {
		if !ch.again {
			ch.done <- ch.err
			settled = true
			continue
		}
		if ch.tries++; ch.tries == 1 {
			ch.since = time.Now()
		}
		c.held = append(c.held, ch)
	}
	c.lull = min(max(2*c.lull, shortLull), longLull)
	if settled {
		c.lull = 0
	}
	if len(c.held) > 0 {
		c.weed(ctx)
	}
}

// weed answers the changes that have waited too long for a run's lock, and
// those of runs that do not exist: skip locked cannot tell the two apart.
func (c *committer) weed(ctx context.Context) {
	gone := c.absent(ctx)
	c.held = slices.DeleteFunc(c.held, func(ch *Change) bool {
		switch {
		case gone[ch.Run]:
			ch.done <- ErrNotFound
		case time.Since(ch.since) > c.patience:
			ch.done <- ErrBusy
		default:
			return false
		}
		return true
	})
}

// absent looks, once for each change that waits, whether its run is there. If
// it cannot look the change goes on waiting.
func (c *committer) absent(ctx context.Context) map[security.ID]bool {
	var ids []security.ID
	gone := map[security.ID]bool{}
	for _, ch := range c.held {
		if ch.tries == lookAfter && !ch.New {
			ids = append(ids, ch.Run)
			gone[ch.Run] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	rows, err := c.conn.Query(ctx, `select id from run where id = any($1::uuid[])`, ids)
	if err != nil {
		return nil
	}
	var id security.ID
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { delete(gone, id); return nil }); err != nil {
		return nil
	}
	return gone
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// try is one transaction: the first round trip locks and reads, the second
// writes and commits. A nil error means committed, or nothing to commit.
func (c *committer) try(ctx context.Context, items []*Change) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	s, err := c.lock(bounded, items)
	if err != nil {
		return c.undo(bounded, err)
	}
	w := &writes{keyed: s.keyed, entries: make([]row, 0, 2*len(items)), changed: make([]*Locked, 0, len(s.locked))}
	for _, ch := range items {
		c.apply(s, w, ch)
	}
	for _, ch := range items { // queue order, one pass a run
		if l := s.locked[ch.Run]; l != nil {
			w.add(l)
			delete(s.locked, ch.Run)
		}
	}
	if w.empty() {
		return c.undo(bounded, nil)
	}
	return c.write(bounded, w)
}

func (c *committer) connect(ctx context.Context) error {
	if c.conn != nil && !c.conn.IsClosed() {
		return nil
	}
	conn, err := c.db.dial(ctx, c.db.batchSettings())
	if err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// undo ends a transaction whose COMMIT was never sent: certainly not written.
func (c *committer) undo(ctx context.Context, err error) error {
	if _, e := c.conn.Exec(ctx, "rollback"); e != nil {
		_ = c.conn.Close(ctx)
	}
	return err
}

// write is the second round trip: every row, River's jobs and the COMMIT.
func (c *committer) write(ctx context.Context, w *writes) error {
	b := &pgx.Batch{}
	if len(w.jobs) > 0 {
		if err := c.db.jobs(ctx, &batchTx{conn: c.conn, batch: b}, w.jobs); err != nil {
			return c.undo(ctx, err)
		}
	}
	w.queue(b)
	committed := false
	b.Queue("commit").Exec(func(t pgconn.CommandTag) error { committed = t.String() == "COMMIT"; return nil })
	err := c.send(ctx, b)
	switch {
	case err != nil && isAnswer(err):
		return c.undo(ctx, err)
	case err != nil:
		if err := c.resolve(ctx, w, err); err != nil {
			return err
		}
	case !committed:
		return errors.New("commit was answered with a rollback")
	}
	c.db.committed(w)
	return nil
}

// isAnswer reports whether the server says that a statement failed, and so
// that COMMIT was skipped. An error that ends its session (FATAL, PANIC: a
// shutdown, a full disk while the log was written) does not say that.
func isAnswer(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.SeverityUnlocalized == "ERROR"
}

// send sends the second round trip, or does to it what a test asks.
func (c *committer) send(ctx context.Context, b *pgx.Batch) error {
	fault := NoFault
	if c.fault != nil {
		fault = c.fault()
	}
	if fault == LoseRequest {
		_ = c.conn.Close(ctx)
		return errors.New("the request was lost")
	}
	err := c.conn.SendBatch(ctx, b).Close()
	if fault == LoseAnswer && err == nil {
		_ = c.conn.Close(ctx)
		return errors.New("the answer was lost")
	}
	return err
}
