package devidp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	requestLife = 10 * time.Minute // to click
	codeLife    = time.Minute      // to redeem
)

// An authorization is a request that waits for somebody to click.
type authorization struct {
	client, redirect, state string
	nonce, challenge, acr   string
	openid                  bool
}

// A code is what the client redeems, once.
type code struct {
	grant
	redirect, challenge string
}

// serveAuthorize is the authorization endpoint (RFC 6749, section 3.1). There
// is no session: every request shows the names.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a := authorization{
		client: q.Get("client_id"), redirect: q.Get("redirect_uri"), state: q.Get("state"),
		nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), acr: "mfa",
		openid: slices.Contains(strings.Fields(q.Get("scope")), "openid"),
	}
	if !mayRedirect(a.client, a.redirect) { // to redirect would make us an open redirector
		failPage(w, "This client or its redirect_uri is not registered.")
		return
	}
	if q.Get("acr_values") == "pwd" {
		a.acr = "pwd"
	}
	switch {
	case q.Get("response_type") != "code":
		s.back(w, r, a, url.Values{"error": {"unsupported_response_type"}})
	case q.Get("code_challenge_method") != "S256" || len(a.challenge) != 43:
		s.back(w, r, a, url.Values{"error": {"invalid_request"}, "error_description": {"PKCE with S256 is needed"}})
	case q.Get("prompt") == "none":
		s.back(w, r, a, url.Values{"error": {"login_required"}})
	default:
		name, err := s.requests.put(a, requestLife)
		if err != nil {
			s.back(w, r, a, url.Values{"error": {"temporarily_unavailable"}})
			return
		}
		signInPage(w, page{Action: "/authorize", Request: name, Client: a.client, ACR: a.acr})
	}
}

// serveSignIn is the click.
func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	a, ok := s.requests.take(r.PostFormValue("request"))
	if !ok {
		failPage(w, "This sign-in is over. Start again where you came from.")
		return
	}
	p, ok := person(r.PostFormValue("person"))
	if !ok {
		s.back(w, r, a, url.Values{"error": {"access_denied"}})
		return
	}
	c := code{
		grant:    grant{person: p.Name, client: a.client, acr: a.acr, nonce: a.nonce, openid: a.openid, life: signInLife, at: s.now(), sid: rand.Text()},
		redirect: a.redirect, challenge: a.challenge,
	}
	name, err := s.codes.put(c, codeLife)
	if err != nil {
		s.back(w, r, a, url.Values{"error": {"temporarily_unavailable"}})
		return
	}
	s.back(w, r, a, url.Values{"code": {name}})
}

// back sends the browser to the client with state and iss (RFC 9207).
func (s *Server) back(w http.ResponseWriter, r *http.Request, a authorization, answer url.Values) {
	if a.state != "" {
		answer.Set("state", a.state)
	}
	answer.Set("iss", s.issuer)
	http.Redirect(w, r, a.redirect+"?"+answer.Encode(), http.StatusSeeOther)
}

// redeem turns a code into a grant. A code is spent by the first attempt,
// also by one that fails: whoever guesses verifiers has one guess.
func (s *Server) redeem(client string, r *http.Request) (grant, string) {
	c, ok := s.codes.take(r.PostFormValue("code"))
	if !ok || c.client != client || c.redirect != r.PostFormValue("redirect_uri") ||
		!proves(r.PostFormValue("code_verifier"), c.challenge) {
		return grant{}, "invalid_grant"
	}
	return c.grant, ""
}

// proves reports whether the verifier belongs to the challenge (RFC 7636,
// section 4.6, S256).
func proves(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(sum[:])
	return len(verifier) >= 43 && subtle.ConstantTimeCompare([]byte(made), []byte(challenge)) == 1
}
