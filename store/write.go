package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/vault"
)

// The first round trip.
const (
	sqlTakeKeys = `insert into idempotency(scope, key, body, object)
select * from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) on conflict do nothing returning scope, key`
	sqlReadKeys = `select i.scope, i.key, i.body, i.object from unnest($1::text[], $2::text[]) u(scope, key)
join idempotency i on i.scope = u.scope and i.key = u.key`
	sqlLock    = `select ` + runColumns + ` from run where id = any($1::uuid[]) for no key update skip locked`
	sqlWait    = `select id from run where id = any($1::uuid[]) order by id for no key update`
	sqlRevoked = `select key, coalesce(before_us, 0) from revocation where key = any($1::text[]) and lifted_us is null`
	sqlClock   = `select (extract(epoch from clock_timestamp()) * 1000000)::bigint`
)

// The second round trip. Multi-row statements, whose plans must not depend on
// the statistics of a young table: see batchSettings.
const (
	sqlDropKeys = `delete from idempotency i using unnest($1::text[], $2::text[], $3::uuid[]) u(scope, key, object)
where i.scope = u.scope and i.key = u.key and i.object = u.object`
	sqlMakeRuns = `insert into run(id, tenant, log, workflow, digest, caller, created_us, retry_of, state, epoch, steps, seq, head, at_us, due_us, closed_us, reason)
select * from unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::uuid[], $9::text[],
$10::int[], $11::bytea[], $12::bigint[], $13::bytea[], $14::bigint[], $15::bigint[], $16::bigint[], $17::text[])`
	sqlMandates = `insert into mandate(run_id, body, key, sig, kek, run_key, input)
select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::bytea[], $7::uuid[])`
	sqlRuns = `update run r set state = u.state, epoch = u.epoch, holder = u.holder, nudged = u.nudged, steps = u.steps, seq = u.seq,
head = u.head, at_us = u.at_us, due_us = u.due_us, cancel_us = u.cancel_us, closed_us = u.closed_us, reason = u.reason, version = version + 1
from unnest($1::uuid[], $2::text[], $3::int[], $4::uuid[], $5::bool[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bigint[], $10::bigint[],
$11::bigint[], $12::bigint[], $13::text[])
u(id, state, epoch, holder, nudged, steps, seq, head, at_us, due_us, cancel_us, closed_us, reason) where r.id = u.id`
	sqlEntries = `insert into entry(stream, seq, tenant, control, body, prev, hash, action, outcome, step, actor, workflow, at_us)
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bool[], $5::text[], $6::bytea[], $7::bytea[], $8::text[], $9::text[],
$10::text[], $11::text[], $12::text[], $13::bigint[])`
	sqlPayloads = `insert into payload(id, run_id, kind, cipher) select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])`
)

// writes are the rows of one batch.
type writes struct {
	made, changed []*Locked
	entries       []row
	sealed        []vault.Sealed
	asks          []Approval
	votes         []Vote
	settled       []settled
	jobs          []Job
	released      []Key     // keys of refused changes: they must not be burnt
	keyed         []*Change // for resolve
}

func (w *writes) empty() bool { return len(w.made) == 0 && len(w.changed) == 0 }

// runs names every run that the batch locked and changed.
func (w *writes) runs() pgtype.FlatArray[pgtype.UUID] { return col(w.changed, rowID) }

// add collects what the applies of one run left.
func (w *writes) add(l *Locked) {
	if !l.touched {
		return
	}
	w.entries, w.sealed = append(w.entries, l.entries...), append(w.sealed, l.sealed...)
	w.asks, w.votes, w.settled = append(w.asks, l.asks...), append(w.votes, l.votes...), append(w.settled, l.settled...)
	if l.job {
		w.jobs = append(w.jobs, Job{l.ID, l.Epoch})
	}
	if l.New {
		w.made = append(w.made, l)
	} else {
		w.changed = append(w.changed, l)
	}
}

// col is one column of a multi-row statement. A FlatArray is encoded without
// reflection; a plain [][]byte is not.
func col[T, U any](rows []T, f func(*T) U) pgtype.FlatArray[U] {
	out := make(pgtype.FlatArray[U], len(rows))
	for i := range rows {
		out[i] = f(&rows[i])
	}
	return out
}

func (w *writes) queue(b *pgx.Batch) {
	if len(w.released) > 0 {
		b.Queue(sqlDropKeys, col(w.released, func(k *Key) string { return k.Scope }), col(w.released, func(k *Key) string { return k.Key }),
			col(w.released, func(k *Key) pgtype.UUID { return uuid(k.Object) }))
	}
	w.queueMade(b)
	w.queueChanged(b)
	queueEntries(b, w.entries)
	if s := w.sealed; len(s) > 0 {
		b.Queue(sqlPayloads, col(s, func(s *vault.Sealed) pgtype.UUID { return uuid(s.ID) }), col(s, func(s *vault.Sealed) pgtype.UUID { return uuid(s.Run) }),
			col(s, func(s *vault.Sealed) string { return s.Kind }), col(s, func(s *vault.Sealed) []byte { return s.Cipher }))
	}
	w.queueApprovals(b)
}

