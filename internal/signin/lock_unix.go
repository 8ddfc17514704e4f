//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package signin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lockPause is how often a lock that somebody holds is tried again.
const lockPause = 20 * time.Millisecond

// Lock keeps the other processes of this account from changing the sign-in for
// the server until unlock. The kernel gives it back when a process dies.
func (s Shelf) Lock(ctx context.Context, server string) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("lock the sign-in: %w", err)
	}
	f, err := os.OpenFile(s.File(server)+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the sign-in: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor is a small number
		if err == nil {
			return func() { _ = f.Close() }, nil // which unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock the sign-in: %w", err), f.Close())
		}
		if err := pause(ctx, lockPause); err != nil {
			return nil, errors.Join(fmt.Errorf("lock the sign-in: another command holds it: %w", err), f.Close())
		}
	}
}

// private reports whether only this account can enter or read what info is of.
func private(info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("is open to other accounts (mode %04o)", info.Mode().Perm())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return errors.New("belongs to another account")
	}
	return nil
}
