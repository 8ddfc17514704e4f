package model_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/steps/model"
)

func TestCheckAsksForTheListAndForNothingElse(t *testing.T) {
	t.Setenv("CUSTODY_TEST_KEY", secretKey)
	for provider, k := range map[string]struct{ path, body string }{
		"openai":    {"GET /v1/models", `{"object":"list","data":[{"id":"another"}]}`},
		"anthropic": {"GET /v1/models/real-1", `{"type":"model","id":"real-1"}`},
		"ollama":    {"GET /api/tags", `{"models":[{"name":"real-1:latest","model":"real-1:latest"}]}`},
	} {
		url, got := serve(t, reply(200, k.body))
		c := agreementOf(provider)
		m := c.of(url)
		m.APIKey = "env:CUSTODY_TEST_KEY"
		if err := one(t, m).Check(context.Background(), "it"); err != nil {
			t.Errorf("%s: %v", provider, err)
		}
		if len(got()) != 1 || got()[0].path != k.path || got()[0].body != "" {
			t.Errorf("%s: %+v", provider, got())
		}
		want := c.header.Clone()
		want.Del("Content-Type")
		want.Set("Idempotency-Key", "custody-check")
		want.Set("Custody-Call", "custody-check")
		if diff := cmp.Diff(want, got()[0].header); diff != "" {
			t.Errorf("%s: %s", provider, diff)
		}
	}
	if err := one(t, model.Model{Provider: model.Offline}).Check(context.Background(), "it"); err != nil {
		t.Errorf("offline: %v", err)
	}
	if err := one(t, model.Model{Provider: model.Offline}).Check(context.Background(), "other"); err == nil {
		t.Error("an alias that is not there is well")
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	fault := `{"type":"error","error":{"type":"not_found_error","message":"SECRET-CONTENT"}}`
	for _, k := range []struct {
		provider string
		status   int
		body     string
		want     string // "" means that it is well
	}{
		{"openai", 401, `{"error":{"code":"invalid_api_key","message":"SECRET-CONTENT"}}`, "does not accept our credential"},
		{"openai", 404, `not found`, ""}, // many compatible servers have no list
		{"openai", 301, ``, "redirects are not followed"},
		{"openai", 500, ``, "status 500"},
		{"anthropic", 401, `{"error":{"type":"authentication_error"}}`, "does not accept our credential"},
		{"anthropic", 404, fault, "check model and base_url"},
		{"anthropic", 404, `{}`, ""},
		{"ollama", 404, `404 page not found`, "check base_url"},
		{"ollama", 200, `{"models":[{"name":"real-1:7b"}]}`, "ollama pull"},
		{"ollama", 200, `{"models":[]}`, "ollama pull"},
		{"ollama", 200, `<html>`, "cannot be read"},
		{"ollama", 200, `{"models":[{"model":"real-1"}]}`, ""},
	} {
		url, _ := serve(t, reply(k.status, k.body))
		err := one(t, agreementOf(k.provider).of(url)).Check(context.Background(), "it")
		if (err == nil) != (k.want == "") || err != nil && !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s, %d %s: %v", k.provider, k.status, k.body, err)
		}
		var e *model.Error
		if err != nil && (!errors.As(err, &e) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%s, %d: %v", k.provider, k.status, err)
		}
	}
}

func TestCheckDoesNotWait(t *testing.T) {
	t.Parallel()
	var limit time.Duration
	m, err := model.New(model.Config{
		Models: map[string]model.Model{"it": {Provider: "openai", Model: "m", BaseURL: "http://127.0.0.1:1/v1"}},
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			deadline, _ := r.Context().Deadline()
			limit = time.Until(deadline)
			return nil, errors.New("no")
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(context.Background(), "it"); err == nil || limit <= 0 || limit > 5*time.Second {
		t.Errorf("%v after at most %s", err, limit)
	}
	server := httptest.NewServer(nil)
	server.Close() // nobody listens there now
	for _, c := range agreements() {
		var e *model.Error
		if err := one(t, c.of(server.URL)).Check(context.Background(), "it"); !errors.As(err, &e) || e.Code != "connection" {
			t.Errorf("%s: %v", c.provider, err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
