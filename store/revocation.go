package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A Revocation takes a right away at once, also from runs under way. Its key is
// one of those that security.Mandate.RevocationKeys names. It stays in the
// table when it is lifted.
type Revocation struct {
	Key      string // kind:value
	ID       security.ID
	Tenant   string
	AtUS     int64
	By       string // subj_…, or who else made it
	Reason   string
	BeforeUS int64 // it concerns only what began until then; 0: everything
	LiftedUS int64 // 0: it is in force
}

const (
	revocationColumns = `substr(key, length(tenant) + 2), id, tenant, at_us, by, reason, coalesce(before_us, 0), coalesce(lifted_us, 0)`
	sqlNowUS          = `(extract(epoch from clock_timestamp()) * 1000000)::bigint`
)

// Revoke stores a revocation with its entry, and reports whether it is new.
// Every intent that is committed after it sees it.
func (db *DB) Revoke(ctx context.Context, r Revocation) (bool, error) {
	_, _, isNew, err := db.RevokeOnce(ctx, r, Key{}, audit.Fact{Actor: r.By})
	return isNew, err
}

// RevokeOnce is Revoke under an idempotency key, which is committed with the
// row and its entry. It returns the revocation that is in force then, and where
// its entry stands if this call made it. One whose BeforeUS is later than that
// of the row in force moves that row's; BeforeUS is set to the database's time
// if that is later still. The fact says who did it; what was done is filled in.
//
// It fails with *Replayed if the key did this before; the Object of that is
// zero if nothing was made then. ErrMismatch means that the key did something
// else.
func (db *DB) RevokeOnce(ctx context.Context, r Revocation, key Key, f audit.Fact) (out Revocation, receipt Receipt, isNew bool, err error) {
	f.Action, f.Outcome, f.Tenant, f.Target = audit.RevocationAdded, "ok", r.Tenant, r.ID.Name("rev")+" "+r.Key
	receipt, err = db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, _ *audit.Fact) (bool, error) {
		isNew = false
		if err := takeKey(ctx, tx, key); err != nil {
			return false, err
		}
		tag, err := tx.Exec(ctx, `insert into revocation(key, id, tenant, at_us, by, reason, before_us)
values ($1, $2, $3, `+sqlNowUS+`, $4, $5, case when $6::bigint > 0 then greatest($6, `+sqlNowUS+`) end)
on conflict (key) where lifted_us is null do update set before_us = excluded.before_us where revocation.before_us < excluded.before_us`,
			r.Tenant+"/"+r.Key, r.ID, r.Tenant, r.By, r.Reason, r.BeforeUS)
		if err != nil {
			return false, err
		}
		if out, err = revocationOf(ctx, tx, r.Tenant, r.Key); err != nil {
			return false, err
		}
		if isNew = out.ID == r.ID; !isNew {
			return tag.RowsAffected() > 0, madeNothing(ctx, tx, key)
		}
		return true, nil
	})
	return out, receipt, isNew, err
}

// Lift ends a revocation, or fails with ErrNotFound if it is not in force. The
// fact says who did it.
func (db *DB) Lift(ctx context.Context, tenant string, id security.ID, f audit.Fact) (Receipt, error) {
	f.Action, f.Outcome, f.Tenant = audit.RevocationLifted, "ok", tenant
	return db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, f *audit.Fact) (bool, error) {
		var key string
		err := tx.QueryRow(ctx, `update revocation set lifted_us = `+sqlNowUS+` where id = $1 and tenant = $2 and lifted_us is null returning key`, id, tenant).Scan(&key)
		f.Target = id.Name("rev") + " " + strings.TrimPrefix(key, tenant+"/")
		return true, missing(err)
	})
}

// Revocation returns one, in force or lifted, or ErrNotFound.
func (db *DB) Revocation(ctx context.Context, tenant string, id security.ID) (Revocation, error) {
	rows, err := db.pool.Query(ctx, `select `+revocationColumns+` from revocation where tenant = $1 and id = $2`, tenant, id)
	return oneRevocation(rows, err)
}

