package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/store"
)

// ErrAway is wrapped by what fails because the database cannot be reached just
// now. The same may succeed later.
var ErrAway = errors.New("the database cannot be reached")

// Migrate brings the database to this program's schema, makes the first keys of
// a new installation, and notes the keys in use (see InstallKeys). It needs
// DatabaseURL, KeyDir and Origin of the Config only. It may be repeated, and
// called by several processes at once.
func Migrate(ctx context.Context, cfg Config) (migrations.State, error) {
	if cfg.KeyDir == "" {
		cfg.KeyDir = defaultKeyDir
	}
	if err := cfg.validateDatabase(); err != nil {
		return migrations.State{}, wrongSetting(err)
	}
	if err := migrations.Up(ctx, cfg.DatabaseURL); err != nil {
		return migrations.State{}, OrAway(err)
	}
	db, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL, Origin: cfg.Origin, Version: cfg.Version, Log: cfg.Log}, nil)
	if err != nil {
		return migrations.State{}, OrAway(err)
	}
	defer db.Close()
	if _, err := InstallKeys(ctx, db, cfg.KeyDir); err != nil {
		return migrations.State{}, OrAway(err)
	}
	state, err := migrations.Status(ctx, cfg.DatabaseURL)
	return state, OrAway(err)
}

// Status compares the database's schema with this program and changes nothing.
func Status(ctx context.Context, cfg Config) (migrations.State, error) {
	if err := cfg.validateDatabase(); err != nil {
		return migrations.State{}, wrongSetting(err)
	}
	state, err := migrations.Status(ctx, cfg.DatabaseURL)
	return state, OrAway(err)
}

// OrAway wraps an error in ErrAway if it means that.
func OrAway(err error) error {
	if err != nil && away(err) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}
