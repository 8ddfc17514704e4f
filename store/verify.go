package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// verifyPage is how many streams are read at a time.
const verifyPage = 200

// Verify reads the whole live record in one read-only snapshot, recomputes
// every chain from the stored bytes, and compares the filter columns, the runs'
// heads, the sealed payloads, the votes, the revocations and the waivers with what
// the entries say. It needs no key and trusts nothing but the bytes. The error is
// about reading; what does not hold is in the report.
func Verify(ctx context.Context, url string) (audit.Report, error) { return verify(ctx, url, 0) }

// verify is Verify with a limit for each statement; 0 is none.
func verify(ctx context.Context, url string, statement time.Duration) (audit.Report, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return audit.Report{}, errors.New("the database URL cannot be read") // pgx's error may repeat it
	}
	cfg.RuntimeParams["search_path"] = "custody"
	cfg.RuntimeParams["statement_timeout"] = strconv.FormatInt(statement.Milliseconds(), 10)
	cfg.RuntimeParams["work_mem"] = "64MB" // a page of entries is sorted in memory
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return audit.Report{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var report audit.Report
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		v := &verification{
			tx: tx, v: audit.NewVerifier(), logs: map[int16]string{}, home: map[string]string{},
			added: map[string]*told{}, lifted: map[string]*told{}, waived: map[string]*told{}, retaken: map[string]*told{},
		}
		if err := v.all(ctx); err != nil {
			return err
		}
		report = v.v.Report()
		return nil
	})
	return report, err
}

// Verify is Verify over this store's own database.
func (db *DB) Verify(ctx context.Context) (audit.Report, error) { return Verify(ctx, db.cfg.URL) }

// VerifyWithin is Verify with a limit for each of its statements.
func (db *DB) VerifyWithin(ctx context.Context, statement time.Duration) (audit.Report, error) {
	return verify(ctx, db.cfg.URL, statement)
}

// A verification feeds a verifier from one snapshot.
type verification struct {
	tx   pgx.Tx
	v    *audit.Verifier
	logs map[int16]string
	home map[string]string // tenant -> log, for entries whose stream lost its row of state

	entriesRead, payloadsRead int64

	added, lifted   map[string]*told // revocations, by rev_…
	waived, retaken map[string]*told // releases and orders, by rel_… and mod_…; releases that were lifted
}

// A stream is what the state says of one: its place and its head.
type stream struct {
	id      security.ID
	control bool
	known   bool // there is a row of state for it
	log     int16
	seq     int64
	head    audit.Hash
	closed  bool
	state   RunState
	said    string // the state that run.closed names
	mandate string // hex of the SHA-256 of the mandate that run.submitted names
	votes   map[string]*told
}

// ended reports whether all that the row says of the run's end is what its
// last entry says.
func (s *stream) ended() bool {
	return s.closed && s.state.Closed() && (s.said == "" || s.said == string(s.state))
}

func (v *verification) all(ctx context.Context) error {
	rows, err := v.tx.Query(ctx, `select id, tenant, origin from log`)
	if err != nil {
		return err
	}
	var id int16
	var tenant, origin string
	_, err = pgx.ForEachRow(rows, []any{&id, &tenant, &origin}, func() error { v.logs[id], v.home[tenant] = origin, origin; return nil })
	if err != nil {
		return err
	}
	for _, sql := range []string{
		`select id, false, true, log, seq, head, closed_us is not null, state from run where id > $1 order by id limit $2`,
		`select stream, true, true, log, seq, head, false, '' from control where stream > $1 order by stream limit $2`,
	} {
		if err := v.pages(ctx, sql); err != nil {
			return err
		}
	}
	if err := v.rest(ctx); err != nil {
		return err
	}
	if err := v.revocations(ctx); err != nil {
		return err
	}
	return v.waivers(ctx)
}

// rest reads what no row of state leads to: streams whose row was deleted,
// payloads of runs that left nothing else, and runs of which only the mandate
// is left. Counting first spares an unharmed record the joins.
func (v *verification) rest(ctx context.Context) error {
	var entries, payloads int64
	if err := v.tx.QueryRow(ctx, `select (select count(*) from entry), (select count(*) from payload)`).Scan(&entries, &payloads); err != nil {
		return err
	}
	if entries != v.entriesRead {
		err := v.pages(ctx, `select distinct on (stream) stream, control, false, 0::smallint, 0::bigint, ''::bytea, false, '' from entry e
where not exists (select from run where id = e.stream) and not exists (select from control c where c.stream = e.stream) and stream > $1
order by stream limit $2`)
		if err != nil {
			return err
		}
	}
	if payloads != v.payloadsRead {
		err := v.payloads(ctx, `select run_id, id, kind, cipher from payload p
where not exists (select from run where id = p.run_id) and not exists (select from entry where stream = p.run_id) order by run_id, id`)
		if err != nil {
			return err
		}
	}
	rows, err := v.tx.Query(ctx, `select run_id from mandate m
where not exists (select from run where id = m.run_id) and not exists (select from entry where stream = m.run_id)`)
	if err != nil {
		return err
	}
	var id security.ID
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id)}, func() error {
		v.v.Head(streamName(id, false), 1, audit.Hash{}, false) // it was submitted, so it has an entry
		return nil
	})
	return err
}

