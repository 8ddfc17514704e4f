package store

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A Definition is one registered version of a workflow. Its source is kept as
// it was sent; its digest names it for ever.
type Definition struct {
	Tenant, Name, Digest string
	Source, Title        string
	Author               string // subj_…
	AtUS                 int64
	Current              bool
	Version              int64 // of the choice of the current version
}

const (
	definitionColumns = `d.tenant, d.name, d.digest, d.source, d.title, d.author, d.at_us, coalesce(w.digest = d.digest, false), coalesce(w.version, 0)`
	definitionFrom    = ` from definition d left join workflow w on w.tenant = d.tenant and w.name = d.name`
)

// Register stores a version, makes it the current one if wanted, and reports
// whether the version is new. It may be repeated.
func (db *DB) Register(ctx context.Context, d Definition, current bool) (created bool, err error) {
	return db.RegisterOnce(ctx, d, current, Key{})
}

// RegisterOnce is Register under an idempotency key, which is committed with
// the version. Its Object names the registration if it makes the version. It
// fails with *Replayed if the key did this before; the Object of that is zero
// if the version was there already then. ErrMismatch means that the key did
// something else.
func (db *DB) RegisterOnce(ctx context.Context, d Definition, current bool, key Key) (created bool, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		// The key's row is made first, so that whoever comes second with it waits
		// here; only then is it known whether the version is new.
		if err := takeKey(ctx, tx, key); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `insert into definition(tenant, name, digest, source, title, author, at_us)
values ($1, $2, $3, $4, $5, $6, (extract(epoch from clock_timestamp()) * 1000000)::bigint) on conflict do nothing`,
			d.Tenant, d.Name, d.Digest, d.Source, d.Title, d.Author)
		if err != nil {
			return err
		}
		if created = tag.RowsAffected() == 1; !created {
			if err := madeNothing(ctx, tx, key); err != nil {
				return err
			}
		}
		if !current {
			return nil
		}
		_, err = tx.Exec(ctx, `insert into workflow(tenant, name, digest) values ($1, $2, $3)
on conflict (tenant, name) do update set digest = excluded.digest, version = workflow.version + 1 where workflow.digest <> excluded.digest`,
			d.Tenant, d.Name, d.Digest)
		return err
	})
	return created, err
}

// takeKey inserts an idempotency key, waiting for whoever is just committing it.
func takeKey(ctx context.Context, tx pgx.Tx, key Key) error {
	if key.Key == "" {
		return nil
	}
	tag, err := tx.Exec(ctx, `insert into idempotency(scope, key, body, object) values ($1, $2, $3, $4) on conflict do nothing`,
		key.Scope, key.Key, key.Body, uuid(key.Object))
	if err != nil || tag.RowsAffected() == 1 {
		return err
	}
	if err := readKey(ctx, tx, key); err != nil {
		return err
	}
	return ErrBusy // whoever had the key let go of it
}

// madeNothing takes the object out of a key's row. Rows of idempotency may be
// deleted and inserted, never changed.
func madeNothing(ctx context.Context, tx pgx.Tx, key Key) error {
	if key.Key == "" {
		return nil
	}
	if _, err := tx.Exec(ctx, `delete from idempotency where scope = $1 and key = $2`, key.Scope, key.Key); err != nil {
		return err
	}
	key.Object = security.ID{}
	return takeKey(ctx, tx, key)
}

// Done looks whether an idempotency key was used: nil if it was not, else
// *Replayed or ErrMismatch.
func (db *DB) Done(ctx context.Context, key Key) error {
	if key.Key == "" {
		return nil
	}
	return readKey(ctx, db.pool, key)
}

func readKey(ctx context.Context, q rowQuerier, key Key) error {
	var body []byte
	var object security.ID
	err := q.QueryRow(ctx, `select body, object from idempotency where scope = $1 and key = $2`, key.Scope, key.Key).Scan(&body, (*[16]byte)(&object))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case !bytes.Equal(body, key.Body):
		return ErrMismatch
	}
	return &Replayed{Object: object}
}

// rowQuerier is a connection, a pool or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ErrChanged is returned when something is not in the expected version any more.
var ErrChanged = errors.New("it has changed since")

// A Choice makes a registered version the current one.
type Choice struct {
	Tenant, Name, Digest string
	Fits                 func(current string) bool // the current digest, empty if there is none; nil: any
}

// Choose makes a registered version the current one, together with its entry.
// The fact says who did it. It fails with ErrNotFound for a version that is not
// registered, and with ErrChanged if the current one does not fit.
func (db *DB) Choose(ctx context.Context, c Choice, f audit.Fact) (Receipt, error) {
	f.Action, f.Outcome, f.Tenant, f.Name, f.Workflow = audit.WorkflowChosen, "ok", c.Tenant, c.Name, c.Digest
	return db.RecordWith(ctx, f, func(ctx context.Context, tx pgx.Tx, _ *audit.Fact) (bool, error) {
		var found, current string
		err := tx.QueryRow(ctx, `select d.digest, coalesce(w.digest, '') from definition d left join workflow w on w.tenant = d.tenant and w.name = d.name
where d.tenant = $1 and d.name = $2 and d.digest = $3`, c.Tenant, c.Name, c.Digest).Scan(&found, &current)
		if err != nil {
			return false, missing(err)
		}
		if c.Fits != nil && !c.Fits(current) {
			return false, ErrChanged
		}
		tag, err := tx.Exec(ctx, `insert into workflow(tenant, name, digest) values ($1, $2, $3) on conflict (tenant, name)
do update set digest = excluded.digest, version = workflow.version + 1 where $5 or workflow.digest = $4`, c.Tenant, c.Name, c.Digest, current, c.Fits == nil)
		if err == nil && tag.RowsAffected() == 0 { // somebody else chose in this instant
			err = ErrChanged
		}
		return true, err
	})
}

// Definition returns a version of a workflow, the current one if digest is
// empty, or ErrNotFound.
func (db *DB) Definition(ctx context.Context, tenant, name, digest string) (Definition, error) {
	rows, err := db.pool.Query(ctx, `select `+definitionColumns+definitionFrom+`
where d.tenant = $1 and d.name = $2 and d.digest = case when $3 = '' then w.digest else $3 end`, tenant, name, digest)
	if err != nil {
		return Definition{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Definition])
	return d, missing(err)
}

// Definitions lists the current versions, by name, after the given one.
func (db *DB) Definitions(ctx context.Context, tenant, prefix, after string, limit int) ([]Definition, error) {
	rows, err := db.pool.Query(ctx, `select `+definitionColumns+definitionFrom+`
where d.tenant = $1 and d.digest = w.digest and starts_with(d.name, $2) and d.name > $3 order by d.name limit $4`, tenant, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Definition])
}

// Versions lists the versions of a workflow, newest first, before the given
// time and digest (0 and "": from the newest).
func (db *DB) Versions(ctx context.Context, tenant, name string, beforeUS int64, digest string, limit int) ([]Definition, error) {
	rows, err := db.pool.Query(ctx, `select `+definitionColumns+definitionFrom+`
where d.tenant = $1 and d.name = $2 and ($3::bigint = 0 or (d.at_us, d.digest) < ($3, $4)) order by d.at_us desc, d.digest desc limit $5`,
		tenant, name, beforeUS, digest, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Definition])
}

// Current returns the digest of a workflow's current version, or ErrNotFound.
func (db *DB) Current(ctx context.Context, tenant, name string) (string, error) {
	var digest string
	err := db.pool.QueryRow(ctx, `select digest from workflow where tenant = $1 and name = $2`, tenant, name).Scan(&digest)
	return digest, missing(err)
}
