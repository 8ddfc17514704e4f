//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package signin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const (
	lockPause = 50 * time.Millisecond
	lockLife  = time.Minute // a lock that is older was left by a process that died
)

// Lock keeps the other processes of this account from changing the sign-in for
// the server until unlock.
func (s Shelf) Lock(ctx context.Context, server string) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("lock the sign-in: %w", err)
	}
	file := s.File(server) + ".lock"
	for {
		f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() { _ = os.Remove(file) }, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock the sign-in: %w", err)
		}
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > lockLife {
			_ = os.Remove(file)
		}
		if err := pause(ctx, lockPause); err != nil {
			return nil, fmt.Errorf("lock the sign-in: another command holds it: %w", err)
		}
	}
}

// private has nothing to look at here: the account's directory has a list of
// its own.
func private(fs.FileInfo) error { return nil }