func (v *verification) pages(ctx context.Context, sql string) error {
	var last security.ID
	for {
		rows, err := v.tx.Query(ctx, sql, last, verifyPage)
		if err != nil {
			return err
		}
		page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s stream, err error) {
			var head headBytes
			err = row.Scan((*[16]byte)(&s.id), &s.control, &s.known, &s.log, &s.seq, &head, &s.closed, (*string)(&s.state))
			s.head = head.v
			return s, err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := v.page(ctx, page); err != nil {
			return err
		}
		last = page[len(page)-1].id
	}
}

func (v *verification) page(ctx context.Context, page []stream) error {
	ids, of := make([]security.ID, len(page)), map[security.ID]*stream{}
	for i := range page {
		ids[i], of[page[i].id] = page[i].id, &page[i]
	}
	if err := v.entries(ctx, ids, of); err != nil {
		return err
	}
	for i := range page {
		// A control stream always has its row: without one, whose head is zero here,
		// nobody could tell that its end was cut off. Of runs the verifier knows this.
		if s := &page[i]; s.known || s.control {
			v.v.Head(streamName(s.id, s.control), s.seq, s.head, s.ended())
		}
	}
	if err := v.mandates(ctx, ids, of); err != nil {
		return err
	}
	if err := v.votes(ctx, page, of); err != nil {
		return err
	}
	return v.payloads(ctx, `select run_id, id, kind, cipher from payload where run_id = any($1::uuid[]) order by run_id, id`, uuids(ids))
}

func (v *verification) entries(ctx context.Context, ids []security.ID, of map[security.ID]*stream) error {
	rows, err := v.tx.Query(ctx, `select stream, seq, control, body, prev, hash, tenant, action, outcome, step, actor, workflow, at_us
from entry where stream = any($1::uuid[]) order by stream, seq`, uuids(ids))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e audit.Entry
		var r audit.Row
		var id security.ID
		var control bool
		var prev, hash headBytes
		if err := rows.Scan((*[16]byte)(&id), &e.Seq, &control, &e.Body, &prev, &hash, &r.Tenant, &r.Action, &r.Outcome, &r.Step, &r.Actor, &r.Workflow, &r.AtUS); err != nil {
			return err
		}
		v.entriesRead++
		e.Prev, e.Hash = prev.v, hash.v
		e.Log, e.Stream = v.logs[of[id].log], streamName(id, control)
		if !of[id].known {
			e.Log = v.home[r.Tenant]
		}
		of[id].hear(e.Body, audit.Action(r.Action))
		v.tells(of[id], &e, audit.Action(r.Action))
		v.v.Entry(e, &r)
	}
	return rows.Err()
}

// hear keeps what an entry says about rows that lie beside the record.
func (s *stream) hear(body string, action audit.Action) {
	if action != audit.RunClosed && action != audit.RunSubmitted {
		return
	}
	b, err := audit.ParseBody(body)
	switch {
	case err != nil: // the verifier names it
	case action == audit.RunClosed:
		s.said = b.State
	case b.Authn != nil:
		s.mandate = b.Authn.Mandate
	}
}

// mandates compares the runs' mandates with what their first entries say.
func (v *verification) mandates(ctx context.Context, ids []security.ID, of map[security.ID]*stream) error {
	rows, err := v.tx.Query(ctx, `select run_id, encode(sha256(body), 'hex') from mandate where run_id = any($1::uuid[])`, uuids(ids))
	if err != nil {
		return err
	}
	var id security.ID
	var sum string
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &sum}, func() error {
		if s := of[id]; s.mandate != "" && s.mandate != sum {
			v.v.Differs(streamName(id, false), 0, "the run's mandate is not the one that it was submitted with")
		}
		return nil
	})
	return err
}

func (v *verification) payloads(ctx context.Context, sql string, args ...any) error {
	rows, err := v.tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var run, id security.ID
	var kind string
	var cipher pgtype.DriverBytes // hashed at once, never kept
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&run), (*[16]byte)(&id), &kind, &cipher}, func() error {
		v.payloadsRead++
		v.v.Payload(audit.SeenPayload{ID: id.Name("pay"), Run: run.Name("run"), Kind: kind, Sum: sha256.Sum256(cipher)})
		return nil
	})
	return err
}
