package store

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
)

// What Write can answer besides success and the error of an apply function.
var (
	// ErrBusy means that the run stayed locked elsewhere for too long.
	ErrBusy = errors.New("the run is busy elsewhere: try again")
	// ErrFull means that the queue is full, because the database is away or too slow; nothing was written.
	ErrFull = errors.New("too much waits to be written: try again")
	// ErrMismatch means that the idempotency key was used with another body.
	ErrMismatch = errors.New("the idempotency key was used with another body")
	// ErrClosed means that the store is shutting down; whether the change was written is not known.
	ErrClosed = errors.New("the store is closed")
	// ErrTooLarge means that one change alone is larger than a batch may be.
	ErrTooLarge = errors.New("the change is too large to be written")
)

// Replayed is returned when a change's idempotency key is taken by an earlier
// change with the same body. Nothing was written.
type Replayed struct {
	Object security.ID // what the earlier change made
}

// Error says that it was done; what was done is in Object.
func (e *Replayed) Error() string { return "this was done before under the same key" }

// A Key makes a change happen once, however often it is asked for. It is
// committed with the change and lives as long as the object.
type Key struct {
	Scope  string // tenant and principal
	Key    string
	Body   []byte // digest of what is asked
	Object security.ID
}

// A Change is a pure function of one run's locked row, and what it needs to
// see. Apply runs on the committer's goroutine, without I/O, and perhaps more
// than once (after a lost commit, a halved batch): it must assign what it
// reports to its caller, never accumulate it. An Apply that returns an error
// leaves the row as it was and fails alone.
type Change struct {
	Run     security.ID
	New     bool     // Apply makes the run, which needs a Key
	Key     Key      // zero: none
	Revoked []string // revocation keys that Apply will ask about
	Ask     security.ID
	Bytes   int // what the change adds to a batch, roughly
	Apply   func(*Locked) error

	done  chan error
	err   error
	again bool // the run was locked elsewhere, or the key's first user failed
	tries int
	since time.Time // when it was first put aside
}

// A Locked run is its row under lock with whatever a change adds to it.
type Locked struct {
	Run
	New   bool
	NowUS int64  // the database's clock
	Asked *Asked // the approval that the change named, with what earlier changes of the batch did to it
	made  Mandate
	logs  func(int16) string

	revoked map[string]int64
	touched bool
	job     bool
	entries []row
	sealed  []vault.Sealed
	asks    []Approval
	votes   []Vote
	settled []settled
	buf     []byte
}

// row is an entry with the copies that people filter on.
type row struct {
	stream                               security.ID
	control                              bool
	seq                                  int64
	at                                   int64
	prev, hash                           audit.Hash
	tenant, body                         string
	action, outcome, step, actor, naming string

	code, state string // for the meter, like findings and age
	findings    []security.Finding
	age         time.Duration
}

type settled struct {
	id    security.ID
	state approval.State
	used  bool
	at    int64
}

// Append adds an entry to the run's stream and returns its place. The place is
// what will be committed: sequence, time and hash are given under the lock.
func (l *Locked) Append(f audit.Fact) Receipt {
	f.Tenant, f.Run, f.Name = l.Tenant, l.Name(), l.Workflow
	l.AtUS = max(l.AtUS, l.NowUS)
	log := l.logs(l.Log)
	if log == "" {
		panic("the ledger's name is not known") // becomes the error of this change
	}
	if f.Action == audit.RunClosed {
		f.Count = l.Seq + 1
	}
	l.buf = f.AppendBody(l.buf[:0], l.AtUS)
	e := row{stream: l.ID, seq: l.Seq, prev: l.Head, at: l.AtUS, body: string(l.buf)}
	e.copies(&f)
	if f.Action == audit.RunClosed {
		e.age = time.Duration(l.AtUS-l.CreatedUS) * time.Microsecond
	}
	e.hash, l.buf = audit.AppendLeaf(l.buf, log, f.Run, l.Seq, l.Head, []byte(e.body))
	l.Head, l.Seq = e.hash, l.Seq+1
	l.entries = append(l.entries, e)
	l.touched = true
	return Receipt{Stream: f.Run, Seq: e.seq, Hash: e.hash}
}

// copies fills the columns that people filter on with what the body says. The
// body is written with hostile bytes replaced and long texts cut, so in that
// rare case it is read back: PostgreSQL would refuse the former, and verify
// would call the latter altered.
func (e *row) copies(f *audit.Fact) {
	e.code, e.state, e.findings = f.Code, f.State, f.Findings
	if e.code == "" && f.Decision != nil && len(f.Decision.Missing) > 0 {
		e.code = f.Decision.Missing[0]
	}
	e.tenant, e.action, e.outcome, e.step, e.actor, e.naming = f.Tenant, string(f.Action), f.Outcome, f.Step, f.Actor, f.Name
	if plain(e.tenant) && plain(e.action) && plain(e.outcome) && plain(e.step) && plain(e.actor) && plain(e.naming) {
		return
	}
	b, err := audit.ParseBody(e.body)
	if err != nil {
		panic("the entry's body cannot be read back") // becomes the error of this change
	}
	e.tenant, e.action, e.outcome, e.step, e.actor, e.naming = b.Tenant, string(b.Action), b.Outcome, b.Step, b.Actor, b.Name
}

