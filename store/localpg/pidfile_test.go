package localpg

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const samplePidFile = "4711\n/srv/data\n1732200000\n5432\n/srv/run\n\n 123456 789\nready   \n"

func TestParsePidFile(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text string
		want pidFile
	}{
		"a whole one":             {samplePidFile, pidFile{4711, "/srv/run", "ready"}},
		"the pid alone":           {"4711\n", pidFile{pid: 4711}},
		"nothing":                 {"", pidFile{}},
		"single-user mode":        {"-4711\n", pidFile{}},
		"a pid that is everybody": {"0\n", pidFile{}},
		"a pid that is init":      {"1\n", pidFile{}},
		"no number":               {"kill me\n", pidFile{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parsePidFile(row.text); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestDisownKeepsEverythingButThePid(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	name := filepath.Join(data, "postmaster.pid")
	if err := disown(data); err != nil {
		t.Fatalf("nothing to disown: %v", err)
	}
	if err := os.WriteFile(name, []byte(samplePidFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disown(data); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(samplePidFile, "4711", strconv.Itoa(os.Getpid()), 1); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disown(data); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Error("an empty file is in PostgreSQL's way")
	}
}

func FuzzParsePidFile(f *testing.F) {
	f.Add(samplePidFile)
	f.Add("99999999999999999999\n\n\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p := parsePidFile(text); p.pid < 0 || p.pid == 1 || strings.Contains(p.run+p.status, "\n") {
			t.Errorf("%q gave %+v", text, p)
		}
	})
}
