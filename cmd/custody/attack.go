package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/custodyhq/custody/security"
)

// This file is the attacker's: what somebody with the database's password can do
// that Custody itself never does. The driver is the one that the migrations use.

// alterVote turns the approval into a rejection in the record of a run, with all
// columns in agreement, and past the trigger that refuses it.
func alterVote(ctx context.Context, url, run string) (err error) {
	id, err := security.ParseID("run", run)
	if err != nil {
		return err
	}
	return onDatabase(ctx, url, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(ctx, "alter table custody.entry disable trigger append_only"); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `update custody.entry set outcome = 'reject', body = replace(body, '"outcome":"approve"', '"outcome":"reject"')
where stream = $1::text::uuid and action = 'approval.voted' and outcome = 'approve'`, fmt.Sprintf("%x", id[:]))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("the attack found %d rows, not one", n)
		}
		if _, err := tx.ExecContext(ctx, "alter table custody.entry enable trigger append_only"); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// alterAsServer tries the same with the rights that the server has.
func alterAsServer(ctx context.Context, url string) error {
	return onDatabase(ctx, url, func(db *sql.DB) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, "set role custody_app"); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, "update custody.entry set outcome = 'reject'")
		return err
	})
}

func dropDatabase(ctx context.Context, server, name string) error {
	err := onDatabase(ctx, server, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `drop database if exists "`+strings.ReplaceAll(name, `"`, `""`)+`" with (force)`)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop the demo's database %s: %w", name, err)
	}
	return nil
}

func onDatabase(_ context.Context, url string, work func(*sql.DB) error) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return errors.New("the database's URL cannot be read") // err would repeat it
	}
	defer db.Close()
	return work(db)
}
