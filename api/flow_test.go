package api

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func actions(t testing.TB, entries []client.Entry) (out []string) {
	t.Helper()
	for _, e := range entries {
		body, err := audit.ParseBody(e.Body)
		must(t, err)
		out = append(out, string(body.Action))
	}
	return out
}

func TestEventsAreTheLedgersEntriesAsTheyAreCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "gated"})
	must(t, err)
	var entries []client.Entry
	for e, err := range b.as("alice").Events(t.Context(), run.ID, -1) {
		must(t, err)
		if entries = append(entries, e); len(entries) == 2 { // submitted, intent: the rest must come live
			close(b.gate)
		}
	}
	want := []string{"run.submitted", "step.intent", "step.result", "run.closed"}
	if diff := cmp.Diff(want, actions(t, entries)); diff != "" {
		t.Error(diff)
	}
	for _, e := range entries {
		got, err := b.as("alice").Entry(t.Context(), e.Hash)
		must(t, err)
		if diff := cmp.Diff(e, got); diff != "" {
			t.Error(diff)
		}
	}
}

// read reads one connection's events until n have come or it ends.
func (b *bench) read(run, last string, n int) (ids, names []string, ended bool) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", b.url+"/v1/runs/"+run+"/events", nil)
	must(b.t, err)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+b.token(devidp.TokenRequest{Person: "alice"}))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(b.t, err)
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			ids = append(ids, value)
		case "event":
			names = append(names, value)
		}
		if len(names) == n {
			return ids, names, false
		}
	}
	return ids, names, true
}

func TestEventsContinueAfterTheLastOneSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "gated"})
	must(t, err)
	ids, _, _ := b.read(run.ID, "", 2)
	if diff := cmp.Diff([]string{"0", "1"}, ids); diff != "" {
		t.Error(diff)
	}
	close(b.gate)
	ids, names, ended := b.read(run.ID, "1", -1)
	if diff := cmp.Diff([]string{"2", "3"}, ids); diff != "" || !ended || names[1] != "run.closed" {
		t.Errorf("%v, ended %v: %s", names, ended, diff)
	}
	for _, accept := range []string{"text/event-stream", "application/json"} {
		if got := b.send("alice", "GET", "/v1/runs/"+run.ID+"/events", "", "Last-Event-ID", "3", "Accept", accept); got.StatusCode != 204 || len(got.body) > 0 {
			t.Errorf("nothing is left: %d %s", got.StatusCode, got.body)
		}
	}
	for _, last := range []string{"x", "-1", "99999999999999999999"} {
		if got := b.send("alice", "GET", "/v1/runs/"+run.ID+"/events", "", "Last-Event-ID", last); got.StatusCode != 400 {
			t.Errorf("Last-Event-ID %s: %d", last, got.StatusCode)
		}
	}
	var page struct {
		Data []client.Entry
		Next *string `json:"next_cursor"`
	}
	b.send("alice", "GET", "/v1/runs/"+run.ID+"/events?limit=3", "").decode(t, &page)
	if len(page.Data) != 3 || page.Next == nil {
		t.Fatalf("%+v", page)
	}
	b.send("alice", "GET", "/v1/runs/"+run.ID+"/events?limit=3&cursor="+*page.Next, "").decode(t, &page)
	if len(page.Data) != 1 || page.Next != nil || page.Data[0].Seq != 3 {
		t.Errorf("%+v", page)
	}
}

func TestADrainEndsEventStreamsAndTheyGoOnElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "gated"})
	must(t, err)
	first := b.api
	seen := 0
	for e, err := range b.as("alice").Events(t.Context(), run.ID, -1) {
		must(t, err)
		if e.Seq != int64(seen) {
			t.Errorf("entry %d came at %d", e.Seq, seen)
		}
		if seen++; seen == 2 {
			b.swap()
			first.Shutdown()
			close(b.gate)
		}
	}
	if seen != 4 {
		t.Errorf("%d entries", seen)
	}
}

