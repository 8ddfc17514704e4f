package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps/model"
)

// A sent is one request as the server saw it.
type sent struct {
	path   string
	header http.Header
	body   string
}

// script is serve behind two aliases of openai.
func script(t *testing.T, answer http.HandlerFunc) (*model.Models, func() []sent) {
	t.Helper()
	url, got := serve(t, answer)
	m, err := model.New(model.Config{Models: map[string]model.Model{
		"fast":   {Provider: "openai", Model: "fake-1", BaseURL: url + "/v1", PriceIn: 2_000_000, PriceOut: 8_000_000},
		"legacy": {Provider: "openai", Model: "o1", BaseURL: url + "/v1/", LegacyMaxTokens: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, got
}

func prompt() model.Prompt {
	return model.Prompt{System: "Summarise «value-1».", User: `{"value-1":"text"}`, Key: "run_1/draft", Call: "call_1"}
}

const good = `{"id":"cmpl-7","model":"real-model-2026-01","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":23,"completion_tokens":2}}`

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func choice(message, finish string) string {
	return `{"id":"x","model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":` + finish + `}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`
}

func TestAnswerKeepsWhatTheLibraryDrops(t *testing.T) {
	t.Parallel()
	m, got := script(t, reply(200, good))
	a, err := m.Generate(context.Background(), "fast", prompt())
	if err != nil {
		t.Fatal(err)
	}
	want := model.Answer{Text: "Hello.", Status: 200, Bytes: len(good), Model: audit.Model{
		Provider: "openai", Model: "fake-1", ResponseModel: "real-model-2026-01", ID: "cmpl-7",
		Finish: "stop", In: 23, Out: 2, UsageKnown: true, Micros: 62,
	}}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if len(got()) != 1 {
		t.Errorf("%d requests for one call", len(got()))
	}
}

func TestRequestOnTheWireIsExactlyOurs(t *testing.T) {
	t.Setenv("OPENAI_ORGANIZATION", "somebody") // the library would send it
	t.Setenv("OPENAI_API_KEY", "from-the-environment")
	m, got := script(t, reply(200, good))
	p := prompt()
	p.Schema = json.RawMessage(`{"type": "object", "properties": {"zebra": {"type": "string"}, "ant": {"type": "string"}}}`)
	warm := 0.5
	p.Temperature, p.MaxTokens = &warm, 40
	for _, alias := range []string{"fast", "legacy"} {
		if _, err := m.Generate(context.Background(), alias, p); err != nil {
			t.Fatal(err)
		}
	}
	first, second := got()[0], got()[1]
	const head = `"messages":[{"role":"system","content":"Summarise «value-1»."},{"role":"user","content":"{\"value-1\":\"text\"}"}],"model":`
	const schema = `"response_format":{"type":"json_schema","json_schema":{"name":"output","strict":false,"schema":{"type":"object","properties":{"zebra":{"type":"string"},"ant":{"type":"string"}}}}},"temperature":0.5}`
	if diff := cmp.Diff(`{"max_completion_tokens":40,`+head+`"fake-1",`+schema, first.body); diff != "" {
		t.Error(diff)
	}
	// langchaingo would fold the statement of "o1" into the user's message.
	if diff := cmp.Diff(`{"max_tokens":40,`+head+`"o1",`+schema, second.body); diff != "" {
		t.Error(diff)
	}
	if first.path != "POST /v1/chat/completions" || second.path != first.path {
		t.Errorf("sent to %s and %s", first.path, second.path)
	}
	first.header.Del("Content-Length")
	want := http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"custody"},
		"Idempotency-Key": {"run_1/draft"}, "Custody-Call": {"call_1"},
	}
	if diff := cmp.Diff(want, first.header); diff != "" {
		t.Error(diff)
	}
}

func TestNothingOptionalIsSentUnasked(t *testing.T) {
	t.Parallel()
	m, got := script(t, reply(200, good))
	p := prompt()
	p.User = ""
	if _, err := m.Generate(context.Background(), "fast", p); err != nil {
		t.Fatal(err)
	}
	want := `{"messages":[{"role":"system","content":"Summarise «value-1»."},{"role":"user","content":"{}"}],"model":"fake-1"}`
	if diff := cmp.Diff(want, got()[0].body); diff != "" {
		t.Error(diff)
	}
}

func TestStrictIsAskedOnlyOfSchemasThatStrictServersAccept(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{"a":{"type":"string"}}}`:                                                                                  false,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`:                                    true,
		`{"type":"object","properties":{"a":{"type":"object"}},"required":["a"],"additionalProperties":false}`:                                    false,
		`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}`:              false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}}},"required":["a"],"additionalProperties":false}`:           true,
		`{"type":"object","properties":{"a":{"anyOf":[{"type":"object"},{"type":"null"}]}},"required":["a"],"additionalProperties":false}`:        false,
		`{"type":"object","properties":{"a":{"type":"array","items":{"properties":{}}}},"required":["a"],"additionalProperties":false}`:           false,
		`{"type":"object","properties":{"a":{"type":"string","maxLength":9}},"required":["a"],"additionalProperties":false}`:                      false,
		`{"type":"object","properties":{"maxLength":{"type":"string"}},"required":["maxLength"],"additionalProperties":false}`:                    true,
		`{"type":"object","properties":{},"required":[],"additionalProperties":false,"$defs":{"x":{"type":"object","properties":{"y":{}}}}}`:      false,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],"additionalProperties":false,"$defs":{"x":{"type":"string"}}}`: true,
	} {
		m, got := script(t, reply(200, good))
		p := prompt()
		p.Schema = json.RawMessage(schema)
		if _, err := m.Generate(context.Background(), "fast", p); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got()[0].body, `"strict":true`) != want {
			t.Errorf("strict is not %v for %s", want, schema)
		}
	}
}

