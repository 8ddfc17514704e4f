//go:build linux || darwin

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// errLocale is an initdb that does not know the locale it was told.
var errLocale = errors.New("the locale is missing")

// initdb makes the data folder under another name and renames it when it is
// whole: a folder called data is never half made.
func (f *folder) initdb(ctx context.Context, bin binaries) error {
	password, err := f.secret(true)
	if err != nil {
		return err
	}
	// A file, not a pipe: initdb opens it by name as the other account.
	file, err := f.keep(password)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	if err := f.account.own(file); err != nil {
		return err
	}
	// C.UTF-8 is the one locale in which both lower() and text search fold letters
	// beyond ASCII; older macOS has only the other.
	for _, locale := range []string{"C.UTF-8", "en_US.UTF-8"} {
		err = f.initdbAs(ctx, bin, file, locale)
		if !errors.Is(err, errLocale) {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.data+".new", f.data); err != nil {
		return fmt.Errorf("%s is in the way and no PostgreSQL data folder: %w", f.data, err)
	}
	return nil
}

func (f *folder) initdbAs(ctx context.Context, bin binaries, password, locale string) error {
	made := f.data + ".new"
	if err := os.RemoveAll(made); err != nil {
		return err
	}
	if err := os.Mkdir(made, 0o700); err != nil {
		return err
	}
	if err := f.account.own(made); err != nil {
		return err
	}
	args := []string{
		"-D", made, "-U", superuser, "-A", "scram-sha-256", "--pwfile=" + password,
		"-E", "UTF8", "--locale=" + locale, "--data-checksums", "--no-instructions",
	}
	if f.NoSync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin.dir, "initdb"), args...)
	cmd.Dir, cmd.Env = made, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: f.account.credential()}
	dieWithUs(cmd.SysProcAttr, syscall.SIGKILL)
	// The kernel sends that signal when the thread ends, so it must not end before initdb.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return f.account.explain(initdbError(ctx, err, out))
}

func initdbError(ctx context.Context, err error, out []byte) error {
	text := tail(out)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("initdb: %w", ctx.Err())
	case strings.Contains(text, "invalid locale name"):
		return fmt.Errorf("initdb: %w: %s", errLocale, text)
	case strings.Contains(text, "could not look up effective user ID"):
		return fmt.Errorf("initdb: this account (uid %d) has no name in the system's list: %s: %s", os.Geteuid(), anotherUser, text)
	default:
		return fmt.Errorf("initdb: %w:\n%s", err, text)
	}
}
