package api

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
)

// A visitor is somebody who calls every operation.
type visitor struct {
	name, meaning string
	token         string
}

// roles are those that a workflow of the tests asks for and the built-in ones.
func roles() []string {
	return []string{"analyst", "legal", "manager", policy.Author, policy.Operator, policy.Auditor, policy.Security, policy.Admin}
}

// callers are the table's columns.
func (b *bench) callers() []visitor {
	b.t.Helper()
	alice := b.token(devidp.TokenRequest{Person: "alice"})
	out := []visitor{
		{"nobody", "sends no token", ""},
		{"bad", "sends a token with a wrong signature", alice[:len(alice)-4] + "AAAA"},
		{"none", "a person without roles", b.role()},
	}
	for _, role := range roles() {
		out = append(out, visitor{role, "a person with this role and no other, who owns nothing", b.role(role)})
	}
	return append(out,
		visitor{"owner", "who submitted the runs: alice, analyst", alice},
		visitor{"agent", "a program with a token of its own, analyst", b.token(devidp.TokenRequest{Person: devidp.Agent})},
		visitor{"acting", "that program, acting for the owner", b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"act": map[string]any{"sub": devidp.Agent}}})},
		visitor{"pwd", "a person with every role and without a second factor", b.token(devidp.TokenRequest{Person: "mallory", ACR: "pwd", Claims: map[string]any{"sub": "pwd", "roles": roles()}})},
		visitor{"stale", "a person with every role who signed in an hour ago", b.token(devidp.TokenRequest{Person: "mallory", Claims: map[string]any{"sub": "stale", "roles": roles(), "auth_time": time.Now().Add(-time.Hour).Unix()}})},
	)
}

// role is a token of a person of their own with exactly these roles.
func (b *bench) role(roles ...string) string {
	b.t.Helper()
	return b.token(devidp.TokenRequest{Person: "mallory", Claims: map[string]any{"sub": "one-" + strings.Join(roles, "-"), "roles": append([]string{}, roles...)}})
}

// A request is one that is prepared for an operation.
type request struct {
	query, body string
	media       string // default application/json
}

// A stage is what the requests are about.
type stage struct {
	run, failed, waiting, counted client.Run
	approval                      client.Approval // of waiting
	half                          client.Approval // of counted: the person with the role legal has voted
	revocation, release           string
}

// counting waits for two votes.
const counting = `
name: counting
requires: {roles: [analyst]}
steps:
  - {id: legal, uses: approval, with: {approvers: {roles: [legal], quorum: 2}, show: {summary: "this"}, expires: 1h}}
`

