package devidp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// redirectOfSignIn is the CLI's: nobody listens there, SignIn reads the
// browser's next address instead of going to it.
const redirectOfSignIn = "http://127.0.0.1/callback"

// SignIn signs a person in at the development provider as a browser would:
// authorization code with PKCE, and a click on their name. It returns an
// access token, for 30 minutes and with a second factor. It refuses an issuer
// that is not on loopback.
func SignIn(ctx context.Context, issuer, person string) (accessToken string, err error) {
	u, err := url.Parse(issuer)
	if err != nil || !loopback(u.Hostname()) {
		return "", errors.New("the development provider is on loopback only: check the issuer")
	}
	b := browser{http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var at struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	if err := b.json(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil, &at); err != nil {
		return "", fmt.Errorf("find the development provider: %w", err)
	}
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	answer, err := b.click(ctx, at.Authorize, person, url.Values{
		"response_type": {"code"}, "client_id": {CLI}, "redirect_uri": {redirectOfSignIn}, "scope": {"openid"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	})
	if err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	if answer.Get("state") != state || answer.Get("iss") != at.Issuer || answer.Get("code") == "" {
		return "", errors.New("sign in: nobody of that name, or the answer is to another question")
	}
	var tokens struct {
		Access string `json:"access_token"`
	}
	err = b.json(ctx, http.MethodPost, at.Token, url.Values{
		"grant_type": {"authorization_code"}, "client_id": {CLI}, "redirect_uri": {redirectOfSignIn},
		"code": {answer.Get("code")}, "code_verifier": {verifier},
	}, &tokens)
	if err != nil || tokens.Access == "" {
		return "", fmt.Errorf("redeem the code: %w", errors.Join(err, errEmpty(tokens.Access)))
	}
	return tokens.Access, nil
}

func errEmpty(token string) error {
	if token == "" {
		return errors.New("no access token in the answer")
	}
	return nil
}

// A browser follows no redirects.
type browser struct{ http.Client }

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// click opens the sign-in page, clicks on the person, and returns what the
// provider would tell the client.
func (b browser) click(ctx context.Context, authorize, person string, question url.Values) (url.Values, error) {
	resp, text, err := b.do(ctx, http.MethodGet, authorize+"?"+question.Encode(), nil)
	if err != nil {
		return nil, err
	}
	found := hidden.FindStringSubmatch(text)
	if resp.StatusCode != http.StatusOK || found == nil {
		return nil, fmt.Errorf("no sign-in page: status %d", resp.StatusCode)
	}
	resp, _, err = b.do(ctx, http.MethodPost, authorize, url.Values{"request": {html.UnescapeString(found[1])}, "person": {person}})
	if err != nil {
		return nil, err
	}
	next, err := resp.Location()
	if err != nil || !strings.HasPrefix(next.String(), redirectOfSignIn+"?") {
		return nil, errors.New("the provider does not send the browser back")
	}
	return next.Query(), nil
}

func (b browser) json(ctx context.Context, method, to string, form url.Values, into any) error {
	resp, text, err := b.do(ctx, method, to, form)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal([]byte(text), into)
}

func (b browser) do(ctx context.Context, method, to string, form url.Values) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, string(text), err
}
