package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A KeyUse names a key that this database's content depends on: a mandate key
// or a key-encryption key. The key itself is never here.
type KeyUse struct{ Kind, ID string }

// Keys lists the keys in use.
func (db *DB) Keys(ctx context.Context) ([]KeyUse, error) {
	rows, err := db.pool.Query(ctx, `select kind, id from key order by kind, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[KeyUse])
}

// UseKeys notes that content will depend on these keys from now on.
func (db *DB) UseKeys(ctx context.Context, keys ...KeyUse) error {
	for _, k := range keys {
		if _, err := db.pool.Exec(ctx, `insert into key(kind, id) values ($1, $2) on conflict do nothing`, k.Kind, k.ID); err != nil {
			return err
		}
	}
	return nil
}
