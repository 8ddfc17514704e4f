package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"

	"github.com/custodyhq/custody/security/audit"
)

// events are those of a run that was submitted and, if closed is set, closed.
func events(from int64, closed bool) string {
	text := ""
	for seq, fact := range []audit.Fact{
		{Action: audit.RunSubmitted, Outcome: "ok", Run: "run_1", Actor: "subj_1"},
		{Action: audit.RunClosed, Outcome: "ok", Run: "run_1", State: "succeeded"},
	} {
		if int64(seq) < from || seq == 1 && !closed {
			continue
		}
		body := fact.AppendBody(nil, int64(seq+1))
		text += fmt.Sprintf("id: %d\nevent: %s\ndata: {\"log\":\"l\",\"stream\":\"run_1\",\"seq\":%d,\"body\":%q}\n\n", seq, fact.Action, seq, body)
	}
	return text
}

// problem answers with a refusal.
func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type": "urn:custody:problem:%s", "title": "x", "status": %d, "detail": "%s"}`, kind, status, detail)
}

// against is a shell whose server is a fake one.
func against(t *testing.T, handler http.Handler) *shell {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	sh := newShell(t)
	sh.env["CUSTODY_URL"], sh.env["CUSTODY_TOKEN"] = server.URL, "t"
	return sh
}

func TestAServerThatGoesAwayIsWaitedForAndContinued(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs/run_1/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		switch calls.Add(1) {
		case 1:
			_, _ = io.WriteString(w, events(0, false)) // and then the connection ends
		case 2:
			problem(w, 503, "unavailable", "the database is away")
		default:
			if r.Header.Get("Last-Event-ID") != "0" {
				t.Errorf("it continues from %q", r.Header.Get("Last-Event-ID"))
			}
			_, _ = io.WriteString(w, events(1, true))
		}
	})
	var asked atomic.Int64
	mux.HandleFunc("GET /v1/runs/run_1", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			problem(w, 503, "unavailable", "the database is away")
			return
		}
		_, _ = io.WriteString(w, `{"id": "run_1", "state": "succeeded"}`)
	})
	r := against(t, mux).run("", "run", "watch", "run_1")
	if r.code != 0 || strings.Count(r.out, "submitted by") != 1 || !strings.Contains(r.out, "closed: succeeded") || !strings.Contains(r.out, "The run succeeded.") {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	if strings.Count(r.err, "The server is away") != 2 || strings.Count(r.err, "The server is back") != 2 {
		t.Errorf("%s", r.err)
	}
	// Where nobody ever answered there is nothing to wait for.
	sh := newShell(t)
	sh.env["CUSTODY_URL"], sh.env["CUSTODY_TOKEN"] = "http://127.0.0.1:1", "t"
	if r := sh.run("", "run", "watch", "run_1"); r.code != exitNotNow || strings.Contains(r.err, "waiting for the server") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestInterruptingLeavesTheRunAndSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/runs/run_1/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, events(0, false))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("POST /v1/runs/run_1/cancel", func(http.ResponseWriter, *http.Request) { t.Error("it is cancelled") })
	sh := against(t, mux)
	ctx, cancel := context.WithCancel(t.Context())
	out := &awaited{wanted: "submitted by", seen: make(chan struct{})}
	done := make(chan int)
	go func() { done <- runIn(ctx, sh, out, "run", "watch", "run_1") }()
	select {
	case <-out.seen:
	case code := <-done:
		t.Fatalf("exit %d: %s", code, out.String())
	}
	cancel()
	if code := <-done; code != exitInterrupted || !strings.Contains(out.String(), "the run goes on. Watch it again with: custody run watch run_1 --after 0") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}

func TestTheKeyIsToldBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	told := &awaited{wanted: "key ", seen: make(chan struct{})}
	keys := make(chan string, 1) // of the first call: what follows no answer is a matter of the transport
	sh := against(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get("Idempotency-Key")
		if !strings.Contains(told.String(), sent) || sent == "" {
			t.Errorf("the key %q was not told: %s", sent, told.String())
		}
		select {
		case keys <- sent:
		default:
		}
		panic(http.ErrAbortHandler) // nobody learns what became of it
	}))
	code := run(t.Context(), []string{"run", "submit", "w"}, terminal{in: strings.NewReader(""), out: io.Discard, err: told, env: func(n string) string { return sh.env[n] }})
	select {
	case sent := <-keys:
		if code == 0 || !strings.Contains(told.String(), "the same command with --key "+sent) {
			t.Errorf("exit %d: %s", code, told.String())
		}
	default:
		t.Errorf("nothing was sent: exit %d: %s", code, told.String())
	}
}

