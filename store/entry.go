package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A fact waits for its place in the control stream.
type fact struct {
	audit.Fact
	beside beside
	done   chan recorded
}

// A beside writes what a fact is about, in the transaction of its entry, and
// may fill in what only then is known. It reports whether there is anything to
// record; with an error neither it nor the entry is written. It must be quick:
// whoever else records something waits for it.
type beside func(ctx context.Context, tx pgx.Tx, f *audit.Fact) (record bool, err error)

type recorded struct {
	receipt Receipt
	err     error
}

const maxFacts = 500 // in one commit of the control lane

// Record appends a fact that concerns no run to this process's control stream
// of the fact's tenant, and returns when it is committed. It has a lane and a
// connection of its own, so that it never waits for a run's lock. An error
// means that the fact may or may not be there: what it was to allow must not
// happen. ErrFull means that it is not.
func (db *DB) Record(ctx context.Context, f audit.Fact) (Receipt, error) {
	return db.RecordWith(ctx, f, nil)
}

// RecordWith is Record for a fact that is written together with what it is
// about: both are committed, or neither. The receipt is zero if there was
// nothing to record.
func (db *DB) RecordWith(ctx context.Context, f audit.Fact, do beside) (Receipt, error) {
	w := &fact{Fact: f, beside: do, done: make(chan recorded, 1)}
	select {
	case db.facts <- w:
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	default:
		return Receipt{}, ErrFull
	}
	select {
	case r := <-w.done:
		return r.receipt, r.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	case <-db.stop.Done():
		return Receipt{}, ErrClosed
	}
}

// A lane writes the control streams of this process, one per tenant. Nobody
// else writes them, so what it remembers of their heads is true as long as its
// last commit was answered.
type lane struct {
	db    *DB
	conn  *pgx.Conn
	heads map[string]*controlHead // by tenant
	buf   []byte
	wrote []row // by the last batch, for the meter
}

type controlHead struct {
	stream security.ID
	log    int16
	seq    int64
	head   audit.Hash
	at     int64
}

