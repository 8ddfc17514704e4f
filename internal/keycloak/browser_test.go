package keycloak

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238 names it
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	console  = "custody-console"
	redirect = "http://127.0.0.1:8080/oidc/callback" // nobody listens there
)

// A browser is somebody's, with its cookies. It fills in Keycloak's forms.
type browser struct {
	*realm
	person string
	// password is what they sign in with; default their name.
	password string
	// redirect is where the client waits; default that of the console.
	redirect string
	secret   string // of the second factor; default that of the test realm's people
	http     *http.Client
	shown    string   // the last one-time code
	filled   []string // the forms that were asked, in order
	// refuses says no where Keycloak asks for consent.
	refuses bool
}

func (k *realm) browser(person string) *browser {
	k.t.Helper()
	jar, err := cookiejar.New(nil)
	must(k.t, err)
	b := &browser{realm: k, person: person, password: person, redirect: redirect, secret: "custody-test-otp-secret-" + person}
	b.http = &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), b.redirect) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return b
}

// tokens are what the token endpoint gave.
type tokens struct{ access, refresh, id string }

func (k *realm) tokens(form url.Values) tokens {
	k.t.Helper()
	status, answer := post(k.t, http.DefaultClient, k.endpoint("token"), form)
	if status != http.StatusOK {
		k.t.Fatalf("no tokens: %v %v", answer["error"], answer["error_description"])
	}
	refresh, _ := answer["refresh_token"].(string)
	id, _ := answer["id_token"].(string)
	return tokens{k.text(answer, "access_token"), refresh, id}
}

// signIn signs in with the authorization code and PKCE. more are further
// parameters of the request.
func (b *browser) signIn(client string, more url.Values) tokens {
	b.t.Helper()
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {client}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {b.redirect}, "state": {state}, "nonce": {rand.Text()},
		"code_challenge": {b64(sum[:])}, "code_challenge_method": {"S256"},
	}
	for name, v := range more {
		q[name] = v
	}
	back := b.follow(b.endpoint("auth") + "?" + q.Encode())
	answer := back.Query()
	if answer.Get("state") != state || answer.Get("iss") != b.issuer || answer.Get("code") == "" {
		b.t.Fatalf("the browser came back with %s", answer.Get("error"))
	}
	return b.tokens(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {b.redirect}, "code": {answer.Get("code")}, "code_verifier": {verifier},
	})
}

// follow opens an address and fills in forms until the browser is sent to the
// redirect of the client, or there is nothing left to fill in.
func (b *browser) follow(to string) *url.URL {
	b.t.Helper()
	res, err := b.http.Get(to) //nolint:noctx // the client has a limit
	for range 8 {
		must(b.t, err)
		raw, failure := io.ReadAll(res.Body)
		must(b.t, failure)
		_ = res.Body.Close()
		if next, err := res.Location(); err == nil {
			return next
		}
		action, form := b.fill(string(raw))
		if action == "" {
			return res.Request.URL
		}
		next, failure := res.Request.URL.Parse(action)
		must(b.t, failure)
		res, err = b.http.PostForm(next.String(), form) //nolint:noctx // as above
	}
	b.t.Fatalf("no end of forms: %v", b.filled)
	return nil
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hidden     = regexp.MustCompile(`name="(code|totpSecret)" value="([^"]*)"`)
)

// fill answers the form of a page, if there is one that people fill in.
func (b *browser) fill(page string) (action string, form url.Values) {
	b.t.Helper()
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		return "", nil
	}
	form = url.Values{}
	for _, h := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(h[1], html.UnescapeString(h[2]))
	}
	asked := func(name string) bool { return strings.Contains(page, `name="`+name+`"`) }
	switch {
	case asked("password-new"):
		b.filled = append(b.filled, "new password")
		b.password = b.person
		form.Set("password-new", b.password)
		form.Set("password-confirm", b.password)
	case asked("password"):
		b.filled = append(b.filled, "password")
		form.Set("username", b.person)
		form.Set("password", b.password)
	case asked("totpSecret"):
		b.filled = append(b.filled, "enrol")
		b.secret = form.Get("totpSecret")
		form.Set("totp", b.code())
		form.Set("userLabel", "test")
	case asked("otp"):
		b.filled = append(b.filled, "otp")
		form.Set("otp", b.code())
	case asked("accept"):
		b.filled = append(b.filled, "accept")
		form.Set(map[bool]string{false: "accept", true: "cancel"}[b.refuses], "x")
	default:
		return "", nil
	}
	return html.UnescapeString(m[1]), form
}

// code is a one-time code that was not used yet, as most realms want it.
func (b *browser) code() string {
	for totp(b.secret, time.Now()) == b.shown {
		time.Sleep(time.Second)
	}
	b.shown = totp(b.secret, time.Now())
	return b.shown
}

// totp is the code of RFC 6238 as the test realm wants it.
func totp(secret string, at time.Time) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(at.Unix())/30) //nolint:gosec // after 1970
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[offset:])&0x7fffffff)%1_000_000)
}

// The test vector of RFC 6238, appendix B, in six digits.
func TestTOTP(t *testing.T) {
	t.Parallel()
	if got := totp("12345678901234567890", time.Unix(59, 0)); got != "287082" {
		t.Errorf("got %s", got)
	}
}

// logout signs out at the provider (OpenID Connect RP-Initiated Logout 1.0).
func (b *browser) logout(idToken string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.endpoint("logout")+"?"+url.Values{"id_token_hint": {idToken}}.Encode(), nil)
	must(b.t, err)
	res, err := b.http.Do(req)
	must(b.t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("logout: status %d", res.StatusCode)
	}
}
