package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/audit"
)

const hello = `{"workflow": "plain", "input": {"text": "hello"}}`

func TestARunIsAsTheAPISays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("alice", "POST", "/v1/runs", hello, "Request-Id", "my-request")
	var run client.Run
	got.decode(t, &run)
	if got.StatusCode != 202 || got.Header.Get("Location") != "/v1/runs/"+run.ID || run.Receipt.Seq != 0 || run.Receipt.Stream != run.ID {
		t.Fatalf("%d %s %s", got.StatusCode, got.Header.Get("Location"), got.body)
	}
	entry, err := b.as("alice").Entry(t.Context(), run.Receipt.Hash)
	must(t, err)
	body, err := audit.ParseBody(entry.Body)
	must(t, err)
	if entry.Stream != run.ID || entry.Seq != 0 || body.Action != audit.RunSubmitted || body.Request != "my-request" {
		t.Errorf("the receipt is of %+v", entry)
	}
	run = b.until(run.ID, client.Run.Closed)
	me, err := b.as("alice").Me(t.Context())
	must(t, err)
	want := client.Run{
		ID: run.ID, Workflow: run.Workflow, State: "succeeded", Caller: client.Caller{ID: me.ID, Kind: "human", Act: []string{}}, WaitingFor: []client.Wait{},
		Steps:   []client.Step{{ID: "work", State: "succeeded", Attempt: 1}, {ID: "say", State: "succeeded", Attempt: 1}},
		Version: run.Version, CreatedAt: run.CreatedAt, UpdatedAt: run.UpdatedAt, ClosedAt: run.ClosedAt, Receipt: run.Receipt,
	}
	if diff := cmp.Diff(want, run); diff != "" || run.ClosedAt == nil || run.Workflow.Name != "plain" {
		t.Error(diff)
	}
	last := b.send("alice", "GET", "/v1/audit/entries/"+run.Receipt.Hash, "")
	if !strings.Contains(string(last.body), "run.closed") {
		t.Errorf("the run's receipt is not its last entry: %s", last.body)
	}
	for _, at := range []string{`"created_at":"`, `"updated_at":"`, `"closed_at":"`} {
		text := string(b.send("alice", "GET", "/v1/runs/"+run.ID, "").body)
		_, rest, _ := strings.Cut(text, at)
		if len(rest) < 28 || rest[26] != 'Z' || rest[19] != '.' {
			t.Errorf("%s%.30s", at, rest)
		}
	}
}

