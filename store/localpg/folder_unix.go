//go:build linux || darwin

package localpg

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	socketName   = ".s.PGSQL.5432"
	socketPath   = 103 // bytes: sockaddr_un holds 104 with the final zero on macOS, 108 on Linux
	temporaryRun = "custody-pg-"
	logSize      = 8 << 20 // bytes; a longer log is started afresh
)

// A folder is Config.Dir on disk:
//
//	start.lock users.lock password server.log run/ data/ postgres-17.11.0-linux-amd64/
//
// Both locks are the kernel's (flock), which drops them when a process dies.
// Go opens files close-on-exec, so the server does not inherit them.
type folder struct {
	settings
	account   account
	data      string // absolute and without links, as the server reports it
	run       string // the socket's folder
	log       string
	password  string // a file
	users     *os.File
	temporary bool // Dir is ours to remove
}

func newFolder(s settings) (*folder, error) {
	owner, err := serverAccount(os.Geteuid())
	if err != nil {
		return nil, err
	}
	f := &folder{settings: s, account: owner}
	if f.Dir == "" {
		f.temporary = true
		if f.Dir, err = os.MkdirTemp("", "custody-private-"); err != nil {
			return nil, err
		}
	}
	if err := f.prepare(); err != nil {
		f.removeTemporary()
		return nil, err
	}
	f.data, f.run = filepath.Join(f.Dir, "data"), filepath.Join(f.Dir, "run")
	f.log, f.password = filepath.Join(f.Dir, "server.log"), filepath.Join(f.Dir, "password")
	return f, nil
}

// prepare makes Dir. The server's account must be able to pass through it; what
// lies in it is protected by modes of its own.
func (f *folder) prepare() error {
	mode := os.FileMode(0o700)
	if f.account.other {
		mode = 0o711
	}
	_, err := os.Stat(f.Dir)
	fresh := f.temporary || errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(f.Dir, mode); err != nil {
		return err
	}
	if f.Dir, err = filepath.Abs(f.Dir); err != nil {
		return err
	}
	if f.Dir, err = filepath.EvalSymlinks(f.Dir); err != nil {
		return err
	}
	if fresh {
		if err := os.Chmod(f.Dir, mode); err != nil { // the umask may have closed it
			return err
		}
	}
	if err := onlyOurs(f.Dir); err != nil {
		return err
	}
	return f.account.mayEnter(f.Dir)
}

// onlyOurs refuses a folder that another account made or may write to, such as
// one put into /tmp beforehand: it could hold binaries for us to run.
func onlyOurs(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if stat.Uid != uint32(os.Geteuid()) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s belongs to uid %d with mode %04o: it must be yours and writable by nobody else; choose another folder",
			dir, stat.Uid, info.Mode().Perm())
	}
	return nil
}

// lockStart polls, because a wait inside flock could not be cancelled.
func (f *folder) lockStart(ctx context.Context) (*os.File, error) {
	file, err := openLock(filepath.Join(f.Dir, "start.lock"))
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		if err := pause(ctx, 2*glance); err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("wait for another process that starts or stops the server: %w", err)
		}
	}
}

func openLock(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}

// sweep removes what a killed process left half done; the caller holds
// start.lock, so nobody is at work on it.
func (f *folder) sweep() error {
	for _, pattern := range []string{".jar-*", ".unpack-*", ".secret-*"} {
		names, _ := filepath.Glob(filepath.Join(globQuote(f.Dir), pattern)) // the only error is a bad pattern
		for _, name := range names {
			if err := os.RemoveAll(name); err != nil {
				return fmt.Errorf("remove what a killed start left: %w", err)
			}
		}
	}
	p, err := readPidFile(f.data)
	removeTemporaryRun(p.run)
	return err
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func globQuote(dir string) string { return globEscaper.Replace(dir) }

// prepareRun makes the socket's folder, and removes the lock file that a killed
// server left there: the folder is ours alone, and its server is gone.
func (f *folder) prepareRun() error {
	if len(filepath.Join(f.run, socketName)) > socketPath {
		run, err := shortFolder()
		if err != nil {
			return fmt.Errorf("make a folder with a short path for the socket: %w", err)
		}
		f.run = run
	}
	if err := os.MkdirAll(f.run, 0o700); err != nil {
		return err
	}
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := os.Remove(filepath.Join(f.run, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return f.account.own(f.run)
}

func shortFolder() (string, error) {
	dir, err := os.MkdirTemp("", temporaryRun)
	if err == nil && len(filepath.Join(dir, socketName)) > socketPath {
		_ = os.Remove(dir) // empty, and in the temporary folder
		dir, err = os.MkdirTemp("/tmp", temporaryRun)
	}
	return dir, err
}

// removeTemporaryRun removes a folder that shortFolder made, and only such: the
// path comes from the server's pid file. What else lies in it keeps it.
func removeTemporaryRun(run string) {
	if !strings.HasPrefix(filepath.Base(run), temporaryRun) {
		return
	}
	for _, name := range []string{socketName, socketName + ".lock", ""} {
		_ = os.Remove(filepath.Join(run, name)) // a folder left in /tmp harms nobody
	}
}

func (f *folder) removeTemporary() {
	if f.temporary {
		_ = os.RemoveAll(f.Dir) // a folder left in /tmp harms nobody
	}
}

// secret returns the superuser's password; only a folder without data gets a new
// one. It is on disk before initdb takes it, so a crash between the two is
// harmless.
func (f *folder) secret(fresh bool) (string, error) {
	text, err := os.ReadFile(f.password)
	if err == nil && len(text) > 0 {
		return string(text), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the server's password: %w", err)
	}
	if !fresh {
		return "", fmt.Errorf("there is data but no password in %s: restore the file, or delete the folder to start afresh", f.password)
	}
	password := rand.Text()
	name, err := f.keep(password)
	if err != nil {
		return "", err
	}
	return password, os.Rename(name, f.password)
}

// keep writes a secret into a file of mode 0600.
func (f *folder) keep(secret string) (name string, err error) {
	file, err := os.CreateTemp(f.Dir, ".secret-")
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(secret)
	return file.Name(), errors.Join(err, file.Close())
}

// openLog also returns where the next server's lines begin.
func (f *folder) openLog() (log *os.File, from int64, err error) {
	log, err = os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := log.Stat()
	if err == nil && info.Size() > logSize {
		return log, 0, log.Truncate(0)
	}
	if err != nil {
		_ = log.Close()
		return nil, 0, err
	}
	return log, info.Size(), nil
}

// lastLines returns the last 12 lines of the log behind from, at most 8 KiB.
func lastLines(name string, from int64) string {
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil {
		from = max(from, info.Size()-8<<10)
	}
	text, _ := io.ReadAll(io.NewSectionReader(file, from, 8<<10)) // what could be read is better than nothing
	return tail(text)
}

func tail(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n")))
}
