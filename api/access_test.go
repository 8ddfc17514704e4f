package api

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/audit"
)

// A row says what each person gets for one request. Whoever is not named gets
// otherwise's answer.
type row struct {
	method, path string
	body         string
	status       map[string]int
	otherwise    int
}

// people are those with a token that holds.
var people = []string{"alice", "mallory", "oscar", "audrey", "bob", "erin"}

func (r row) want(person string) int {
	if s, ok := r.status[person]; ok {
		return s
	}
	return r.otherwise
}

// table is every route with what the owner (alice), a person without roles
// (mallory), an operator (oscar), an auditor (audrey), an approver (bob) and an
// author (erin) get. Changes are rehearsed.
func table(run, waiting, apr, hash string) []row {
	return []row{
		{"POST", "/v1/workflows", plain, map[string]int{"erin": 200}, 403},
		{"POST", "/v1/workflows?dry_run=true", plain, nil, 200},
		{"GET", "/v1/workflows", "", nil, 200},
		{"GET", "/v1/workflows/plain", "", nil, 200},
		{"GET", "/v1/workflows/plain/versions", "", nil, 200},
		{"GET", "/v1/workflows/nothing", "", nil, 404},
		{"POST", "/v1/runs?dry_run=true", `{"workflow": "plain", "input": {"text": "x"}}`, map[string]int{"alice": 200}, 403},
		{"GET", "/v1/runs", "", nil, 200},
		{"GET", "/v1/runs/" + run, "", map[string]int{"alice": 200, "oscar": 200, "audrey": 200}, 404},
		{"GET", "/v1/runs/" + run + "/events", "", map[string]int{"alice": 200, "oscar": 200, "audrey": 200}, 404},
		{"GET", "/v1/runs/" + run + "/input", "", map[string]int{"alice": 200, "oscar": 403, "audrey": 403}, 404},
		{"GET", "/v1/runs/" + run + "/output", "", map[string]int{"alice": 200, "oscar": 403, "audrey": 403}, 404},
		{"GET", "/v1/runs/" + run + "/steps/say/output", "", map[string]int{"alice": 200, "oscar": 403, "audrey": 403}, 404},
		{"GET", "/v1/runs/" + run + "/steps/nothing/output", "", map[string]int{"oscar": 403, "audrey": 403}, 404},
		{"POST", "/v1/runs/" + waiting + "/cancel?dry_run=true", `{"reason": "x"}`, map[string]int{"alice": 200, "oscar": 200, "audrey": 403}, 404},
		{"POST", "/v1/runs/" + run + "/retry?dry_run=true", `{}`, map[string]int{"alice": 409, "oscar": 403, "audrey": 403}, 404},
		{"GET", "/v1/approvals", "", nil, 200},
		{"GET", "/v1/approvals/" + apr, "", map[string]int{"alice": 200, "bob": 200, "audrey": 200}, 404},
		{"GET", "/v1/approvals/" + apr + "/shown", "", map[string]int{"bob": 200, "alice": 403, "audrey": 403}, 404},
		{"POST", "/v1/approvals/" + apr + "/votes?dry_run=true", `{"decision": "approve", "digest": "x"}`, map[string]int{"bob": 409, "alice": 403, "audrey": 403}, 404},
		{"GET", "/v1/audit/entries", "", nil, 200},
		{"GET", "/v1/audit/entries/" + hash, "", map[string]int{"alice": 200, "audrey": 200}, 404},
		{"GET", "/v1/audit/bundle?run=" + run, "", map[string]int{"alice": 200, "audrey": 200, "oscar": 403}, 404},
		{"GET", "/v1/audit/bundle?all=true", "", map[string]int{"audrey": 200}, 403},
		{"GET", "/v1/me", "", nil, 200},
		{"GET", "/v1/status", "", map[string]int{"oscar": 200}, 403},
		{"GET", "/metrics", "", map[string]int{"oscar": 404}, 403}, // there are none here
		{"GET", "/v1/nothing", "", nil, 404},
		{"DELETE", "/v1/runs", "", nil, 405},
		{"GET", "/v1/runs/nonsense", "", nil, 404},
	}
}

func TestEveryRouteAnswersWhomItShould(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "hello"}`)
	waiting := b.submit("asking", `{"text": "hello"}`)
	apr := waiting.WaitingFor[0].ID
	tokens := map[string]string{}
	for _, p := range people {
		tokens[p] = b.token(devidp.TokenRequest{Person: p})
	}
	bad := map[string]string{
		"expired": b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"exp": time.Now().Add(-2 * time.Minute).Unix(), "iat": time.Now().Add(-10 * time.Minute).Unix()}}),
		"forged":  tokens["alice"][:len(tokens["alice"])-4] + "AAAA",
		"aud":     b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"aud": "another"}}),
	}
	rows := table(run.ID, waiting.ID, apr, run.Receipt.Hash)
	covered := map[string]bool{}
	for _, r := range rows {
		path, _, _ := strings.Cut(r.path, "?")
		covered[r.method+" "+strings.NewReplacer(run.ID, "{run}", waiting.ID, "{run}", apr, "{approval}", run.Receipt.Hash, "{hash}",
			"/workflows/plain", "/workflows/{name}", "/steps/say", "/steps/{step}").Replace(path)] = true
		headers := []string{}
		if r.body == plain {
			headers = []string{"Content-Type", "application/yaml"}
		}
		for _, p := range people {
			got := b.sendToken(tokens[p], r.method, r.path, r.body, headers...)
			if got.StatusCode != r.want(p) {
				t.Errorf("%s %s as %s: %d, want %d: %.200s", r.method, r.path, p, got.StatusCode, r.want(p), got.body)
			}
			if got.StatusCode >= 400 {
				problem := got.problem(t)
				if (got.StatusCode == 403) != (problem.Receipt != nil) {
					t.Errorf("%s %s as %s: %d with receipt %v", r.method, r.path, p, got.StatusCode, problem.Receipt)
				}
			}
		}
		without := b.sendToken("", r.method, r.path, r.body, headers...)
		if c := without.Header.Get("WWW-Authenticate"); without.StatusCode != 401 || c != `Bearer realm="custody", resource_metadata="`+b.url+`/.well-known/oauth-protected-resource"` {
			t.Errorf("%s %s without a token: %d %s", r.method, r.path, without.StatusCode, c)
		}
		for name, token := range bad {
			got := b.sendToken(token, r.method, r.path, r.body, headers...)
			if c := got.Header.Get("WWW-Authenticate"); got.StatusCode != 401 || !strings.Contains(c, `error="invalid_token", error_description="`) {
				t.Errorf("%s %s with a token that is %s: %d %s", r.method, r.path, name, got.StatusCode, c)
			}
		}
	}
	for path, item := range b.api.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post} {
			if op != nil && len(op.Security) > 0 && !covered[method+" "+path] {
				t.Errorf("%s %s is not in the table", method, path)
			}
		}
	}
}

func TestPublicRoutesNeedNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/openapi.json": 200, "/openapi.yaml": 200, "/.well-known/oauth-protected-resource": 200,
		"/": 404, "/docs": 404, "/schemas/Run.json": 404, "/openapi-3.0.json": 404, "//v1/runs": 404, "/v1": 401, "/v1/": 401, "/livez/": 404,
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

// update is -update: write the description instead of comparing it.
var update = flag.Bool("update", false, "write api/openapi.json")

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