// RevocationOf returns the revocation of a key that is in force, else the one
// that was lifted last, or ErrNotFound.
func (db *DB) RevocationOf(ctx context.Context, tenant, key string) (Revocation, error) {
	return revocationOf(ctx, db.pool, tenant, key)
}

func revocationOf(ctx context.Context, q querier, tenant, key string) (Revocation, error) {
	rows, err := q.Query(ctx, `select `+revocationColumns+` from revocation where key = $1 order by lifted_us desc nulls first limit 1`, tenant+"/"+key)
	return oneRevocation(rows, err)
}

func oneRevocation(rows pgx.Rows, err error) (Revocation, error) {
	if err != nil {
		return Revocation{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRevocation)
	return r, missing(err)
}

func scanRevocation(row pgx.CollectableRow) (r Revocation, err error) {
	return r, row.Scan(&r.Key, (*[16]byte)(&r.ID), &r.Tenant, &r.AtUS, &r.By, &r.Reason, &r.BeforeUS, &r.LiftedUS)
}

// Revocations lists a tenant's revocations in force, newest first, before the
// given one (zero: from the newest). kinds chooses; empty is all.
func (db *DB) Revocations(ctx context.Context, tenant string, kinds []string, before security.ID, limit int) ([]Revocation, error) {
	rows, err := db.pool.Query(ctx, `select `+revocationColumns+` from revocation
where tenant = $1 and lifted_us is null and ($2::text[] is null or split_part(substr(key, length($1) + 2), ':', 1) = any($2))
and ($3::uuid is null or id < $3) order by id desc limit $4`, tenant, kinds, optional(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRevocation)
}

// Revoked reports which of a tenant's keys are revoked for whatever began at
// the given time.
func (db *DB) Revoked(ctx context.Context, tenant string, keys []string, began time.Time) ([]string, error) {
	scoped := make([]string, len(keys))
	for i, k := range keys {
		scoped[i] = tenant + "/" + k
	}
	rows, err := db.pool.Query(ctx, `select substr(key, length($2) + 2) from revocation
where key = any($1::text[]) and lifted_us is null and (before_us is null or before_us >= $3)`, scoped, tenant, began.UnixMicro())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Known reports whether a tenant has a subject (kind sub), a run (run) or the
// database a mandate key (key) of this name. Of other kinds it knows nothing
// and says yes.
func (db *DB) Known(ctx context.Context, tenant, kind, value string) (known bool, err error) {
	switch kind {
	case "sub":
		err = db.pool.QueryRow(ctx, `select exists (select from subject where tenant = $1 and id = $2)`, tenant, value).Scan(&known)
	case "key":
		err = db.pool.QueryRow(ctx, `select exists (select from key where kind = 'mandate' and id = $1)`, value).Scan(&known)
	case "run":
		id, bad := security.ParseID("run", value)
		if bad != nil { // no run has such a name
			id = security.ID{}
		}
		err = db.pool.QueryRow(ctx, `select exists (select from run where tenant = $1 and id = $2)`, tenant, id).Scan(&known)
	default:
		known = true
	}
	return known, err
}

// lookBack is how many of a person's newest runs prove that a token or a
// session was theirs.
const lookBack = 1000

// Carried reports whether one of a person's newest runs was submitted with a
// token or in a session of this fingerprint (kind jti or sid), as its mandate
// says.
func (db *DB) Carried(ctx context.Context, tenant, caller, kind, fingerprint string) (carried bool, err error) {
	field := map[string]string{"jti": "token", "sid": "session"}[kind]
	err = db.pool.QueryRow(ctx, `select exists (select from (select id from run where tenant = $1 and caller = $2 order by id desc limit $3) r
join mandate m on m.run_id = r.id where convert_from(m.body, 'UTF8')::jsonb ->> $4 = $5)`, tenant, caller, lookBack, field, fingerprint).Scan(&carried)
	return carried, err
}
