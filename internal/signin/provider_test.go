package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scripted provider answers the token endpoint with what the test lays out,
// and remembers what it was sent.
type scripted struct {
	url string

	mu      sync.Mutex
	meta    map[string]any // replaces members of the discovery document
	device  map[string]any // the answer to a device authorization
	answers []any          // of the token endpoint, in turn: an error's name, a status, or tokens
	asked   []url.Values
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	s.device = map[string]any{
		"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": s.url + "/device",
		"verification_uri_complete": s.url + "/device?user_code=ABCD-EFGH", "expires_in": 600, "interval": 1,
	}
	return s
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]any{
			"issuer": s.url, "authorization_endpoint": s.url + "/authorize", "token_endpoint": s.url + "/token",
			"device_authorization_endpoint": s.url + "/device", "revocation_endpoint": s.url + "/revoke",
			"code_challenge_methods_supported": []string{"S256"},
		}
		for name, v := range s.meta {
			doc[name] = v
		}
		_ = json.NewEncoder(w).Encode(doc)
	case "/token":
		_ = r.ParseForm()
		s.asked = append(s.asked, r.PostForm)
		answer := s.answers[0]
		s.answers = s.answers[1:]
		switch a := answer.(type) {
		case string:
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": a, "error_description": "line\none \x1b[2J"})
		case int:
			w.WriteHeader(a)
		default:
			_ = json.NewEncoder(w).Encode(a)
		}
	default:
		_ = r.ParseForm()
		s.asked = append(s.asked, r.PostForm)
		_ = json.NewEncoder(w).Encode(s.device)
	}
}

func good() map[string]any {
	return map[string]any{"access_token": "a1", "token_type": "bearer", "expires_in": 300, "refresh_token": "r1"}
}

// provider is the client of the scripted one. Its pauses are noted, not made.
func (s *scripted) provider(t *testing.T, acr string) (*Provider, *[]time.Duration) {
	t.Helper()
	p, err := New(t.Context(), Config{Issuer: s.url, Client: "cli", ACR: acr})
	if err != nil {
		t.Fatal(err)
	}
	var slept []time.Duration
	p.sleep = func(ctx context.Context, d time.Duration) error {
		slept = append(slept, d)
		return ctx.Err()
	}
	return p, &slept
}

func TestDeviceWaitsAsTheProviderSays(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answers []any
		slept   []time.Duration
		err     error
	}{
		"at once":      {[]any{good()}, []time.Duration{time.Second}, nil},
		"pending":      {[]any{"authorization_pending", good()}, []time.Duration{time.Second, time.Second}, nil},
		"too fast":     {[]any{"slow_down", "authorization_pending", good()}, []time.Duration{time.Second, 6 * time.Second, 6 * time.Second}, nil},
		"out of order": {[]any{http.StatusBadGateway, 500, good()}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, nil},
		"refused":      {[]any{"authorization_pending", "access_denied"}, []time.Duration{time.Second, time.Second}, ErrRefused},
		"expired":      {[]any{"expired_token"}, []time.Duration{time.Second}, ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t)
			s.answers = row.answers
			p, slept := s.provider(t, "")
			d, err := p.Device(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Wait(t.Context(), d)
			if !errors.Is(err, row.err) || (err == nil) != (got.Access == "a1") {
				t.Errorf("%+v, %v", got, err)
			}
			if len(*slept) != len(row.slept) {
				t.Fatalf("slept %v, want %v", *slept, row.slept)
			}
			for i := range *slept {
				if (*slept)[i] != row.slept[i] {
					t.Errorf("slept %v, want %v", *slept, row.slept)
				}
			}
		})
	}
}

func TestDeviceGivesUpWhenTheCodeIsOver(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	p, _ := s.provider(t, "")
	now := time.Now()
	p.cfg.Now = func() time.Time { return now }
	d, err := p.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(601 * time.Second)
	if _, err := p.Wait(t.Context(), d); !errors.Is(err, ErrExpired) {
		t.Errorf("got %v", err)
	}
}

