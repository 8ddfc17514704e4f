package main

import (
	"context"
	"errors"
	"time"

	"github.com/custodyhq/custody/internal/signin"
)

// kept is the token of `custody token login`, renewed if it is about to end.
func (s *session) kept(ctx context.Context) (string, error) {
	shelf, err := signin.ShelfOf(s.env)
	if err != nil {
		return "", noToken()
	}
	k, err := shelf.Load(s.server())
	switch {
	case errors.Is(err, signin.ErrNone):
		return "", noToken()
	case err != nil:
		return "", failed(exitUsage, "the sign-in cannot be used: %w", err)
	case k.Fresh(time.Now()):
		return k.Access, nil
	}
	return s.renewed(ctx, shelf)
}

func noToken() error {
	return refused(exitRefused, "unauthenticated", "no token: sign in with `custody token login`, or use --token-file, CUSTODY_TOKEN or CUSTODY_TOKEN_FILE; against `custody dev`: --as alice")
}

// renewed renews the kept sign-in. One process does it at a time: the provider
// takes two uses of one refresh token for a theft. If we crash between its
// answer and the saving, the sign-in is over and somebody signs in again.
func (s *session) renewed(ctx context.Context, shelf signin.Shelf) (string, error) {
	unlock, err := shelf.Lock(ctx, s.server())
	if err != nil {
		return "", err
	}
	defer unlock()
	k, err := shelf.Load(s.server()) // another command may have been faster
	if errors.Is(err, signin.ErrNone) {
		return "", noToken()
	}
	if err != nil || k.Fresh(time.Now()) {
		return k.Access, err
	}
	t, err := renew(ctx, k)
	switch {
	case err == nil:
		k = k.With(t)
		return k.Access, shelf.Save(k)
	case time.Now().Before(k.Expires):
		return k.Access, nil // it lives for another moment, and the server decides
	case errors.Is(err, signin.ErrOver):
		return "", refused(exitRefused, "unauthenticated", "%w: sign in with `custody token login`", err)
	}
	return "", failed(exitNotNow, "the token has ended and cannot be renewed just now: %w\nTry again, or sign in with `custody token login`", err)
}

func renew(ctx context.Context, k signin.Kept) (signin.Tokens, error) {
	if k.Refresh == "" {
		return signin.Tokens{}, signin.ErrOver
	}
	p, err := signin.New(ctx, signin.Config{Issuer: k.Issuer, Client: k.Client})
	if err != nil {
		return signin.Tokens{}, err
	}
	return p.Refresh(ctx, k.Refresh)
}

// source says where bearer takes the token from.
func (s *session) source() string {
	switch {
	case s.As != "":
		return "--as " + s.As + ", signed in at the development provider"
	case s.TokenFile != "":
		return "--token-file " + s.TokenFile
	case s.env("CUSTODY_TOKEN") != "":
		return "CUSTODY_TOKEN"
	case s.env("CUSTODY_TOKEN_FILE") != "":
		return "CUSTODY_TOKEN_FILE, " + s.env("CUSTODY_TOKEN_FILE")
	}
	shelf, err := signin.ShelfOf(s.env)
	if err != nil {
		return "nowhere"
	}
	return "custody token login, kept in " + shelf.File(s.server())
}