func TestTheVersionOfARunIsItsETag(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	got := b.send("alice", "GET", "/v1/runs/"+run.ID, "")
	tag := got.Header.Get("ETag")
	if tag != fmt.Sprintf("%q", fmt.Sprint(run.Version)) {
		t.Errorf("%s", tag)
	}
	for header, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"0"`: 200, "": 200} {
		if got := b.send("alice", "GET", "/v1/runs/"+run.ID, "", "If-None-Match", header); got.StatusCode != want || want == 304 && len(got.body) > 0 {
			t.Errorf("If-None-Match: %s: %d %s", header, got.StatusCode, got.body)
		}
	}
}

func TestPreferWaitHoldsTheAnswerUntilTheRunHasClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("alice", "POST", "/v1/runs", hello, "Prefer", "respond-async, wait=20")
	var run client.Run
	got.decode(t, &run)
	if got.StatusCode != 200 || got.Header.Get("Preference-Applied") != "wait=20" || run.State != "succeeded" || run.Receipt.Seq == 0 {
		t.Errorf("%d %q %s", got.StatusCode, got.Header.Get("Preference-Applied"), got.body)
	}
	got = b.send("alice", "POST", "/v1/runs", `{"workflow": "gated"}`, "Prefer", "wait=1")
	if got.StatusCode != 202 || got.Header.Get("Preference-Applied") != "" {
		t.Errorf("a run that goes on: %d %s", got.StatusCode, got.body)
	}
	close(b.gate)
}

func TestADrainAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answered := make(chan int)
	go func() {
		answered <- b.send("alice", "POST", "/v1/runs", `{"workflow": "gated"}`, "Prefer", "wait=30").StatusCode
	}()
	for range b.as("oscar").Runs(t.Context(), client.RunFilter{}) {
		break
	}
	b.api.Shutdown()
	b.api.Shutdown()
	if got := <-answered; got != 202 {
		t.Error(got)
	}
	if got := b.send("", "GET", "/readyz", ""); got.StatusCode != 503 {
		t.Errorf("a server that ends is ready: %s", got.body)
	}
	close(b.gate)
}

func TestASubmissionMayBeMadeTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.send("alice", "POST", "/v1/runs", hello, "Idempotency-Key", "k-1")
	two := b.send("alice", "POST", "/v1/runs", hello, "Idempotency-Key", "k-1")
	var first, second client.Run
	one.decode(t, &first)
	two.decode(t, &second)
	if first.ID != second.ID || first.Receipt != second.Receipt || two.StatusCode != one.StatusCode {
		t.Errorf("%d %s, then %d %s", one.StatusCode, one.body, two.StatusCode, two.body)
	}
	if one.Header.Get("Idempotent-Replayed") != "" || two.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%q, %q", one.Header.Get("Idempotent-Replayed"), two.Header.Get("Idempotent-Replayed"))
	}
	other := b.send("alice", "POST", "/v1/runs", `{"workflow": "plain", "input": {"text": "other"}}`, "Idempotency-Key", "k-1")
	if p := other.problem(t); p.Status != 422 || p.Kind() != "idempotency-mismatch" {
		t.Errorf("%s", other.body)
	}
	// The key is the caller's own.
	agent := b.send(devidp.Agent, "POST", "/v1/runs", hello, "Idempotency-Key", "k-1")
	if agent.StatusCode != 202 || agent.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("somebody else's: %d %s", agent.StatusCode, agent.body)
	}
}

func TestTwoEqualSubmissionsAtOnceAreOneRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids, wg := make([]string, 8), sync.WaitGroup{}
	for i := range ids {
		wg.Go(func() {
			run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "plain", Input: json.RawMessage(`{"text": "x"}`), Key: "same"})
			if err != nil {
				t.Error(err)
			}
			ids[i] = run.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatalf("%v", ids)
		}
	}
}

func TestAnIdempotencyKeyIsVisibleASCII(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for key, want := range map[string]int{"k": 202, strings.Repeat("k", 255): 202, strings.Repeat("k", 256): 400, "two words": 400, "ä": 400} {
		if got := b.send("alice", "POST", "/v1/runs", hello, "Idempotency-Key", key); got.StatusCode != want {
			t.Errorf("%.10q (%d): %d %s", key, len(key), got.StatusCode, got.body)
		}
	}
}

func TestARehearsalWritesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		got := b.send("alice", "POST", "/v1/runs?dry_run=true", hello, "Idempotency-Key", "k")
		var run client.Run
		got.decode(t, &run)
		if got.StatusCode != 200 || got.Header.Get("Location") != "" || got.Header.Get("Idempotent-Replayed") != "" || run.State != "queued" || run.Receipt.Hash != "" {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	for run := range b.as("alice").Runs(t.Context(), client.RunFilter{}) {
		t.Errorf("there is a run: %+v", run)
	}
	if got := b.send("alice", "POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {}}`); got.StatusCode != 422 {
		t.Errorf("a rehearsal with a fault: %d %s", got.StatusCode, got.body)
	}
	if got := b.send("alice", "POST", "/v1/runs", hello, "Idempotency-Key", "k"); got.StatusCode != 202 || got.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the key was used up: %d", got.StatusCode)
	}
}

func TestWrongRequestsAreSaidToBeSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		path, body, kind string
		status           int
		faults           []client.Fault
		headers          []string
	}{
		"not JSON":       {"/v1/runs", `{"workflow"`, "malformed", 400, []client.Fault{{Pointer: "", Code: "json"}}, nil},
		"empty":          {"/v1/runs", ``, "malformed", 400, nil, nil},
		"two values":     {"/v1/runs", hello + hello, "malformed", 400, []client.Fault{{Pointer: "", Code: "json"}}, nil},
		"a name twice":   {"/v1/runs", `{"workflow": "plain", "input": {"text": "x", "text": "y"}}`, "malformed", 400, []client.Fault{{Pointer: "", Code: "json"}}, nil},
		"not UTF-8":      {"/v1/runs", "{\"workflow\": \"\xff\"}", "malformed", 400, []client.Fault{{Pointer: "", Code: "json"}}, nil},
		"unknown field":  {"/v1/runs", `{"workflow": "plain", "workflows": 1}`, "malformed", 400, []client.Fault{{Pointer: "/workflows", Code: "additional"}}, nil},
		"another case":   {"/v1/runs", `{"Workflow": "plain"}`, "malformed", 400, []client.Fault{{Pointer: "", Code: "required"}, {Pointer: "/*", Code: "additional"}}, nil},
		"wrong type":     {"/v1/runs", `{"workflow": 7}`, "malformed", 400, []client.Fault{{Pointer: "/workflow", Code: "type"}}, nil},
		"missing":        {"/v1/runs", `{}`, "malformed", 400, []client.Fault{{Pointer: "", Code: "required"}}, nil},
		"a NUL":          {"/v1/runs", `{"workflow": "a\u0000b"}`, "malformed", 400, []client.Fault{{Pointer: "/workflow", Code: "pattern"}}, nil},
		"unknown query":  {"/v1/runs?wait=3", hello, "malformed", 400, []client.Fault{{Pointer: "/query/wait", Code: "additional"}}, nil},
		"no such":        {"/v1/runs", `{"workflow": "nothing"}`, "not-found", 404, nil, nil},
		"input":          {"/v1/runs", `{"workflow": "plain", "input": {"text": 7}}`, "invalid-input", 422, []client.Fault{{Pointer: "/input/text", Code: "type"}}, nil},
		"long input":     {"/v1/runs", big(300), "invalid-input", 422, []client.Fault{{Pointer: "/input/text", Code: "max_length"}}, nil},
		"1 MiB and more": {"/v1/runs", big(1 << 20), "too-large", 413, nil, nil},
		"10 MB":          {"/v1/runs", big(10 << 20), "too-large", 413, nil, nil},
		"a form":         {"/v1/runs", "workflow=plain", "unsupported-media-type", 415, nil, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"a bad workflow": {"/v1/workflows?dry_run=true", "name: x\nsteps: []\nfoo: 1\n", "invalid-workflow", 422, nil, []string{"Content-Type", "application/yaml"}},
		"a text":         {"/v1/workflows?dry_run=true", plain, "unsupported-media-type", 415, nil, []string{"Content-Type", "text/plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.send("alice", "POST", c.path, c.body, c.headers...)
			p := got.problem(t)
			if p.Status != c.status || p.Kind() != c.kind || p.Detail == "" {
				t.Fatalf("%s", got.body)
			}
			for i := range p.Errors {
				if p.Errors[i].Detail == "" {
					t.Errorf("a fault without words: %s", got.body)
				}
				p.Errors[i].Detail = ""
			}
			if c.faults != nil {
				if diff := cmp.Diff(c.faults, p.Errors); diff != "" {
					t.Errorf("%s\n%s", diff, got.body)
				}
			}
			if c.kind == "invalid-workflow" && (len(p.Errors) == 0 || p.Errors[0].Line == 0 || p.Errors[0].Column == 0 || p.Errors[0].Excerpt == "") {
				t.Errorf("no place: %s", got.body)
			}
		})
	}
	if got := b.send("alice", "POST", "/v1/runs", `{"workflow": "gated", "input": null, "digest": null}`); got.StatusCode != 202 {
		t.Errorf("absent and null mean the same: %d %s", got.StatusCode, got.body)
	}
	close(b.gate)
}

func TestWrongParametersAreSaidToBeSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/runs?workflow=%00", "/v1/runs?workflow=%ff", "/v1/workflows/%00", "/v1/runs?limit=0", "/v1/runs?limit=201", "/v1/runs?limit=x", "/v1/runs?created_after=x"} {
		if got := b.send("alice", "GET", path, ""); got.StatusCode != 400 {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

func TestALargeBodyWithoutATokenIsA401(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("", "POST", "/v1/runs", big(2<<20))
	if got.StatusCode != 401 {
		t.Errorf("%d", got.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/v1/runs", io.MultiReader(strings.NewReader(big(2<<20)))) // of unknown length
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+b.token(devidp.TokenRequest{Person: "alice"}))
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != 413 {
		t.Errorf("a body of unknown length: %d", res.StatusCode)
	}
	got = b.sendToken(strings.Repeat("x", 17<<10), "GET", "/v1/me", "")
	if got.StatusCode != 401 || !strings.Contains(string(got.body), "16 KiB") {
		t.Errorf("a token of 17 KiB: %d %s", got.StatusCode, got.body)
	}
}

func TestListsArePagedFilteredAndOnlyOfWhatOneMaySee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range 5 {
		want = append([]string{b.submit("plain", `{"text": "x"}`).ID}, want...)
	}
	_, err := b.as(devidp.Agent).Submit(t.Context(), client.Submission{Workflow: "plain", Input: json.RawMessage(`{"text": "x"}`)})
	must(t, err)
	ids := func(person string, f client.RunFilter) (out []string) {
		for run, err := range b.as(person).Runs(t.Context(), f) {
			must(t, err)
			out = append(out, run.ID)
		}
		return out
	}
	if diff := cmp.Diff(want, ids("alice", client.RunFilter{Limit: 2})); diff != "" {
		t.Error(diff)
	}
	me, err := b.as("alice").Me(t.Context())
	must(t, err)
	agent, err := b.as(devidp.Agent).Me(t.Context())
	must(t, err)
	for name, c := range map[string]struct {
		person string
		filter client.RunFilter
		n      int
	}{
		"an operator sees all":          {"oscar", client.RunFilter{}, 6},
		"an auditor sees all":           {"audrey", client.RunFilter{Limit: 4}, 6},
		"of one person":                 {"oscar", client.RunFilter{Caller: me.ID}, 5},
		"mine":                          {"alice", client.RunFilter{Caller: "me"}, 5},
		"mine, of whom has none":        {"oscar", client.RunFilter{Caller: "me"}, 0},
		"those of others are left out":  {"alice", client.RunFilter{Caller: agent.ID}, 0},
		"who has none":                  {"mallory", client.RunFilter{}, 0},
		"by state":                      {"alice", client.RunFilter{State: "succeeded"}, 5},
		"by another state":              {"alice", client.RunFilter{State: "failed"}, 0},
		"by workflow":                   {"alice", client.RunFilter{Workflow: "plain"}, 5},
		"by another workflow":           {"alice", client.RunFilter{Workflow: "gated"}, 0},
		"by time":                       {"alice", client.RunFilter{After: time.Now().Add(-time.Hour), Before: time.Now().Add(time.Hour)}, 5},
		"by another time":               {"alice", client.RunFilter{Before: time.Now().Add(-time.Hour)}, 0},
		"by what they wait for, if any": {"alice", client.RunFilter{WaitingFor: "approval"}, 0},
	} {
		if got := ids(c.person, c.filter); len(got) != c.n {
			t.Errorf("%s: %d runs, want %d", name, len(got), c.n)
		}
	}
	var page struct {
		Next string `json:"next_cursor"`
	}
	b.send("alice", "GET", "/v1/runs?limit=2", "").decode(t, &page)
	for path, want := range map[string]int{
		"/v1/runs?caller=somebody&cursor=" + page.Next: 400, "/v1/runs?caller=somebody": 200, // nothing is there, and the cursor is looked at
		"/v1/approvals?run=nonsense&cursor=" + page.Next: 400, "/v1/approvals?run=nonsense": 200,
		"/v1/runs?limit=3&cursor=" + page.Next: 200, "/v1/runs?state=failed&cursor=" + page.Next: 400,
		"/v1/approvals?cursor=" + page.Next: 400, "/v1/runs?cursor=nonsense": 400, "/v1/runs?cursor=e30": 400,
	} {
		if got := b.send("alice", "GET", path, ""); got.StatusCode != want {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

func TestARunOfSomebodyElseIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "x"}`)
	for _, path := range []string{"", "/events", "/input", "/output", "/steps/say/output"} {
		there := b.send("mallory", "GET", "/v1/runs/"+run.ID+path, "")
		not := b.send("mallory", "GET", "/v1/runs/run_01kb00000000000000000000zz"+path, "")
		strip := func(r reply) string {
			p := r.problem(t)
			return strings.NewReplacer(p.Instance, "", p.RequestID, "").Replace(string(r.body))
		}
		if there.StatusCode != 404 || strip(there) != strip(not) {
			t.Errorf("%s: %s differs from %s", path, there.body, not.body)
		}
	}
	var seen int
	for _, e := range b.control(audit.AccessDenied) {
		if e.Target == run.ID {
			seen++
		}
	}
	if seen != 5 {
		t.Errorf("%d attempts are in the ledger, 5 were made", seen)
	}
}

func TestADenialIsInTheLedgerBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.as("mallory").Submit(t.Context(), client.Submission{Workflow: "plain", Input: json.RawMessage(`{"text": "x"}`)})
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 403 || p.Kind() != "denied" || p.Receipt == nil || !strings.Contains(p.Detail, "analyst") {
		t.Fatalf("%v", err)
	}
	entry, err := b.as("audrey").Entry(t.Context(), p.Receipt.Hash)
	must(t, err)
	body, err := audit.ParseBody(entry.Body)
	must(t, err)
	if entry.Stream != p.Receipt.Stream || body.Action != audit.AccessDenied || body.Request != p.RequestID || body.Target != "plain" ||
		body.Decision == nil || body.Decision.Effect != "deny" || !cmp.Equal(body.Decision.Missing, []string{"role"}) {
		t.Errorf("%s", entry.Body)
	}
}

func TestCancelAndRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.as("alice")
	run, err := alice.Submit(t.Context(), client.Submission{Workflow: "gated"})
	must(t, err)
	b.until(run.ID, func(r client.Run) bool { return r.Steps[0].State == "running" })
	cancelled, err := alice.Cancel(t.Context(), client.Cancellation{Run: run.ID, Reason: "a mistake", Key: "c1"})
	must(t, err)
	if cancelled.CancelRequestedAt == nil || cancelled.Receipt.Hash == "" {
		t.Errorf("%+v", cancelled)
	}
	if run = b.until(run.ID, client.Run.Closed); run.State != "cancelled" {
		t.Errorf("%+v", run)
	}
	again, err := alice.Cancel(t.Context(), client.Cancellation{Run: run.ID, Reason: "a mistake", Key: "c1"})
	if err != nil || !again.Replayed || again.State != "cancelled" {
		t.Errorf("the same again: %v %+v", err, again)
	}
	if p := b.send("alice", "POST", "/v1/runs/"+run.ID+"/cancel", `{}`).problem(t); p.Status != 409 || p.Kind() != "run-closed" {
		t.Errorf("%+v", p)
	}
	if p := b.send("alice", "POST", "/v1/runs/"+run.ID+"/retry", `{}`).problem(t); p.Status != 409 || p.Kind() != "run-not-failed" {
		t.Errorf("%+v", p)
	}
	b.fail.Store(true)
	failed := b.submit("fragile", `{}`)
	if failed.State != "failed" || failed.Reason == nil || failed.Reason.Step != "second" || failed.Reason.Receipt == nil || failed.Reason.Receipt.Hash == "" {
		t.Fatalf("%+v %+v", failed, failed.Reason)
	}
	b.fail.Store(false)
	retried, err := alice.Retry(t.Context(), client.Retry{Run: failed.ID, Key: "r1"})
	must(t, err)
	if retried.RetryOf == nil || *retried.RetryOf != failed.ID || retried.ID == failed.ID {
		t.Errorf("%+v", retried)
	}
	if retried = b.until(retried.ID, client.Run.Closed); retried.State != "succeeded" {
		t.Errorf("%+v", retried)
	}
	if p := b.send("oscar", "POST", "/v1/runs/"+failed.ID+"/retry", `{}`).problem(t); p.Status != 403 || p.Receipt == nil {
		t.Errorf("an operator retries: %+v", p)
	}
	if got := b.send("oscar", "POST", "/v1/runs/"+failed.ID+"/retry", ``); got.StatusCode != 403 {
		t.Errorf("without a body: %d %s", got.StatusCode, got.body)
	}
}

func TestNothingIsLostWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.token(devidp.TokenRequest{Person: "alice"})
	b.sendToken(token, "GET", "/v1/me", "")
	b.wire.cut()
	for _, r := range [][3]string{{"POST", "/v1/runs", hello}, {"GET", "/v1/runs", ""}, {"GET", "/v1/audit/entries", ""}} {
		got := b.sendToken(token, r[0], r[1], r[2])
		if p := got.problem(t); p.Status != 503 || p.Kind() != "unavailable" || got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %s: %s", r[0], r[1], got.body)
		}
	}
	if got := b.send("", "GET", "/readyz", ""); got.StatusCode != http.StatusServiceUnavailable || strings.Contains(string(got.body), "wire") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := b.send("", "GET", "/livez", ""); got.StatusCode != 200 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	b.wire.mend()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := b.sendToken(token, "POST", "/v1/runs", hello, "Idempotency-Key", "after-the-storm")
		if got.StatusCode == 202 {
			break
		}
		if got.StatusCode != 503 || time.Now().After(deadline) {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
}