type locked = *Locked

// uuid is an id as pgx encodes it without reflection.
func uuid(id security.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

func uuids(ids []security.ID) pgtype.FlatArray[pgtype.UUID] {
	return col(ids, func(id *security.ID) pgtype.UUID { return uuid(*id) })
}

func (w *writes) queueMade(b *pgx.Batch) {
	m := w.made
	if len(m) == 0 {
		return
	}
	b.Queue(sqlMakeRuns, col(m, rowID), col(m, func(l *locked) string { return (*l).Tenant }), col(m, func(l *locked) int16 { return (*l).Log }),
		col(m, func(l *locked) string { return (*l).Workflow }), col(m, func(l *locked) string { return (*l).Digest }),
		col(m, func(l *locked) string { return (*l).Caller }), col(m, func(l *locked) int64 { return (*l).CreatedUS }),
		col(m, func(l *locked) pgtype.UUID { return optional((*l).RetryOf) }), col(m, rowState), col(m, rowEpoch), col(m, rowSteps),
		col(m, rowSeq), col(m, rowHead), col(m, rowAt), col(m, rowDue), col(m, rowClosed), col(m, rowReason))
	b.Queue(sqlMandates, col(m, rowID), col(m, func(l *locked) []byte { return (*l).made.Signed.Body }),
		col(m, func(l *locked) string { return (*l).made.Signed.Key }), col(m, func(l *locked) []byte { return (*l).made.Signed.Sig }),
		col(m, func(l *locked) string { return (*l).made.Key.Key }), col(m, func(l *locked) []byte { return (*l).made.Key.Bytes }),
		col(m, func(l *locked) pgtype.UUID { return uuid((*l).made.Input) }))
}

func (w *writes) queueChanged(b *pgx.Batch) {
	m := w.changed
	if len(m) == 0 {
		return
	}
	b.Queue(sqlRuns, col(m, rowID), col(m, rowState), col(m, rowEpoch), col(m, func(l *locked) pgtype.UUID { return optional((*l).Holder) }),
		col(m, func(l *locked) bool { return (*l).Nudged }), col(m, rowSteps), col(m, rowSeq), col(m, rowHead), col(m, rowAt), col(m, rowDue),
		col(m, func(l *locked) *int64 { return positive((*l).CancelUS) }), col(m, rowClosed), col(m, rowReason))
}

func rowID(l *locked) pgtype.UUID { return uuid((*l).ID) }
func rowState(l *locked) string   { return string((*l).State) }
func rowEpoch(l *locked) int32    { return (*l).Epoch }
func rowSteps(l *locked) []byte   { return (*l).Progress.encode(nil) }
func rowSeq(l *locked) int64      { return (*l).Seq }
func rowHead(l *locked) []byte    { return (*l).Head[:] }
func rowAt(l *locked) int64       { return (*l).AtUS }
func rowDue(l *locked) *int64     { return positive((*l).DueUS) }
func rowClosed(l *locked) *int64  { return positive((*l).ClosedUS) }

func rowReason(l *locked) *string {
	if (*l).Reason == nil {
		return nil
	}
	text, err := json.Marshal((*l).Reason)
	if err != nil { // strings and an integer: cannot happen
		return nil
	}
	s := string(text)
	return &s
}

// positive sends a zero time as NULL.
func positive(us int64) *int64 {
	if us == 0 {
		return nil
	}
	return &us
}

func queueEntries(b *pgx.Batch, e []row) {
	if len(e) == 0 {
		return
	}
	b.Queue(sqlEntries, col(e, func(e *row) pgtype.UUID { return uuid(e.stream) }), col(e, func(e *row) int64 { return e.seq }),
		col(e, func(e *row) string { return e.tenant }), col(e, func(e *row) bool { return e.control }), col(e, func(e *row) string { return e.body }),
		col(e, func(e *row) []byte { return e.prev[:] }), col(e, func(e *row) []byte { return e.hash[:] }), col(e, func(e *row) string { return e.action }), col(e, func(e *row) string { return e.outcome }),
		col(e, func(e *row) string { return e.step }), col(e, func(e *row) string { return e.actor }), col(e, func(e *row) string { return e.naming }),
		col(e, func(e *row) int64 { return e.at }))
}

// insertInto is a one-row insert into a table of River's.
func insertInto(table pgx.Identifier, columns []string) string {
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	return "insert into " + table.Sanitize() + "(" + strings.Join(columns, ", ") + ") values (" + strings.Join(marks, ", ") + ")"
}