func (b *bench) stage() stage {
	b.t.Helper()
	_, err := b.as("erin").Publish(b.t.Context(), client.Publication{Source: []byte(counting)})
	must(b.t, err)
	b.fail.Store(true)
	s := stage{run: b.submit("plain", `{"text": "hello"}`), failed: b.submit("fragile", `{}`), waiting: b.submit("asking", `{"text": "hello"}`), counted: b.submit("counting", `{}`)}
	s.approval, s.half = b.approval(s.waiting), b.approval(s.counted)
	_, err = b.with(b.role("legal")).Vote(b.t.Context(), client.Ballot{Approval: s.half.ID, Decision: "approve", Digest: s.half.Digest})
	must(b.t, err)
	made := b.send("carol", "POST", "/v1/revocations", `{"kind": "jti", "value": "fp_`+strings.Repeat("0", 32)+`", "reason": "a test's"}`)
	var r client.Revocation
	made.decode(b.t, &r)
	if s.revocation = r.ID; made.StatusCode != http.StatusCreated {
		b.t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	var rel client.Release
	made = b.send("carol", "POST", "/v1/guard/releases", `{"text": "x", "reason": "a test's", "until": "`+time.Now().Add(time.Hour).Format(time.RFC3339)+`"}`)
	made.decode(b.t, &rel)
	if s.release = rel.ID; made.StatusCode != http.StatusCreated {
		b.t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	return s
}

// requests are the prepared ones, by operation: every operation of the
// description needs one. Changes are rehearsed; what cannot be rehearsed changes
// nothing here.
func (s stage) requests() map[string][]request {
	rehearsed := func(body string) []request { return []request{{query: "?dry_run=true", body: body}} }
	read := []request{{}}
	return map[string][]request{
		"GET /v1/workflows":                 read,
		"POST /v1/workflows":                {{body: plain, media: "application/yaml"}, {query: "?dry_run=true", body: plain, media: "application/yaml"}},
		"GET /v1/workflows/{name}":          read,
		"GET /v1/workflows/{name}/versions": read,
		"PUT /v1/workflows/{name}/current":  rehearsed(`{"digest": "` + s.run.Workflow.Digest + `"}`),

		"GET /v1/runs":                           read,
		"POST /v1/runs":                          rehearsed(`{"workflow": "plain", "input": {"text": "x"}}`),
		"GET /v1/runs/{run}":                     read,
		"GET /v1/runs/{run}/events":              read,
		"GET /v1/runs/{run}/input":               read,
		"GET /v1/runs/{run}/output":              read,
		"GET /v1/runs/{run}/steps/{step}/output": read,
		"POST /v1/runs/{run}/cancel":             rehearsed(`{"reason": "x"}`),
		"POST /v1/runs/{run}/retry":              rehearsed(`{}`),

		"GET /v1/approvals":                          read,
		"GET /v1/approvals/{approval}":               read,
		"GET /v1/approvals/{approval}/shown":         read,
		"POST /v1/approvals/{approval}/votes":        rehearsed(`{"decision": "approve", "digest": "` + s.approval.Digest + `"}`),
		"DELETE /v1/approvals/{approval}/votes/mine": rehearsed(""),

		"GET /v1/audit/entries":        {{}, {query: "?schema=ocsf"}},
		"GET /v1/audit/entries/{hash}": read,
		"GET /v1/audit/bundle":         {{query: "?run=" + s.run.ID}, {query: "?all=true"}},
		"POST /v1/audit/verify":        read,

		"GET /v1/me":                          read,
		"GET /v1/revocations":                 read,
		"POST /v1/revocations":                rehearsed(`{"kind": "run", "value": "` + s.run.ID + `", "reason": "x"}`),
		"GET /v1/revocations/{revocation}":    read,
		"DELETE /v1/revocations/{revocation}": rehearsed(""),
		"GET /v1/guard/releases":              read,
		"POST /v1/guard/releases":             rehearsed(`{"text": "x", "reason": "x", "until": "` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"}`),
		"DELETE /v1/guard/releases/{release}": rehearsed(""),
		"GET /v1/guard/mode":                  read,
		"PUT /v1/guard/mode":                  rehearsed(`{"mode": "enforce", "reason": "x"}`),
		"GET /v1/guard/labels":                read,
		"POST /oidc/backchannel-logout":       {{body: "logout_token=x", media: "application/x-www-form-urlencoded"}},

		"GET /livez": read, "GET /readyz": read, "GET /metrics": read, "GET /v1/status": read, "GET /docs": read,
		"GET /openapi.json": read, "GET /openapi.yaml": read, "GET /.well-known/oauth-protected-resource": read,
	}
}

// path fills in a path's parameters with what the operation can be done to.
func (s stage) path(operation string) string {
	_, path, _ := strings.Cut(operation, " ")
	run, apr := s.run.ID, s.approval.ID
	switch {
	case strings.HasSuffix(path, "/cancel"):
		run = s.waiting.ID
	case strings.HasSuffix(path, "/retry"):
		run = s.failed.ID
	case strings.HasSuffix(path, "/mine"):
		apr = s.half.ID
	}
	return strings.NewReplacer("{run}", run, "{approval}", apr, "{hash}", s.run.Receipt.Hash, "{name}", "plain", "{step}", "say", "{revocation}", s.revocation, "{release}", s.release).Replace(path)
}

// operations are those of the description, in the order of the table.
func operations(api huma.API) (out []string, public map[string]bool) {
	public = map[string]bool{}
	for path, item := range api.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete, http.MethodPatch: item.Patch,
		} {
			if op != nil {
				out = append(out, method+" "+path)
				public[method+" "+path] = len(op.Security) == 0
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		am, ap, _ := strings.Cut(a, " ")
		bm, bp, _ := strings.Cut(b, " ")
		return cmp.Or(strings.Compare(ap, bp), strings.Compare(am, bm))
	})
	return out, public
}

const accessTable = "testdata/access.txt"

func TestTheAccessTableIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s, callers := b.stage(), b.callers()
	requests := s.requests()
	all, public := operations(b.api.huma)
	rows := [][]string{{""}}
	for _, c := range callers {
		rows[0] = append(rows[0], c.name)
	}
	for _, op := range all {
		if len(requests[op]) == 0 {
			t.Errorf("%s has no prepared request: add one to requests in access_test.go, and then its row with -update", op)
		}
		for _, r := range requests[op] {
			row := []string{op + strings.ReplaceAll(r.query, s.run.ID, "{run}")}
			for _, c := range callers {
				row = append(row, strconv.Itoa(b.call(c, op, s.path(op), r, public[op])))
			}
			rows = append(rows, row)
		}
	}
	got := aligned(callers, rows)
	if *update {
		must(t, os.WriteFile(accessTable, []byte(got), 0o644))
	}
	want, err := os.ReadFile(accessTable)
	must(t, err)
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-committed +now): if this is meant, go test ./api -run AccessTable -update\n%s", accessTable, diff)
	}
}

