// Package devidp is a small OpenID provider for development, the demo and
// tests. It speaks the real protocols over real HTTP: discovery, authorization
// code with PKCE (RFC 7636), device authorization (RFC 8628), client
// credentials, access tokens of RFC 9068. What is not real is the sign-in: a
// click on a name. So it listens on loopback only, and answers only requests
// that were addressed to loopback.
//
// It is for cmd and for tests. It cannot revoke an access token.
package devidp

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A Config says where the provider listens. The zero Config is that of
// `custody dev`, with a key that is forgotten at the end.
type Config struct {
	// Listen is a loopback address; default 127.0.0.1:8090. Port 0 takes a free one.
	Listen string
	// Audience is the aud of every access token; default custody.
	Audience string
	// Issuer is the provider's own URL, without a path; default http:// and the
	// address that it listens on.
	Issuer string
	// KeyFile keeps the signing key across restarts, mode 0600. It is made if it
	// is not there. Empty: a new key at every start.
	KeyFile string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (c Config) validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return errors.New("listen: is not an address such as 127.0.0.1:8090")
	}
	if !loopback(host) {
		return errors.New("listen: the development provider signs anybody in, so it listens on loopback only")
	}
	if c.Issuer == "" {
		return nil
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Scheme != "http" || !loopback(u.Hostname()) || c.Issuer != "http://"+u.Host {
		return errors.New("issuer: must be http://, a loopback host and a port, and nothing after that")
	}
	return nil
}

// A Server is a running provider. It is safe for concurrent use.
type Server struct {
	issuer   string
	audience string
	now      func() time.Time
	key      *ecdsa.PrivateKey
	kid      string
	requests *shelf[authorization]
	codes    *shelf[code]
	devices  *shelf[*device]
	sessions *shelf[*session]
	http     *http.Server
}

// Start listens and serves until Close. ctx bounds only the start. An error
// names the field of the Config that is wrong.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8090"
	}
	if c.Audience == "" {
		c.Audience = "custody"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	key, err := loadKey(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	// localhost is whatever the hosts file says: look at what came of it.
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		_ = listener.Close()
		return nil, errors.New("listen: the address is not on loopback")
	}
	if c.Issuer == "" {
		c.Issuer = "http://" + listener.Addr().String()
	}
	s := newServer(c, key)
	go func() { _ = s.http.Serve(listener) }() // ends with Close
	return s, nil
}

func newServer(c Config, key *ecdsa.PrivateKey) *Server {
	s := &Server{
		issuer: c.Issuer, audience: c.Audience, now: c.Now, key: key, kid: keyID(key),
		requests: newShelf[authorization](c.Now), codes: newShelf[code](c.Now), devices: newShelf[*device](c.Now),
		sessions: newShelf[*session](c.Now),
	}
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	return s
}

// Issuer is the provider's URL, and the iss of its tokens.
func (s *Server) Issuer() string { return s.issuer }

// Close stops listening and waits for requests under way, until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the development provider: %w", err)
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.serveDiscovery)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.serveDiscovery)
	mux.HandleFunc("GET /keys", s.serveKeys)
	mux.HandleFunc("GET /authorize", s.serveAuthorize)
	mux.HandleFunc("POST /authorize", s.serveSignIn)
	mux.HandleFunc("POST /token", s.serveToken)
	mux.HandleFunc("POST /revoke", s.serveRevoke)
	mux.HandleFunc("POST /device_authorization", s.serveDeviceAuthorization)
	mux.HandleFunc("GET /device", s.serveDevicePage)
	mux.HandleFunc("POST /device", s.serveDeviceSignIn)
	mux.HandleFunc("POST /dev/token", s.serveDevToken)
	return onlyLoopback(http.NewCrossOriginProtection().Handler(mux))
}

// onlyLoopback refuses what was sent to another name that merely resolves to
// loopback: a page of that name would count as the same origin (DNS rebinding).
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			http.Error(w, "the development provider answers on loopback only", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer":                                         s.issuer,
		"jwks_uri":                                       s.issuer + "/keys",
		"authorization_endpoint":                         s.issuer + "/authorize",
		"token_endpoint":                                 s.issuer + "/token",
		"device_authorization_endpoint":                  s.issuer + "/device_authorization",
		"revocation_endpoint":                            s.issuer + "/revoke",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token", grantDevice, "client_credentials"},
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_basic", "client_secret_post"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"subject_types_supported":                        []string{"public"},
		"scopes_supported":                               []string{"openid", "profile"},
		"acr_values_supported":                           []string{"mfa", "pwd"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: s.key.Public(), KeyID: s.kid, Algorithm: string(jose.ES256), Use: "sig"},
	}})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone; there is nobody to tell
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