// plain reports whether a text is short ASCII, which a body holds as it is.
func plain(s string) bool {
	if len(s) > 80 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c == 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// weight is how many bytes a change added.
func (l *Locked) weight(before *Locked) (n int) {
	for _, e := range l.entries[len(before.entries):] {
		n += len(e.body)
	}
	for _, s := range l.sealed[len(before.sealed):] {
		n += len(s.Cipher)
	}
	for _, a := range l.asks[len(before.asks):] {
		n += len(a.Document)
	}
	return n
}

// Seal adds a sealed payload.
func (l *Locked) Seal(s ...vault.Sealed) { l.sealed = append(l.sealed, s...) }

// Job asks for a job that drives the run in its epoch.
func (l *Locked) Job() { l.job, l.touched = true, true }

// Touch says that the row is to be written although nothing was appended.
func (l *Locked) Touch() { l.touched = true }

// IsRevoked reports whether one of the keys that the change named is revoked for
// what began at the given time.
func (l *Locked) IsRevoked(keys []string, began time.Time) bool {
	if len(l.revoked) == 0 {
		return false
	}
	return slices.ContainsFunc(keys, func(k string) bool {
		before, revoked := l.revoked[l.Tenant+"/"+k]
		return revoked && (before == 0 || began.UnixMicro() <= before)
	})
}

// Make gives a new run what lies beside it.
func (l *Locked) Make(r Run, m Mandate) { l.Run, l.made, l.touched = r, m, true }

// Ask adds an approval that waits for votes.
func (l *Locked) Ask(a Approval) { l.asks, l.touched = append(l.asks, a), true }

// Vote adds a vote to the approval that the change named.
func (l *Locked) Vote(v Vote) { l.votes, l.touched = append(l.votes, v), true }

// Settle ends an approval of this run, or marks it used.
func (l *Locked) Settle(id security.ID, state approval.State, used bool) {
	l.settled, l.touched = append(l.settled, settled{id, state, used, l.NowUS}), true
}

// snapshot keeps what a failed apply must not have changed. Steps are copied
// because apply changes them in place.
func (l *Locked) snapshot() Locked {
	c := *l
	c.Progress.Steps = slices.Clone(l.Progress.Steps)
	return c
}

// A Receipt is where an entry stands: enough to convict us later.
type Receipt struct {
	Stream string     `json:"stream"`
	Seq    int64      `json:"seq"`
	Hash   audit.Hash `json:"hash"`
}

// A Job is all that River may know of a run.
type Job struct {
	Run   security.ID
	Epoch int32
}

// Write commits the change, together with whatever else is ready, and returns
// when its fate is known. It is safe for concurrent use. Changes of one run
// made one after another are applied in that order.
//
// If ctx ends first Write returns its error, and the change may or may not be
// written; a caller that must know uses a Key and asks again.
func (db *DB) Write(ctx context.Context, ch Change) error {
	if err := db.refuses(&ch); err != nil {
		return err
	}
	ch.done = make(chan error, 1)
	select {
	case db.changes <- &ch:
	default:
		if err := db.queue(ctx, &ch); err != nil {
			return err
		}
	}
	select {
	case err := <-ch.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-db.commits.ended:
	}
	select {
	case err := <-ch.done:
		return err
	default:
		return ErrClosed
	}
}

// refuses names what makes a change impossible from the start.
func (db *DB) refuses(ch *Change) error {
	switch {
	case db.jobs == nil:
		return errors.New("store: it was opened without jobs, so it writes no runs")
	case ch.Apply == nil:
		return errors.New("store: Change.Apply is missing")
	case ch.New && ch.Key.Key == "": // without one a lost commit could not be resolved
		return errors.New("store: Change.Key is missing: a new run needs one")
	case ch.Bytes > maxBatchBytes:
		return ErrTooLarge
	}
	return nil
}

// queue waits for room. New work is turned away at once, so that what was
// accepted gets the room; a driver's outcome waits as long as its ctx.
func (db *DB) queue(ctx context.Context, ch *Change) error {
	if ch.New {
		return ErrFull
	}
	select {
	case db.changes <- ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stop.Done():
		return ErrClosed
	}
}

// batchTx is the pgx.Tx that River's InsertManyFastTx gets. That call is a
// COPY, which costs two round trips of its own; here its rows become
// statements of the batch's pipeline instead.
type batchTx struct {
	pgx.Tx // nil: River calls only what is below
	conn   *pgx.Conn
	batch  *pgx.Batch
}

// Conn tells River which query mode the connection has.
func (t *batchTx) Conn() *pgx.Conn { return t.conn }

// CopyFrom queues one insert a row.
func (t *batchTx) CopyFrom(_ context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	sql := insertInto(table, columns)
	n := int64(0)
	for ; src.Next(); n++ {
		values, err := src.Values()
		if err != nil {
			return n, err
		}
		t.batch.Queue(sql, values...)
	}
	return n, src.Err()
}
