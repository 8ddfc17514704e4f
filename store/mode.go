package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// An Order sets the firewall's mode for a tenant. The newest counts; whoever
// uses one verifies Signed.
type Order struct {
	ID      security.ID
	Tenant  string
	Mode    string // enforce, observe
	By      string
	Reason  string
	AtUS    int64
	UntilUS int64 // 0: it has no end, which only enforce may have
	Signed  security.Signed
}

const orderColumns = `id, tenant, mode, by, reason, at_us, until_us, body, key, sig`

func scanOrder(row pgx.CollectableRow) (o Order, err error) {
	return o, row.Scan((*[16]byte)(&o.ID), &o.Tenant, &o.Mode, &o.By, &o.Reason, &o.AtUS, &o.UntilUS, &o.Signed.Body, &o.Signed.Key, &o.Signed.Sig)
}

// OrderMode stores an order with its entry. The fact says who did it.
func (db *DB) OrderMode(ctx context.Context, o Order, f audit.Fact) (Receipt, error) {
	f.Action, f.Outcome, f.Tenant, f.Target, f.Due = audit.GuardModeChanged, o.Mode, o.Tenant, o.ID.Name("mod"), o.UntilUS
	return db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, _ *audit.Fact) (bool, error) {
		_, err := tx.Exec(ctx, `insert into guard_mode(`+orderColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			o.ID, o.Tenant, o.Mode, o.By, o.Reason, o.AtUS, o.UntilUS, o.Signed.Body, o.Signed.Key, o.Signed.Sig)
		return true, err
	})
}

// LastOrder returns the order that the newest entry about one in a tenant's
// ledger names, and that entry. Both are empty if there was none yet; the order
// alone if it is not there any more.
func (db *DB) LastOrder(ctx context.Context, tenant string) (o Order, told audit.Body, err error) {
	// What a server's own config says names no order, and replaces none. The action
	// stands as a literal, else the planner could not use the partial index.
	var body string
	err = db.pool.QueryRow(ctx, `select body from entry where tenant = $1 and control and action = 'guard.mode_changed'
and body like '%"target":"mod\_%' order by at_us desc, stream desc, seq desc limit 1`, tenant).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, told, nil
	}
	if err != nil {
		return o, told, err
	}
	if told, err = audit.ParseBody(body); err != nil {
		return o, audit.Body{}, nil //nolint:nilerr // audit verify names it; here it tells nothing
	}
	id, err := security.ParseID("mod", told.Target)
	if err != nil {
		return o, audit.Body{}, nil //nolint:nilerr // as above
	}
	rows, err := db.pool.Query(ctx, `select `+orderColumns+` from guard_mode where tenant = $1 and id = $2`, tenant, id)
	if err != nil {
		return o, told, err
	}
	o, err = pgx.CollectExactlyOneRow(rows, scanOrder)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return o, told, err
}