// call makes one request and checks what holds for every answer, whatever the
// table says.
func (b *bench) call(c visitor, op, path string, r request, public bool) int {
	b.t.Helper()
	method, _, _ := strings.Cut(op, " ")
	headers := []string{"Accept", "application/json"}
	if r.media != "" {
		headers = append(headers, "Content-Type", r.media)
	}
	got := b.sendToken(c.token, method, path+r.query, r.body, headers...)
	challenge := got.Header.Get("WWW-Authenticate")
	switch {
	case public && got.StatusCode == http.StatusUnauthorized:
		b.t.Errorf("%s is public and asks for a token", op)
	case public:
	case c.name == "nobody" && (got.StatusCode != 401 || challenge != `Bearer realm="custody", resource_metadata="`+b.url+`/.well-known/oauth-protected-resource"`):
		b.t.Errorf("%s without a token: %d %s", op, got.StatusCode, challenge)
	case c.name == "bad" && (got.StatusCode != 401 || !strings.Contains(challenge, `error="invalid_token", error_description="`)):
		b.t.Errorf("%s with a bad token: %d %s", op, got.StatusCode, challenge)
	}
	if got.StatusCode >= 400 {
		if p := got.problem(b.t); (got.StatusCode == 403 || p.Kind() == "step-up-required") != (p.Receipt != nil) {
			b.t.Errorf("%s as %s: %d with receipt %v", op, c.name, got.StatusCode, p.Receipt)
		}
	}
	if got.StatusCode >= 500 {
		b.t.Errorf("%s as %s: %d %s", op, c.name, got.StatusCode, got.body)
	}
	return got.StatusCode
}