func TestContentIsReadOnlyAfterTheLedgerSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	alice := b.as("alice")
	for i, read := range []func() (json.RawMessage, error){
		func() (json.RawMessage, error) { return alice.Input(t.Context(), run.ID) },
		func() (json.RawMessage, error) { return alice.Output(t.Context(), run.ID) },
		func() (json.RawMessage, error) { return alice.StepOutput(t.Context(), run.ID, "say") },
	} {
		content, err := read()
		must(t, err)
		if string(content) != `{"text":"hello"}` {
			t.Errorf("%s", content)
		}
		read := b.control(audit.PayloadRead)
		if len(read) != i+1 || read[i].Run != run.ID || !strings.HasPrefix(read[i].Target, "pay_") || read[i].Actor != run.Caller.ID {
			t.Fatalf("%+v", read)
		}
	}
	if got := b.send("alice", "GET", "/v1/runs/"+run.ID+"/input", ""); got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("content may be cached: %v", got.Header)
	}
	// An entry that cannot be written keeps the content back.
	n := len(b.control(audit.PayloadRead))
	if p := b.send("oscar", "GET", "/v1/runs/"+run.ID+"/input", "").problem(t); p.Status != 403 || len(b.control(audit.PayloadRead)) != n {
		t.Errorf("%+v", p)
	}
	if got := b.send("alice", "GET", "/v1/runs/"+run.ID+"/steps/nothing/output", ""); got.StatusCode != 404 {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestAnApprovalFromAskingToUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("asking", `{"text": "pay 10"}`)
	a := b.approval(run)
	bob := b.as("bob")
	if !a.You.MayVote || a.State != "pending" || a.Run != run.ID || a.Rule.Quorum != 1 || !cmp.Equal(a.Rule.Groups, []string{"legal"}) {
		t.Errorf("%+v", a)
	}
	inbox := func(person, which string) (n int) {
		for _, err := range b.as(person).Approvals(t.Context(), client.ApprovalFilter{For: which}) {
			must(t, err)
			n++
		}
		return n
	}
	for _, c := range []struct {
		person, which string
		n             int
	}{{"bob", "me", 1}, {"bob", "all", 1}, {"alice", "me", 0}, {"alice", "all", 1}, {"mallory", "me", 0}, {"mallory", "all", 0}, {"audrey", "all", 1}, {"audrey", "me", 0}} {
		if got := inbox(c.person, c.which); got != c.n {
			t.Errorf("%s sees %d approvals for %s, want %d", c.person, got, c.which, c.n)
		}
	}
	shown, err := bob.Shown(t.Context(), a.ID)
	must(t, err)
	if err := a.Verify(shown); err != nil || shown[0].Content != `"pay 10"` || shown[0].Name != "summary" {
		t.Errorf("%v %+v", err, shown)
	}
	if viewed := b.control(audit.ApprovalViewed); len(viewed) != 1 || viewed[0].Target != a.ID {
		t.Errorf("%+v", viewed)
	}
	vote, err := bob.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Comment: "fine", Key: "v1"})
	must(t, err)
	if vote.State != "approved" || vote.Receipt == nil || vote.Receipt.Stream != run.ID || vote.Digest != a.Digest || vote.Replayed {
		t.Errorf("%+v", vote)
	}
	again, err := bob.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Comment: "fine", Key: "v1"})
	if err != nil || !again.Replayed || again.ID != vote.ID || *again.Receipt != *vote.Receipt {
		t.Errorf("the same again: %v %+v", err, again)
	}
	if run = b.until(run.ID, client.Run.Closed); run.State != "succeeded" {
		t.Errorf("%+v", run)
	}
	a, err = bob.Approval(t.Context(), a.ID)
	must(t, err)
	if a.State != "approved" || len(a.Votes) != 1 || a.You.MayVote || !cmp.Equal(a.You.Reasons, []string{"already_voted", "closed"}) {
		t.Errorf("%+v", a)
	}
}

func TestWhoMayNotVoteLearnsWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.approval(b.submit("asking", `{"text": "pay 10"}`))
	path := "/v1/approvals/" + a.ID + "/votes"
	good := `{"decision": "approve", "digest": "` + a.Digest + `"}`
	for name, c := range map[string]struct {
		token   devidp.TokenRequest
		body    string
		status  int
		kind    string
		reason  string
		headers []string
	}{
		"the requester":           {devidp.TokenRequest{Person: "alice", Claims: map[string]any{"roles": []string{"analyst", "legal"}}}, good, 403, "not-eligible", "requester", nil},
		"an auditor":              {devidp.TokenRequest{Person: "audrey"}, good, 403, "not-eligible", "not_in_group", nil},
		"who sees nothing of it":  {devidp.TokenRequest{Person: "mallory"}, good, 404, "not-found", "", nil},
		"an agent":                {devidp.TokenRequest{Person: "bob", Client: devidp.Agent}, good, 403, "not-eligible", "agent", nil},
		"a password only":         {devidp.TokenRequest{Person: "bob", ACR: "pwd"}, good, 401, "step-up-required", "", nil},
		"a sign-in of yesterday":  {devidp.TokenRequest{Person: "bob", Claims: map[string]any{"auth_time": time.Now().Add(-24 * time.Hour).Unix()}}, good, 401, "step-up-required", "", nil},
		"another digest":          {devidp.TokenRequest{Person: "bob"}, `{"decision": "approve", "digest": "sha256:00"}`, 409, "digest-stale", "", nil},
		"another ETag":            {devidp.TokenRequest{Person: "bob"}, good, 412, "precondition-failed", "", []string{"If-Match", `"sha256:00"`}},
		"neither yes nor no":      {devidp.TokenRequest{Person: "bob"}, `{"decision": "maybe", "digest": "x"}`, 400, "malformed", "", nil},
		"a decision without what": {devidp.TokenRequest{Person: "bob"}, `{"decision": "approve"}`, 400, "malformed", "", nil},
	} {
		got := b.sendToken(b.token(c.token), "POST", path, c.body, c.headers...)
		p := got.problem(t)
		if p.Status != c.status || p.Kind() != c.kind || p.Reason != c.reason || (c.status == 403 || c.status == 401) != (p.Receipt != nil) {
			t.Errorf("%s: %s", name, got.body)
		}
		if c.status == 401 {
			if ch := got.Header.Get("WWW-Authenticate"); !strings.Contains(ch, `error="insufficient_user_authentication"`) || !strings.Contains(ch, `acr_values="mfa", max_age=300`) {
				t.Errorf("%s: %s", name, ch)
			}
		}
	}
	var would Vote
	b.send("bob", "POST", path+"?dry_run=true", good).decode(t, &would)
	if _, err := security.ParseID("vote", would.ID); err != nil || would.State != "approved" || would.Digest != a.Digest || would.Receipt != nil {
		t.Errorf("a rehearsal: %+v", would)
	}
	etag := b.send("bob", "GET", "/v1/approvals/"+a.ID, "").Header.Get("ETag")
	if etag != `"`+a.Digest+`"` {
		t.Errorf("ETag %s", etag)
	}
	if got := b.send("bob", "POST", path, good, "If-Match", etag); got.StatusCode != 201 {
		t.Errorf("the harmless twin: %d %s", got.StatusCode, got.body)
	}
	if p := b.send("bob", "POST", path, good).problem(t); p.Status != 409 {
		t.Errorf("a second vote: %+v", p)
	}
}

func TestAPublicationIsDoneOnceUnderItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source := strings.Replace(plain, "Says what", "Says again what", 1)
	send := func(who, source, key string) reply {
		return b.send(who, "POST", "/v1/workflows", source, "Content-Type", "application/yaml", "Idempotency-Key", key)
	}
	for i, want := range []struct {
		key, replayed string
		status        int
	}{{"a", "", 201}, {"a", "true", 201}, {"b", "", 200}, {"b", "true", 200}} {
		got := send("erin", source, want.key)
		if got.StatusCode != want.status || got.Header.Get("Idempotent-Replayed") != want.replayed {
			t.Errorf("%d: %d, replayed %q, want %+v", i, got.StatusCode, got.Header.Get("Idempotent-Replayed"), want)
		}
	}
	if p := send("erin", source+"# another\n", "a").problem(t); p.Status != 422 || p.Type != typePrefix+"idempotency-mismatch" {
		t.Errorf("another text under the key: %+v", p)
	}
	if got := b.send("erin", "POST", "/v1/workflows?current=false", source, "Content-Type", "application/yaml", "Idempotency-Key", "a"); got.StatusCode != 422 {
		t.Errorf("another request under the key: %d", got.StatusCode)
	}
	if got := send("alice", source, "a"); got.StatusCode != 403 {
		t.Errorf("somebody else under the key: %d", got.StatusCode)
	}
	if p := send("erin", source, "").problem(t); p.Status != 400 || p.Type != typePrefix+"malformed" {
		t.Errorf("an empty key: %+v", p)
	}
}