func (l *lane) run(ctx context.Context) {
	defer func() {
		if l.conn != nil {
			_ = l.conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		var batch []*fact
		select {
		case <-ctx.Done():
			return
		case f := <-l.db.facts:
			batch = append(batch, f)
		}
		for len(batch) < maxFacts && len(l.db.facts) > 0 {
			batch = append(batch, <-l.db.facts)
		}
		results, err := l.commit(ctx, batch)
		for i, f := range batch {
			if err != nil {
				f.done <- recorded{err: err}
				continue
			}
			f.done <- results[i]
		}
	}
}

// commit writes one batch. A failure is not tried again: the caller of Record
// refuses what it was about to do. After any failure new streams are begun,
// because a lost COMMIT may have persisted; its entries are then true facts
// about requests that were refused.
func (l *lane) commit(ctx context.Context, batch []*fact) ([]recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer func() { l.db.meter(l.wrote); l.wrote = nil }()
	defer cancel()
	results, err := l.try(ctx, batch)
	if err != nil {
		l.heads = nil
		l.wrote = nil // it may not be there
		if l.conn != nil {
			_ = l.conn.Close(ctx)
		}
		l.conn = nil
	}
	return results, err
}

func (l *lane) try(ctx context.Context, batch []*fact) ([]recorded, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	tx, err := l.conn.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var now int64
	if err := tx.QueryRow(ctx, sqlClock).Scan(&now); err != nil {
		return nil, err
	}
	results := make([]recorded, len(batch))
	var rows []row
	changed := map[*controlHead]string{}
	for i, f := range batch {
		said, record, err := f.write(ctx, tx)
		if results[i].err = err; err != nil || !record {
			continue
		}
		h, err := l.head(ctx, f.Tenant)
		if err != nil {
			return nil, err
		}
		e := l.place(h, said, now)
		rows, changed[h] = append(rows, e), f.Tenant
		results[i].receipt = Receipt{Stream: streamName(h.stream, true), Seq: e.seq, Hash: e.hash}
	}
	b := &pgx.Batch{}
	for h, tenant := range changed {
		b.Queue(`insert into control(stream, tenant, log, process, seq, head) values ($1, $2, $3, $4, $5, $6)
on conflict (stream) do update set seq = excluded.seq, head = excluded.head`, h.stream, tenant, h.log, l.db.process, h.seq, h.head[:])
	}
	queueEntries(b, rows)
	l.wrote = rows
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return results, tx.Commit(ctx)
}

// write does what the fact is about behind a savepoint, so that what fails
// there fails alone.
func (f *fact) write(ctx context.Context, tx pgx.Tx) (said audit.Fact, record bool, err error) {
	said, record = f.Fact, true
	if f.beside != nil {
		err = pgx.BeginFunc(ctx, tx, func(save pgx.Tx) error {
			record, err = f.beside(ctx, save, &said)
			return err
		})
	}
	return said, record, err
}

func (l *lane) ready(ctx context.Context) (err error) {
	if l.conn == nil || l.conn.IsClosed() {
		l.conn, err = l.db.dial(ctx, controlSettings())
	}
	if l.heads == nil {
		l.heads = map[string]*controlHead{}
	}
	return err
}

// head finds or begins the control stream of a tenant. A process may have
// several, one after another, each unbroken.
func (l *lane) head(ctx context.Context, tenant string) (*controlHead, error) {
	if h := l.heads[tenant]; h != nil {
		return h, nil
	}
	log, err := l.db.LogOf(ctx, tenant)
	if err != nil {
		return nil, err
	}
	h := &controlHead{stream: security.NewID(), log: log}
	l.heads[tenant] = h
	return h, nil
}

func (l *lane) place(h *controlHead, f audit.Fact, now int64) row {
	h.at = max(h.at, now)
	l.buf = f.AppendBody(l.buf[:0], h.at)
	e := row{stream: h.stream, control: true, seq: h.seq, prev: h.head, at: h.at, body: string(l.buf)}
	e.copies(&f)
	e.hash, l.buf = audit.AppendLeaf(l.buf, l.db.logName(h.log), streamName(h.stream, true), h.seq, h.head, []byte(e.body))
	h.head, h.seq = e.hash, h.seq+1
	return e
}

// An EntryFilter chooses entries. Empty fields choose all.
type EntryFilter struct {
	Stream         security.ID
	Control        bool // Stream names a control stream
	Step, Action   string
	Outcome, Actor string
	Workflow       string // name, or sha256:… of one version; entries of its runs, too
	Key, Call      string
	Owner          string // only streams of runs that this person submitted
	From, To       time.Time
	MinSeq         int64
	Cursor         EntryCursor // entries after this one
	Limit          int
}

// An EntryCursor is a place in the order (at_us, stream, seq).
type EntryCursor struct {
	AtUS   int64
	Stream security.ID
	Seq    int64
}

const (
	entryColumns = `e.stream, e.seq, e.control, e.body, e.hash, e.at_us, coalesce(r.log, c.log, l.id), e.prev`
	// A stream whose row of state is gone is a finding of verify, and still listed: its tenant's log is known.
	entryFrom = ` from entry e left join run r on not e.control and r.id = e.stream left join control c on e.control and c.stream = e.stream
left join log l on l.tenant = e.tenant`
)

// Entries lists entries of a tenant, oldest first, and where the last one
// stands.
func (db *DB) Entries(ctx context.Context, tenant string, f EntryFilter) ([]audit.Entry, EntryCursor, error) {
	where := &conditions{args: []any{tenant}, sql: ` where e.tenant = $1`}
	where.add(!f.Stream.IsZero(), `e.stream = `, f.Stream)
	where.add(f.Step != "", `e.step = `, f.Step)
	where.add(f.Action != "", `e.action = `, f.Action)
	where.add(f.Outcome != "", `e.outcome = `, f.Outcome)
	where.add(f.Actor != "", `e.actor = `, f.Actor)
	switch {
	case strings.HasPrefix(f.Workflow, "sha256:"):
		where.either(`r.digest`, `e.body::json->>'workflow'`, f.Workflow)
	case f.Workflow != "":
		where.either(`r.workflow`, `e.workflow`, f.Workflow)
	}
	where.add(f.Key != "", `e.body::json->>'key' = `, f.Key)
	where.add(f.Call != "", `e.body::json->>'call' = `, f.Call)
	where.add(f.Owner != "", `r.caller = `, f.Owner)
	where.add(!f.From.IsZero(), `e.at_us >= `, micros(f.From))
	where.add(!f.To.IsZero(), `e.at_us < `, micros(f.To))
	where.add(f.MinSeq > 0, `e.seq >= `, f.MinSeq)
	order := ` order by e.at_us, e.stream, e.seq limit `
	if !f.Stream.IsZero() { // one stream: the primary key is the order
		where.add(f.Cursor != EntryCursor{}, `e.seq > `, f.Cursor.Seq)
		order = ` order by e.seq limit `
	} else if (f.Cursor != EntryCursor{}) {
		where.add(true, `e.at_us >= `, f.Cursor.AtUS) // follows from what comes next, and the index by time understands it
		where.after(f.Cursor)
	}
	rows, err := db.pool.Query(ctx, `select `+entryColumns+entryFrom+where.sql+order+strconv.Itoa(f.Limit), where.args...)
	if err != nil {
		return nil, EntryCursor{}, err
	}
	list, err := db.collect(ctx, rows)
	if err != nil || len(list) == 0 {
		return nil, EntryCursor{}, err
	}
	entries := make([]audit.Entry, len(list))
	for i := range list {
		entries[i] = list[i].entry
	}
	return entries, list[len(list)-1].at, nil
}

// A listed entry is one with its place in the order of lists.
type listed struct {
	entry audit.Entry
	at    EntryCursor
	log   int16
}

// collect reads entryColumns. The names of the ledgers are filled in once the
// connection is free again.
func (db *DB) collect(ctx context.Context, rows pgx.Rows) ([]listed, error) {
	list, err := pgx.CollectRows(rows, scanListed)
	if err != nil {
		return nil, err
	}
	learnt := false
	for i := range list {
		l := &list[i]
		if l.entry.Log = db.logName(l.log); l.entry.Log != "" || learnt {
			continue
		}
		if err := db.learnLogs(ctx, db.pool); err != nil {
			return nil, err
		}
		l.entry.Log, learnt = db.logName(l.log), true
	}
	return list, nil
}

func scanListed(row pgx.CollectableRow) (l listed, err error) {
	var control bool
	var hash, prev headBytes
	e := &l.entry
	if err = row.Scan((*[16]byte)(&l.at.Stream), &e.Seq, &control, &e.Body, &hash, &l.at.AtUS, &l.log, &prev); err != nil {
		return l, err
	}
	e.Stream, e.Hash, e.Prev, l.at.Seq = streamName(l.at.Stream, control), hash.v, prev.v, e.Seq
	return l, nil
}

// conditions builds a where clause with numbered arguments.
type conditions struct {
	sql  string
	args []any
}

func (c *conditions) add(on bool, sql string, arg any) {
	if on {
		c.args = append(c.args, arg)
		c.sql += ` and ` + sql + `$` + strconv.Itoa(len(c.args))
	}
}

// either holds if one of two columns has the value.
func (c *conditions) either(a, b string, value any) {
	c.args = append(c.args, value)
	n := strconv.Itoa(len(c.args))
	c.sql += ` and (` + a + ` = $` + n + ` or ` + b + ` = $` + n + `)`
}

func (c *conditions) after(p EntryCursor) {
	n := len(c.args)
	c.args = append(c.args, p.AtUS, p.Stream, p.Seq)
	c.sql += ` and (e.at_us, e.stream, e.seq) > ($` + strconv.Itoa(n+1) + `, $` + strconv.Itoa(n+2) + `, $` + strconv.Itoa(n+3) + `)`
}

func streamName(id security.ID, control bool) string {
	if control {
		return "ctl-" + id.String()
	}
	return id.Name("run")
}

// EntryByHash returns the entry with this hash, and who submitted its run
// ("" in a control stream).
func (db *DB) EntryByHash(ctx context.Context, tenant string, hash audit.Hash) (e audit.Entry, owner string, err error) {
	rows, err := db.pool.Query(ctx, `select `+entryColumns+entryFrom+` where e.tenant = $1 and e.hash = $2`, tenant, hash[:])
	if err != nil {
		return e, "", err
	}
	list, err := db.collect(ctx, rows)
	if err != nil {
		return e, "", err
	}
	if len(list) == 0 {
		return e, "", ErrNotFound
	}
	err = db.pool.QueryRow(ctx, `select caller from run where id = $1`, list[0].at.Stream).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return list[0].entry, owner, err
}
