package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security/guard/detector"
)

func pings(db *sql.DB) error { return db.Ping() }

func TestExitCodesAreThoseOfTheAPIPage(t *testing.T) {
	t.Parallel()
	problem := func(status int, kind string) error {
		return fmt.Errorf("x: %w", &client.Problem{Status: status, Type: client.ProblemPrefix + kind})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usage("x"), 2},
		{problem(401, "unauthenticated"), 3},
		{problem(403, "denied"), 3},
		{problem(404, "not-found"), 4},
		{problem(404, "unpublished"), 8},
		{problem(410, "erased"), 4},
		{problem(400, "malformed"), 5},
		{problem(409, "run-closed"), 5},
		{problem(412, "precondition-failed"), 5},
		{problem(413, "too-large"), 5},
		{problem(422, "invalid-input"), 5},
		{silently(exitRunFailed), 6},
		{fmt.Errorf("x: %w", client.ErrShown), 7},
		{problem(429, "rate-limited"), 8},
		{problem(503, "unavailable"), 8},
		{fmt.Errorf("x: %w", custody.ErrAway), 8},
		{problem(500, "internal"), 1},
		{fmt.Errorf("get a token: %w", usage("x")), 2},
	} {
		if got := codeOf(t.Context(), c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := codeOf(ended, errors.New("x")); got != exitInterrupted {
		t.Errorf("interrupted: %d", got)
	}
}

func TestTextOfOthersCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain\ttext\n": "plain\ttext\n",
		"Grüße, 契約":     "Grüße, 契約",
		"\x1b[2Jgone":   `\u{1b}[2Jgone`,
		"a\u202eb":      `a\u{202e}b`,
		"a\u200bb":      `a\u{200b}b`,
		"a\rb\x00":      `a\u{d}b\u{0}`,
		"\xff":          `\xff`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range printable(text) {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
				t.Fatalf("%q lets %U through", text, r)
			}
		}
	})
}

func TestContentIsLaidOutWithoutHidingAnything(t *testing.T) {
	t.Parallel()
	got := readable(`{"bullets": ["one", "two\nlines", 1.50, null, {}], "ok": true, "deep": {"n": 12345678901234567890}}`)
	want := `bullets:
  - one
  -
    two
    lines
  - 1.50
  - null
  -
    {}
deep:
  n: 12345678901234567890
ok: true`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := readable("not json"); got != "not json" {
		t.Errorf("%q", got)
	}
}

func FuzzTextAt(f *testing.F) {
	f.Add([]byte(`{"a": ["b"]}`), "/a/0")
	f.Add([]byte(`"x"`), "")
	f.Add([]byte(`{"~1": "x"}`), "/~01")
	f.Fuzz(func(t *testing.T, document []byte, pointer string) {
		if text, err := textAt(document, pointer); err != nil && text != "" {
			t.Error("text with an error")
		}
	})
}

func TestTextAtFollowsAPointer(t *testing.T) {
	t.Parallel()
	const document = `{"contract": "a", "list": [{"x/y~": "b"}], "n": 1}`
	for pointer, want := range map[string]string{"/contract": "a", "/list/0/x~1y~0": "b"} {
		if got, err := textAt([]byte(document), pointer); got != want || err != nil {
			t.Errorf("%s: %q %v", pointer, got, err)
		}
	}
	for _, pointer := range []string{"", "contract", "/none", "/n", "/list/1", "/list/-1", "/list/x", "/contract/0"} {
		if got, err := textAt([]byte(document), pointer); err == nil {
			t.Errorf("%s: %q", pointer, got)
		}
	}
}

func TestTheFilingServiceFilesAKeyOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := startFiling(t.Context(), dir)
	must(t, err)
	t.Cleanup(f.stop)
	post := func(key, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/contracts", strings.NewReader(body))
		must(t, err)
		req.Header.Set("Idempotency-Key", key)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		must(t, err)
		return res.StatusCode, strings.TrimSpace(string(raw))
	}
	for _, c := range []struct {
		key, body, want string
		status          int
	}{
		{"a", `{"x": 1}`, `{"id":"doc-1"}`, 201},
		{"a", `{"x": 1}`, `{"id":"doc-1"}`, 201},
		{"b", `{"x": 1}`, `{"id":"doc-2"}`, 201},
		{"c", `not json`, "post a JSON document", 400},
	} {
		if status, body := post(c.key, c.body); status != c.status || body != c.want {
			t.Errorf("%+v: %d %s", c, status, body)
		}
	}
	again, err := startFiling(t.Context(), dir)
	must(t, err)
	t.Cleanup(again.stop)
	if id, err := again.file("z", []byte("{}")); err != nil || id != "doc-3" {
		t.Errorf("after a restart: %s %v", id, err)
	}
}

func TestTheEmbeddedWorkflowIsTheExample(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../examples/contract-review.yaml")
	must(t, err)
	if string(raw) != string(contractReview) {
		t.Error("copy examples/contract-review.yaml to cmd/custody")
	}
}

func TestTheContractIsHarmlessAndTheInjectedOneIsNot(t *testing.T) {
	t.Parallel()
	d, err := detector.New()
	must(t, err)
	if r := d.Scan(contract, detector.Person); r.Level != detector.Pass {
		t.Errorf("%+v", r)
	}
	half := strings.Index(contract, "\n\n") + 2 // as the demo does it
	if r := d.Scan(contract[:half]+injection+"\n\n"+contract[half:], detector.Person); r.Level != detector.Block {
		t.Errorf("the injection passes: %+v", r)
	}
}

func TestDevelopmentServersRefuseProduction(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dev"}, {"demo"}, {"dev", "--idp-listen", "192.0.2.1:1"}, {"dev", "--listen", ":8080"}} {
		sh := newShell(t)
		if len(args) == 1 {
			sh.env["CUSTODY_ENV"] = "production"
		}
		if r := sh.run("", args...); r.code != exitUsage {
			t.Errorf("%v: exit %d %s", args, r.code, r.err)
		}
	}
}

