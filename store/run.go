package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
)

// A RunState is what a run is doing, as the API shows it.
type RunState string

// The states of a run. The last three are for ever.
const (
	Queued    RunState = "queued"
	Running   RunState = "running"
	Waiting   RunState = "waiting"
	Succeeded RunState = "succeeded"
	Failed    RunState = "failed"
	Cancelled RunState = "cancelled"
)

// Closed reports whether the state is for ever.
func (s RunState) Closed() bool { return s == Succeeded || s == Failed || s == Cancelled }

// A Reason says why a run ended without success: codes and names, no content.
type Reason struct {
	Code   string `json:"code"`
	Step   string `json:"step,omitempty"`
	Detail string `json:"detail,omitempty"`
	Seq    int64  `json:"seq"` // the entry that recorded it
}

// A Run is a run's row, as last committed. Times are microseconds since 1970
// on the database's clock; zero means not set.
type Run struct {
	ID        security.ID
	Tenant    string
	Log       int16
	Workflow  string // name
	Digest    string
	Caller    string // subj_…
	CreatedUS int64
	RetryOf   security.ID

	State    RunState
	Epoch    int32
	Version  int64
	Holder   security.ID // the process that drives it; zero: nobody
	Nudged   bool
	Progress Progress
	Seq      int64 // entries so far
	Head     audit.Hash
	AtUS     int64
	DueUS    int64
	CancelUS int64
	ClosedUS int64
	Reason   *Reason
}

// Clone is a copy that shares nothing that changes.
func (r *Run) Clone() Run {
	c := *r
	c.Progress.Steps = slices.Clone(r.Progress.Steps)
	return c
}

// Name is the run's id as people see it and the name of its stream.
func (r *Run) Name() string { return r.ID.Name("run") }

// A Mandate is what lies beside a run and never changes: the signed mandate,
// the wrapped key of its payloads, and which payload is its input.
type Mandate struct {
	Signed security.Signed
	Key    vault.Wrapped
	Input  security.ID
}

// A Loaded run is what a driver needs to begin.
type Loaded struct {
	Run     Run
	Mandate Mandate
	Input   []byte // ciphertext of the input; nil if it is gone
}

// errUnreadable is about one row that somebody has damaged; others are whole.
var errUnreadable = errors.New("the run's row cannot be read")

// ErrNotFound is returned when there is no such row.
var ErrNotFound = errors.New("not found")

const runColumns = `id, tenant, log, workflow, digest, caller, created_us, retry_of, state, epoch, version, holder, nudged,
steps, seq, head, at_us, due_us, cancel_us, closed_us, reason`

// scan reads runColumns, in their order, and then whatever else the row holds.
// It fails with errUnreadable if the row is there and somebody has damaged it;
// the ID is then set all the same.
func (r *Run) scan(row pgx.Row, more ...any) error {
	var s rowScanner
	return s.scan(row, r, more...)
}

// A rowScanner reads rows of runs, one after another, with little garbage: it
// is on the path of every commit.
type rowScanner struct {
	dst                 []any
	retryOf, holder     pgtype.UUID
	due, cancel, closed pgtype.Int8
	reason              pgtype.Text
	steps               stepsBytes
	head                headBytes
}

func (s *rowScanner) scan(row pgx.Row, r *Run, more ...any) error {
	s.steps = stepsBytes{p: &r.Progress}
	s.dst = append(s.dst[:0], (*[16]byte)(&r.ID), &r.Tenant, &r.Log, &r.Workflow, &r.Digest, &r.Caller, &r.CreatedUS, &s.retryOf, (*string)(&r.State),
		&r.Epoch, &r.Version, &s.holder, &r.Nudged, &s.steps, &r.Seq, &s.head, &r.AtUS, &s.due, &s.cancel, &s.closed, &s.reason)
	if err := row.Scan(append(s.dst, more...)...); err != nil {
		return err
	}
	r.RetryOf, r.Holder, r.Head = s.retryOf.Bytes, s.holder.Bytes, s.head.v
	r.DueUS, r.CancelUS, r.ClosedUS, r.Reason = s.due.Int64, s.cancel.Int64, s.closed.Int64, nil
	if s.reason.Valid {
		r.Reason = &Reason{}
		if json.Unmarshal([]byte(s.reason.String), r.Reason) != nil {
			return fmt.Errorf("%w: the reason", errUnreadable)
		}
	}
	return s.steps.err
}

// stepsBytes decodes while scanning, from the driver's memory. It keeps its
// error to itself: one that Scan returned would end the reading of all rows.
type stepsBytes struct {
	p   *Progress
	err error
}

// ScanBytes is for pgx.
func (s *stepsBytes) ScanBytes(b []byte) error {
	s.err = s.p.decode(b)
	return nil
}

type headBytes struct{ v audit.Hash }

// ScanBytes is for pgx.
func (h *headBytes) ScanBytes(b []byte) error {
	h.v = audit.Hash{}
	copy(h.v[:], b)
	return nil
}

func zero(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// Run returns a run as last committed, or ErrNotFound.
func (db *DB) Run(ctx context.Context, tenant string, id security.ID) (Run, error) {
	var r Run
	err := r.scan(db.pool.QueryRow(ctx, `select `+runColumns+` from run where tenant = $1 and id = $2`, tenant, id))
	return r, missing(err)
}

func missing(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// A RunFilter chooses runs. Empty fields choose all.
type RunFilter struct {
	Caller, Workflow, Digest string
	State                    RunState
	WaitingFor               string // approval, timer
	After, Before            time.Time
	Cursor                   security.ID // runs older than this one
	Limit                    int
}

// Runs lists runs of a tenant, newest first.
func (db *DB) Runs(ctx context.Context, tenant string, f RunFilter) ([]Run, error) {
	where := &conditions{args: []any{tenant}, sql: ` where tenant = $1`}
	where.add(f.Caller != "", `caller = `, f.Caller)
	where.add(f.Workflow != "", `workflow = `, f.Workflow)
	where.add(f.Digest != "", `digest = `, f.Digest)
	where.add(f.State != "", `state = `, string(f.State))
	where.add(!f.After.IsZero(), `created_us >= `, micros(f.After))
	where.add(!f.Before.IsZero(), `created_us < `, micros(f.Before))
	where.add(!f.Cursor.IsZero(), `id < `, f.Cursor)
	if f.State != "" && !f.State.Closed() || f.WaitingFor != "" {
		where.sql += ` and closed_us is null` // what the index of open runs needs to hear
	}
	where.add(f.WaitingFor != "", `state = 'waiting' and exists (select from approval a where a.run_id = run.id and a.state = 'pending') = `, f.WaitingFor == "approval")
	rows, err := db.pool.Query(ctx, `select `+runColumns+` from run`+where.sql+` order by id desc limit `+strconv.Itoa(f.Limit), where.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Run, err error) { return r, r.scan(row) })
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// optional sends a zero ID as NULL.
func optional(id security.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// MandateOf returns what lies beside a run.
func (db *DB) MandateOf(ctx context.Context, run security.ID) (Mandate, error) {
	var m Mandate
	err := db.pool.QueryRow(ctx, `select body, key, sig, kek, run_key, input from mandate where run_id = $1`, run).
		Scan(&m.Signed.Body, &m.Signed.Key, &m.Signed.Sig, &m.Key.Key, &m.Key.Bytes, &m.Input)
	return m, missing(err)
}