func TestDeviceSendsPKCEAndTheLevelWhereTheyAreUnderstood(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.answers = []any{good(), good()}
	p, _ := s.provider(t, "mfa")
	d, err := p.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	began, polled := s.asked[0], s.asked[1]
	if began.Get("acr_values") != "mfa" || began.Get("max_age") != "300" || began.Get("code_challenge_method") != "S256" ||
		len(polled.Get("code_verifier")) < 43 || polled.Get("device_code") != "d" || polled.Get("client_id") != "cli" {
		t.Errorf("sent %v, then %v", began, polled)
	}
	s.meta = map[string]any{"code_challenge_methods_supported": nil}
	p, _ = s.provider(t, "")
	if d, err = p.Device(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if s.asked[2].Has("code_challenge") || s.asked[2].Has("acr_values") || s.asked[3].Has("code_verifier") {
		t.Errorf("sent %v, then %v", s.asked[2], s.asked[3])
	}
}

func TestAProviderThatWouldLeakIsRefused(t *testing.T) {
	t.Parallel()
	for name, meta := range map[string]map[string]any{
		"another issuer":     {"issuer": "https://other.example"},
		"tokens in clear":    {"token_endpoint": "http://id.example/token"},
		"no address":         {"device_authorization_endpoint": "device"},
		"no token endpoint":  {"token_endpoint": ""},
		"a user in it":       {"revocation_endpoint": "https://me@id.example/revoke"},
		"somebody's program": {"authorization_endpoint": "file:///bin/sh"},
	} {
		s := newScripted(t)
		s.meta = meta
		if _, err := New(t.Context(), Config{Issuer: s.url, Client: "cli"}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, c := range map[string]Config{
		"http":      {Issuer: "http://id.example", Client: "cli"},
		"no client": {Issuer: "https://id.example"},
	} {
		if _, err := New(t.Context(), c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestADeviceAnswerThatCouldFoolPeopleIsRefused(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"user_code": "AB\x1b[2J", "verification_uri": "http://id.example/device", "device_code": "",
	} {
		s := newScripted(t)
		s.device[name] = value
		p, _ := s.provider(t, "")
		if _, err := p.Device(t.Context()); err == nil {
			t.Errorf("%s = %q is accepted", name, value)
		}
	}
}

func TestRefusalsAreShownWithoutTheirTricks(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.answers = []any{"invalid_grant", "invalid_client"}
	p, _ := s.provider(t, "")
	_, err := p.Refresh(t.Context(), "secret-refresh")
	if !errors.Is(err, ErrOver) || strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %q", err)
	}
	if _, err := p.Refresh(t.Context(), "r"); err == nil || errors.Is(err, ErrOver) {
		t.Errorf("another refusal: %v", err)
	}
}

func TestRefreshKeepsTheOldTokenWhereNoNewOneComes(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	again := good()
	delete(again, "refresh_token")
	s.answers = []any{again, good(), map[string]any{"access_token": "a b", "token_type": "Bearer"}, map[string]any{"access_token": "a", "token_type": "DPoP"}}
	p, _ := s.provider(t, "")
	if got, err := p.Refresh(t.Context(), "old"); err != nil || got.Refresh != "old" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := p.Refresh(t.Context(), "old"); err != nil || got.Refresh != "r1" {
		t.Errorf("%+v, %v", got, err)
	}
	for range 2 {
		if got, err := p.Refresh(t.Context(), "old"); err == nil {
			t.Errorf("accepted %+v", got)
		}
	}
}

// The browser's way back: only our own request counts, and only from the
// provider that we asked.
func TestVisitTakesOnlyItsOwnAnswer(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		back url.Values // state is added unless it is there
		want string     // of the error; empty: tokens
	}{
		"a code":                   {url.Values{"code": {"c"}}, ""},
		"with the provider's name": {url.Values{"code": {"c"}, "iss": {"ISSUER"}}, ""},
		"another provider's":       {url.Values{"code": {"c"}, "iss": {"https://other.example"}}, "another provider"},
		"a refusal":                {url.Values{"error": {"access_denied"}}, ErrRefused.Error()},
		"an error":                 {url.Values{"error": {"login_required"}}, "login_required"},
		"nothing":                  {url.Values{}, "without a code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t)
			s.answers = []any{good()}
			p, _ := s.provider(t, "mfa")
			v, err := p.Visit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			to, _ := url.Parse(v.Address)
			q := to.Query()
			if q.Get("acr_values") != "mfa" || q.Get("max_age") != "300" || q.Get("code_challenge_method") != "S256" {
				t.Errorf("asked for %v", q)
			}
			if status := visit(t, q.Get("redirect_uri")+"?code=stolen&state=guess"); status != http.StatusNotFound {
				t.Errorf("a guess is answered with %d", status)
			}
			row.back.Set("state", q.Get("state"))
			if row.back.Get("iss") == "ISSUER" {
				row.back.Set("iss", s.url)
			}
			if status := visit(t, q.Get("redirect_uri")+"?"+row.back.Encode()); status != http.StatusOK {
				t.Errorf("our own is answered with %d", status)
			}
			got, err := v.Wait(t.Context())
			if row.want == "" && (err != nil || got.Access != "a1" || s.asked[0].Get("code") != "c") ||
				row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func visit(t *testing.T, to string) int {
	t.Helper()
	res, err := http.Get(to) //nolint:noctx // the test's own listener
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestVisitInsistsOnANameThatTheProviderPromised(t *testing.T) {
	t.Parallel()
	s := newScripted(t)
	s.meta = map[string]any{"authorization_response_iss_parameter_supported": true}
	p, _ := s.provider(t, "")
	v, err := p.Visit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	to, _ := url.Parse(v.Address)
	visit(t, to.Query().Get("redirect_uri")+"?code=c&state="+to.Query().Get("state"))
	if _, err := v.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "another provider") {
		t.Errorf("got %v", err)
	}
}

func TestVisitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, _ := newScripted(t).provider(t, "")
	v, err := p.Visit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A provider whose numbers are too large for a time is still waited for.
func TestNoNumberOfAProviderMakesAPauseVanish(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]time.Duration{1: time.Second, 0.5: time.Second / 2, 1e12: 24 * time.Hour, 1e300: 24 * time.Hour} {
		if got := seconds(n); got != want {
			t.Errorf("%g: %s", n, got)
		}
	}
}
