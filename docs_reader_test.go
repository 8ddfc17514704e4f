//go:build unix

package custody_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/store/storetest"
)

const (
	readerAPI = "http://127.0.0.1:8080" // where `custody dev` listens
	readerIDP = "http://127.0.0.1:8090"
)

// Every page is read as a person reads it: from a clean clone, with a shell, one
// command after the other. The README and the quickstart begin with nothing; the
// others are read by somebody whose `custody dev` is still running.
func TestPagesWorkWordForWord(t *testing.T) {
	if testing.Short() {
		t.Skip("it types every command of every page")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the pages are for a shell, and there is no bash")
	}
	usePorts(t)
	fresh := []string{"README.md", "docs/quickstart.md"}
	for _, page := range fresh {
		t.Run(page, func(t *testing.T) {
			newReader(t).read(t, page)
		})
	}
	t.Run("docs", func(t *testing.T) {
		r := newReader(t)
		for _, page := range documents(t) {
			if slices.Contains(fresh, page) || owned()[page] != "" || len(typed(t, page)) == 0 {
				continue
			}
			t.Run(page, func(t *testing.T) { r.read(t, page) })
		}
	})
}

// typed are the blocks of a page that a shell sees.
func typed(t *testing.T, page string) []block {
	t.Helper()
	return slices.DeleteFunc(fences(t, page), func(b block) bool {
		_, save, attached := attached(b.info)
		return excused(b) != "" || !save && (attached || !slices.Contains([]string{"sh", "sh terminal", "console", "json answer"}, b.info))
	})
}

// A reader has a clone of the repository and may keep servers running.
type reader struct {
	dir, bin string
	env      []string
	kept     map[string]bool // commands that run in terminals of their own
	oscar    *client.Client
	done     func(func()) // runs something when the reader has read everything
}

func newReader(t *testing.T) *reader {
	t.Helper()
	home := t.TempDir()
	r := &reader{dir: filepath.Join(home, "custody"), bin: filepath.Join(home, "bin"), kept: map[string]bool{}, done: t.Cleanup}
	if err := clone(r.dir); err != nil {
		t.Fatal(err)
	}
	r.env = append(environment(t),
		"HOME="+home, "PATH="+r.bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "GOBIN="+r.bin, "TERM=dumb",
		// The place of the clone is not in what the compiler writes, so one clone
		// finds in the cache what another has compiled.
		"GOFLAGS=-buildvcs=false -trimpath", "CGO_ENABLED=0",
		// Without it `dev` would make a PostgreSQL of its own, which takes seconds.
		"CUSTODY_DATABASE_URL="+storetest.URL(t))
	return r
}

// environment is ours without the settings of Custody, with Go's caches named:
// the reader has another home.
func environment(t *testing.T) []string {
	t.Helper()
	out := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "CUSTODY_") || strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "GO")
	})
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOTOOLCHAIN"}
	values, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range strings.Split(strings.TrimRight(string(values), "\n"), "\n") {
		out = append(out, names[i]+"="+v)
	}
	return out
}

// clone copies what `git clone` would bring.
func clone(to string) error {
	return filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := len(path) > 1 && strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci"
		switch {
		case d.IsDir() && (hidden || path == "bin" || path == "keys"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		case hidden || !d.Type().IsRegular() || path == "custody":
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), raw, info.Mode().Perm())
	})
}

