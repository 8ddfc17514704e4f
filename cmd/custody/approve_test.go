package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security/audit"
)

const askWorkflow = `name: ask
input: {type: object, required: [question], properties: {question: {type: string}}}
requires: {roles: [analyst]}
steps:
  - id: legal
    uses: approval
    with: {approvers: {roles: [legal]}, show: "${{ input.question }}", expires: 1h}
`

func (sh *shell) must(args ...string) ran {
	sh.t.Helper()
	r := sh.run("", args...)
	if r.code != 0 {
		sh.t.Fatalf("custody %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r
}

// asked submits a run of askWorkflow and waits until it waits for bob.
func asked(t *testing.T, sh *shell, input string) (run, approval string) {
	t.Helper()
	file := filepath.Join(sh.dir, "ask.yaml")
	must(t, os.WriteFile(file, []byte(askWorkflow), 0o600))
	sh.must("--as", "erin", "workflow", "apply", file)
	out := sh.must("--as", "alice", "run", "submit", "ask", "--input", input).out
	run = strings.Fields(out)[1]
	c := person(t, sh, "alice")
	for e, err := range c.Events(t.Context(), run, -1) {
		must(t, err)
		b, err := bodyOf(e)
		must(t, err)
		if b.Action == audit.ApprovalRequested {
			return run, approvalOf(b)
		}
	}
	t.Fatal("the run never waited for an approval")
	return "", ""
}

func person(t *testing.T, sh *shell, name string) *client.Client {
	t.Helper()
	s := &session{terminal: terminal{env: func(n string) string { return sh.env[n] }}, flags: flags{As: name}}
	c, err := s.client()
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestAnApprovalIsShownWholeAndDecidedOnce(t *testing.T) {
	t.Parallel()
	sh := world(t)
	run, id := asked(t, sh, `{"question": "May we?\u001b[2J Really?\u202e"}`)

	if r := sh.run("y\n", "--as", "alice", "approve", id); r.code != exitRefused || !strings.Contains(r.err, "requester") {
		t.Errorf("the requester: exit %d, %s", r.code, r.err)
	}
	if r := sh.run("y\n", "--as", "mallory", "approve", id); r.code != exitNotFound && r.code != exitRefused {
		t.Errorf("somebody without the role: exit %d, %s", r.code, r.err)
	}
	if r := sh.run("", "--as", "bob", "approve", id); r.code != exitFailure || !strings.Contains(r.err, "\ncustody: not decided") {
		t.Errorf("no answer must be a no: exit %d, %s", r.code, r.err)
	}
	if r := sh.run("", "--as", "bob", "approve", id, "--digest", "sha256:00"); r.code != exitInvalid {
		t.Errorf("another digest: exit %d, %s", r.code, r.err)
	}
	if r := sh.must("--as", "bob", "approvals"); !strings.Contains(r.out, id) {
		t.Errorf("it does not wait for bob: %s", r.out)
	}
	r := sh.run("yes\n", "--as", "bob", "approve", id, "--comment", "fine")
	if r.code != 0 || !strings.Contains(r.err, `May we?\u{1b}[2J Really?\u{202e}`) || strings.ContainsRune(r.err, 0x1b) {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	watched := sh.must("--as", "alice", "run", "watch", run)
	for _, want := range []string{"waits for approval " + id, "voted: approve", "closed: succeeded"} {
		if !strings.Contains(watched.out, want) {
			t.Errorf("watch lacks %q:\n%s", want, watched.out)
		}
	}
	if r := sh.run("y\n", "--as", "bob", "approve", id); r.code != exitInvalid {
		t.Errorf("a second vote: exit %d, %s", r.code, r.err)
	}
}

func TestARejectionEndsTheRunWithSix(t *testing.T) {
	t.Parallel()
	sh := world(t)
	run, id := asked(t, sh, `{"question": "May we?"}`)
	a, err := person(t, sh, "bob").Approval(t.Context(), id)
	must(t, err)
	if r := sh.must("--as", "bob", "--json", "reject", id, "--digest", a.Digest); !strings.Contains(r.out, `"state": "rejected"`) {
		t.Errorf("%s", r.out)
	}
	if r := sh.run("", "--as", "alice", "run", "watch", run); r.code != exitRunFailed || !strings.Contains(r.out, "The run failed") {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
	retried := sh.must("--as", "alice", "run", "retry", run)
	again := strings.Fields(retried.out)[1]
	if r := sh.must("--as", "alice", "run", "cancel", again, "--reason", "enough"); !strings.Contains(r.out, again) {
		t.Errorf("%s", r.out)
	}
	if r := sh.run("", "--as", "alice", "run", "watch", again); r.code != exitRunFailed || !strings.Contains(r.out, "was cancelled") {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
}

func TestTheWatcherNamesTheCommandThatContinuesTheRun(t *testing.T) {
	t.Parallel()
	sh := world(t)
	run, id := asked(t, sh, `{"question": "May we?"}`)
	out := &awaited{wanted: "goes on when legal decides: custody --as bob approve " + id, seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		done <- runIn(ctx, sh, out, "--as", "alice", "run", "watch", run)
	}()
	<-out.seen
	cancel()
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
}

func runIn(ctx context.Context, sh *shell, out *awaited, args ...string) int {
	return run(ctx, args, terminal{in: strings.NewReader(""), out: out, err: out, env: func(n string) string { return sh.env[n] }})
}

// A server that shows one thing and lets another be signed is caught here.
func TestAServerThatShowsSomethingElseIsCaught(t *testing.T) {
	t.Parallel()
	const document = `{"approval":"apr_1","shown":[{"commit":"00","name":"shown","payload":"pay_1"}]}`
	voted := false
	mux := http.NewServeMux()
	reply := func(pattern, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		})
	}
	reply("GET /v1/approvals/apr_1", `{"id":"apr_1","state":"pending","document":`+quoted(document)+`,
"digest":"sha256:e3d7e2d8c4d9b7ae1e2a0a6a7d2b0f3b0000000000000000000000000000dead","you":{"may_vote":true,"reasons":[]}}`)
	reply("GET /v1/approvals/apr_1/shown", `[{"name":"shown","content":"\"harmless\"","salt":"00","commitment":"00"}]`)
	mux.HandleFunc("POST /v1/approvals/apr_1/votes", func(http.ResponseWriter, *http.Request) { voted = true })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	sh := newShell(t)
	sh.env["CUSTODY_URL"], sh.env["CUSTODY_TOKEN"] = server.URL, "t"
	r := sh.run("y\n", "approve", "apr_1")
	if r.code != exitBroken || voted || strings.Contains(r.err, "harmless") {
		t.Errorf("exit %d, voted %v: %s", r.code, voted, r.err)
	}
}

func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }
