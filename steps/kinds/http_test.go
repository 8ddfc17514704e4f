package kinds_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/stepstest"
	"github.com/custodyhq/custody/workflow"
)

const filing = `
name: filing
input: {type: object, properties: {id: {type: string}, n: {type: number}, list: {type: array, items: {type: string}}, any: {}}}
requires: {roles: [analyst]}
steps:
  - id: file
    uses: http
    accepts: [caller]
    with: %s
`

func httpRig(t *testing.T, with string, c kinds.Connection) *stepstest.Rig {
	t.Helper()
	set, err := kinds.New(kinds.Config{Connections: map[string]kinds.Connection{"dms": c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return stepstest.NewRig(t, fmt.Sprintf(filing, with), set.Kinds(), set.Runners(), nil)
}

func send(t *testing.T, r *stepstest.Rig, input map[string]any) (string, error) {
	t.Helper()
	c, _, err := r.TryCheck(t, 0, r.Input(input))
	if err != nil {
		return "", err
	}
	d, err := r.Pipeline.Execute(context.Background(), c, r.ID(0, ""))
	if err != nil {
		return "", err
	}
	s, _, err := r.Pipeline.Screen(c, d, guard.Pardon{})
	if err != nil {
		return "", err
	}
	out, err := s.Release(guard.NoJudge())
	return string(out.JSON()), err
}

const post = `{connection: dms, method: POST, path: "/contracts/${{ input.id }}", query: {n: "${{ input.n }}", l: "${{ input.list }}", none: null}, body: {id: "${{ input.id }}"}}`

func TestRequestOnTheWire(t *testing.T) {
	t.Setenv("CUSTODY_TEST_TOKEN", "secret-token")
	t.Setenv("CUSTODY_TEST_HEADER", "secret-header")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must not be used
	server := stepstest.NewModel(t, stepstest.Reply(201, `{"id":"doc-7","n":3.0,"big":12345678901234567890}`))
	r := httpRig(t, post, kinds.Connection{
		BaseURL: server.URL() + "/api/", Private: true, Token: "env:CUSTODY_TEST_TOKEN",
		Headers: map[string]string{"X-Tenant": "env:CUSTODY_TEST_HEADER"},
	})
	out, err := send(t, r, map[string]any{"id": "a b/c?d#é", "n": 1.5, "list": []any{"x", "y&z"}})
	if err != nil {
		t.Fatal(err)
	}
	if out != `{"big":"12345678901234567890","id":"doc-7","n":3}` {
		t.Errorf("output %s", out)
	}
	got := server.Requests()[0]
	if got.Method != "POST" || got.Path != "/api/contracts/a%20b%2Fc%3Fd%23%C3%A9?l=x&l=y%26z&n=1.5" || got.Body != `{"id":"a b/c?d#é"}` {
		t.Errorf("%s %s %s", got.Method, got.Path, got.Body)
	}
	got.Header.Del("Content-Length")
	call := got.Header.Get("Custody-Call")
	want := http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"custody"},
		"Authorization": {"Bearer secret-token"}, "X-Tenant": {"secret-header"},
		"Idempotency-Key": {r.ID(0, "").Key}, "Custody-Call": {call},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" || !strings.HasPrefix(call, "call_") {
		t.Error(diff)
	}
}

func TestPathValuesAreSingleSegments(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `{}`))
	r := httpRig(t, `{connection: dms, method: GET, path: "/c/${{ input.any }}/x"}`, kinds.Connection{BaseURL: server.URL(), Private: true})
	for value, path := range map[any]string{
		"plain": "/c/plain/x", "a b": "/c/a%20b/x", "a/b": "/c/a%2Fb/x", "...": "/c/.../x", "a..b": "/c/a..b/x", "100%": "/c/100%25/x",
		"http://host.test/": "/c/http:%2F%2Fhost.test%2F/x", "?q=1#f": "/c/%3Fq=1%23f/x", "@host": "/c/@host/x", ";p": "/c/%3Bp/x",
		int64(7): "/c/7/x", true: "/c/true/x", 1.5: "/c/1.5/x",
		"": "", ".": "", "..": "", "../admin": "", "a/../b": "", "a/..": "", `..\admin`: "", "a\nb": "", "a\x00b": "", "%2e%2e": "", "a%2Fb": "", "%252e": "", "a\u0085": "",
		nil: "",
	} {
		before := len(server.Requests())
		_, err := send(t, r, map[string]any{"any": value})
		after := server.Requests()
		var e *steps.Error
		switch {
		case path == "" && (!errors.As(err, &e) || e.Code != "invalid" || e.Unknown || len(after) != before):
			t.Errorf("%q: %v, %d requests", value, err, len(after)-before)
		case path != "" && (err != nil || after[len(after)-1].Path != path):
			t.Errorf("%q: %v", value, err)
		}
	}
	for _, value := range []any{[]any{"a"}, map[string]any{"a": "b"}} {
		if _, err := send(t, r, map[string]any{"any": value}); err == nil {
			t.Errorf("%v passed", value)
		}
	}
}

