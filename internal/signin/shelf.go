package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

const (
	maxKept   = 256 << 10 // bytes of a file
	aboutTo   = time.Minute
	shelfMode = 0o700
)

// ErrNone says that no sign-in is kept for a server.
var ErrNone = errors.New("nobody is signed in")

// A Kept sign-in is what one file holds: the tokens for one server, and where
// they came from.
type Kept struct {
	Server  string    `json:"server"`
	Issuer  string    `json:"issuer"`
	Client  string    `json:"client"`
	Access  string    `json:"access_token"`
	Refresh string    `json:"refresh_token,omitempty"`
	Issued  time.Time `json:"issued_at"`
	Expires time.Time `json:"expires_at"`
}

// Fresh reports whether the access token will do for a while: for a minute,
// or for a fifth of its life if that is shorter.
func (k Kept) Fresh(now time.Time) bool {
	return now.Before(k.Expires.Add(-min(aboutTo, k.Expires.Sub(k.Issued)/5)))
}

// With is the sign-in with other tokens.
func (k Kept) With(t Tokens) Kept {
	k.Access, k.Refresh, k.Issued, k.Expires = t.Access, t.Refresh, t.Issued.UTC(), t.Expires.UTC()
	return k
}

// A Shelf is a directory that keeps sign-ins, one file for each server. Whoever
// can read a file is the person who signed in, so the directory and its files
// belong to one account and nobody else may enter: anything else is refused,
// and so is a symbolic link, which could lead a write anywhere.
type Shelf struct{ Dir string }

// ShelfOf is the shelf of the account that the environment describes:
// custody/tokens in the configuration directory of the XDG Base Directory
// Specification, or %AppData% where there is one. Its error says what to set.
func ShelfOf(env func(string) string) (Shelf, error) {
	base := env("XDG_CONFIG_HOME")
	if home := env("HOME"); !filepath.IsAbs(base) && filepath.IsAbs(home) {
		base = filepath.Join(home, ".config")
	}
	if runtime.GOOS == "windows" {
		base = env("AppData")
	}
	if !filepath.IsAbs(base) {
		return Shelf{}, errors.New("there is no place to keep a sign-in: set HOME or XDG_CONFIG_HOME to an absolute path")
	}
	return Shelf{filepath.Join(base, "custody", "tokens")}, nil
}

// File is where the sign-in for the server is, or would be.
func (s Shelf) File(server string) string { return filepath.Join(s.Dir, name(server)+".json") }

// name is readable, and differs for different servers.
func name(server string) string {
	_, host, _ := strings.Cut(server, "://")
	sum := sha256.Sum256([]byte(server))
	readable := regexp.MustCompile(`[^a-z0-9.]+`).ReplaceAllString(strings.ToLower(host), "-")
	return readable[:min(len(readable), 60)] + "-" + hex.EncodeToString(sum[:6])
}

// Load reads the sign-in for the server. The error wraps ErrNone if there is
// none, and else says what is wrong with the file and what to do.
func (s Shelf) Load(server string) (Kept, error) {
	file := s.File(server)
	if err := s.checkDir(); err != nil {
		return Kept{}, err
	}
	raw, err := readOwn(file)
	if err != nil {
		return Kept{}, err
	}
	var k Kept
	if json.Unmarshal(raw, &k) != nil || k.Server != server || k.Access == "" || k.Issuer == "" || k.Client == "" {
		return Kept{}, fmt.Errorf("%s does not hold a sign-in for this server: delete it and sign in again", file)
	}
	return k, nil
}

// readOwn reads a file that only this account can read, and that nobody
// exchanged between the look and the reading.
func readOwn(file string) ([]byte, error) {
	seen, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file: delete it and sign in again", file)
	}
	if err := private(seen); err != nil {
		return nil, fmt.Errorf("%s %w: its tokens may be known; delete it and sign in again", file, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil || !os.SameFile(seen, opened) {
		return nil, fmt.Errorf("%s was exchanged while it was read: look who can write there", file)
	}
	return io.ReadAll(io.LimitReader(f, maxKept))
}

// checkDir refuses a directory that others may enter. One that does not exist
// holds nothing.
func (s Shelf) checkDir() error {
	info, err := os.Lstat(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory but must be one for sign-ins, no link: move it away", s.Dir)
	}
	if err := private(info); err != nil {
		return fmt.Errorf("%s %w: chmod 700 it, if nobody else has been there", s.Dir, err)
	}
	return nil
}

// makeDir makes the directory if it is not there.
func (s Shelf) makeDir() error {
	if err := os.MkdirAll(filepath.Dir(s.Dir), shelfMode); err != nil {
		return err
	}
	if err := os.Mkdir(s.Dir, shelfMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.checkDir()
}

// Save keeps the sign-in. It writes beside the file and renames: after a crash
// the file holds the old sign-in or the new one, whole.
func (s Shelf) Save(k Kept) error {
	if err := s.makeDir(); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(s.Dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	_, err = temp.Write(raw)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), s.File(k.Server)) // replaces a link, never follows it
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	return nil
}

// Forget removes the sign-in for the server, if there is one.
func (s Shelf) Forget(server string) error {
	if err := s.checkDir(); err != nil {
		if errors.Is(err, ErrNone) {
			return nil
		}
		return err
	}
	if err := os.Remove(s.File(server)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the sign-in: %w", err)
	}
	return nil
}
