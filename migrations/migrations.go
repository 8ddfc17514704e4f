// Package migrations brings a database to the schema that this program knows:
// Custody's own tables (goose SQL files in schema custody) and River's (its own
// migrator, in schema river).
package migrations

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// Where the two migrators keep what they did.
const (
	versionTable = "custody.schema_version"
	riverSchema  = "river"
	riverTable   = riverSchema + ".river_migration"
)

// lockKey names the advisory lock of a migration; it is the text "custody\x01".
// Advisory locks belong to one database, so other programs' keys matter only there.
const lockKey int64 = 0x63757374_6f647901

// lockPoll is how long a process waits before it asks for the lock again.
const lockPoll = 100 * time.Millisecond

// ErrNewer is returned when a newer release has already migrated the database.
var ErrNewer = errors.New("the database belongs to a newer release of Custody")

// Up applies everything that is missing, Custody's schema first, then River's.
// It does nothing when nothing is missing, and several processes may call it at
// once: one applies, the others wait. It returns ErrNewer, and changes nothing,
// when the database is ahead of this program.
//
// A migration that fails leaves no trace of itself, those before it stay; the
// next call goes on from there. The URL must lead to the server itself or to a
// pooler in session mode, because the lock belongs to a session.
func Up(ctx context.Context, url string) error { return up(ctx, url, files) }

// Digest is the hex SHA-256 of every SQL file's name and content and of the
// version of River's schema: equal digests make equal schemas.
func Digest() (string, error) { return digest(files) }

func up(ctx context.Context, url string, fsys fs.FS) error {
	cfg, err := connConfig(url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	// Closing the session is what frees the lock, so it must happen after a cancellation too.
	defer conn.Close(context.WithoutCancel(ctx))
	if err := lock(ctx, conn); err != nil {
		return err
	}
	state, err := status(ctx, conn, fsys)
	if err != nil {
		return err
	}
	if state.Newer {
		return newer(state)
	}
	if err := ensureSchemas(ctx, conn); err != nil {
		return err
	}
	if err := upCustody(ctx, cfg, fsys); err != nil {
		return err
	}
	if err := upRiver(ctx, url); err != nil {
		return err
	}
	return grantRiver(ctx, conn)
}

func newer(s State) error {
	return fmt.Errorf("%w: its schema is %d (River %d), this program knows %d (River %d): start the newer release",
		ErrNewer, s.Current, s.RiverCurrent, s.Target, s.RiverTarget)
}

// connConfig lifts the time limits that a role or database may set: they are
// meant for queries, and would end a long migration or the session that holds the lock.
func connConfig(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	unlimited(cfg.RuntimeParams)
	return cfg, nil
}

func unlimited(params map[string]string) {
	params["application_name"] = "custody migrate"
	for _, limit := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"} {
		params[limit] = "0"
	}
}

// lock polls: a session that waits inside pg_advisory_lock holds a snapshot, and
// a "create index concurrently" of the process that has the lock would wait for it.
func lock(ctx context.Context, conn *pgx.Conn) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		var got bool
		if err := conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", lockKey).Scan(&got); err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another process that migrates this database: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// ensureSchemas looks first: "create schema if not exists" asks for the right to
// create one even when it exists.
func ensureSchemas(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range []string{"custody", riverSchema} {
		var there bool
		if err := conn.QueryRow(ctx, "select to_regnamespace($1) is not null", name).Scan(&there); err != nil {
			return fmt.Errorf("look for schema %s: %w", name, err)
		}
		if there {
			continue
		}
		if _, err := conn.Exec(ctx, "create schema "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("create schema %s: %w", name, err)
		}
	}
	return nil
}

func upCustody(ctx context.Context, cfg *pgx.ConnConfig, fsys fs.FS) error {
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	// The global registry is off: what another package of the program registers is not ours to run.
	provider, err := goose.NewProvider(goose.DialectPostgres, db, fsys,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migration files: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema custody: %w", err)
	}
	return nil
}

// upRiver runs outside a transaction: River's version 6 uses an enum value that
// an earlier one adds, which PostgreSQL refuses within one transaction (55P04).
func upRiver(ctx context.Context, url string) error {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	unlimited(cfg.ConnConfig.RuntimeParams)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to migrate River: %w", err)
	}
	defer pool.Close()
	migrator, err := river(pool)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate schema %s: %w", riverSchema, err)
	}
	return nil
}

// grantRiver gives the role that the process works as (00001_custody.sql) its
// rights on River's tables, which do not exist yet when that file runs. It looks
// first, so that a second Up needs no right to grant; a crash before it is mended
// by the next Up.
func grantRiver(ctx context.Context, conn *pgx.Conn) error {
	var missing bool
	err := conn.QueryRow(ctx, `select exists (select from pg_roles r, pg_class c
		where r.rolname = 'custody_app' and c.relnamespace = to_regnamespace($1) and c.relkind = 'r'
		and not has_table_privilege(r.oid, c.oid, 'delete'))`, riverSchema).Scan(&missing)
	if err != nil {
		return fmt.Errorf("look at the rights on schema %s: %w", riverSchema, err)
	}
	if !missing {
		return nil
	}
	_, err = conn.Exec(ctx, `grant usage on schema river to custody_app;
		grant select, insert, update, delete on all tables in schema river to custody_app;
		grant usage on all sequences in schema river to custody_app`)
	if err != nil {
		return fmt.Errorf("grant rights on schema %s: %w", riverSchema, err)
	}
	return nil
}

// river makes River's migrator; a nil pool is enough to ask it what it knows.
func river(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: riverSchema,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("set up River's migrator: %w", err)
	}
	return m, nil
}

func digest(fsys fs.FS) (string, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return "", fmt.Errorf("list the migration files: %w", err)
	}
	target, err := riverTarget()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "river %d\n", target)
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return "", fmt.Errorf("read a migration file: %w", err)
		}
		fmt.Fprintf(h, "%q %d\n%s", name, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
