package stepstest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/custodyhq/custody/steps/model"
)

// A Model is an OpenAI-compatible server on 127.0.0.1 that says what it was
// told, in order, and the last thing for ever.
type Model struct {
	url string

	mu       sync.Mutex
	script   []http.HandlerFunc
	requests []Request
}

// A Request is what a server got.
type Request struct {
	Method string
	Path   string // escaped, with its query
	Header http.Header
	Body   string
}

// NewModel starts a Model that ends with the test.
func NewModel(t testing.TB, script ...http.HandlerFunc) *Model {
	m := &Model{script: script}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.next(r)(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections() // a client that never leaves would keep Close waiting
		server.Close()
	})
	m.url = server.URL
	return m
}

func (m *Model) next(r *http.Request) http.HandlerFunc {
	body, _ := io.ReadAll(r.Body) // a cut body shows as what came
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, Request{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
	if len(m.script) == 0 {
		return Fail(http.StatusNotImplemented)
	}
	now := m.script[0]
	if len(m.script) > 1 {
		m.script = m.script[1:]
	}
	return now
}

// Requests are all that came, in their order.
func (m *Model) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Request(nil), m.requests...)
}

// URL is where the server listens.
func (m *Model) URL() string { return m.url }

// Models puts the server behind the alias "fast".
func (m *Model) Models(t testing.TB) *model.Models {
	t.Helper()
	out, err := model.New(model.Config{Models: map[string]model.Model{
		"fast": {Provider: model.OpenAI, Model: "scripted-1", BaseURL: m.url + "/v1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out
}

// Say answers with a finished text.
func Say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // the client may have left
			"id": "cmpl-1", "model": "scripted-1-2026",
			"choices": []any{map[string]any{"message": map[string]any{"content": text}, "finish_reason": "stop"}},
			"usage":   map[string]any{"prompt_tokens": 11, "completion_tokens": 5},
		})
	}
}

// Reply answers with a status and a JSON body.
func Reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have left
	}
}

// Fail answers with a status and nothing else.
func Fail(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// Cut reads the request and closes the connection without a reply.
func Cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Hang holds the request until its client leaves.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
