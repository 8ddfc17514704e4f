package signin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const server = "https://custody.example"

func shelf(t *testing.T) Shelf {
	t.Helper()
	s, err := ShelfOf(func(name string) string {
		return map[string]string{"XDG_CONFIG_HOME": t.TempDir(), "AppData": t.TempDir()}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func kept() Kept {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return Kept{Server: server, Issuer: "https://id.example", Client: "cli", Access: "a", Refresh: "r", Issued: now, Expires: now.Add(5 * time.Minute)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAShelfKeepsOneSignInForEachServer(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	if _, err := s.Load(server); !errors.Is(err, ErrNone) {
		t.Fatalf("an empty shelf: %v", err)
	}
	other := kept()
	other.Server, other.Access = server+":8443", "b"
	must(t, s.Save(kept()))
	must(t, s.Save(other))
	got, err := s.Load(server)
	must(t, err)
	if diff := cmp.Diff(kept(), got); diff != "" {
		t.Error(diff)
	}
	must(t, s.Forget(server))
	must(t, s.Forget(server))
	if _, err := s.Load(server); !errors.Is(err, ErrNone) {
		t.Errorf("forgotten: %v", err)
	}
	if got, err := s.Load(other.Server); err != nil || got.Access != "b" {
		t.Errorf("the other one: %+v, %v", got, err)
	}
	files, err := os.ReadDir(s.Dir)
	must(t, err)
	if len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
}

// Whoever could read the file, or lay another in its place, is the person who
// signed in.
func TestAShelfRefusesWhatOthersCanReach(t *testing.T) {
	t.Parallel()
	if os.PathSeparator != '/' {
		t.Skip("modes and links of Unix")
	}
	for name, row := range map[string]struct {
		spoil func(t *testing.T, s Shelf)
		want  string
	}{
		"nothing":              {func(*testing.T, Shelf) {}, ""},
		"a file for the group": {func(t *testing.T, s Shelf) { must(t, os.Chmod(s.File(server), 0o640)) }, "open to other accounts"},
		"a directory for all":  {func(t *testing.T, s Shelf) { must(t, os.Chmod(s.Dir, 0o755)) }, "chmod 700"},
		"a link to a file": {func(t *testing.T, s Shelf) {
			must(t, os.Rename(s.File(server), s.File(server)+".real"))
			must(t, os.Symlink(s.File(server)+".real", s.File(server)))
		}, "not a plain file"},
		"a link to a directory": {func(t *testing.T, s Shelf) {
			must(t, os.Rename(s.Dir, s.Dir+".real"))
			must(t, os.Symlink(s.Dir+".real", s.Dir))
		}, "not a directory"},
		"rubbish":          {func(t *testing.T, s Shelf) { must(t, os.WriteFile(s.File(server), []byte("{}"), 0o600)) }, "delete it"},
		"another server's": {func(t *testing.T, s Shelf) { must(t, os.Rename(s.File(server), s.File(server+"x"))) }, ErrNone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shelf(t)
			must(t, s.Save(kept()))
			row.spoil(t, s)
			_, err := s.Load(server)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// A link in the file's place is replaced; what it leads to is not touched.
func TestSavingFollowsNoLink(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	must(t, s.Save(kept()))
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("mine"), 0o600))
	must(t, os.Remove(s.File(server)))
	must(t, os.Symlink(victim, s.File(server)))
	must(t, s.Save(kept()))
	if raw, err := os.ReadFile(victim); err != nil || string(raw) != "mine" {
		t.Errorf("the link's target holds %q", raw)
	}
	if _, err := s.Load(server); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestALockIsHeldByOne(t *testing.T) {
	t.Parallel()
	s := shelf(t)
	unlock, err := s.Lock(t.Context(), server)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, server); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second one got it: %v", err)
	}
	other, err := s.Lock(t.Context(), server+"x")
	must(t, err)
	other()
	unlock()
	again, err := s.Lock(t.Context(), server)
	must(t, err)
	again()
}

func TestFreshLeavesTimeToUseTheToken(t *testing.T) {
	t.Parallel()
	k := kept()
	for after, want := range map[time.Duration]bool{0: true, 239 * time.Second: true, 241 * time.Second: false, time.Hour: false} {
		if got := k.Fresh(k.Issued.Add(after)); got != want {
			t.Errorf("after %s: %v", after, got)
		}
	}
	k.Expires = k.Issued.Add(10 * time.Second) // a short life must not be renewed for every request
	if !k.Fresh(k.Issued.Add(7*time.Second)) || k.Fresh(k.Issued.Add(9*time.Second)) {
		t.Error("a short life")
	}
}

func TestAShelfNeedsAHome(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"nothing": {}, "a relative home": {"HOME": "me", "XDG_CONFIG_HOME": "config"},
	} {
		if s, err := ShelfOf(func(n string) string { return env[n] }); err == nil {
			t.Errorf("%s: %v", name, s)
		}
	}
	if os.PathSeparator == '/' {
		s, err := ShelfOf(func(n string) string { return map[string]string{"HOME": "/home/me"}[n] })
		if err != nil || s.Dir != "/home/me/.config/custody/tokens" {
			t.Errorf("%v, %v", s, err)
		}
	}
}
