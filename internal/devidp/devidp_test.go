package devidp_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/oidc"
)

// A world is a running provider with a clock that a test moves, a verifier
// that trusts it, and a browser.
type world struct {
	*devidp.Server
	verifier *oidc.Verifier
	browser  http.Client

	mu  sync.Mutex
	now time.Time
}

type names struct{}

func (names) Subject(_ context.Context, _, _, subject string) (string, error) {
	return "subj_" + subject, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	var err error
	if w.Server, err = devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0", Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w.verifier, err = oidc.New(t.Context(), oidc.Config{Now: clock, Subjects: names{}, Issuers: []oidc.Issuer{{
		Issuer: w.Issuer(), Audience: "custody", Clients: []string{devidp.Console, devidp.CLI}, Agents: []string{devidp.Agent},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// ask sends a request; a form makes it a POST. header may be nil.
func (w *world) ask(t *testing.T, path string, form url.Values, header http.Header) (*http.Response, string) {
	t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.Issuer()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := w.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// token asks the token endpoint and returns its JSON.
func (w *world) token(t *testing.T, form url.Values) map[string]any {
	t.Helper()
	_, text := w.ask(t, "/token", form, nil)
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) verify(t *testing.T, access any) security.Principal {
	t.Helper()
	raw, ok := access.(string)
	if !ok {
		t.Fatalf("no access token but %v", access)
	}
	p, err := w.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pkce is a verifier with its challenge.
func pkce() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

const redirect = "http://127.0.0.1:8080/oidc/callback"

func question(challenge string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {devidp.Console}, "redirect_uri": {redirect}, "scope": {"openid"},
		"state": {"s"}, "nonce": {"n"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
}

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// click goes through the sign-in page and returns what the client would learn.
func (w *world) click(t *testing.T, q url.Values, person string) url.Values {
	t.Helper()
	resp, text := w.ask(t, "/authorize?"+q.Encode(), nil, nil)
	if resp.StatusCode == http.StatusOK {
		found := hidden.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no form: %s", text)
		}
		resp, _ = w.ask(t, "/authorize", url.Values{"request": {found[1]}, "person": {person}}, nil)
	}
	next, err := resp.Location()
	if err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	if !strings.HasPrefix(next.String(), q.Get("redirect_uri")+"?") || next.Query().Get("iss") != w.Issuer() || next.Query().Get("state") != "s" {
		t.Errorf("sent to %s", next)
	}
	return next.Query()
}

func redemption(code, verifier string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {devidp.Console}, "redirect_uri": {redirect}, "code": {code}, "code_verifier": {verifier}}
}

func TestCodeFlowEndsInAPrincipal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verifier, challenge := pkce()
	answer := w.click(t, question(challenge), "bob")
	tokens := w.token(t, redemption(answer.Get("code"), verifier))
	p := w.verify(t, tokens["access_token"])
	if diff := cmp.Diff([]string{"legal", "manager"}, p.Roles); diff != "" || p.Subject != "bob" || p.Client != devidp.Console ||
		p.Kind != security.Human || !p.MFA() || !p.FreshWithin(time.Minute, w.now) || p.Session == "" || p.TokenID == "" || p.Missing != nil {
		t.Errorf("got %+v", p)
	}
	id, _ := tokens["id_token"].(string)
	refused := (*oidc.TokenError)(nil)
	if _, err := w.verifier.Verify(t.Context(), id); !errors.As(err, &refused) || refused.Code != "type" {
		t.Errorf("the ID token as an access token: %v", err)
	}
}

func TestCodeIsRedeemedOnceByItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verifier, challenge := pkce()
	other, _ := pkce()
	for name, change := range map[string]func(url.Values){
		"wrong verifier":  func(f url.Values) { f.Set("code_verifier", other) },
		"no verifier":     func(f url.Values) { f.Del("code_verifier") },
		"other redirect":  func(f url.Values) { f.Set("redirect_uri", redirect+"2") },
		"other client":    func(f url.Values) { f.Set("client_id", devidp.CLI) },
		"a minute later":  func(url.Values) { w.wait(time.Minute) },
		"a code of ours?": func(f url.Values) { f.Set("code", rand.Text()) },
	} {
		form := redemption(w.click(t, question(challenge), "alice").Get("code"), verifier)
		change(form)
		if got := w.token(t, form); got["error"] != "invalid_grant" || got["access_token"] != nil {
			t.Errorf("%s: %v", name, got["error"])
		}
	}
	form := redemption(w.click(t, question(challenge), "alice").Get("code"), verifier)
	w.verify(t, w.token(t, form)["access_token"])
	if got := w.token(t, form); got["error"] != "invalid_grant" {
		t.Errorf("replay: %v", got["error"])
	}
	form = redemption(w.click(t, question(challenge), "alice").Get("code"), other)
	w.token(t, form)
	form.Set("code_verifier", verifier)
	if got := w.token(t, form); got["error"] != "invalid_grant" {
		t.Errorf("second guess of the verifier: %v", got["error"])
	}
}

func TestUnregisteredRedirectIsNeverFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, challenge := pkce()
	for uri, want := range map[string]int{
		redirect:                                    http.StatusOK,
		"http://localhost:9999/oidc/callback":       http.StatusOK,
		"http://[::1]:9999/oidc/callback":           http.StatusOK,
		"https://evil.example/oidc/callback":        http.StatusBadRequest,
		"http://127.0.0.1:8080/":                    http.StatusBadRequest,
		"http://127.0.0.1:8080/callback":            http.StatusBadRequest,
		redirect + "?x=1":                           http.StatusBadRequest,
		redirect + "#x":                             http.StatusBadRequest,
		"http://127.0.0.1@evil.example/":            http.StatusBadRequest,
		"http://a@127.0.0.1:8080/oidc/callback":     http.StatusBadRequest,
		"javascript://127.0.0.1:8080/oidc/callback": http.StatusBadRequest,
		"": http.StatusBadRequest,
	} {
		q := question(challenge)
		q.Set("redirect_uri", uri)
		resp, _ := w.ask(t, "/authorize?"+q.Encode(), nil, nil)
		if resp.StatusCode != want || resp.Header.Get("Location") != "" {
			t.Errorf("%q: %d to %q, want %d", uri, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	q := question(challenge)
	q.Set("client_id", devidp.Agent)
	if resp, _ := w.ask(t, "/authorize?"+q.Encode(), nil, nil); resp.StatusCode != http.StatusBadRequest {
		t.Error("the agent may sign people in")
	}
}

func TestWrongQuestionIsToldToTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, challenge := pkce()
	for _, row := range []struct{ name, value, want string }{
		{"response_type", "token", "unsupported_response_type"},
		{"code_challenge_method", "plain", "invalid_request"},
		{"code_challenge", "", "invalid_request"},
		{"prompt", "none", "login_required"},
	} {
		q := question(challenge)
		q.Set(row.name, row.value)
		if got := w.click(t, q, "alice").Get("error"); got != row.want {
			t.Errorf("%s=%s: %q, want %q", row.name, row.value, got, row.want)
		}
	}
	for _, nobody := range []string{"", "dave", devidp.Agent} {
		if got := w.click(t, question(challenge), nobody); got.Get("error") != "access_denied" || got.Get("code") != "" {
			t.Errorf("%q signed in: %v", nobody, got)
		}
	}
	q := question(challenge)
	q.Set("acr_values", "pwd")
	verifier, challenge2 := pkce()
	q.Set("code_challenge", challenge2)
	if p := w.verify(t, w.token(t, redemption(w.click(t, q, "carol").Get("code"), verifier))["access_token"]); p.MFA() || p.ACR != "pwd" {
		t.Errorf("asked for a password alone: %+v", p)
	}
}

func TestDeviceFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	verifier, challenge := pkce()
	begin := func() (user string, poll url.Values) {
		_, text := w.ask(t, "/device_authorization", url.Values{"client_id": {devidp.CLI}, "scope": {"openid"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}, nil)
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		return got["user_code"].(string), url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
			"client_id":  {devidp.CLI}, "device_code": {got["device_code"].(string)}, "code_verifier": {verifier},
		}
	}
	want := func(form url.Values, problem string) {
		t.Helper()
		if got := w.token(t, form); got["error"] != problem || got["access_token"] != nil {
			t.Errorf("got %v, want %s", got["error"], problem)
		}
	}
	user, poll := begin()
	want(poll, "authorization_pending")
	want(poll, "slow_down")
	w.wait(6 * time.Second)
	want(poll, "authorization_pending")
	if _, text := w.ask(t, "/device?user_code="+strings.ToLower(user), nil, nil); !strings.Contains(text, user) || !strings.Contains(text, `value="alice"`) {
		t.Errorf("the page: %s", text)
	}
	if resp, _ := w.ask(t, "/device", url.Values{"request": {user}, "person": {"alice"}}, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the click: %d", resp.StatusCode)
	}
	if resp, _ := w.ask(t, "/device", url.Values{"request": {user}, "person": {"carol"}}, nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a second click: %d", resp.StatusCode)
	}
	w.wait(6 * time.Second)
	if p := w.verify(t, w.token(t, poll)["access_token"]); p.Subject != "alice" || p.Client != devidp.CLI || !p.MFA() {
		t.Errorf("got %+v", p)
	}
	want(poll, "invalid_grant")

	user, poll = begin()
	w.ask(t, "/device", url.Values{"request": {user}, "person": {""}}, nil)
	want(poll, "access_denied")

	user, poll = begin()
	w.ask(t, "/device", url.Values{"request": {user}, "person": {"bob"}}, nil)
	poll.Set("code_verifier", "x")
	want(poll, "invalid_grant")

	user, poll = begin()
	w.wait(10 * time.Minute)
	if resp, _ := w.ask(t, "/device?user_code="+user, nil, nil); resp.StatusCode != http.StatusBadRequest {
		t.Error("an old code has a page")
	}
	want(poll, "expired_token")

	_, poll = begin()
	poll.Set("client_id", devidp.Console)
	want(poll, "invalid_grant")
	if resp, _ := w.ask(t, "/device_authorization", url.Values{"client_id": {devidp.Console}}, nil); resp.StatusCode != http.StatusUnauthorized {
		t.Error("the console begins device sign-ins")
	}
}

func TestAgentNeedsItsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {devidp.Agent}, "client_secret": {devidp.AgentSecret}}
	p := w.verify(t, w.token(t, form)["access_token"])
	if p.Kind != security.Agent || p.Subject != devidp.Agent || p.MFA() || p.AMR != nil || len(p.Act) != 0 {
		t.Errorf("got %+v", p)
	}
	form.Set("client_secret", "wrong")
	if got := w.token(t, form); got["error"] != "invalid_client" {
		t.Errorf("wrong secret: %v", got["error"])
	}
	if got := w.token(t, url.Values{"grant_type": {"client_credentials"}, "client_id": {devidp.CLI}}); got["error"] != "unauthorized_client" {
		t.Errorf("public client: %v", got["error"])
	}
	if got := w.token(t, url.Values{"grant_type": {"password"}, "client_id": {devidp.CLI}}); got["error"] != "unsupported_grant_type" {
		t.Errorf("password grant: %v", got["error"])
	}
}

func TestSignInIsABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, person := range devidp.People() {
		access, err := devidp.SignIn(t.Context(), w.Issuer(), person.Name)
		if err != nil {
			t.Fatal(err)
		}
		if p := w.verify(t, access); p.Subject != person.Name || len(p.Roles) != len(person.Roles) || !p.MFA() {
			t.Errorf("got %+v", p)
		}
	}
	if _, err := devidp.SignIn(t.Context(), w.Issuer(), "dave"); err == nil {
		t.Error("nobody signed in")
	}
	if _, err := devidp.SignIn(t.Context(), "http://id.example", "alice"); err == nil {
		t.Error("SignIn left the machine")
	}
}