// read types what a page says.
func (r *reader) read(t *testing.T, page string) {
	t.Helper()
	sh := r.open(t)
	left := false
	for _, b := range typed(t, page) {
		at := fmt.Sprintf("%s:%d", b.file, b.line)
		file, save, _ := attached(b.info)
		compared := b.info == "console" || b.info == "json answer"
		if left = left && compared || lacksPython(b); left {
			t.Logf("%s: left out: there is no python3", at)
			continue
		}
		switch {
		case save:
			if err := os.WriteFile(filepath.Join(r.dir, file), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		case b.info == "console":
			if problem := printed(b.text, sh.block); problem != "" {
				t.Errorf("%s: %s", at, problem)
			}
		case b.info == "json answer":
			if problem := sameShape(b.text, sh.last); problem != "" {
				t.Errorf("%s: %s\nThe answer is:\n%s", at, problem, sh.last)
			}
		case b.info == "sh terminal" || stays(b.text):
			r.keep(t, at, b.text)
		default:
			sh.typeAll(at, b.text)
		}
		if t.Failed() {
			return // what follows would fail for the same reason
		}
	}
}

// lacksPython reports whether a block needs an interpreter that is not there.
func lacksPython(b block) bool {
	_, err := exec.LookPath("python3")
	return err != nil && strings.Contains(b.text, "python3 ")
}

// stays reports whether a block ends with a command that does not end.
func stays(text string) bool {
	return regexp.MustCompile(`^(\./)?custody (dev|serve)( .*)?$`).MatchString(lastLine(text))
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// keep starts a server in a terminal of its own, unless it runs already.
func (r *reader) keep(t *testing.T, at, text string) {
	t.Helper()
	name := filepath.Base(lastLine(text))
	if r.kept[name] {
		return
	}
	r.kept[name] = true
	out := &transcript{}
	cmd := exec.Command("bash", "-ec", text)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.done(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // as Ctrl-C does; it may have ended
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Errorf("%s: it does not end\n%s", at, out)
		}
	})
	if err := answers(ended, place(text), func() bool { return name != "custody dev" || strings.Contains(out.String(), "In another terminal") }); err != nil {
		t.Fatalf("%s: %v\n%s", at, err, out)
	}
}

// place is where a server of a page listens: where the page says, else where all do.
func place(text string) string {
	if m := regexp.MustCompile(`CUSTODY_LISTEN=([0-9.]+:\d+)`).FindStringSubmatch(text); m != nil {
		return "http://" + m[1]
	}
	return readerAPI
}

// answers waits until a server is ready and says so.
func answers(ended chan error, url string, greeted func() bool) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %w", errors.Join(err, errors.New("nothing goes on running")))
		case <-time.After(50 * time.Millisecond):
		}
		res, err := http.Get(url + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK && greeted() {
			return nil
		}
	}
	return errors.New("it is not ready after two minutes")
}

// A transcript is output that several goroutines see.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// A window is one shell, open as long as a page is read.
type window struct {
	t      *testing.T
	r      *reader
	shell  int // its process group
	in     io.Writer
	out    *bufio.Reader
	seen   map[string]string // of each kind, the first id that was printed last
	last   string            // output of the last command
	block  string            // of all commands of the last block
	answer string            // a file of yeses
}

// mark ends a command's output.
const mark = "\x01done "