// aligned writes the table.
func aligned(callers []visitor, rows [][]string) string {
	var out strings.Builder
	out.WriteString("# Who gets what from every operation: the status of one request each. Changes are rehearsed (dry_run), unless the row says otherwise.\n")
	out.WriteString("# 404 instead of 403: what one may not see is not there. 401 with a good token: sign in again, with a second factor.\n#\n")
	for _, c := range callers {
		fmt.Fprintf(&out, "# %-9s %s\n", c.name, c.meaning)
	}
	wide := 0
	for _, row := range rows {
		wide = max(wide, len(row[0]))
	}
	out.WriteString("\n")
	for _, row := range rows {
		fmt.Fprintf(&out, "%-*s", wide, row[0])
		for j, cell := range row[1:] {
			fmt.Fprintf(&out, "  %*s", max(len(rows[0][j+1]), 3), cell)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// A token that is wrong in any way is nobody's, on every route.
func TestABadTokenIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now()
	all, public := operations(b.api.huma)
	for name, token := range map[string]string{
		"expired":              b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"exp": now.Add(-2 * time.Minute).Unix(), "iat": now.Add(-10 * time.Minute).Unix()}}),
		"for another audience": b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"aud": "another"}}),
		"of another issuer":    b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"iss": "http://127.0.0.1:1"}}),
		"not a token":          "not.a.token",
	} {
		for _, op := range all {
			method, path, _ := strings.Cut(op, " ")
			if got := b.sendToken(token, method, path, ""); got.StatusCode != 401 && !public[op] {
				t.Errorf("%s with a token that is %s: %d", op, name, got.StatusCode)
			}
		}
	}
	good := b.token(devidp.TokenRequest{Person: "alice"})
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/v1/nothing", 404}, {"DELETE", "/v1/runs", 405}, {"GET", "/v1/runs/nonsense", 404}, {"GET", "/v1/workflows/nothing", 404}} {
		if got := b.sendToken("", c.method, c.path, ""); got.StatusCode != 401 {
			t.Errorf("%s %s without a token: %d", c.method, c.path, got.StatusCode)
		}
		if got := b.sendToken(good, c.method, c.path, ""); got.StatusCode != c.want {
			t.Errorf("%s %s: %d", c.method, c.path, got.StatusCode)
		}
	}
}

func TestPublicRoutesNeedNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/openapi.json": 200, "/openapi.yaml": 200, "/.well-known/oauth-protected-resource": 200,
		"/docs": 200, "/": 404, "/docs/": 404, "/schemas/Run.json": 404, "/openapi-3.0.json": 404, "//v1/runs": 404, "/v1": 401, "/v1/": 401, "/livez/": 404,
		"/v1/../livez": 401, "/v10/runs": 404,
	} {
		got := b.send("", "GET", path, "")
		if got.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, got.StatusCode, want)
		}
		if got.StatusCode >= 400 {
			got.problem(t)
		}
	}
	if got := b.send("", "POST", "/livez", ""); got.StatusCode != 405 || got.Header.Get("Allow") != "GET" {
		t.Errorf("POST /livez: %d, allowed is %q", got.StatusCode, got.Header.Get("Allow"))
	}
	var meta client.Resource
	b.send("", "GET", "/.well-known/oauth-protected-resource", "").decode(t, &meta)
	if meta.Resource != b.url || len(meta.Servers) != 1 || meta.Servers[0] != b.idp.Issuer() {
		t.Errorf("%+v", meta)
	}
}

func TestABadTokenIsNotedOnceInAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		b.sendToken("not.a.token", "GET", "/v1/me", "")
	}
	if got := b.control(audit.AuthDenied); len(got) != 1 || got[0].Code != "shape" || got[0].Request == "" {
		t.Errorf("%+v", got)
	}
}

func TestARevokedCallerIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	me, err := b.as("alice").Me(t.Context())
	must(t, err)
	_, err = b.db.Revoke(t.Context(), revocation("sub:"+me.ID))
	must(t, err)
	if got := b.send("alice", "GET", "/v1/runs", ""); got.StatusCode != 401 || !strings.Contains(got.Header.Get("WWW-Authenticate"), "revoked") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := b.send("bob", "GET", "/v1/runs", ""); got.StatusCode != 200 {
		t.Errorf("the harmless twin: %d %s", got.StatusCode, got.body)
	}
}