func TestTooManyRequestsAreWaitedForOnlyWithWait(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	keys := make(chan string, 4)
	sh := against(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		if calls.Add(1)%2 == 1 {
			problem(w, 429, "rate-limited", "at most 10 a minute")
			return
		}
		_, _ = io.WriteString(w, `{"id": "run_1", "state": "succeeded", "closed_at": "2026-11-21T09:00:00.000000Z"}`)
	}))
	if r := sh.run("", "run", "submit", "w", "--wait"); r.code != 0 || !strings.Contains(r.err, "Waiting.") || !strings.Contains(r.out, "The run succeeded.") {
		t.Errorf("with --wait: exit %d: %s%s", r.code, r.out, r.err)
	}
	if a, b := <-keys, <-keys; a != b || a == "" {
		t.Errorf("the second try has another key: %q %q", a, b)
	}
	if r := sh.run("", "run", "submit", "w"); r.code != exitNotNow || !strings.Contains(r.err, "Nothing is lost. Try again") {
		t.Errorf("without: exit %d: %s", r.code, r.err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		status, code int
		want         string
	}{
		"unauthenticated":      {401, 3, "custody token login"},
		"step-up-required":     {401, 3, "custody token login --acr mfa"},
		"denied":               {403, 3, "custody token show"},
		"run-closed":           {409, 5, "custody run get ID"},
		"digest-stale":         {409, 5, "custody approve ID"},
		"already-voted":        {409, 5, "custody withdraw ID"},
		"erased":               {410, 4, "erased for good"},
		"precondition-failed":  {412, 5, "Look at it again"},
		"too-large":            {413, 5, "1 MiB"},
		"idempotency-mismatch": {422, 5, "another --key"},
		"rate-limited":         {429, 8, "Try again in 7 s"},
		"internal":             {500, 1, "log has more under request req_1"},
		"unavailable":          {503, 8, "Nothing is lost"},
	} {
		sh := against(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Request-Id", "req_1")
			problem(w, c.status, kind, `because\u001b[2J`)
		}))
		r := sh.run("", "run", "get", "run_1")
		if r.code != c.code || !strings.Contains(r.err, fmt.Sprintf("%d %s: because", c.status, kind)) || !strings.Contains(r.err, c.want) || strings.ContainsRune(r.err, 0x1b) {
			t.Errorf("%s: exit %d: %s", kind, r.code, r.err)
		}
	}
}

func TestFailuresOfTLSSayWhatToDo(t *testing.T) {
	t.Parallel()
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // its complaints are the test
	unknown.StartTLS()
	t.Cleanup(unknown.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for url, want := range map[string]string{
		unknown.URL: "SSL_CERT_FILE=ca.pem",
		strings.Replace(plain.URL, "http:", "https:", 1):   "It speaks plain HTTP there",
		strings.Replace(unknown.URL, "https:", "http:", 1): "is this the right URL?",
	} {
		sh := newShell(t)
		sh.env["CUSTODY_TOKEN"] = "t"
		if r := sh.run("", "--url", url, "run", "list"); r.code == 0 || !strings.Contains(r.err, want) || !strings.Contains(r.err, url+" (from --url)") {
			t.Errorf("%s: exit %d: %s", want, r.code, r.err)
		}
	}
}

func TestAnExportThatBreaksOffLeavesTheEarlierFile(t *testing.T) {
	t.Parallel()
	sh := against(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
	}))
	file := filepath.Join(sh.dir, "evidence.zip")
	must(t, os.WriteFile(file, []byte("earlier"), 0o600))
	r := sh.run("", "audit", "export", "--all", "--out", file)
	left, err := os.ReadDir(sh.dir)
	must(t, err)
	kept, err := os.ReadFile(file)
	must(t, err)
	if r.code != exitFailure || string(kept) != "earlier" || len(left) != 1 {
		t.Errorf("exit %d: %q, %d files: %s", r.code, kept, len(left), r.err)
	}
}

func TestAWatchedRunMovesOnATerminal(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	term := terminal{out: &screen, err: &screen, env: func(string) string { return "" }, columns: func(io.Writer) int { return 30 }}
	p := term.progress("waiting for somebody who takes very long")
	p.draw()
	p.over(func() { term.print("a line") })
	p.end()
	if got := screen.String(); !strings.Contains(got, "\r⠋ waiting for somebody who t…\x1b[K\r\x1b[Ka line\n") {
		t.Errorf("%q", got)
	}
	term.env = func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	screen.Reset()
	q := term.progress("waiting")
	q.over(func() { term.print("a line") })
	q.set("x")
	q.end()
	if screen.String() != "a line\n" {
		t.Errorf("%q", screen.String())
	}
}

