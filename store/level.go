package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Levels are figures of the whole installation at one moment.
type Levels struct {
	Runs      map[RunState]int64 // open runs by state
	QueueAge  time.Duration      // of the run that has waited longest for a process; 0: none waits
	Approvals int64              // that wait for votes
	WaitAge   time.Duration      // since the oldest of them was asked for
	Expiry    time.Duration      // until the next of them expires; 0: none waits, or it is due
	Processes int64              // whose heartbeat is no older than Gone
}

// maxLevel bounds what Levels counts: beyond it a figure says "at least".
const maxLevel = 20000

// The oldest runs and approvals come first, because they are what an age is
// about; partial indexes hold the open ones only.
const (
	sqlRunLevels = `select state, count(*), coalesce(extract(epoch from clock_timestamp()) - min(at_us) / 1e6, 0)::float8
from (select state, at_us from run where closed_us is null order by id limit $1) r group by state`
	sqlApprovalLevels = `select count(*), coalesce(extract(epoch from clock_timestamp()) - min(asked_ms) / 1e3, 0)::float8,
coalesce(min(expires_us) / 1e6 - extract(epoch from clock_timestamp()), 0)::float8
from (select expires_us, ('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint asked_ms
from approval where state = 'pending' order by tenant, id limit $1) a`
	sqlProcessLevel = `select count(*) from process where at > clock_timestamp() - make_interval(secs => $1)`
)

// Levels samples the database, in one round trip and at most two seconds. Each
// of its counts stops at 20,000.
func (db *DB) Levels(ctx context.Context) (Levels, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out := Levels{Runs: map[RunState]int64{Queued: 0, Running: 0, Waiting: 0}}
	b := &pgx.Batch{}
	b.Queue(sqlRunLevels, maxLevel).Query(func(rows pgx.Rows) error {
		var state string
		var n int64
		var age float64
		_, err := pgx.ForEachRow(rows, []any{&state, &n, &age}, func() error {
			out.Runs[RunState(state)] = n
			if RunState(state) == Queued {
				out.QueueAge = duration(age)
			}
			return nil
		})
		return err
	})
	b.Queue(sqlApprovalLevels, maxLevel).QueryRow(func(r pgx.Row) error {
		var age, expiry float64
		err := r.Scan(&out.Approvals, &age, &expiry)
		out.WaitAge, out.Expiry = duration(age), duration(expiry)
		return err
	})
	b.Queue(sqlProcessLevel, Gone.Seconds()).QueryRow(func(r pgx.Row) error { return r.Scan(&out.Processes) })
	err := db.beats.SendBatch(ctx, b).Close()
	return out, err
}

// duration is never negative: the clocks of processes differ a little.
func duration(seconds float64) time.Duration {
	return max(0, time.Duration(seconds*float64(time.Second)))
}

// PoolLevel says how a pool of connections is used.
type PoolLevel struct {
	Name             string // read, beat, rate
	Used, Idle, Most int64
}

// PoolLevels are those of this process.
func (db *DB) PoolLevels() [3]PoolLevel {
	level := func(name string, p *pgxpool.Pool) PoolLevel {
		s := p.Stat()
		return PoolLevel{name, int64(s.AcquiredConns()), int64(s.IdleConns()), int64(s.MaxConns())}
	}
	return [3]PoolLevel{level("read", db.pool), level("beat", db.beats), level("rate", db.rates)}
}
