package main

import (
	"context"
	"errors"

	"github.com/custodyhq/custody/internal/signin"
)

type tokenLogoutCommand struct{}

// Help shows an example.
func (tokenLogoutCommand) Help() string {
	return "Example:\n\n    custody token logout\n\nThe provider is told to end the sign-in. The last access token stays good until it ends by itself, minutes later: `custody token revoke` ends it at once."
}

// Run forgets the sign-in, then tells the provider: if we crash in between,
// nobody has the tokens.
func (tokenLogoutCommand) Run(ctx context.Context, s *session) error {
	shelf, err := signin.ShelfOf(s.env)
	if err != nil {
		return usage("%w", err)
	}
	k, err := shelf.Load(s.server())
	if errors.Is(err, signin.ErrNone) {
		s.say("nobody was signed in")
		return nil
	}
	unlock, failure := shelf.Lock(ctx, s.server())
	if failure != nil {
		return failure
	}
	defer unlock()
	if err == nil {
		k, err = shelf.Load(s.server()) // it may have been renewed meanwhile
	}
	if failure := shelf.Forget(s.server()); failure != nil {
		return failure
	}
	if err != nil {
		return failed(exitUsage, "forgotten, but the provider could not be told: %w", err)
	}
	if err := revoke(ctx, k); err != nil {
		return failed(exitNotNow, "forgotten here, but the provider could not be told, where the sign-in goes on until it ends by itself: %w", err)
	}
	s.say("signed out")
	return nil
}

func revoke(ctx context.Context, k signin.Kept) error {
	if k.Refresh == "" {
		return nil
	}
	p, err := signin.New(ctx, signin.Config{Issuer: k.Issuer, Client: k.Client})
	if err != nil {
		return err
	}
	return p.Revoke(ctx, k.Refresh)
}