func TestAProblemNeverRepeatsTheTokenOrTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.token(devidp.TokenRequest{Person: "alice"})
	for _, r := range []struct{ path, body string }{
		{"/v1/runs", `{"workflow": "sekret-value", "input": {}}`},
		{"/v1/runs", `{"workflow": 5, "input": "sekret-value"}`},
		{"/v1/runs", `{"workflow": "plain", "input": {"text": ["sekret-value"]}}`},
		{"/v1/runs", `{"workflow": "plain", "input": {"text": "x"}, "sekret-value": 1}`},
		{"/v1/runs", `{"workflow": "plain", "digest": "sekret-value"}`},
		{"/v1/runs", `sekret-value`},
		{"/v1/workflows?dry_run=sekret-value", `{}`},
		{"/v1/runs?sekret-value=1", `{}`},
		{"/v1/approvals/apr_sekret-value/votes", `{"decision": "sekret-value", "digest": "x"}`},
	} {
		got := b.sendToken(token, "POST", r.path, r.body)
		p := got.problem(t)
		if p.Instance == "" || got.StatusCode < 400 {
			t.Errorf("%s %s: %d", r.path, r.body, got.StatusCode)
		}
		text := strings.ReplaceAll(string(got.body), p.Instance, "")
		if strings.Contains(text, "sekret") || strings.Contains(text, token) {
			t.Errorf("%s %s: %s", r.path, r.body, got.body)
		}
	}
}

func TestEveryAnswerCarriesItsHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, path := range []string{"/livez", "/v1/me", "/nothing", "/v1/nothing"} {
		got := b.send("", "GET", path, "", "Request-Id", "from.client-1", "Traceparent", trace)
		for name, want := range map[string]string{
			"Request-Id": "from.client-1", "Traceparent": trace, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, got.Header.Get(name))
			}
		}
	}
	got := b.send("", "GET", "/livez", "", "Request-Id", "two words", "Traceparent", "nonsense")
	if id := got.Header.Get("Request-Id"); !strings.HasPrefix(id, "req_") || got.Header.Get("Traceparent") != "" {
		t.Errorf("an id of the client's that cannot stand in a log: %q", id)
	}
}

func TestAPanicIsAProblemWithoutDetail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.api.handler = b.api.recovering(b.api.identifying(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("sekret") })))
	got := b.send("", "GET", "/livez", "")
	if p := got.problem(t); p.Status != 500 || p.Kind() != "internal" || strings.Contains(string(got.body), "sekret") {
		t.Errorf("%s", got.body)
	}
}

func TestAnOperationThatDoesNotSayWhoMayCallItKeepsTheServerFromStarting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.api.declared())
	huma.Register(b.api.huma, huma.Operation{Method: "GET", Path: "/v1/open", OperationID: "open"}, nothing)
	if err := b.api.declared(); err == nil || !strings.Contains(err.Error(), "/v1/open") {
		t.Errorf("%v", err)
	}
	b = setup(t)
	huma.Register(b.api.huma, huma.Operation{
		Method: "GET", Path: "/v1/open", OperationID: "open", Extensions: map[string]any{whoKey: "any"},
		Security: []map[string][]string{},
	}, nothing)
	if err := b.api.declared(); err == nil {
		t.Error("an operation that says any and declares no security passed")
	}
}

// update is -update: write what is committed instead of comparing it.
var update = flag.Bool("update", false, "write api/openapi.json and api/testdata/access.txt")

func TestTheDescriptionIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("", "GET", "/openapi.json", "").body
	got = []byte(strings.Replace(string(got), `"version": "test"`, `"version": ""`, 1))
	if *update {
		must(t, os.WriteFile("openapi.json", got, 0o644))
	}
	want, err := os.ReadFile("openapi.json")
	must(t, err)
	if string(got) != string(want) {
		t.Error("openapi.json is not what the code says: look at the difference, then go test ./api -run Description -update")
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Security *[]map[string][]string
			Who      string `json:"x-custody-who"`
		}
	}
	must(t, json.Unmarshal(got, &doc))
	for path, item := range doc.Paths {
		for method, op := range item {
			if op.Who == "" || op.Security == nil || (op.Who == "public") != (len(*op.Security) == 0) {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || strings.Contains(string(got), "$schema") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
}
