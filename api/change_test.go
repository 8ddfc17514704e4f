package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/audit"
)

func TestTheCurrentVersionIsChosen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	erin := b.as("erin")
	first, err := erin.Workflow(t.Context(), "plain", "")
	must(t, err)
	second, err := erin.Publish(t.Context(), client.Publication{Source: []byte(strings.Replace(plain, "what it was told", "something else", 1)), NotCurrent: true})
	must(t, err)
	current := func(want string) {
		t.Helper()
		if w, err := erin.Workflow(t.Context(), "plain", ""); err != nil || w.Digest != want {
			t.Errorf("%s is current, %v", w.Digest, err)
		}
	}
	current(first.Digest)
	if w, err := erin.MayChoose(t.Context(), "plain", second.Digest, first.Digest); err != nil || !w.Current || w.Receipt != nil {
		t.Errorf("rehearsed: %+v %v", w, err)
	}
	current(first.Digest)
	w, err := erin.Choose(t.Context(), "plain", second.Digest, first.Digest)
	must(t, err)
	if w.Digest != second.Digest || !w.Current || w.Receipt == nil {
		t.Errorf("%+v", w)
	}
	current(second.Digest)
	fails := func(err error, kind string) {
		t.Helper()
		if p := (*client.Problem)(nil); !errors.As(err, &p) || p.Kind() != kind {
			t.Errorf("%v, want %s", err, kind)
		}
	}
	_, err = erin.Choose(t.Context(), "plain", first.Digest, first.Digest)
	fails(err, "precondition-failed")
	_, err = erin.MayChoose(t.Context(), "plain", first.Digest, first.Digest)
	fails(err, "precondition-failed")
	unknown := "sha256:" + strings.Repeat("0", 64)
	_, err = erin.Choose(t.Context(), "plain", unknown, "")
	fails(err, "not-found")
	_, err = erin.Choose(t.Context(), "nothing", first.Digest, "")
	fails(err, "not-found")
	_, err = b.as("alice").Choose(t.Context(), "plain", first.Digest, "")
	fails(err, "denied")
	current(second.Digest)
	body := `{"digest": "` + first.Digest + `"}`
	for match, want := range map[string]int{`"x"`: 412, `"x", W/"` + second.Digest + `"`: 200} {
		if got := b.send("erin", "PUT", "/v1/workflows/plain/current", body, "If-Match", match); got.StatusCode != want {
			t.Errorf("If-Match %s: %d %s", match, got.StatusCode, got.body)
		}
	}
	got := b.send("erin", "PUT", "/v1/workflows/plain/current", body, "If-Match", "*")
	if got.StatusCode != 200 || got.Header.Get("ETag") != `"`+first.Digest+`"` {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := b.control(audit.WorkflowChosen); len(got) != 3 || got[0].Workflow != second.Digest || got[0].Name != "plain" || got[0].Actor == "" {
		t.Errorf("%+v", got)
	}
}

// quorate is asking with a quorum of two.
const quorate = `
name: quorate
input: {type: object, required: [text], properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - {id: legal, uses: approval, with: {approvers: {roles: [legal], quorum: 2}, show: {summary: "${{ input.text }}"}, expires: 1h}}
`

func TestAVoteIsTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.as("erin").Publish(t.Context(), client.Publication{Source: []byte(quorate)})
	must(t, err)
	run := b.submit("quorate", `{"text": "x"}`)
	a := b.approval(run)
	bob, path := b.as("bob"), "/v1/approvals/"+a.ID
	mine := path + "/votes/mine"
	if got := b.send("bob", "DELETE", mine, ""); got.StatusCode != 404 {
		t.Errorf("before there is a vote: %d", got.StatusCode)
	}
	_, err = bob.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Key: "v1"})
	must(t, err)
	for person, want := range map[string]int{"alice": 404, "mallory": 404, "audrey": 404} {
		if got := b.send(person, "DELETE", mine, ""); got.StatusCode != want {
			t.Errorf("%s: %d %s", person, got.StatusCode, got.body)
		}
	}
	weak := b.token(devidp.TokenRequest{Person: "bob", ACR: "pwd"})
	if got := b.sendToken(weak, "DELETE", mine, ""); got.kind(t) != "step-up-required" {
		t.Errorf("without a second factor: %s", got.body)
	}
	if got := b.send("bob", "DELETE", mine, "", "If-Match", `"x"`); got.kind(t) != "precondition-failed" {
		t.Errorf("another digest: %s", got.body)
	}
	must(t, bob.MayWithdraw(t.Context(), a.ID))
	receipt, err := bob.Withdraw(t.Context(), a.ID)
	must(t, err)
	if receipt.Stream != run.ID || receipt.Hash == "" {
		t.Errorf("%+v", receipt)
	}
	a, err = bob.Approval(t.Context(), a.ID)
	must(t, err)
	if len(a.Votes) != 1 || a.Votes[0].Back == nil || a.State != "pending" || !a.You.MayVote {
		t.Errorf("%+v", a)
	}
	if got := b.send("bob", "DELETE", mine, ""); got.StatusCode != 404 {
		t.Errorf("twice: %d", got.StatusCode)
	}
	again, err := bob.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Key: "v1"})
	if err != nil || !again.Replayed || again.ID != a.Votes[0].ID || again.Back == nil {
		t.Errorf("the old key shows the old vote as it is now: %+v %v", again, err)
	}
	fresh, err := bob.Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "reject", Digest: a.Digest})
	if err != nil || fresh.State != "rejected" {
		t.Errorf("bob votes again: %+v %v", fresh, err)
	}
	if got := b.send("bob", "DELETE", mine, ""); got.kind(t) != "approval-closed" {
		t.Errorf("once it is closed: %d %s", got.StatusCode, got.body)
	}
	report, err := b.as("audrey").VerifyServer(t.Context())
	if err != nil || !report.Intact() {
		t.Errorf("%+v %v", report, err)
	}
}