func TestATakenPortIsExplained(t *testing.T) {
	t.Parallel()
	f, err := startFiling(t.Context(), "")
	must(t, err)
	t.Cleanup(f.stop)
	sh := newShell(t)
	r := sh.run("", "dev", "--listen", strings.TrimPrefix(f.url, "http://"), "--dir", filepath.Join(sh.dir, "dev"))
	if r.code != exitFailure || !strings.Contains(r.err, "choose addresses with --listen") || strings.Contains(r.err, "Is the server running") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestADatabaseThatIsAwayIsNotNow(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	sh.env["CUSTODY_DATABASE_URL"] = "postgres://u:hunter2@127.0.0.1:1/x"
	for _, args := range [][]string{{"migrate", "up"}, {"migrate", "status"}, {"audit", "verify", "--database-url", sh.env["CUSTODY_DATABASE_URL"]}} {
		if r := sh.run("", args...); r.code != exitNotNow || strings.Contains(r.err, "hunter2") {
			t.Errorf("%v: exit %d: %s", args, r.code, r.err)
		}
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-11-21", "2026-11-21T09:00:00Z", "2026-11-21T09:00:00.123456Z", "2h"} {
		if m, err := moment("--from", text); err != nil || m.IsZero() {
			t.Errorf("%s: %v %v", text, m, err)
		}
	}
	if m, err := moment("--from", ""); err != nil || !m.IsZero() {
		t.Errorf("%v %v", m, err)
	}
	for _, text := range []string{"-2h", "yesterday", "09:00"} {
		if _, err := moment("--from", text); err == nil {
			t.Errorf("%s passes", text)
		}
	}
}

// It changes the collector of this process, so it runs alone.
func TestMemoryIsTunedOnlyWhereTheOperatorLeftItAlone(t *testing.T) {
	gc := debug.SetGCPercent(100)
	limit := debug.SetMemoryLimit(1 << 62)
	t.Cleanup(func() { debug.SetGCPercent(gc); debug.SetMemoryLimit(limit) })
	set := func(pairs ...string) func(string) string {
		return func(name string) string {
			if len(pairs) == 2 && pairs[0] == name {
				return pairs[1]
			}
			return ""
		}
	}
	now := func() (int, int64) {
		percent := debug.SetGCPercent(100)
		return percent, debug.SetMemoryLimit(-1)
	}
	tuneMemory(set(), 0)
	if percent, bytes := now(); percent != 100 || bytes != 1<<62 {
		t.Errorf("without a known memory: %d %d", percent, bytes)
	}
	tuneMemory(set("GOGC", "50"), 1000<<20)
	if percent, bytes := now(); percent != 100 || bytes != 600<<20 {
		t.Errorf("with GOGC: %d %d", percent, bytes)
	}
	debug.SetMemoryLimit(1 << 62)
	tuneMemory(set("GOMEMLIMIT", "1GiB"), 1000<<20)
	if percent, bytes := now(); percent != 400 || bytes != 1<<62 {
		t.Errorf("with GOMEMLIMIT: %d %d", percent, bytes)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	r := sh.run("", "doctor")
	if r.code != exitFailure || !strings.Contains(r.out, "CUSTODY_DATABASE_URL") {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	w := world(t)
	settings, err := os.ReadFile(filepath.Join(w.dir, "dev", "env"))
	must(t, err)
	for line := range strings.Lines(string(settings)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		w.env[name] = strings.Trim(value, "'")
	}
	// The tests' PostgreSQL runs without fsync, and that is all that is wrong.
	if r := w.run("", "doctor"); !regexp.MustCompile(`BAD +database +durability: fsync is off`).MatchString(r.out) || !strings.Contains(r.out, "\n1 problems, ") {
		t.Errorf("beside a good server: exit %d: %s", r.code, r.out)
	}
	if r := w.run("", "--json", "doctor"); r.code != exitFailure || !strings.Contains(r.out, `"problems": 1`) {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	token := strings.TrimSpace(w.must("token", "dev", "--as", "alice").out)
	if r := w.run(token, "doctor", "-"); r.code != 0 || !strings.Contains(r.out, "accepted: true") {
		t.Errorf("a good token: exit %d: %s", r.code, r.out)
	}
	if r := w.run("", "doctor", token+"x"); r.code != exitRefused || !strings.Contains(r.out, "accepted: false") {
		t.Errorf("a bad token: exit %d: %s", r.code, r.out)
	}
	if r := w.run("", "--as", "alice", "doctor", "token"); r.code != 0 || !strings.Contains(r.out, "accepted: true") {
		t.Errorf("the token of a session: exit %d: %s%s", r.code, r.out, r.err)
	}
	w.env["CUSTODY_TOKEN"] = token + "x"
	if r := w.run("", "doctor", "token"); r.code != exitRefused || !strings.Contains(r.out, "accepted: false") {
		t.Errorf("a bad token of a session: exit %d: %s%s", r.code, r.out, r.err)
	}
	w.env["CUSTODY_KEY_DIR"] = filepath.Join(w.dir, "nokeys")
	if r := w.run("", "doctor"); r.code != exitFailure || !regexp.MustCompile(`BAD +keys +in use: .* lacks kek/`).MatchString(r.out) {
		t.Errorf("without keys: exit %d: %s", r.code, r.out)
	}
}

// Somebody who writes a list to a full disk must not take the rest for all.
func TestAResultThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--json", "version"}, {"workflow", "new", "x"}} {
		var errs bytes.Buffer
		full := terminal{in: strings.NewReader(""), out: fullDisk{}, err: &errs, env: func(string) string { return "" }}
		if code := run(t.Context(), args, full); code != exitFailure || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: exit %d: %s", args, code, errs.String())
		}
	}
	if r := newShell(t).run("", "version"); r.code != 0 || r.out == "" {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestAClaimIsReadOutOfWhateverIsNoToken(t *testing.T) {
	t.Parallel()
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"jti": "t-1", "sid": 7}`))
	for _, c := range []struct{ token, name, want string }{
		{"h." + claims + ".s", "jti", "t-1"},
		{"h." + claims + ".s", "sid", ""},
		{"h." + claims + ".s", "sub", ""},
		{"h." + claims, "jti", ""},
		{"h.{}.s", "jti", ""},
		{"", "jti", ""},
	} {
		if got := claimOf(c.token, c.name); got != c.want {
			t.Errorf("%s of %q: %q", c.name, c.token, got)
		}
	}
}
