//go:build linux || darwin

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// anotherUser is the way out where PostgreSQL cannot run as the account we are.
const anotherUser = "run as another user, or set CUSTODY_DATABASE_URL"

// An account is who the server runs as. The zero account is our own; root needs
// another, because PostgreSQL refuses to run as root.
type account struct {
	uid, gid uint32
	other    bool
}

// serverAccount prefers the account that packages make for PostgreSQL.
func serverAccount(euid int) (account, error) {
	if euid != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{uid: uint32(uid), gid: uint32(gid), other: true}, nil
		}
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody: " + anotherUser)
}

// credential is nil for our own account: asking for it would need rights.
func (a account) credential() *syscall.Credential {
	if !a.other {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives a file or folder to the account.
func (a account) own(name string) error {
	if !a.other {
		return nil
	}
	return a.explain(os.Lchown(name, int(a.uid), int(a.gid)))
}

// explain says what EINVAL means here: the ids of a container with one account.
func (a account) explain(err error) error {
	if a.other && errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("this container has one account only, and PostgreSQL does not run as root: %s: %w", anotherUser, err)
	}
	return err
}

// mayEnter reports the first folder on the way to dir that is closed to the
// account. It reads modes as the kernel does for an account without further groups.
func (a account) mayEnter(dir string) error {
	if !a.other {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || info.Mode().Perm()&a.searchBit(stat) == 0 {
			return fmt.Errorf("%s is closed to uid %d, which PostgreSQL must run as: choose another folder", dir, a.uid)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) searchBit(stat *syscall.Stat_t) os.FileMode {
	switch {
	case stat.Uid == a.uid:
		return 0o100
	case stat.Gid == a.gid:
		return 0o010
	default:
		return 0o001
	}
}