func TestWorkflowsAreRegisteredOnceAndReadAsTheyWere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	erin := b.as("erin")
	source := strings.Replace(plain, "Says what", "Repeats what", 1)
	w, err := erin.Publish(t.Context(), client.Publication{Source: []byte(source), NotCurrent: true})
	must(t, err)
	if !w.Created || w.Current || w.Receipt == nil || w.Name != "plain" || len(w.Steps) != 2 || w.Requires == nil {
		t.Errorf("%+v", w)
	}
	again, err := erin.Publish(t.Context(), client.Publication{Source: []byte(source)})
	must(t, err)
	if again.Created || !again.Current || again.Digest != w.Digest {
		t.Errorf("%+v", again)
	}
	text, err := b.as("mallory").WorkflowSource(t.Context(), "plain", w.Digest)
	must(t, err)
	if string(text) != source {
		t.Errorf("%s", text)
	}
	got := b.send("mallory", "GET", "/v1/workflows/plain", "")
	if got.Header.Get("ETag") != `"`+w.Digest+`"` {
		t.Errorf("ETag %s", got.Header.Get("ETag"))
	}
	if got := b.send("mallory", "GET", "/v1/workflows/plain", "", "If-None-Match", got.Header.Get("ETag")); got.StatusCode != 304 {
		t.Errorf("%d", got.StatusCode)
	}
	var names, versions []string
	for w, err := range b.as("alice").Workflows(t.Context(), "") {
		must(t, err)
		names = append(names, w.Name)
	}
	if diff := cmp.Diff([]string{"asking", "fragile", "gated", "plain"}, names); diff != "" {
		t.Error(diff)
	}
	for w, err := range b.as("alice").WorkflowVersions(t.Context(), "plain") {
		must(t, err)
		versions = append(versions, w.Digest)
	}
	if len(versions) != 2 || versions[0] != w.Digest {
		t.Errorf("%v", versions)
	}
	v, err := b.as("mallory").Validate(t.Context(), []byte(source))
	if err != nil || v.Digest != w.Digest || v.Warnings == nil {
		t.Errorf("%v %+v", err, v)
	}
	b.send("alice", "GET", "/v1/workflows?limit=2&name_prefix=g", "").decode(t, &struct{ Data []client.Workflow }{})
	if got := b.send("alice", "GET", "/v1/workflows/nothing/versions", ""); got.StatusCode != 404 {
		t.Errorf("%d", got.StatusCode)
	}
	run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "plain", Digest: versions[1], Input: json.RawMessage(`{"text": "x"}`)})
	if err != nil || run.Workflow.Digest != versions[1] {
		t.Errorf("an older version: %v %+v", err, run)
	}
}

