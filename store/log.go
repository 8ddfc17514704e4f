package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrOrigin is returned when the database's ledger has another name than the
// configuration says. The name is inside every hash and cannot change.
var ErrOrigin = errors.New("the ledger in this database has another origin")

// openLog finds or makes the log of a tenant.
func (db *DB) openLog(ctx context.Context, tenant, origin string) error {
	var id int16
	var have string
	_, err := db.pool.Exec(ctx, `insert into log(tenant, origin) values ($1, $2) on conflict do nothing`, tenant, origin)
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	err = db.pool.QueryRow(ctx, `select id, origin from log where tenant = $1`, tenant).Scan(&id, &have)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: %q belongs to another tenant", ErrOrigin, origin)
	}
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	if have != origin {
		return fmt.Errorf("%w: it is %q, the configuration says %q: set log.origin to the former", ErrOrigin, have, origin)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.logs[id], db.tenants[tenant] = have, id
	return nil
}

// LogOf returns the log of a tenant, and makes it when the tenant is new: its
// origin is the main one with the tenant's name appended.
func (db *DB) LogOf(ctx context.Context, tenant string) (int16, error) {
	db.mu.RLock()
	id, ok := db.tenants[tenant]
	db.mu.RUnlock()
	if ok {
		return id, nil
	}
	if err := db.openLog(ctx, tenant, db.cfg.Origin+"/"+tenant); err != nil {
		return 0, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.tenants[tenant], nil
}

// Tenants names all tenants that have a ledger.
func (db *DB) Tenants(ctx context.Context) ([]string, error) {
	rows, err := db.pool.Query(ctx, `select tenant from log order by tenant`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// logName returns the origin of a log, "" if it is not known: nothing is ever
// written under an empty name (Locked.Append).
func (db *DB) logName(id int16) string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.logs[id]
}

// A querier is a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// learnLogs reads the names of all logs: another process may have made one
// since our start.
func (db *DB) learnLogs(ctx context.Context, from querier) error {
	rows, err := from.Query(ctx, `select id, tenant, origin from log`)
	if err != nil {
		return fmt.Errorf("read the ledgers' names: %w", err)
	}
	var id int16
	var tenant, origin string
	_, err = pgx.ForEachRow(rows, []any{&id, &tenant, &origin}, func() error {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.logs[id], db.tenants[tenant] = origin, id
		return nil
	})
	return err
}
