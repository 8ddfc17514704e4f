package migrations

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// A State compares a database with this program. Current is 0 in a database
// that was never migrated.
type State struct {
	Current      int64 `json:"current"`       // version of schema custody in the database
	Target       int64 `json:"target"`        // version that this program knows
	RiverCurrent int64 `json:"river_current"` // the same for River's schema
	RiverTarget  int64 `json:"river_target"`
	Pending      bool  `json:"pending"` // Up has something to do
	Newer        bool  `json:"newer"`   // the database is ahead: this program must not use it
}

// Ready reports whether this program may use the database as it is. The zero
// State is not ready.
func (s State) Ready() bool { return !s.Pending && !s.Newer && s.Target > 0 }

// Status reads how far the database is, and changes nothing.
func Status(ctx context.Context, url string) (State, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return State{}, fmt.Errorf("read the database URL: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return State{}, fmt.Errorf("connect to read the schema's version: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return status(ctx, conn, files)
}

func status(ctx context.Context, conn *pgx.Conn, fsys fs.FS) (State, error) {
	var s State
	var err error
	if s.Target, err = target(fsys); err != nil {
		return State{}, err
	}
	if s.RiverTarget, err = riverTarget(); err != nil {
		return State{}, err
	}
	if s.Current, err = latest(ctx, conn, versionTable, "version_id"); err != nil {
		return State{}, err
	}
	if s.RiverCurrent, err = latest(ctx, conn, riverTable, "version"); err != nil {
		return State{}, err
	}
	s.Newer = s.Current > s.Target || s.RiverCurrent > s.RiverTarget
	s.Pending = s.Current < s.Target || s.RiverCurrent < s.RiverTarget
	return s, nil
}

// latest asks for the table first: before the first migration there is none.
func latest(ctx context.Context, conn *pgx.Conn, table, column string) (int64, error) {
	var there bool
	if err := conn.QueryRow(ctx, "select to_regclass($1) is not null", table).Scan(&there); err != nil {
		return 0, fmt.Errorf("look for %s: %w", table, err)
	}
	if !there {
		return 0, nil
	}
	var version int64
	query := "select coalesce(max(" + column + "), 0) from " + table
	if err := conn.QueryRow(ctx, query).Scan(&version); err != nil {
		return 0, fmt.Errorf("read %s: %w", table, err)
	}
	return version, nil
}

func target(fsys fs.FS) (int64, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("list the migration files: %w", err)
	}
	var highest int64
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration file %s: %w", name, err)
		}
		highest = max(highest, version)
	}
	return highest, nil
}

func riverTarget() (int64, error) {
	m, err := river(nil)
	if err != nil {
		return 0, err
	}
	var highest int64
	for _, known := range m.AllVersions() {
		highest = max(highest, int64(known.Version))
	}
	return highest, nil
}