func TestTheLedgerIsListedByWhateverOneAsks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	_ = b.submit("plain", `{"text": "hello"}`)
	list := func(person string, f client.EntryFilter) (out []client.Entry) {
		for e, err := range b.as(person).Entries(t.Context(), f) {
			must(t, err)
			out = append(out, e)
		}
		return out
	}
	whole := list("audrey", client.EntryFilter{Run: run.ID, Limit: 2})
	if diff := cmp.Diff([]string{"run.submitted", "step.intent", "step.result", "step.result", "run.closed"}, actions(t, whole)); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct {
		person string
		f      client.EntryFilter
		n      int
	}{
		"by action":                     {"audrey", client.EntryFilter{Action: "run.closed"}, 2},
		"by step":                       {"audrey", client.EntryFilter{Step: "say"}, 2},
		"by outcome":                    {"audrey", client.EntryFilter{Outcome: "ok", Action: "step.result", Run: run.ID}, 2},
		"by person":                     {"audrey", client.EntryFilter{Actor: run.Caller.ID, Action: "run.submitted"}, 2},
		"by me":                         {"alice", client.EntryFilter{Actor: "me", Action: "run.submitted"}, 2},
		"by key":                        {"audrey", client.EntryFilter{Key: run.ID + "/work"}, 2},
		"by workflow":                   {"audrey", client.EntryFilter{Workflow: "gated", Action: "run.submitted"}, 0},
		"by time":                       {"audrey", client.EntryFilter{To: time.Now().Add(-time.Hour)}, 0},
		"an owner sees those of runs":   {"alice", client.EntryFilter{Limit: 3}, 10},
		"not of a control stream":       {"alice", client.EntryFilter{Action: "audit.read"}, 0},
		"who owns nothing sees nothing": {"mallory", client.EntryFilter{}, 0},
		"two streams at once are none":  {"audrey", client.EntryFilter{Run: run.ID, Stream: "ctl-00000000000000000000000000"}, 0},
		"a stream that is none":         {"audrey", client.EntryFilter{Stream: "nonsense"}, 0},
	} {
		if got := list(c.person, c.f); len(got) != c.n {
			t.Errorf("%s: %d entries, want %d", name, len(got), c.n)
		}
	}
	got := b.send("audrey", "GET", "/v1/audit/entries?run="+run.ID, "", "Accept", "application/x-ndjson")
	if lines := bytes.Count(got.body, []byte("\n")); lines != 5 || got.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d lines of %s", lines, got.Header.Get("Content-Type"))
	}
	got = b.send("audrey", "GET", "/v1/audit/entries?limit=2&run="+run.ID, "", "Accept", "application/x-ndjson")
	if lines := bytes.Count(got.body, []byte("\n")); lines != 2 {
		t.Errorf("%d lines", lines)
	}
	if reads := b.control(audit.AuditRead); len(reads) != 3 { // alice, audrey, mallory: once a minute each
		t.Errorf("%d readings are noted", len(reads))
	}
}

func (b *bench) bundle(person string, s client.BundleScope) []byte {
	b.t.Helper()
	body, err := b.as(person).Bundle(b.t.Context(), s)
	must(b.t, err)
	defer body.Close()
	text, err := io.ReadAll(body)
	must(b.t, err)
	return text
}