func TestTokenForTests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := func(q devidp.TokenRequest) string {
		t.Helper()
		raw, err := w.Token(q)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if p := w.verify(t, token(devidp.TokenRequest{Person: "alice"})); !p.MFA() || p.Expires.Sub(p.IssuedAt) != 10*time.Minute {
		t.Errorf("alice: %+v", p)
	}
	if p := w.verify(t, token(devidp.TokenRequest{Person: devidp.Agent})); p.Kind != security.Agent {
		t.Errorf("the agent: %+v", p)
	}
	if p := w.verify(t, token(devidp.TokenRequest{Person: "alice", Client: devidp.Agent})); p.MFA() || len(p.Act) != 1 {
		t.Errorf("the agent for alice: %+v", p)
	}
	for code, q := range map[string]devidp.TokenRequest{
		"type":     {Person: "alice", Header: map[string]any{"typ": "JWT"}},
		"audience": {Person: "alice", Claims: map[string]any{"aud": nil}},
		"lifetime": {Person: "alice", TTL: 61 * time.Minute},
	} {
		refused := (*oidc.TokenError)(nil)
		if _, err := w.verifier.Verify(t.Context(), token(q)); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, q := range []devidp.TokenRequest{{}, {Person: "dave"}, {Person: "alice", ACR: "gold"}} {
		if _, err := w.Token(q); err == nil {
			t.Errorf("%+v got a token", q)
		}
	}
}

func TestDevTokenIsForTheCommandLineOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dev := http.Header{"Custody-Dev": {"1"}}
	plus := func(name, value string) http.Header {
		h := dev.Clone()
		h.Set(name, value)
		return h
	}
	for _, row := range []struct {
		name   string
		form   url.Values
		header http.Header
		want   int
	}{
		{"alice", url.Values{"as": {"alice"}}, dev, 200},
		{"with all fields", url.Values{"as": {"alice"}, "acr": {"pwd"}, "ttl": {"60m"}}, dev, 200},
		{"the agent", url.Values{"as": {devidp.Agent}, "ttl": {"30m"}}, dev, 200},
		{"same origin", url.Values{"as": {"alice"}}, plus("Sec-Fetch-Site", "same-origin"), 200},
		{"no header", url.Values{"as": {"alice"}}, nil, 403},
		{"another site", url.Values{"as": {"alice"}}, plus("Sec-Fetch-Site", "cross-site"), 403},
		{"another origin", url.Values{"as": {"alice"}}, plus("Origin", "https://evil.example"), 403},
		{"a name that resolves to loopback", url.Values{"as": {"alice"}}, plus("Host", "rebind.example:8090"), 421},
		{"nobody", url.Values{"as": {"dave"}}, dev, 400},
		{"unknown acr", url.Values{"as": {"alice"}, "acr": {"gold"}}, dev, 400},
		{"too long", url.Values{"as": {"alice"}, "ttl": {"61m"}}, dev, 400},
		{"too long for a program", url.Values{"as": {devidp.Agent}, "ttl": {"31m"}}, dev, 400},
		{"negative", url.Values{"as": {"alice"}, "ttl": {"-1m"}}, dev, 400},
	} {
		resp, text := w.ask(t, "/dev/token", row.form, row.header)
		if resp.StatusCode != row.want || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d, want %d: %s", row.name, resp.StatusCode, row.want, text)
		}
		var got map[string]any
		if row.want == 200 {
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			w.verify(t, got["access_token"])
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.Issuer()+"/dev/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode < 400 || resp.Header.Get("Access-Control-Allow-Headers") != "" {
		t.Errorf("a preflight is answered: %d", resp.StatusCode)
	}
}

func TestPageRunsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, challenge := pkce()
	resp, text := w.ask(t, "/authorize?"+question(challenge).Encode(), nil, nil)
	policy := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(text, "<script") {
		t.Errorf("policy %q, page %s", policy, text)
	}
	for _, p := range devidp.People() {
		if !strings.Contains(text, p.Name) {
			t.Errorf("%s is not on the page", p.Name)
		}
	}
}

func TestProviderStaysOnLoopback(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]devidp.Config{
		"listen: all addresses": {Listen: ":0"},
		"listen: any":           {Listen: "0.0.0.0:0"},
		"listen: a name":        {Listen: "id.example:80"},
		"listen: no port":       {Listen: "127.0.0.1"},
		"issuer: elsewhere":     {Listen: "127.0.0.1:0", Issuer: "http://id.example"},
		"issuer: with a path":   {Listen: "127.0.0.1:0", Issuer: "http://127.0.0.1:1/x"},
	} {
		if _, err := devidp.Start(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), field[:6]) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestKeySurvivesRestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "devidp.key")
	keys := func() string {
		s, err := devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0", KeyFile: file})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Server: s}
		_, text := w.ask(t, "/keys", nil, nil)
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		return text
	}
	first := keys()
	if strings.Contains(first, `"d"`) {
		t.Error("the private key is published")
	}
	if second := keys(); first != second || first == "" {
		t.Errorf("another key after the restart: %s", cmp.Diff(first, second))
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v %v", info.Mode(), err)
	}
	start := func() error {
		_, err := devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0", KeyFile: file})
		return err
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if start() == nil {
		t.Error("a key that others can read is used")
	}
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Chmod(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	if start() == nil {
		t.Error("rubbish is used as a key")
	}
}
