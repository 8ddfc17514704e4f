package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A RunDetail is what people see of a run and its row does not hold.
type RunDetail struct {
	Mandate security.Mandate // as stored; its signature is not checked here
	Reason  audit.Hash       // of the entry that recorded why the run ended; zero if there is none
}

// RunDetails reads the details of runs, all with one statement. It is for
// showing: nothing may be decided by an unchecked mandate.
func (db *DB) RunDetails(ctx context.Context, runs []Run) (map[security.ID]RunDetail, error) {
	ids, seqs := make([]security.ID, len(runs)), make([]int64, len(runs))
	for i := range runs {
		ids[i], seqs[i] = runs[i].ID, -1
		if runs[i].Reason != nil {
			seqs[i] = runs[i].Reason.Seq
		}
	}
	rows, err := db.pool.Query(ctx, `select u.id, m.body, e.hash from unnest($1::uuid[], $2::bigint[]) u(id, seq)
join mandate m on m.run_id = u.id left join entry e on e.stream = u.id and e.seq = u.seq`, ids, seqs)
	if err != nil {
		return nil, err
	}
	out := make(map[security.ID]RunDetail, len(runs))
	var id security.ID
	var body, hash []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &body, &hash}, func() error {
		var d RunDetail
		copy(d.Reason[:], hash)
		if err := json.Unmarshal(body, &d.Mandate); err != nil {
			d.Mandate = security.Mandate{} // an unreadable mandate shows as nobody's
		}
		out[id] = d
		return nil
	})
	return out, err
}

// A Stream names a run's stream or a control stream.
type Stream struct {
	ID      security.ID
	Control bool
}

// Streams lists a tenant's streams with an entry in the given time (zero times:
// ever), in the order of their ids, after the given one.
func (db *DB) Streams(ctx context.Context, tenant string, from, to time.Time, after security.ID, limit int) ([]Stream, error) {
	rows, err := db.pool.Query(ctx, `select stream, bool_or(control) from entry
where tenant = $1 and ($2::bigint = 0 or at_us >= $2) and ($3::bigint = 0 or at_us < $3) and ($4::uuid is null or stream > $4)
group by stream order by stream limit $5`, tenant, micros(from), micros(to), optional(after), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Stream])
}