func TestABundleVerifiesOfflineAndATamperedOneDoesNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	began := time.Now().Add(-time.Minute)
	run := b.submit("plain", `{"text": "hello"}`)
	waiting := b.submit("asking", `{"text": "hello"}`)
	a := b.approval(waiting)
	_, err := b.as("bob").Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Comment: "fine"})
	must(t, err)
	b.until(waiting.ID, client.Run.Closed)
	alice, err := b.as("alice").Me(t.Context())
	must(t, err)
	for name, c := range map[string]struct {
		person  string
		s       client.BundleScope
		entries int64 // at least
		match   int64 // payloads
	}{
		"the owner, of a run":     {"alice", client.BundleScope{Run: run.ID}, 5, 0},
		"with content":            {"alice", client.BundleScope{Run: run.ID, Payloads: true}, 5, 3},
		"an auditor, of a run":    {"audrey", client.BundleScope{Run: waiting.ID, Payloads: true}, 6, 3},
		"of one's own runs":       {"alice", client.BundleScope{Subject: alice.ID, Payloads: true}, 11, 6},
		"of a person's runs":      {"audrey", client.BundleScope{Subject: alice.ID}, 11, 0},
		"the whole ledger":        {"audrey", client.BundleScope{All: true, Payloads: true}, 12, 6},
		"a time":                  {"audrey", client.BundleScope{From: began, To: time.Now().Add(time.Minute)}, 12, 0},
		"a time with nothing yet": {"audrey", client.BundleScope{To: began}, 0, 0},
	} {
		text := b.bundle(c.person, c.s)
		report, err := audit.VerifyBundle(bytes.NewReader(text), int64(len(text)))
		must(t, err)
		if c.entries == 0 {
			continue
		}
		if report.Verdict != audit.Intact || report.Entries < c.entries || report.Payloads.Matching < c.match || report.Payloads.Missing > 0 {
			t.Errorf("%s: %+v", name, report)
		}
	}
	text := b.bundle("alice", client.BundleScope{Run: run.ID, Payloads: true})
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	if len(z.File) < 6 {
		t.Errorf("%d files", len(z.File))
	}
	report, err := audit.VerifyBundle(bytes.NewReader(text[:len(text)-10]), int64(len(text)-10))
	if err != nil || report.Verdict == audit.Intact {
		t.Errorf("a bundle that broke off: %v %+v", err, report)
	}
	if exported := b.control(audit.AuditExported); len(exported) != 9 {
		t.Errorf("%d exports are noted", len(exported))
	}
	for _, path := range []string{"/v1/audit/bundle", "/v1/audit/bundle?all=true&run=" + run.ID, "/v1/audit/bundle?subject=" + alice.ID + "&run=" + run.ID, "/v1/audit/bundle?all=perhaps"} {
		if got := b.send("audrey", "GET", path, ""); got.StatusCode != 400 {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	if got := b.send("bob", "GET", "/v1/audit/bundle?subject="+alice.ID, ""); got.StatusCode != 403 {
		t.Errorf("the runs of somebody else: %d", got.StatusCode)
	}
}

func TestAnAlteredPayloadIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	id, err := security.ParseID("run", run.ID)
	must(t, err)
	m, err := b.db.MandateOf(t.Context(), id)
	must(t, err)
	b.tamper(m.Input)
	got := b.send("alice", "GET", "/v1/runs/"+run.ID+"/input", "")
	if p := got.problem(t); p.Status != 410 || p.Kind() != "erased" {
		t.Errorf("%s", got.body)
	}
	if len(b.control(audit.PayloadRead)) != 0 {
		t.Error("a reading is noted that nobody did")
	}
	text := b.bundle("audrey", client.BundleScope{Run: run.ID, Payloads: true})
	report, err := audit.VerifyBundle(bytes.NewReader(text), int64(len(text)))
	if err != nil || report.Verdict == audit.Intact || report.Payloads.Missing != 1 {
		t.Errorf("%v %+v", err, report)
	}
}

func TestStatusAndMe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit("plain", `{"text": "x"}`)
	b.submit("asking", `{"text": "x"}`)
	s, err := b.as("oscar").Status(t.Context())
	must(t, err)
	report, err := b.as("audrey").VerifyServer(t.Context())
	must(t, err)
	if s.Runs.Succeeded != 1 || s.Runs.Waiting != 1 || s.Runs.Failed != 0 || s.Queue.Later != 1 || s.Queue.OldestAge != 0 || s.Ledger.Entries != report.Entries || s.Ledger.Streams != report.Streams || s.Ledger.Bytes == 0 || s.Notary != nil {
		t.Errorf("%+v beside %+v", s, report)
	}
	if s.Tier != "T0" || s.Version != "test" || len(s.Processes) != 1 || s.Processes[0].ID != s.Process {
		t.Errorf("%+v", s)
	}
	me, err := b.with(b.token(devidp.TokenRequest{Person: "bob", ACR: "pwd"})).Me(t.Context())
	must(t, err)
	if me.MFA || me.StepUp || me.ACR != "pwd" || me.AuthAge == nil || me.Subject != "bob" || me.Kind != "human" || !cmp.Equal(me.Roles, []string{"legal", "manager"}) {
		t.Errorf("%+v", me)
	}
	agent, err := b.as(devidp.Agent).Me(t.Context())
	must(t, err)
	if agent.Kind != "agent" || agent.StepUp || agent.AuthTime != nil {
		t.Errorf("%+v", agent)
	}
	r, err := b.with("").Ready(t.Context())
	if err != nil || r.Status != "ok" {
		t.Errorf("%v %+v", err, r)
	}
	_, err = b.with("").Status(t.Context())
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 401 {
		t.Errorf("%v", err)
	}
}
