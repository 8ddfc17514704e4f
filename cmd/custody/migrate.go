package main

import (
	"context"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/migrations"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the database to this program's schema."`
	Status migrateStatusCommand `cmd:"" help:"Compare the database with this program."`
}

// Help shows an example.
func (migrateCommand) Help() string {
	return "Example:\n\n    CUSTODY_DATABASE_URL=postgres://custody@db/custody custody migrate up"
}

type migrateUpCommand struct{}

// Help shows an example.
func (migrateUpCommand) Help() string {
	return "Example:\n\n    CUSTODY_DATABASE_URL=postgres://custody@db/custody custody migrate up\n\nIt may be repeated, also by several processes at once. For an empty CUSTODY_KEY_DIR and a database that names no keys it makes the first ones."
}

// Run migrates.
func (migrateUpCommand) Run(ctx context.Context, s *session) error {
	cfg, err := custody.Load(s.env, s.env(custody.EnvConfig))
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	cfg.Version = version()
	state, err := custody.Migrate(ctx, cfg)
	if err != nil {
		return err
	}
	return s.schema(state)
}

type migrateStatusCommand struct{}

// Help shows an example.
func (migrateStatusCommand) Help() string {
	return "Example:\n\n    custody migrate status --json\n\nIt changes nothing."
}

// Run shows the versions.
func (migrateStatusCommand) Run(ctx context.Context, s *session) error {
	cfg, err := custody.Load(s.env, s.env(custody.EnvConfig))
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	state, err := custody.Status(ctx, cfg)
	if err != nil {
		return err
	}
	return s.schema(state)
}

func (s *session) schema(state migrations.State) error {
	if s.JSON {
		return s.terminal.json(state)
	}
	s.print("schema custody  %d of %d", state.Current, state.Target)
	s.print("schema river    %d of %d", state.RiverCurrent, state.RiverTarget)
	switch {
	case state.Newer:
		s.print("The database belongs to a newer release: start that one.")
	case state.Pending:
		s.print("Run `custody migrate up`.")
	default:
		s.print("The schema is complete.")
	}
	return nil
}
