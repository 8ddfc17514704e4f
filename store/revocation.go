package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

// A Revocation takes a right away at once, also from runs under way. Its key is
// one of those that security.Mandate.RevocationKeys names.
type Revocation struct {
	Key    string
	ID     security.ID
	Tenant string
	AtUS   int64
	By     string
	Reason string
}

// Revoke stores a revocation, and reports whether it is new. Every intent that
// is committed after it sees it.
func (db *DB) Revoke(ctx context.Context, r Revocation) (bool, error) {
	tag, err := db.pool.Exec(ctx, `insert into revocation(key, id, tenant, at_us, by, reason)
values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000000)::bigint, $4, $5) on conflict do nothing`,
		r.Tenant+"/"+r.Key, r.ID, r.Tenant, r.By, r.Reason)
	return err == nil && tag.RowsAffected() == 1, err
}

// Revoked reports which of a tenant's keys are revoked.
func (db *DB) Revoked(ctx context.Context, tenant string, keys []string) ([]string, error) {
	scoped := make([]string, len(keys))
	for i, k := range keys {
		scoped[i] = tenant + "/" + k
	}
	rows, err := db.pool.Query(ctx, `select substr(key, length($2) + 2) from revocation where key = any($1::text[])`, scoped, tenant)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
