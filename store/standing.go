package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Standing is how much there is and how much waits, over all processes and
// tenants. It holds no content.
type Standing struct {
	Runs         map[RunState]int64
	OldestQueued time.Duration // age of the oldest run that nobody has begun; 0: there is none
	Due          int64         // runs whose back-off or expiry has come and that nobody has looked at
	Later        int64         // runs that wait for a time to come
	Entries      int64         // of the ledger, as its streams count them
	Streams      int64
	Bytes        int64 // of entries and payloads on disk, with their indexes
}

// Standing counts. It reads every run's row, so whoever asks often keeps the
// answer for a while.
func (db *DB) Standing(ctx context.Context) (Standing, error) {
	s := Standing{Runs: map[RunState]int64{}}
	rows, err := db.pool.Query(ctx, `select state, count(*), sum(seq)::bigint, coalesce(min(created_us), 0) from run group by state`)
	if err != nil {
		return s, err
	}
	var state RunState
	var runs, entries, oldest int64
	_, err = pgx.ForEachRow(rows, []any{(*string)(&state), &runs, &entries, &oldest}, func() error {
		s.Runs[state], s.Entries, s.Streams = runs, s.Entries+entries, s.Streams+runs
		if state == Queued {
			s.OldestQueued = max(time.Since(time.UnixMicro(oldest)), 0)
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	var control, streams int64
	err = db.pool.QueryRow(ctx, `select (select count(*) from run where due_us <= `+sqlNowUS+`), (select count(*) from run where due_us > `+sqlNowUS+`),
(select coalesce(sum(seq), 0)::bigint from control), (select count(*) from control),
pg_total_relation_size('entry') + pg_total_relation_size('payload')`).Scan(&s.Due, &s.Later, &control, &streams, &s.Bytes)
	s.Entries, s.Streams = s.Entries+control, s.Streams+streams
	return s, err
}