// TestBashCompletes sources what `custody completion bash` prints, and asks Bash.
func TestBashCompletes(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	sh := against(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data": [{"id": "run_1", "state": "failed"}, {"id": "run_$(touch${IFS}x)", "state": "failed"},
{"id": "run_;x", "state": "failed"}, {"id": "--url=x", "state": "failed"}, {"id": ":file", "state": "failed"}, {"id": "run_2", "state": "failed\tx\n"}], "next_cursor": null}`)
	}))
	self, err := os.Executable()
	must(t, err)
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asProgram, self)
	must(t, os.WriteFile(filepath.Join(sh.dir, "custody"), []byte(wrapper), 0o700))
	must(t, os.WriteFile(filepath.Join(sh.dir, "lib"), []byte(sh.must("completion", "bash").out), 0o600))
	for line, want := range map[string]string{
		"custody appro":                  "approvals approve",
		"custody run l":                  "list",
		"custody run list --sta":         "--state",
		"custody run list --state f":     "failed",
		"custody run list --state = f":   "failed", // as bash takes --state=f apart
		"custody run list --state =":     "queued running waiting succeeded failed cancelled",
		"custody --as a":                 "alice audrey",
		"custody run get run_":           "run_1 run_2",
		"custody --json run cancel run_": "run_1 run_2",
		"custody nonsense run_":          "",
	} {
		words := strings.Fields(line)
		script := fmt.Sprintf("source lib; COMP_WORDS=(%s); COMP_CWORD=%d; compopt() { :; }; _custody; echo ${COMPREPLY[*]}", line, len(words)-1)
		complete := func() (string, error) {
			cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script)
			cmd.Dir = sh.dir
			cmd.Env = []string{"PATH=" + sh.dir + ":" + os.Getenv("PATH"), "CUSTODY_TOKEN=t", "CUSTODY_URL=" + sh.env["CUSTODY_URL"]}
			out, err := cmd.CombinedOutput()
			return strings.TrimSpace(string(out)), err
		}
		got, err := complete()
		for range 4 { // a busy machine may be too late with the server's names, as a person sees it
			if err != nil || got != "" || want == "" {
				break
			}
			got, err = complete()
		}
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", line, got, err, want)
		}
	}
}

// Every command that needs a name offers those that there are.
func TestEveryNameOfTheServerIsCompleted(t *testing.T) {
	t.Parallel()
	known := []string{"", "file", "workflow", "version", "run", "approval", "revocation", "release"}
	for _, leaf := range leaves(t) {
		for _, v := range leaf.Positional {
			if !slices.Contains(known, v.Tag.Get("complete")) {
				t.Errorf("%s <%s>: complete:%q", leaf.FullPath(), v.Name, v.Tag.Get("complete"))
			}
			if v.Name == "id" && v.Tag.Get("complete") == "" {
				t.Errorf("%s <%s> is not completed", leaf.FullPath(), v.Name)
			}
		}
	}
}

func TestAServerThatDoesNotAnswerHoldsNoShellUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a second")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	sh := newShell(t)
	sh.env["CUSTODY_TOKEN"] = "t"
	if r := sh.run("", completeWord, "--url", "http://"+l.Addr().String(), "run", "get", ""); r.code != 0 || r.out != "" {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
}

// Whatever a server answers, its text writes no escape sequence to the
// terminal: not in a place where nobody expects text, such as an id.
func TestNoAnswerSteersTheTerminal(t *testing.T) {
	t.Parallel()
	const mark, evil = "Grüße", "\u001b]0;x\u0007\u009b2J\r"
	text := func(more string) string { return `"` + mark + more + `"` }
	answer := func(more string) string {
		raw, err := json.Marshal(more)
		must(t, err)
		x := text(strings.Trim(string(raw), `"`))
		object := fmt.Sprintf(`"id": %[1]s, "run": %[1]s, "step": %[1]s, "state": %[1]s, "by": %[1]s, "decision": %[1]s, "kind": %[1]s, "value": %[1]s,
"reason": {"code": %[1]s, "detail": %[1]s}, "workflow": {"name": %[1]s, "digest": %[1]s}, "name": %[1]s, "digest": %[1]s, "description": %[1]s, "tenant": %[1]s,
"caller": {"id": %[1]s, "kind": %[1]s, "act": [%[1]s]}, "steps": [{"id": %[1]s, "state": %[1]s}], "receipt": {"stream": %[1]s, "hash": %[1]s},
"waiting_for": [{"kind": %[1]s, "id": %[1]s}], "tier": %[1]s, "subject": %[1]s, "issuer": %[1]s, "client": %[1]s, "roles": [%[1]s]`, x)
		return `{"data": [{` + object + `}], "next_cursor": null, ` + object + `}`
	}
	steered := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) })
	}
	for _, more := range []string{"", evil} {
		sh := against(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/runs/refused" {
				problem(w, 403, "denied", mark)
				return
			}
			_, _ = io.WriteString(w, answer(more))
		}))
		for line, shows := range map[string]bool{
			"run list": true, "run get x": true, "run cancel x --reason y": true, "run retry x": false, "run submit x": true, "status": true, "token show": true,
			"workflow list": true, "workflow get x": true, "workflow versions x": true, "revocations": false, "approvals": true, "lift x": true, "withdraw x": true, "run get refused": true,
		} {
			r := sh.run("", strings.Fields(line)...)
			if steered(r.out) || steered(r.err) {
				t.Errorf("%s: %q %q", line, r.out, r.err)
			}
			if more == "" && shows && !strings.Contains(r.out+r.err, mark) {
				t.Errorf("%s shows nothing of the answer: exit %d %q %q", line, r.code, r.out, r.err)
			}
		}
	}
}
