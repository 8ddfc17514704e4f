package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/migrations"
)

// templateKey names the advisory lock of those who make templates, in the
// database that the server's URL names; it is the text "custody\x02".
const templateKey int64 = 0x63757374_6f647902

// undefinedDatabase is PostgreSQL's code (invalid_catalog_name) for a template
// that is not there.
const undefinedDatabase = "3D000"

// clone asks for the template first and makes it only when there is none, so
// that all but the first database cost one statement.
func clone(ctx context.Context, conn *pgx.Conn, base, name string) error {
	digest, err := migrations.Digest()
	if err != nil {
		return err
	}
	template := "custody_template_" + digest[:16]
	err = create(ctx, conn, name, template)
	if !refusedWith(err, undefinedDatabase) {
		return err
	}
	if err := build(ctx, conn, base, template); err != nil {
		return fmt.Errorf("make the template: %w", err)
	}
	return create(ctx, conn, name, template)
}

// build makes the template under another name and renames it when it is whole,
// so a test program that is killed meanwhile leaves nothing that looks finished.
// One makes it, the others wait and then find it.
func build(ctx context.Context, conn *pgx.Conn, base, template string) (err error) {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", templateKey); err != nil {
		return err
	}
	defer func() {
		_, unlock := conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", templateKey)
		err = errors.Join(err, unlock)
	}()
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", template).Scan(&there); err != nil {
		return err
	}
	if there {
		return nil
	}
	unfinished := template + "_new"
	if _, err := conn.Exec(ctx, "drop database if exists "+quote(unfinished)+" with (force)"); err != nil {
		return err
	}
	if err := create(ctx, conn, unfinished, "template0"); err != nil {
		return err
	}
	address, err := within(base, unfinished)
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, address); err != nil {
		return err
	}
	return finish(ctx, conn, unfinished, template)
}

// finish closes the template to connections: one that somebody left open would
// make every clone fail.
func finish(ctx context.Context, conn *pgx.Conn, unfinished, template string) error {
	// The migrators' sessions may take a moment to end, and a rename refuses while they are there.
	_, err := conn.Exec(ctx, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1", unfinished)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "alter database "+quote(unfinished)+" with allow_connections false"); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "alter database "+quote(unfinished)+" rename to "+quote(template))
	return err
}