// open opens a shell in the clone.
func (r *reader) open(t *testing.T) *window {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Env = r.dir, r.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, into, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = into, into
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = into.Close()
	t.Cleanup(func() {
		_ = in.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // what a page left in the background
		_ = cmd.Wait()
		_ = out.Close()
	})
	// Whoever is asked says yes: `approve` shows first what it asks about.
	answer := filepath.Join(t.TempDir(), "yes")
	if err := os.WriteFile(answer, []byte(strings.Repeat("y\n", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &window{t: t, r: r, shell: cmd.Process.Pid, in: in, out: bufio.NewReader(out), seen: map[string]string{}, answer: answer}
}

var exits = regexp.MustCompile(`\s#.*\bexit (\d+)\b`)

// typeAll types a block, command by command. An id in it stands for the one that
// the last output with an id of its kind began with.
func (w *window) typeAll(at, text string) {
	w.t.Helper()
	w.block = ""
	for _, command := range complete(text) {
		if why := elsewhere()[strings.TrimSpace(command)]; why != "" {
			continue
		}
		want := 0
		if m := exits.FindStringSubmatch(lastLine(command)); m != nil {
			want, _ = strconv.Atoi(m[1])
		}
		command = w.fill(command)
		out, code := w.type1(command)
		w.last, w.block = out, w.block+out
		if code != want {
			w.t.Fatalf("%s: exit %d, want %d\n$ %s%s", at, code, want, command, out)
		}
		w.settle()
	}
}

var ids = regexp.MustCompile(`\b(run|apr|vote|call|pay|rev|subj)_[0-9a-hjkmnp-tv-z]{26}\b`)

// fill puts the ids of this reader where the page has its own.
func (w *window) fill(command string) string {
	return ids.ReplaceAllStringFunc(command, func(id string) string {
		kind, _, _ := strings.Cut(id, "_")
		if mine := w.seen[kind]; mine != "" {
			return mine
		}
		return id
	})
}

// type1 types one command and waits for its end.
func (w *window) type1(command string) (string, int) {
	w.t.Helper()
	hanging := time.AfterFunc(3*time.Minute, func() { _ = syscall.Kill(-w.shell, syscall.SIGKILL) })
	defer hanging.Stop()
	if _, err := fmt.Fprintf(w.in, "{\n%s\n} < '%s'; printf '\\n%s%%d\\n' $?\n", strings.TrimRight(command, "\n"), w.answer, mark); err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	for {
		line, err := w.out.ReadString('\n')
		if err != nil {
			w.t.Fatalf("the shell has gone: %v\n$ %s\n%s", err, command, out.String())
		}
		if code, ok := strings.CutPrefix(line, mark); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(code))
			text := strings.TrimSuffix(out.String(), "\n")
			printed := ids.FindAllString(text, -1)
			slices.Reverse(printed) // the first one stays: lists begin with the newest
			for _, id := range printed {
				kind, _, _ := strings.Cut(id, "_")
				w.seen[kind] = id
			}
			return text, n
		}
		out.WriteString(line)
	}
}

// settle waits while runs move: a person is slower than the offline model.
func (w *window) settle() {
	w.t.Helper()
	if len(w.r.kept) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	oscar, err := w.r.operator(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, state := range []string{"queued", "running"} {
		for moving(ctx, w.t, oscar, state) {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func moving(ctx context.Context, t *testing.T, c *client.Client, state string) bool {
	t.Helper()
	for _, err := range c.Runs(ctx, client.RunFilter{State: state, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

// operator sees every run.
func (r *reader) operator(ctx context.Context) (*client.Client, error) {
	if r.oscar != nil {
		return r.oscar, nil
	}
	token, err := devidp.SignIn(ctx, readerIDP, "oscar")
	if err != nil {
		return nil, err
	}
	r.oscar, err = client.New(client.Config{URL: readerAPI, Token: func(context.Context) (string, error) { return token, nil }})
	return r.oscar, err
}

// complete takes a block apart into commands: lines, and what belongs together.
func complete(text string) []string {
	var out []string
	command := ""
	for _, line := range strings.SplitAfter(text, "\n") {
		command += line
		if strings.TrimSpace(command) == "" {
			command = ""
			continue
		}
		if problem, err := exec.Command("bash", "-nc", strings.TrimSuffix(command, "\n")).CombinedOutput(); err != nil || len(problem) > 0 || strings.HasSuffix(command, "\\\n") {
			continue
		}
		out = append(out, command)
		command = ""
	}
	if command != "" {
		out = append(out, command)
	}
	return out
}

// usePorts waits until nobody else uses the ports of `custody dev`, and keeps
// other tests of this kind away until the test ends.
func usePorts(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "custody-docs-"+strconv.Itoa(os.Getuid())+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(500 * time.Millisecond) {
		taken := occupied("127.0.0.1:8080", "127.0.0.1:8090")
		if taken == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the pages say `custody dev`, which listens on 127.0.0.1:8080 and 8090, and something else listens on %s: end it and try again", taken)
		}
	}
}

func occupied(addresses ...string) string {
	for _, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			return a
		}
		_ = l.Close()
	}
	return ""
}

// printed compares a page's output with the real one. Ids, hashes and times are
// alike; … stands for the rest of a line, and alone for any lines.
func printed(want, got string) string {
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		line = strings.TrimRight(line, "\n")
		if line == "…" {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(plain(line)), "…", `[^\n]*`) + `[ \t]*\n`)
	}
	real := plain(strings.TrimRight(got, "\n") + "\n")
	if !regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(real) {
		return "this is not what is printed, which is:\n" + real
	}
	return ""
}

// plain replaces what differs from one reading to the next.
func plain(text string) string {
	for _, r := range []struct{ pattern, by string }{
		{`\b(run|apr|vote|call|pay|rev|subj)_[0-9a-z]{26}\b`, "${1}_ID"},
		{`\b(sha256:)?[0-9a-f]{64}\b`, "HASH"},
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`, "TIME"},
		{`\b\d\d:\d\d:\d\d(\.\d+)?\b`, "TIME"},
		{`\bcli-[a-z0-9]{26}\b`, "KEY"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.by)
	}
	return text
}

// sameShape says what a page's answer has that the real one lacks: a member, or
// another type. Absent and null are alike, as everywhere in the API.
func sameShape(want, got string) string {
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return err.Error()
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return "the answer is not JSON: " + err.Error()
	}
	return differs("", w, g)
}

func differs(at string, want, got any) string {
	if want == nil || got == nil {
		return ""
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return fmt.Sprintf("%s is of type %T here, and %T in the answer", at, want, got)
	}
	switch want := want.(type) {
	case map[string]any:
		for name, v := range want {
			real, there := got.(map[string]any)[name]
			if !there && v != nil {
				return "the answer has no " + at + "/" + name
			}
			if problem := differs(at+"/"+name, v, real); problem != "" {
				return problem
			}
		}
	case []any:
		real := got.([]any)
		for i, v := range want {
			if len(real) == 0 {
				return "the answer's " + at + " is empty"
			}
			if problem := differs(fmt.Sprintf("%s/%d", at, i), v, real[min(i, len(real)-1)]); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// The comparisons must be able to say no.
func TestReaderComparesOutputs(t *testing.T) {
	t.Parallel()
	id := func(c string) string { return "run_" + strings.Repeat(c, 26) }
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"run " + id("0") + "\n", "run " + id("1") + "\n", true},
		{"at 2026-01-01T10:00:00Z\n", "at 2026-02-03T11:12:13.000004Z\n", true},
		{"a …\n…\nz\n", "a b c\nd\ne\nz\n", true},
		{"a\n", "a\nb\n", false},
		{"a\nb\n", "a\n", false},
		{"run " + id("0") + "\n", "apr " + id("0") + "\n", false},
	} {
		if (printed(c.want, c.got) == "") != c.same {
			t.Errorf("%q and %q: %v is wrong", c.want, c.got, !c.same)
		}
	}
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{`{"a": 1, "b": [{"c": "x"}]}`, `{"a": 2, "b": [{"c": "y", "d": 1}], "e": 5}`, true},
		{`{"a": null}`, `{}`, true},
		{`{"a": 1}`, `{"a": "1"}`, false},
		{`{"a": 1}`, `{"b": 1}`, false},
		{`{"a": [1]}`, `{"a": []}`, false},
		{`{"a": 1}`, `not JSON`, false},
	} {
		if (sameShape(c.want, c.got) == "") != c.same {
			t.Errorf("%s and %s: %v is wrong", c.want, c.got, !c.same)
		}
	}
}

// Commands that belong together are typed together.
func TestReaderTakesBlocksApart(t *testing.T) {
	t.Parallel()
	got := complete("a b\n\nc \\\n  d\ncat <<'EOF'\ne\nEOF\nfor f in 1 2; do\n  g\ndone\n")
	want := []string{"a b\n", "c \\\n  d\n", "cat <<'EOF'\ne\nEOF\n", "for f in 1 2; do\n  g\ndone\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
