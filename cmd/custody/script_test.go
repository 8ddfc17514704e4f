package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/custodyhq/custody/store/storetest"
)

// asProgram makes the test binary behave as the command: the demo starts it
// again as `serve`.
const asProgram = "CUSTODY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A shell runs commands in this process, each with streams of its own.
type shell struct {
	t   *testing.T
	dir string
	env map[string]string
	// browser, if set, goes where the next command says, as this person.
	browser string
	// columns, if set, is how wide the terminal is that commands write to.
	columns int
}

type ran struct {
	code     int
	out, err string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	sh := &shell{t: t, dir: t.TempDir(), env: map[string]string{"PATH": os.Getenv("PATH")}}
	sh.env["XDG_CONFIG_HOME"] = sh.dir
	return sh
}

func (sh *shell) run(stdin string, args ...string) ran {
	sh.t.Helper()
	ctx, cancel := context.WithTimeout(sh.t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code := run(ctx, args, terminal{
		in: strings.NewReader(stdin), out: &out, err: sh.watched(&errs), env: func(name string) string { return sh.env[name] },
		columns: func(io.Writer) int { return sh.columns },
	})
	return ran{code, out.String(), errs.String()}
}

// world is a development server on ports and a database of its own.
func world(t *testing.T) *shell {
	t.Helper()
	sh := newShell(t)
	sh.env["CUSTODY_DATABASE_URL"] = storetest.URL(t)
	ctx, cancel := context.WithCancel(context.Background())
	out := &awaited{wanted: "audit list", seen: make(chan struct{})}
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"dev", "--listen", "127.0.0.1:0", "--idp-listen", "127.0.0.1:0", "--dir", filepath.Join(sh.dir, "dev")},
			terminal{in: strings.NewReader(""), out: out, err: &errs, env: func(name string) string { return sh.env[name] }})
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("custody dev ended with %d: %s", code, errs.String())
		}
	})
	select {
	case <-out.seen:
	case code := <-done:
		done <- 0
		t.Fatalf("custody dev ended with %d: %s", code, errs.String())
	}
	sh.env["CUSTODY_URL"] = regexp.MustCompile(`http://[0-9.:]+`).FindString(out.String())
	return sh
}

// awaited is output whose reader waits for a text.
type awaited struct {
	wanted string
	seen   chan struct{}
	mu     sync.Mutex
	buf    bytes.Buffer
	found  bool
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buf.Write(p)
	if !a.found && strings.Contains(a.buf.String(), a.wanted) {
		a.found = true
		close(a.seen)
	}
	return len(p), nil
}

func (a *awaited) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buf.String()
}

// TestScripts runs testdata/script, which read as the manual of the command:
//
//	$ command         what is typed; quotes as in a shell, $NAME is replaced
//	< text            a line of its standard input, before the command
//	> text            a line of stdout holds this; … stands for anything
//	! text            a line of stderr holds this
//	? 5               the exit code, when it is not 0
//	@ bob             somebody follows the address that the next command shows, as bob
//	~ text            the next command is repeated until a line of stdout holds this
//	% 80              the next commands write to a terminal of so many columns; 0: to none
//	= NAME pattern    NAME is what the pattern finds in stdout
//	-- name --        at the end of the script: a file; $DIR is its folder
//
// A script whose first line is "# needs a server" gets one.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txt")
	must(t, err)
	if len(scripts) < 5 {
		t.Fatalf("only %d scripts", len(scripts))
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(path)
			must(t, err)
			text, files := split(string(raw))
			sh := newShell(t)
			if strings.HasPrefix(text, "# needs a server") {
				sh = world(t)
			}
			for name, content := range files {
				must(t, os.WriteFile(filepath.Join(sh.dir, name), []byte(content), 0o600))
			}
			(&script{sh: sh, path: path, vars: map[string]string{"DIR": sh.dir}}).play(text)
		})
	}
}

func split(text string) (string, map[string]string) {
	files := map[string]string{}
	parts := regexp.MustCompile(`(?m)^-- (\S+) --\n`).Split(text, -1)
	for i, m := range regexp.MustCompile(`(?m)^-- (\S+) --\n`).FindAllStringSubmatch(text, -1) {
		files[m[1]] = parts[i+1]
	}
	return parts[0], files
}

type script struct {
	sh      *shell
	path    string
	vars    map[string]string
	stdin   string
	last    ran
	started bool
	code    int    // expected
	awaited string // in stdout of the next command
}

// repeat runs a command, again and again if its output is awaited.
func (s *script) repeat(args []string) ran {
	s.sh.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r := s.sh.run(s.stdin, args...)
		if s.awaited == "" || s.matches(r.out, s.awaited) {
			s.awaited = ""
			return r
		}
		if time.Now().After(end) {
			s.sh.t.Fatalf("%v never said %q:\n%s%s", args, s.awaited, r.out, r.err)
		}
	}
}

func (s *script) matches(text, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(s.replace(want)), "…", ".*")
	return regexp.MustCompile(pattern).MatchString(text)
}

func (s *script) play(text string) {
	s.sh.t.Helper()
	for i, line := range strings.Split(text, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		at := fmt.Sprintf("%s:%d", s.path, i+1)
		switch kind {
		case "$":
			s.ended(at)
			args := words(s.sh.t, s.replace(rest))
			s.last, s.started, s.stdin = s.repeat(args[1:]), true, ""
		case "@":
			s.ended(at)
			s.started, s.sh.browser = false, rest
		case "~":
			s.ended(at)
			s.started, s.awaited = false, rest
		case "%":
			s.ended(at)
			s.started = false
			s.sh.columns, _ = strconv.Atoi(rest)
		case "<":
			s.stdin += s.replace(rest) + "\n"
		case ">":
			s.has(at, "stdout", s.last.out, rest)
		case "!":
			s.has(at, "stderr", s.last.err, rest)
		case "?":
			s.code, _ = strconv.Atoi(rest)
			s.ended(at)
			s.started = false
		case "=":
			name, pattern, _ := strings.Cut(rest, " ")
			found := regexp.MustCompile(pattern).FindStringSubmatch(s.last.out)
			if found == nil {
				s.sh.t.Fatalf("%s: nothing like %s in stdout:\n%s", at, pattern, s.last.out)
			}
			s.vars[name] = found[len(found)-1] // the group, if there is one
		}
	}
	s.ended(s.path)
}

// ended checks the exit code of the last command, once.
func (s *script) ended(at string) {
	s.sh.t.Helper()
	if s.started && s.last.code != s.code {
		s.sh.t.Fatalf("before %s: exit %d, want %d\nstdout: %s\nstderr: %s", at, s.last.code, s.code, s.last.out, s.last.err)
	}
	s.code = 0
}

func (s *script) has(at, stream, text, want string) {
	s.sh.t.Helper()
	if !s.matches(text, want) {
		s.sh.t.Errorf("%s: %s has no line with %q:\nstdout: %s\nstderr: %s", at, stream, s.replace(want), s.last.out, s.last.err)
	}
}

func (s *script) replace(text string) string {
	return os.Expand(text, func(name string) string {
		if v, ok := s.vars[name]; ok {
			return v
		}
		return "$" + name
	})
}

// words splits a command line at spaces outside of single quotes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}