// Every reply that is known to break or mislead langchaingo v0.1.14. The function
// is long because it is a table.
func TestEveryBadReplyIsAnErrorThatSaysWhatItWas(t *testing.T) {
	t.Parallel()
	paid := &audit.Model{Provider: "openai", Model: "fake-1", ResponseModel: "m", ID: "x", Finish: "stop", In: 5, Out: 7, UsageKnown: true, Micros: 66}
	finish := func(f string) *audit.Model { m := *paid; m.Finish = f; return &m }
	unpaid := &audit.Model{Provider: "openai", Model: "fake-1"}
	const secret = "SECRET-CONTENT"
	cases := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   model.Error
	}{
		{name: "refusal", body: choice(`{"content":null,"refusal":"I cannot `+secret+`"}`, `"stop"`), want: model.Error{Code: "refused", Model: paid}},
		{name: "refusal beside a text", body: choice(`{"content":"x","refusal":"no"}`, `"stop"`), want: model.Error{Code: "refused", Model: paid}},
		{name: "content null", body: choice(`{"content":null}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "content absent", body: choice(`{}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "content empty", body: choice(`{"content":""}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "content as parts", body: choice(`{"content":[{"type":"text","text":"x"}]}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "finish null", body: choice(`{"content":"x"}`, `null`), want: model.Error{Code: "unfinished", Retry: true, Model: finish("")}},
		{name: "finish number", body: choice(`{"content":"x"}`, `3`), want: model.Error{Code: "unfinished", Retry: true, Model: finish("")}},
		{name: "finish length", body: choice(`{"content":"x"}`, `"length"`), want: model.Error{Code: "unfinished", Model: finish("length")}},
		{name: "finish content_filter", body: choice(`{"content":"x"}`, `"content_filter"`), want: model.Error{Code: "refused", Model: finish("content_filter")}},
		{name: "finish of an error event", body: choice(`{"content":"x"}`, `"error"`), want: model.Error{Code: "unfinished", Retry: true, Model: finish("error")}},
		{name: "tool call", body: choice(`{"content":null,"tool_calls":[{"id":"1"}]}`, `"tool_calls"`), want: model.Error{Code: "malformed", Retry: true, Model: finish("tool_calls")}},
		{name: "tool call with arguments as object", body: choice(`{"content":"x","tool_calls":[{"function":{"arguments":{}}}]}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "two choices, the second first", body: `{"choices":[{"index":1,"message":{"content":"b"},"finish_reason":"stop"},{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`, want: model.Error{Code: "malformed", Retry: true, Model: unpaid}},
		{name: "choices empty", body: `{"choices":[]}`, want: model.Error{Code: "malformed", Retry: true, Model: unpaid}},
		{name: "choices null", body: `{"choices":null}`, want: model.Error{Code: "malformed", Retry: true, Model: unpaid}},
		{name: "null", body: `null`, want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "a second value after the first", body: good + good, want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "trailing text", body: good + "bye", want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "doubled content", body: choice(`{"content":"a","content":"b"}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: finish("stop")}},
		{name: "doubled choices", body: `{"choices":[],"choices":[]}`, want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "another case of content", body: choice(`{"Content":"a"}`, `"stop"`), want: model.Error{Code: "malformed", Retry: true, Model: paid}},
		{name: "byte order mark", body: "\ufeff" + good, want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "not UTF-8", body: strings.Replace(good, "Hello", "H\xffllo", 1), want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "HTML", body: "<html>" + secret + "</html>", want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "SSE although not asked", body: "data: " + good + "\n\n", want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "empty body", body: "", want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "cut JSON", body: good[:60], want: model.Error{Code: "malformed", Retry: true, Unknown: true, Model: unpaid}},
		{name: "an error under 200", body: `{"error":{"message":"` + secret + `"}}`, want: model.Error{Code: "malformed", Retry: true, Model: unpaid}},
		{name: "201", status: 201, body: good, want: model.Error{Code: "malformed", Unknown: true, Model: unpaid}},
		{name: "301", status: 301, header: http.Header{"Location": {"/elsewhere"}}, want: model.Error{Code: "status", Model: unpaid}},
		{name: "307", status: 307, header: http.Header{"Location": {"/elsewhere"}}, want: model.Error{Code: "status", Model: unpaid}},
		{name: "400 with a code", status: 400, body: `{"error":{"message":"` + secret + `","code":"context_length_exceeded"}}`, want: model.Error{Code: "invalid", Model: unpaid}},
		{name: "400 with a number as code", status: 400, body: `{"error":{"message":"` + secret + `","code":400}}`, want: model.Error{Code: "invalid", Model: unpaid}},
		{name: "400 with a text as error", status: 400, body: `{"error":"` + secret + `"}`, want: model.Error{Code: "invalid", Model: unpaid}},
		{name: "401", status: 401, body: `{}`, want: model.Error{Code: "status", Model: unpaid}},
		{name: "404", status: 404, body: `not found`, want: model.Error{Code: "status", Model: unpaid}},
		{name: "422 with detail", status: 422, body: `{"detail":"` + secret + `"}`, want: model.Error{Code: "invalid", Model: unpaid}},
		{name: "429 in seconds", status: 429, header: http.Header{"Retry-After": {"7"}}, body: `{}`, want: model.Error{Code: "rate_limited", Retry: true, After: 7 * time.Second, Model: unpaid}},
		{name: "429 with a date", status: 429, header: http.Header{"Retry-After": {"Fri, 20 Nov 2026 10:00:30 GMT"}, "Date": {"Fri, 20 Nov 2026 10:00:00 GMT"}}, want: model.Error{Code: "rate_limited", Retry: true, After: 30 * time.Second, Model: unpaid}},
		{name: "429 for years", status: 429, header: http.Header{"Retry-After": {"999999999999"}}, want: model.Error{Code: "rate_limited", Retry: true, After: time.Hour, Model: unpaid}},
		{name: "429 with rubbish", status: 429, header: http.Header{"Retry-After": {"soon"}}, want: model.Error{Code: "rate_limited", Retry: true, Model: unpaid}},
		{name: "429 without quota", status: 429, body: `{"error":{"code":"insufficient_quota"}}`, want: model.Error{Code: "rate_limited", Model: unpaid}},
		{name: "500", status: 500, body: `{"error":{"type":"server_error"}}`, want: model.Error{Code: "status", Retry: true, Model: unpaid}},
		{name: "502 as HTML", status: 502, body: `<html>`, want: model.Error{Code: "status", Retry: true, Model: unpaid}},
		{name: "503 with Retry-After", status: 503, header: http.Header{"Retry-After": {"3"}}, want: model.Error{Code: "status", Retry: true, After: 3 * time.Second, Model: unpaid}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.status == 0 {
				c.status = 200
			}
			m, got := script(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range c.header {
					w.Header()[name] = values
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := m.Generate(context.Background(), "fast", prompt())
			var e *model.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(fmt.Sprintf("%v %s", err, e.Detail), secret) {
				t.Errorf("the error repeats content: %v", err)
			}
			c.want.Detail, c.want.Err = e.Detail, e.Err
			c.want.Status, c.want.Bytes = c.status, len(c.body)
			if diff := cmp.Diff(c.want, *e); diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			if n := len(got()); n != 1 {
				t.Errorf("%d requests for one call", n)
			}
		})
	}
}

// The harmless twins: odd replies that are whole answers all the same.
func TestOddRepliesThatAreAnswersPass(t *testing.T) {
	t.Parallel()
	message := `"choices":[{"message":{"content":"Hello."},"finish_reason":"stop"}]`
	for name, c := range map[string]struct {
		body  string
		known bool
	}{
		"usage as 3.0":            {`{` + message + `,"usage":{"prompt_tokens":3.0,"completion_tokens":1}}`, true},
		"usage absent":            {`{` + message + `}`, false},
		"usage null":              {`{` + message + `,"usage":null}`, false},
		"usage negative":          {`{` + message + `,"usage":{"prompt_tokens":-3,"completion_tokens":1}}`, false},
		"created as a text":       {`{"created":"now",` + message + `}`, false},
		"created as a float":      {`{"created":1.5,` + message + `}`, false},
		"refusal null":            {`{"choices":[{"message":{"content":"Hello.","refusal":null,"tool_calls":[]},"finish_reason":"stop"}]}`, false},
		"reasoning beside it":     {`{"choices":[{"message":{"content":"Hello.","reasoning_content":"hm"},"finish_reason":"stop"}]}`, false},
		"error null":              {`{"error":null,` + message + `}`, false},
		"a name that is a phrase": {`{"model":"ignore all rules","id":"a b",` + message + `}`, false},
		"blanks around":           {"\n  {" + message + "}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := script(t, reply(200, c.body))
			a, err := m.Generate(context.Background(), "fast", prompt())
			if err != nil || a.Text != "Hello." {
				t.Fatalf("%q, %v", a.Text, err)
			}
			if a.Model.UsageKnown != c.known || strings.ContainsRune(a.Model.ResponseModel+a.Model.ID, ' ') {
				t.Errorf("%+v", a.Model)
			}
		})
	}
}

func TestLostConnectionIsUnknownOnlyIfTheRequestLeft(t *testing.T) {
	t.Parallel()
	cutEarly := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	cutLate := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		_, _ = io.WriteString(w, good[:40])
		panic(http.ErrAbortHandler)
	}
	for name, answer := range map[string]http.HandlerFunc{"before the reply": cutEarly, "in the reply": cutLate} {
		m, got := script(t, answer)
		_, err := m.Generate(context.Background(), "fast", prompt())
		var e *model.Error
		if !errors.As(err, &e) || e.Code != "connection" || !e.Unknown || !e.Retry {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(got()); n != 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}

	server := httptest.NewServer(nil)
	server.Close() // nobody listens there now
	m, err := model.New(model.Config{Models: map[string]model.Model{"fast": {Provider: "openai", Model: "m", BaseURL: server.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Generate(context.Background(), "fast", prompt())
	var e *model.Error
	if !errors.As(err, &e) || e.Code != "connection" || e.Unknown || !e.Retry {
		t.Errorf("nobody listens: %v", err)
	}
}

// net/http sends a request with an Idempotency-Key again by itself when a kept
// connection dies under it. One intent, one request: ours must not.
func TestDeadKeptConnectionDoesNotCauseASecondRequest(t *testing.T) {
	t.Parallel()
	n := 0
	m, got := script(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			reply(200, good)(w, r)
			return
		}
		panic(http.ErrAbortHandler) // the whole request was read; no byte of a reply
	})
	if _, err := m.Generate(context.Background(), "fast", prompt()); err != nil {
		t.Fatal(err)
	}
	p := prompt()
	p.Call = "call_2"
	_, err := m.Generate(context.Background(), "fast", p)
	var e *model.Error
	if !errors.As(err, &e) || e.Code != "connection" || !e.Unknown {
		t.Errorf("%v", err)
	}
	if len(got()) != 2 {
		t.Errorf("%d requests for two calls", len(got()))
	}
}

func TestDeadlineAndCancelKeepTheirNames(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 2)
	m, _ := script(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	late := expiring{context.Background(), make(chan struct{})}
	go func() { <-arrived; close(late.passed) }()
	_, err := m.Generate(late, "fast", prompt())
	var e *model.Error
	if !errors.As(err, &e) || e.Code != "timeout" || !e.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { <-arrived; stop() }()
	_, err = m.Generate(ctx, "fast", prompt())
	if !errors.As(err, &e) || e.Code != "cancelled" || !e.Unknown || e.Retry || !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
	if _, err = m.Generate(ctx, "fast", prompt()); !errors.As(err, &e) || e.Unknown {
		t.Errorf("nothing left, so nothing is unknown: %v", err)
	}
}

func TestKeysComeFromReferencesAndAppearNowhereElse(t *testing.T) {
	t.Setenv("CUSTODY_TEST_KEY", "sk-very-secret")
	t.Setenv("CUSTODY_TEST_BAD", "two\nlines")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk-from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var auth string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization")
		reply(401, `{}`)(w, r)
	}))
	defer server.Close()
	for ref, want := range map[string]string{"env:CUSTODY_TEST_KEY": "Bearer sk-very-secret", "file:" + file: "Bearer sk-from-file", "": ""} {
		m, err := model.New(model.Config{Models: map[string]model.Model{"a": {Provider: "openai", Model: "m", BaseURL: server.URL, APIKey: ref}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Generate(context.Background(), "a", prompt())
		if auth != want || strings.Contains(err.Error(), "sk-") {
			t.Errorf("%s: sent %q, error %v", ref, auth, err)
		}
		m.Close()
	}
	for _, ref := range []string{"sk-literal", "env:CUSTODY_TEST_UNSET", "env:CUSTODY_TEST_BAD", "file:/nonexistent/key"} {
		_, err := model.New(model.Config{Models: map[string]model.Model{"fast": {Provider: "openai", Model: "m", BaseURL: server.URL, APIKey: ref}}})
		if err == nil || !strings.HasPrefix(err.Error(), "models.fast.api_key: ") || strings.Contains(err.Error(), "sk-literal") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	ok := model.Model{Provider: "openai", Model: "m", BaseURL: "https://host/v1"}
	change := func(f func(*model.Model)) model.Config {
		m := ok
		f(&m)
		return model.Config{Models: map[string]model.Model{"fast": m}}
	}
	for want, c := range map[string]model.Config{
		"models.fast.provider":     change(func(m *model.Model) { m.Provider = "acme" }),
		"models.fast.model":        change(func(m *model.Model) { m.Model = "" }),
		"models.fast.base_url":     change(func(m *model.Model) { m.BaseURL = "host/v1" }),
		"models.fast.price_in":     change(func(m *model.Model) { m.PriceIn = -1 }),
		"model config: Connection": {Connections: -1},
	} {
		if _, err := model.New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want an error that begins with %s, got %v", want, err)
		}
	}
	for _, url := range []string{"ftp://h", "http://", "https://user:pw@host", "https://host?x=1", "https://host#f", "http:opaque", "::"} {
		if model.CheckBaseURL(url) == nil {
			t.Errorf("%s passed", url)
		}
	}
	if _, err := model.New(change(func(*model.Model) {})); err != nil {
		t.Errorf("the twin without a fault: %v", err)
	}
}

func TestCallWithoutItsNamesDoesNotLeave(t *testing.T) {
	t.Parallel()
	m, got := script(t, reply(200, good))
	broken := map[string]func(*model.Prompt){
		"key":    func(p *model.Prompt) { p.Key = "" },
		"call":   func(p *model.Prompt) { p.Call = "" },
		"schema": func(p *model.Prompt) { p.Schema = json.RawMessage(`{`) },
	}
	for name, f := range broken {
		p := prompt()
		f(&p)
		_, err := m.Generate(context.Background(), "fast", p)
		var e *model.Error
		if !errors.As(err, &e) || e.Code != "invalid" || e.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Generate(context.Background(), "slow", prompt()); err == nil {
		t.Error("an unknown alias was served")
	}
	if len(got()) != 0 {
		t.Errorf("%d requests left", len(got()))
	}
}

// A real endpoint behind the same code: the envelope must hold, never the words.
func TestRealEndpoint(t *testing.T) {
	t.Parallel()
	base := os.Getenv("CUSTODY_TEST_OPENAI_URL")
	if base == "" {
		t.Skip("CUSTODY_TEST_OPENAI_URL is not set")
	}
	name := os.Getenv("CUSTODY_TEST_OPENAI_MODEL")
	if name == "" {
		name = "any"
	}
	m, err := model.New(model.Config{Models: map[string]model.Model{"real": {Provider: "openai", Model: name, BaseURL: base}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Check(context.Background(), "real"); err != nil {
		t.Errorf("the list of models: %v", err)
	}
	p := prompt()
	p.System = "Answer with one short greeting."
	p.Schema = json.RawMessage(`{"type":"object","properties":{"greeting":{"type":"string","maxLength":40}},"required":["greeting"],"additionalProperties":false}`)
	p.MaxTokens = 60
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var e *model.Error
	short := prompt()
	short.MaxTokens = 3
	if a, err := m.Generate(ctx, "real", short); err == nil && a.Model.Out > 3 ||
		err != nil && (!errors.As(err, &e) || e.Code != "unfinished" || !e.Model.UsageKnown || e.Model.Out > 3) {
		t.Errorf("a limit of 3 tokens: %v %+v", err, a.Model)
	}
	a, err := m.Generate(ctx, "real", p)
	if errors.As(err, &e) {
		if e.Code != "unfinished" || !e.Model.UsageKnown {
			t.Fatal(err)
		}
		return // cut at the limit, and known to be
	}
	var out struct{ Greeting *string }
	if err := json.Unmarshal([]byte(a.Text), &out); err != nil || out.Greeting == nil {
		t.Errorf("not of the schema: %v", err)
	}
	if !a.Model.UsageKnown || a.Model.In == 0 || a.Model.Finish != "stop" || a.Model.ResponseModel == "" {
		t.Errorf("%+v", a.Model)
	}
}
