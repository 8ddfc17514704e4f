package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
)

// maxSubjects bounds the memory of known subjects; past it they are read again.
const maxSubjects = 100_000

// Subject returns the name of a person or program in the ledger, and gives
// them a random one when they are seen for the first time.
func (db *DB) Subject(ctx context.Context, tenant, issuer, subject string) (string, error) {
	key := [3]string{tenant, issuer, subject}
	if id, ok := db.subjects.Load(key); ok {
		return id.(string), nil
	}
	var id string
	err := db.pool.QueryRow(ctx, `with made as (insert into subject(tenant, issuer, subject, id) values ($1, $2, $3, $4)
on conflict do nothing returning id) select id from made union all select id from subject where tenant = $1 and issuer = $2 and subject = $3 limit 1`,
		tenant, issuer, subject, security.NewID().Name("subj")).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) { // somebody else is making it in this instant, and was not yet visible
		err = db.pool.QueryRow(ctx, `select id from subject where tenant = $1 and issuer = $2 and subject = $3`, tenant, issuer, subject).Scan(&id)
	}
	if err != nil {
		return "", err
	}
	if db.known.Add(1) > maxSubjects {
		db.subjects.Clear()
		db.known.Store(0)
	}
	db.subjects.Store(key, id) // one stored twice is counted twice, which forgets a little earlier
	return id, nil
}
