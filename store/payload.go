package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

// A Payload is sealed content as it lies in the vault.
type Payload struct {
	ID     security.ID
	Run    security.ID
	Kind   string
	Cipher []byte
}

// Payloads returns the payloads of a run with these ids that are there.
func (db *DB) Payloads(ctx context.Context, run security.ID, ids ...security.ID) (map[security.ID]Payload, error) {
	rows, err := db.pool.Query(ctx, `select id, run_id, kind, cipher from payload where run_id = $1 and id = any($2::uuid[])`, run, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[security.ID]Payload, len(ids))
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Payload])
	for _, p := range all {
		found[p.ID] = p
	}
	return found, err
}