func TestPathsThatLeaveTheConnectionAreLoadErrors(t *testing.T) {
	t.Parallel()
	parse := func(with string) error {
		_, err := workflow.Parse(fmt.Appendf(nil, filing, with), kinds.Offline())
		return err
	}
	for path, ok := range map[string]bool{
		"/contracts": true, "/": true, "/a/": true, "/a%20b": true, "/a/${{ input.id }}.json": true, "/v${{ input.n }}/x": true,
		"contracts": false, "http://evil.example/": false, "//evil.example/": false, "/a//b": false, "/a/../b": false, "/a/%2e%2e/b": false,
		"/a?b=c": false, "/a#b": false, `/a\\b`: false, "/a b": false, "${{ input.id }}": false, "/a/./b": false, "/%zz": false,
	} {
		err := parse(fmt.Sprintf(`{connection: dms, method: GET, path: "%s"}`, path))
		if (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
	for name, with := range map[string]string{
		"a GET with a body":   `{connection: dms, method: GET, path: /a, body: 1}`,
		"a strange method":    `{connection: dms, method: TRACE, path: /a}`,
		"headers from data":   `{connection: dms, method: GET, path: /a, headers: {a: b}}`,
		"a status that is 1":  `{connection: dms, method: GET, path: /a, expect: [1]}`,
		"a method of a value": `{connection: dms, method: "${{ input.id }}", path: /a}`,
	} {
		if parse(with) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDotsThatTextAndValueMakeTogetherAreRefused(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `{}`))
	r := httpRig(t, `{connection: dms, method: GET, path: "/c/.${{ input.id }}${{ input.any }}/x"}`, kinds.Connection{BaseURL: server.URL(), Private: true})
	if _, err := send(t, r, map[string]any{"id": ".", "any": "z"}); err == nil {
		t.Error("a dot passed")
	}
	if _, err := send(t, r, map[string]any{"id": "a", "any": "z"}); err != nil {
		t.Errorf("the twin: %v", err)
	}
}

// The function is long because it is a table.
func TestReplies(t *testing.T) {
	t.Parallel()
	typed := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const get = `{connection: dms, method: GET, path: /a}`
	for name, c := range map[string]struct {
		with   string
		answer http.HandlerFunc
		out    string
		code   string
		unsure bool
	}{
		"JSON":                   {get, typed(200, "application/json; charset=utf-8", `{"a":[1,2.5,null]}`), `{"a":[1,2.5,null]}`, "", false},
		"problem JSON":           {get, typed(200, "application/vnd.api+json", `[1]`), `[1]`, "", false},
		"text":                   {get, typed(200, "text/plain", "hello"), `{"text":"hello"}`, "", false},
		"nothing":                {get, stepstest.Fail(204), `{}`, "", false},
		"a status that is meant": {`{connection: dms, method: GET, path: /a, expect: [404]}`, typed(404, "application/json", `{"gone":true}`), `{"gone":true}`, "", false},
		"200 where 404 is meant": {`{connection: dms, method: GET, path: /a, expect: [404]}`, typed(200, "application/json", `{}`), "", "status", false},
		"404":                    {get, stepstest.Fail(404), "", "status", false},
		"422":                    {get, stepstest.Fail(422), "", "invalid", false},
		"429":                    {get, stepstest.Fail(429), "", "rate_limited", false},
		"500":                    {get, stepstest.Fail(500), "", "status", false},
		"a redirect":             {get, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b", 302) }, "", "status", false},
		"JSON that is none":      {get, typed(200, "application/json", `{"a":`), "", "malformed", true},
		"doubled names":          {get, typed(200, "application/json", `{"a":1,"a":2}`), "", "malformed", true},
		"bytes":                  {get, typed(200, "application/octet-stream", "\xff\xfe"), "", "malformed", true},
		"1 MiB":                  {get, typed(200, "text/plain", strings.Repeat("x", 1<<20-100)), `{"text":"` + strings.Repeat("x", 1<<20-100) + `"}`, "", false},
		"over 1 MiB":             {get, typed(200, "text/plain", strings.Repeat("x", 1<<20+1)), "", "malformed", true},
		"an error over 1 MiB":    {get, typed(500, "text/plain", strings.Repeat("x", 1<<20+1)), "", "status", false},
		"the schema, kept":       {`{connection: dms, method: GET, path: /a, output: {type: object, required: [id]}}`, typed(200, "application/json", `{"id":1}`), `{"id":1}`, "", false},
		"the schema, not kept":   {`{connection: dms, method: GET, path: /a, output: {type: object, required: [id]}}`, typed(200, "application/json", `{}`), "", "withheld", false},
		"cut before the reply":   {get, stepstest.Cut, "", "connection", true},
		"cut in the reply's body": {get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("abc"))
			panic(http.ErrAbortHandler)
		}, "", "connection", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stepstest.NewModel(t, c.answer)
			out, err := send(t, httpRig(t, c.with, kinds.Connection{BaseURL: server.URL(), Private: true}), nil)
			if out != c.out {
				t.Errorf("output %.80s", out)
			}
			code, unsure := "", false
			var e *steps.Error
			var refusal *guard.Refusal
			switch {
			case errors.As(err, &e):
				code, unsure = e.Code, e.Unknown
			case errors.As(err, &refusal):
				code = "withheld"
			}
			if code != c.code || unsure != c.unsure {
				t.Errorf("%v: code %q, unknown %v", err, code, unsure)
			}
			if n := len(server.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestOutputOfAReplyIsReadByItsMembers(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(201, `{"id":"doc-7"}`))
	set, err := kinds.New(kinds.Config{Connections: map[string]kinds.Connection{"dms": {BaseURL: server.URL(), Private: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	r := stepstest.NewRig(t, fmt.Sprintf(filing, `{connection: dms, method: POST, path: /a, body: 1}`)+"output: ${{ steps.file.output.id }}\n", set.Kinds(), set.Runners(), nil)
	c := r.Check(t, 0, r.Input(nil))
	d, err := r.Pipeline.Execute(context.Background(), c, r.ID(0, ""))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := r.Pipeline.Screen(c, d, guard.Pardon{})
	if err != nil {
		t.Fatal(err)
	}
	released, err := s.Release(guard.NoJudge())
	if err != nil {
		t.Fatal(err)
	}
	v := r.Input(nil)
	v.Steps = map[string]workflow.Value{"file": {V: released.Value(), Label: released.Label()}}
	out, err := r.Definition.EvalOutput(v)
	if err != nil || out.V != "doc-7" {
		t.Errorf("%v %v", out.V, err)
	}
}

func TestUnknownConnectionIsALoadError(t *testing.T) {
	t.Parallel()
	set, err := kinds.New(kinds.Config{Connections: map[string]kinds.Connection{"dms": {BaseURL: "https://host"}}})
	if err != nil {
		t.Fatal(err)
	}
	with := `{connection: dsm, method: GET, path: /a}`
	var problems workflow.Problems
	_, err = workflow.Parse(fmt.Appendf(nil, filing, with), set.Kinds())
	if !errors.As(err, &problems) || problems[0].Code != "unknown_connection" {
		t.Errorf("%v", err)
	}
	if _, err = workflow.Parse(fmt.Appendf(nil, filing, with), kinds.Offline()); err != nil {
		t.Errorf("offline: %v", err)
	}
}

func TestExerciseHTTP(t *testing.T) {
	t.Parallel()
	for _, with := range []string{
		`{"connection": "dms", "method": "POST", "path": "/a", "body": {"x": 1}}`,
		`{"connection": "dms", "method": "POST", "path": "/a"}`,
		`{"connection": "dms", "method": "GET", "path": "/a"}`,
		`{"connection": "dms", "method": "DELETE", "path": "/a"}`,
	} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			stepstest.Exercise(t, stepstest.Subject{
				Kind: kinds.Offline().ByName["http"], With: with, Answer: stepstest.Reply(200, `{"id":"x"}`),
				New: func(t *testing.T, base string) steps.Runner {
					set, err := kinds.New(kinds.Config{Connections: map[string]kinds.Connection{"dms": {BaseURL: base, Private: true}}})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(set.Close)
					return set.Runners()["http"]
				},
			})
		})
	}
}

// A kept connection that dies must not make net/http send a GET twice.
func TestDeadKeptConnectionDoesNotRepeatAnEffect(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST", "DELETE"} {
		server := stepstest.NewModel(t, stepstest.Reply(200, `{}`), stepstest.Cut)
		r := httpRig(t, `{connection: dms, method: `+method+`, path: /a}`, kinds.Connection{BaseURL: server.URL(), Private: true})
		if _, err := send(t, r, nil); err != nil {
			t.Fatal(err)
		}
		var e *steps.Error
		if _, err := send(t, r, nil); !errors.As(err, &e) || !e.Unknown {
			t.Errorf("%s: %v", method, err)
		}
		if n := len(server.Requests()); n != 2 {
			t.Errorf("%s: %d requests for two calls", method, n)
		}
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	t.Setenv("CUSTODY_TEST_TOKEN", "x")
	ok := kinds.Connection{BaseURL: "https://host/api"}
	change := func(f func(*kinds.Connection)) kinds.Config {
		c := ok
		f(&c)
		return kinds.Config{Connections: map[string]kinds.Connection{"dms": c}}
	}
	run := func(context.Context, map[string]any, kinds.FuncCall) (any, error) { return nil, nil }
	funcs := func(f ...kinds.Func) kinds.Config { return kinds.Config{Funcs: f} }
	good := kinds.Func{Name: "score", Version: "1", Run: run}
	for _, c := range []struct {
		want   string
		config kinds.Config
	}{
		{"connections.dms.base_url", change(func(c *kinds.Connection) { c.BaseURL = "host" })},
		{"connections.dms.token", change(func(c *kinds.Connection) { c.Token = "literal" })},
		{"connections.dms.headers.Host", change(func(c *kinds.Connection) { c.Headers = map[string]string{"Host": "env:CUSTODY_TEST_TOKEN"} })},
		{"connections.dms.headers.idempotency-key", change(func(c *kinds.Connection) { c.Headers = map[string]string{"idempotency-key": "env:CUSTODY_TEST_TOKEN"} })},
		{"connections.dms.headers.X-A", change(func(c *kinds.Connection) { c.Headers = map[string]string{"X-A": "literal"} })},
		{"connections.dms.headers", change(func(c *kinds.Connection) { c.Headers = map[string]string{"X A": "env:CUSTODY_TEST_TOKEN"} })},
		{"judge.model", kinds.Config{Judge: "fast"}},
		{"Funcs[0].Name", funcs(kinds.Func{Name: "http", Version: "1", Run: run})},
		{"Funcs[0].Name", funcs(kinds.Func{Name: "Not A Name", Version: "1", Run: run})},
		{"Funcs[0].Version", funcs(kinds.Func{Name: "score", Run: run})},
		{"Funcs[0].Run", funcs(kinds.Func{Name: "score", Version: "1"})},
		{"Funcs[0].Input", funcs(kinds.Func{Name: "score", Version: "1", Run: run, Input: []byte("{")})},
		{"Funcs[1].Name", funcs(good, good)},
	} {
		if _, err := kinds.New(c.config); err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "literal") {
			t.Errorf("want an error that begins with %s, got %v", c.want, err)
		}
	}
	if _, err := kinds.New(change(func(c *kinds.Connection) { c.Token = "env:CUSTODY_TEST_TOKEN" })); err != nil {
		t.Errorf("the twin: %v", err)
	}
}