// Every single object has a validator, and lists of them, weak ones and * are
// understood.
func TestWhatOneHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("asking", `{"text": "x"}`)
	apr := run.WaitingFor[0].ID
	for _, path := range []string{"/v1/runs/" + run.ID, "/v1/approvals/" + apr, "/v1/workflows/plain", "/v1/audit/entries/" + run.Receipt.Hash} {
		full := b.send("alice", "GET", path, "")
		tag := full.Header.Get("ETag")
		if full.StatusCode != 200 || !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s: %d, ETag %s", path, full.StatusCode, tag)
		}
		for header, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			got := b.send("alice", "GET", path, "", "If-None-Match", header)
			if got.StatusCode != want || want == 304 && (len(got.body) > 0 || got.Header.Get("ETag") != tag) {
				t.Errorf("%s, If-None-Match %s: %d %s", path, header, got.StatusCode, got.body)
			}
		}
	}
	a := b.approval(run)
	_, err := b.as("bob").Vote(t.Context(), client.Ballot{Approval: apr, Decision: "approve", Digest: a.Digest})
	must(t, err)
	if got := b.send("alice", "GET", "/v1/approvals/"+apr, "", "If-None-Match", `"`+a.Digest+`"`); got.StatusCode != 200 {
		t.Errorf("an approval that was voted on has the same digest and is sent: %d", got.StatusCode)
	}
}

func TestARehearsalOfAnythingWritesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("asking", `{"text": "x"}`)
	closed := b.submit("plain", `{"text": "x"}`)
	a := b.approval(run)
	w, err := b.as("erin").Workflow(t.Context(), "plain", "")
	must(t, err)
	count := func() (n int) {
		t.Helper()
		entries, err := json.Marshal(collect(t, b))
		must(t, err)
		return strings.Count(string(entries), `"hash"`)
	}
	before := count()
	for _, c := range []struct {
		person, method, path, body string
		want                       int
	}{
		{"erin", "POST", "/v1/workflows", plain, 200},
		{"erin", "PUT", "/v1/workflows/plain/current", `{"digest": "` + w.Digest + `"}`, 200},
		{"alice", "POST", "/v1/runs", `{"workflow": "plain", "input": {"text": "x"}}`, 200},
		{"alice", "POST", "/v1/runs/" + run.ID + "/cancel", `{}`, 200},
		{"alice", "POST", "/v1/runs/" + closed.ID + "/cancel", `{}`, 409},
		{"bob", "POST", "/v1/approvals/" + a.ID + "/votes", `{"decision": "approve", "digest": "` + a.Digest + `"}`, 200},
		{"carol", "POST", "/v1/revocations", `{"kind": "client", "value": "x", "reason": "x"}`, 200},
		{"carol", "DELETE", "/v1/revocations/rev_x", ``, 404},
		{"audrey", "POST", "/v1/audit/verify", ``, 400},
	} {
		sep := "?dry_run=true"
		headers := []string{"Idempotency-Key", "rehearsal"}
		if c.body == plain {
			headers = append(headers, "Content-Type", "application/yaml")
		}
		if got := b.send(c.person, c.method, c.path+sep, c.body, headers...); got.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, got.StatusCode, c.want, got.body)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d entries became %d", before, after)
	}
	if got := b.send("alice", "POST", "/v1/runs", `{"workflow": "plain", "input": {"text": "y"}}`, "Idempotency-Key", "rehearsal"); got.StatusCode != 202 || got.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("a rehearsal used its key up: %d %s", got.StatusCode, got.body)
	}
	if r, err := b.as("alice").Run(t.Context(), run.ID); err != nil || r.State != "waiting" || r.CancelRequestedAt != nil {
		t.Errorf("%+v %v", r, err)
	}
}

