package custody

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security/oidc"
)

// maxDocument bounds what an issuer may answer.
const maxDocument = 1 << 20

func (e *examination) issuers() []look {
	out := make([]look, len(e.cfg.Issuers))
	for n, is := range e.cfg.Issuers {
		out[n] = look{"issuers", checkLimit, func(ctx context.Context, s *sheet) { e.issuer(ctx, s, n, is) }}
	}
	return out
}

func (e *examination) issuer(ctx context.Context, s *sheet, n int, is oidc.Issuer) {
	if _, err := oidc.New(ctx, oidc.Config{Issuers: []oidc.Issuer{is}}); err != nil {
		s.problem(fmt.Sprintf("issuer %d", n), err.Error(), "mend issuers in the configuration file, or the CUSTODY_OIDC_ variables; the fields are in docs/operations.md")
		return
	}
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
		Token  string `json:"token_endpoint"`
	}
	name := is.Issuer
	date, err := document(ctx, strings.TrimRight(is.Issuer, "/")+"/.well-known/openid-configuration", &about)
	if err != nil {
		s.problem(name, "its discovery document "+err.Error(), "check the issuer's URL: it must answer /.well-known/openid-configuration from this machine")
		return
	}
	if about.Issuer != is.Issuer {
		s.problem(name, fmt.Sprintf("it calls itself %q: every token of it would be refused", about.Issuer), "write the issuer exactly as it calls itself, also the last slash")
		return
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if _, err := document(ctx, about.Keys, &set); err != nil {
		s.problem(name, "its key set "+err.Error(), "let this machine reach its jwks_uri")
		return
	}
	if !slices.ContainsFunc(set.Keys, jwk.usable) {
		s.problem(name, "none of its keys can be used", "let it sign with RS256, PS256, ES256 or EdDSA; RSA keys have at least 2048 bits")
		return
	}
	s.well(name, plural(len(set.Keys), "key", "keys"))
	if !date.IsZero() {
		e.clock(s, time.Until(date)+time.Second/2, "the issuer's", "let this machine keep its time by NTP: tokens are refused when they are more than 60 s off")
	}
	profileOf(s, is, about.Token)
}

func profileOf(s *sheet, is oidc.Issuer, endpoint string) {
	looks := strings.Contains(endpoint, "/protocol/openid-connect/")
	has := slices.Contains(is.Profile, "keycloak")
	switch {
	case looks && !has:
		s.hint(is.Issuer, "it looks like Keycloak, and its profile is not keycloak: its access tokens would be refused", "add keycloak to the issuer's profile")
	case has && !looks && endpoint != "":
		s.hint(is.Issuer, "its profile is keycloak, and it does not look like Keycloak", "leave out keycloak if it is not: the profile accepts tokens of the header type JWT")
	}
}

// document fetches JSON and tells the server's time. Redirects are not
// followed, as when tokens are checked.
func document(ctx context.Context, address string, into any) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return time.Time{}, errors.New("has an address that is not a URL")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return time.Time{}, errors.New("cannot be fetched: " + reason(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("is answered with %d", res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxDocument))
	if err != nil || json.Unmarshal(raw, into) != nil {
		return time.Time{}, errors.New("is not JSON of the right shape")
	}
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil // without a date there is nothing to compare
	}
	return date, nil
}

// A jwk is as much of a key (RFC 7517) as tells whether it is of use.
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	Modulus   string `json:"n"`
}

func (k jwk) usable() bool {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && !slices.Contains([]string{"RS256", "ES256", "PS256", "EdDSA"}, k.Algorithm) {
		return false
	}
	switch k.Type {
	case "RSA":
		n, err := base64.RawURLEncoding.DecodeString(k.Modulus)
		return err == nil && len(n) >= 2048/8
	case "EC":
		return k.Curve == "P-256"
	case "OKP":
		return k.Curve == "Ed25519"
	}
	return false
}
