package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

// Beat renews this process's heartbeat and returns the runs it holds that were
// nudged. It does not clear the nudges: only the holder's own commit does, so
// a lost answer loses nothing.
func (db *DB) Beat(ctx context.Context) ([]security.ID, error) {
	conn, err := db.beats.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	b := &pgx.Batch{}
	b.Queue(`insert into process(id, version) values ($1, $2) on conflict (id) do update set at = clock_timestamp()`, db.process, db.version)
	var nudged []security.ID
	b.Queue(`select id from run where nudged and holder = $1`, db.process).Query(func(rows pgx.Rows) (err error) {
		nudged, err = pgx.CollectRows(rows, pgx.RowTo[security.ID])
		return err
	})
	return nudged, conn.SendBatch(ctx, b).Close()
}

// Silent lists processes whose heartbeat is older than the given time on the
// database's clock.
func (db *DB) Silent(ctx context.Context, age time.Duration) ([]security.ID, error) {
	rows, err := db.beats.Query(ctx, `select id from process where at < clock_timestamp() - make_interval(secs => $1) and id <> $2`,
		age.Seconds(), db.process)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[security.ID])
}

// A Stranded run is one that a silent process left behind: claimed by it, or
// only fetched from River by it.
type Stranded struct {
	Run   security.ID
	Epoch int32
}

// Strays lists what the process was driving: runs it holds, and runs of
// River's rows that are running under it (River's client has the process's id
// as text), with the epoch of the row. Rows younger than age are left out.
func (db *DB) Strays(ctx context.Context, process security.ID, age time.Duration) ([]Stranded, error) {
	return strays(ctx, db.beats, process, age)
}

func strays(ctx context.Context, from querier, process security.ID, age time.Duration) ([]Stranded, error) {
	rows, err := from.Query(ctx, `select id, epoch from run where closed_us is null and holder = $1
union select r.id, r.epoch from river.river_job j join run r on r.id = (j.args->>'run')::uuid
where j.state = 'running' and j.kind = 'drive' and j.attempted_by[array_upper(j.attempted_by, 1)] = $3
and r.closed_us is null and r.holder is null and r.epoch = (j.args->>'epoch')::int
and j.attempted_at < clock_timestamp() - make_interval(secs => $2)`, process, age.Seconds(), process.String())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Stranded, err error) {
		return s, row.Scan(&s.Run, &s.Epoch)
	})
}

// ErrAlive is returned by Bury for a process that is not silent after all.
var ErrAlive = errors.New("the process is alive")

// Bury takes everything from a silent process: it locks the process's
// heartbeat, looks again, and calls recover with the runs that the process held
// or had fetched. recover answers whether it got them all; only then do the
// heartbeat and the rows of River go, and a row only if its run has moved on.
//
// recover uses the ordinary door, so that its entries are chained like any
// other. The lock on the heartbeat is what makes the whole one act: a process
// that wakes up must wait for it before it can renew, and then finds itself
// fenced. If we crash half-way the rest is found silent again by somebody.
func (db *DB) Bury(ctx context.Context, process security.ID, age time.Duration, recover func([]Stranded) bool) error {
	tx, err := db.beats.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// A process that is frozen in here would keep the dead one's runs from everybody.
	if _, err := tx.Exec(ctx, `set local idle_in_transaction_session_timeout = '15s'`); err != nil {
		return err
	}
	var id security.ID
	err = tx.QueryRow(ctx, `select id from process where id = $1 and at < clock_timestamp() - make_interval(secs => $2) for update skip locked`,
		process, age.Seconds()).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrAlive
	}
	if err != nil {
		return err
	}
	left, err := strays(ctx, tx, process, 0)
	if err != nil {
		return err
	}
	if recover(left) {
		if _, err := tx.Exec(ctx, `delete from process where id = $1`, process); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlDropJobs, process.String()); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// sqlDropJobs removes River's rows of a buried process: their runs have a
// newer epoch and a job of their own by now.
const sqlDropJobs = `delete from river.river_job j using run r
where j.state = 'running' and j.kind = 'drive' and j.attempted_by[array_upper(j.attempted_by, 1)] = $1
and r.id = (j.args->>'run')::uuid and (r.closed_us is not null or r.epoch > (j.args->>'epoch')::int)`

// Due lists open runs whose time has come, oldest first.
func (db *DB) Due(ctx context.Context, limit int) ([]security.ID, error) {
	rows, err := db.beats.Query(ctx, `select id from run where due_us <= (extract(epoch from clock_timestamp()) * 1000000)::bigint
order by due_us limit $1`, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[security.ID])
}

// A Process is a Custody process that shares this database.
type Process struct {
	ID      security.ID
	Version string
	Started time.Time
	Age     time.Duration // of its last heartbeat
}

// Processes lists the processes, oldest first.
func (db *DB) Processes(ctx context.Context) ([]Process, error) {
	rows, err := db.pool.Query(ctx, `select id, version, started, extract(epoch from clock_timestamp() - at)::float8 from process order by started`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Process, err error) {
		var age float64
		err = row.Scan(&p.ID, &p.Version, &p.Started, &age)
		p.Age = time.Duration(age * float64(time.Second))
		return p, err
	})
}