// collect reads the whole ledger, past the API, which would write that it was
// read.
func collect(t *testing.T, b *bench) []audit.Body {
	t.Helper()
	var out []audit.Body
	for _, action := range audit.Actions() {
		out = append(out, b.control(action)...)
	}
	return out
}

func TestMethodsMediaTypesAndParametersThatAreNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		method, path, body string
		headers            []string
		want               int
	}{
		{"HEAD", "/v1/runs", "", nil, 405},
		{"HEAD", "/v1/nothing", "", nil, 404},
		{"PATCH", "/v1/runs", "", nil, 405},
		{"PUT", "/v1/revocations", "", nil, 405},
		{"GET", "/v1/revocations/rev_x", "", nil, 405},
		{"OPTIONS", "/v1/runs", "", nil, 405},
		{"POST", "/v1/runs", `{"workflow": "plain"}`, []string{"Content-Type", "text/plain"}, 415},
		{"PUT", "/v1/workflows/plain/current", `{}`, []string{"Content-Type", "application/xml"}, 415},
		{"POST", "/v1/revocations", `{}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"POST", "/v1/workflows?dry_run=true", plain, []string{"Content-Type", "text/html"}, 415},
		{"POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, []string{"Content-Type", "Application/JSON; charset=UTF-8"}, 200},
		{"POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, []string{"Content-Encoding", "gzip"}, 415},
		{"POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, []string{"Content-Encoding", "identity"}, 200},
		{"GET", "/v1/me", "", []string{"Accept", "text/html"}, 200},
		{"GET", "/v1/runs", "", []string{"Accept", "application/xml;q=1, text/*"}, 200},
		{"GET", "/v1/runs?colour=red", "", nil, 400},
		{"GET", "/v1/me?colour=red", "", nil, 400},
		{"DELETE", "/v1/revocations/rev_x?colour=red", "", nil, 400},
		{"POST", "/v1/audit/verify?colour=red", "", nil, 400},
		{"GET", "/v1/runs?limit=0", "", nil, 400},
		{"GET", "/v1/runs?limit=", "", nil, 400},
		{"GET", "/v1/runs?created_after=", "", nil, 400},
		{"GET", "/v1/runs?state=", "", nil, 400},
		{"GET", "/v1/audit/entries?min_index=", "", nil, 400},
		{"GET", "/v1/runs?limit=1&limit=2", "", nil, 400},
		{"GET", "/v1/workflows?name_prefix=&cursor=", "", nil, 200},
		{"POST", "/v1/runs?dry_run=", `{"workflow": "plain", "input": {"text": "x"}}`, nil, 400},
		{"POST", "/v1/runs?dry_run", `{"workflow": "plain", "input": {"text": "x"}}`, nil, 400},
		{"POST", "/v1/runs?dry_run=false&dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, nil, 400},
		{"POST", "/v1/runs?dry_run=yes", `{"workflow": "plain", "input": {"text": "x"}}`, nil, 400},
		{"POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, nil, 200},
		{"GET", "/v1/revocations?kind=x", "", nil, 400},
	} {
		got := b.send("alice", c.method, c.path, c.body, c.headers...)
		if got.StatusCode != c.want {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, got.StatusCode, c.want, got.body)
		}
		if c.want == 405 && got.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
		if strings.Contains(c.path, "colour") && !strings.Contains(string(got.body), "/query/colour") {
			t.Errorf("%s %s does not name the parameter: %s", c.method, c.path, got.body)
		}
		if c.want == 200 && got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s", c.method, c.path, got.Header.Get("Content-Type"))
		}
	}
}

func TestARunIsChangedOnlyInTheVersionThatWasSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	waiting := b.submit("asking", `{"text": "x"}`)
	b.fail.Store(true)
	failed := b.submit("fragile", `{}`)
	b.fail.Store(false)
	for _, c := range []struct{ path, id string }{{"/cancel", waiting.ID}, {"/retry", failed.ID}} {
		path := "/v1/runs/" + c.id
		tag := b.send("alice", "GET", path, "").Header.Get("ETag")
		for _, dry := range []string{"?dry_run=true", ""} {
			if got := b.send("alice", "POST", path+c.path+dry, `{}`, "If-Match", `"0"`); got.kind(t) != "precondition-failed" {
				t.Errorf("%s%s: %d %s", c.path, dry, got.StatusCode, got.body)
			}
			if got := b.send("alice", "POST", path+c.path+dry, `{}`, "If-Match", tag); got.StatusCode/100 != 2 {
				t.Errorf("the harmless twin, %s%s: %d %s", c.path, dry, got.StatusCode, got.body)
			}
		}
	}
}
