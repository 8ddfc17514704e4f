//go:build linux || darwin

package localpg

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fakeBinaries is a folder whose postgres says only its version.
func fakeBinaries(t *testing.T, version string, programs ...string) string {
	t.Helper()
	dir := openFolder(t)
	for _, name := range programs {
		text := "#!/bin/sh\necho '" + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCustodyPgBinIsTakenAtItsWord(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		dir     string
		major   int
		version string
		want    string // empty: accepted
	}{
		"a fitting one":          {fakeBinaries(t, "postgres (PostgreSQL) 17.3", "postgres", "initdb"), 0, "17.3", ""},
		"the data's own version": {fakeBinaries(t, "postgres (PostgreSQL) 16beta2 (x)", "postgres", "initdb"), 16, "16beta2", ""},
		"too old":                {fakeBinaries(t, "postgres (PostgreSQL) 14.9", "postgres", "initdb"), 0, "", "needs 15 or newer"},
		"another version's data": {fakeBinaries(t, "postgres (PostgreSQL) 17.3", "postgres", "initdb"), 15, "", "the data folder is of 15"},
		"without initdb":         {fakeBinaries(t, "postgres (PostgreSQL) 17.3", "postgres"), 0, "", "no initdb"},
		"without postgres":       {fakeBinaries(t, "", "initdb"), 0, "", "postgres"},
		"something else":         {fakeBinaries(t, "mysqld 8", "postgres", "initdb"), 0, "", "does not say its version"},
		"not there":              {"/nonexistent/bin", 0, "", "no initdb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := order{Dir: "/x", Bin: row.dir}.settings()
			bin, err := s.find(t.Context(), row.major, anybody)
			if row.want == "" && (err != nil || bin.version != row.version || bin.source != row.dir) {
				t.Errorf("got %+v, %v", bin, err)
			}
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), EnvBin)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestFoldersThatTheServersAccountMayNotEnterAreNoCandidates(t *testing.T) {
	t.Parallel()
	needSystem(t)
	closed := func(string) error { return errors.New("closed") }
	s := order{Dir: "/x"}.settings()
	if bin, err := s.system(t.Context(), 0, closed); err != nil || bin.dir != "" {
		t.Errorf("got %+v, %v", bin, err)
	}
	s.bin = "/usr/bin"
	if _, err := s.system(t.Context(), 0, closed); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}

func TestMajorSaysWhatOpenWouldStart(t *testing.T) {
	t.Parallel()
	for bin, want := range map[string]int{
		"download": 17,
		fakeBinaries(t, "postgres (PostgreSQL) 16.1", "postgres", "initdb"): 16,
	} {
		s := order{Dir: "/x", Bin: bin}.settings()
		if got, err := s.majorVersion(t.Context()); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", bin, got, err, want)
		}
	}
	if _, err := Major(t.Context(), Config{URL: "postgres://host/db"}); err == nil {
		t.Error("a version without asking the server")
	}
}

func TestDataMajor(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{"17\n": 17, "9.6\n": -1, "": -1, "-3": -1, "abc": -1} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := dataMajor(dir); (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", content, got, err)
		}
	}
	if got, err := dataMajor(t.TempDir()); got != 0 || err != nil {
		t.Errorf("no data: %d, %v", got, err)
	}
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		if dir, err := stateDir(nil); dir != "/var/lib/custody/postgres" || err != nil {
			t.Error(dir, err)
		}
		return
	}
	env := map[string]string{"XDG_STATE_HOME": "/state", "HOME": "/home/x"}
	if dir, err := stateDir(func(n string) string { return env[n] }); dir != "/state/custody/postgres" || err != nil {
		t.Error(dir, err)
	}
	if _, err := stateDir(func(string) string { return "" }); err == nil {
		t.Error("a folder out of nothing")
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "postgres (PostgreSQL) 18beta1", "postgres (PostgreSQL) 9999", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		version, major := parseVersion(text)
		if major == 0 && version != "" || major != 0 && !strings.HasPrefix(version, strconv.Itoa(major)) {
			t.Errorf("%q: version %q, major %d", text, version, major)
		}
	})
}

func TestAFileThatIsStillBeingWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := fakeBinaries(t, "postgres (PostgreSQL) 17.3", "postgres", "initdb")
	writer, err := os.OpenFile(filepath.Join(dir, "postgres"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(filepath.Join(dir, "postgres")).Run(); !errors.Is(err, syscall.ETXTBSY) {
		t.Skipf("this system runs what is being written: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := inspect(t.Context(), dir)
		done <- err
	}()
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
