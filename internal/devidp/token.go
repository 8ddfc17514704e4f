package devidp

import (
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"time"
)

const (
	signInLife  = 30 * time.Minute // of tokens from a sign-in
	defaultLife = 10 * time.Minute // of tokens that Token makes
	maxLife     = time.Hour
	maxAgent    = 30 * time.Minute
)

// A TokenRequest asks for an access token without a sign-in.
type TokenRequest struct {
	Person string        // one of People, or the Agent
	ACR    string        // mfa (default) or pwd; the Agent has none
	TTL    time.Duration // default 10 minutes
	Client string        // default CLI; the Agent with another person acts for them
	// Claims and Header replace what the token would say, and add to it; nil
	// removes. This is how tests make wrong tokens.
	Claims map[string]any
	Header map[string]any
}

// Token makes an access token for a test.
func (s *Server) Token(q TokenRequest) (string, error) {
	g := grant{person: q.Person, client: q.Client, acr: q.ACR, life: q.TTL, at: s.now()}
	if g.client == "" {
		g.client = CLI
	}
	if q.Person == Agent {
		g.client = Agent
	}
	if g.acr == "" {
		g.acr = "mfa"
	}
	if g.life == 0 {
		g.life = defaultLife
	}
	claims, err := s.claims(g)
	if err != nil {
		return "", err
	}
	return s.sign(with(s.header("at+jwt"), q.Header), with(claims, q.Claims))
}

// A grant is what a token will say: who signed in, how and when.
type grant struct {
	person, client string
	acr            string
	nonce          string
	openid         bool
	life           time.Duration
	at             time.Time // of the sign-in
	sid            string
}

func (s *Server) header(typ string) map[string]any {
	return map[string]any{"alg": "ES256", "typ": typ, "kid": s.kid}
}

// claims are those of an access token (RFC 9068, section 2.2).
func (s *Server) claims(g grant) (map[string]any, error) {
	now := s.now()
	claims := map[string]any{
		"iss": s.issuer, "aud": s.audience, "client_id": g.client, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(g.life).Unix(), "scope": "openid profile",
	}
	if g.person == Agent {
		claims["sub"], claims["roles"] = Agent, agentRoles()
		return claims, nil
	}
	p, ok := person(g.person)
	if !ok {
		return nil, errors.New("nobody of that name: alice, bob, carol, erin, oscar, audrey, mallory or summariser")
	}
	amr, ok := methods(g.acr)
	if !ok {
		return nil, errors.New("acr is mfa or pwd")
	}
	if g.sid == "" {
		g.sid = rand.Text()
	}
	maps.Copy(claims, map[string]any{
		"sub": p.Name, "name": p.Name, "roles": p.Roles, "sid": g.sid,
		"acr": g.acr, "amr": amr, "auth_time": g.at.Unix(),
	})
	return claims, nil
}

// methods are the amr values (RFC 8176) behind an acr.
func methods(acr string) ([]string, bool) {
	switch acr {
	case "mfa":
		return []string{"pwd", "otp"}, true
	case "pwd":
		return []string{"pwd"}, true
	}
	return nil, false
}

func with(base, change map[string]any) map[string]any {
	for name, v := range change {
		if base[name] = v; v == nil {
			delete(base, name)
		}
	}
	return base
}

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// serveToken is the token endpoint (RFC 6749, section 3.2).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	client, ok := authenticated(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="devidp"`)
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	var g grant
	var problem, next string
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		g, problem = s.redeem(client, r)
	case grantDevice:
		g, problem = s.poll(client, r)
	case "refresh_token":
		g, next, problem = s.refresh(client, r)
	case "client_credentials":
		g = grant{person: Agent, client: Agent, life: defaultLife}
		if client != Agent {
			problem = "unauthorized_client"
		}
	default:
		problem = "unsupported_grant_type"
	}
	if problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	if next == "" && client != Agent { // RFC 6749, section 4.4.3: a program asks again instead
		var err error
		if next, err = s.begin(g); err != nil {
			refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable")
			return
		}
	}
	s.issue(w, g, next)
}

// issue answers with tokens for the grant; refresh may be empty.
func (s *Server) issue(w http.ResponseWriter, g grant, refresh string) {
	claims, err := s.claims(g)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	access, err := s.sign(s.header("at+jwt"), claims)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error")
		return
	}
	body := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(g.life.Seconds())}
	if refresh != "" {
		body["refresh_token"] = refresh
	}
	if g.openid && g.person != Agent {
		id, err := s.sign(s.header("JWT"), idClaims(claims, g))
		if err != nil {
			refuse(w, http.StatusInternalServerError, "server_error")
			return
		}
		body["id_token"] = id
	}
	reply(w, http.StatusOK, body)
}

// idClaims turn an access token's claims into an ID token's (OpenID Connect
// Core 1.0, section 2).
func idClaims(access map[string]any, g grant) map[string]any {
	claims := with(maps.Clone(access), map[string]any{"aud": g.client, "azp": g.client, "client_id": nil, "scope": nil, "roles": nil, "jti": nil})
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	return claims
}

// serveDevToken hands out tokens for `custody token dev`. The header that it
// asks for cannot be sent by a page of another origin without a preflight,
// which is never answered.
func (s *Server) serveDevToken(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Custody-Dev") != "1" {
		explain(w, http.StatusForbidden, "send the header Custody-Dev: 1")
		return
	}
	g := grant{person: r.PostFormValue("as"), client: CLI, acr: r.PostFormValue("acr"), life: defaultLife, at: s.now()}
	limit := maxLife
	if g.person == Agent {
		g.client, limit = Agent, maxAgent
	}
	if g.acr == "" {
		g.acr = "mfa"
	}
	if text := r.PostFormValue("ttl"); text != "" {
		ttl, err := time.ParseDuration(text)
		if err != nil || ttl < time.Second || ttl > limit {
			explain(w, http.StatusBadRequest, "ttl is a duration such as 10m: at most 60m for people, 30m for summariser")
			return
		}
		g.life = ttl
	}
	if _, err := s.claims(g); err != nil {
		explain(w, http.StatusBadRequest, err.Error())
		return
	}
	s.issue(w, g, "")
}

// refuse answers with an error (RFC 6749, section 5.2).
func refuse(w http.ResponseWriter, status int, problem string) {
	reply(w, status, map[string]string{"error": problem})
}

// explain answers with an error for a person to read.
func explain(w http.ResponseWriter, status int, what string) {
	reply(w, status, map[string]string{"error": "invalid_request", "error_description": what})
}
