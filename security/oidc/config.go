package oidc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Config says whom to trust.
type Config struct {
	Issuers []Issuer
	// HTTP fetches discovery documents and keys. Redirects are never followed,
	// whatever it says. Nil is a client of our own.
	HTTP *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Subjects names people. Without it Verify refuses everybody, and only
	// Explain and Ready are of use: a client has no database.
	Subjects Subjects
}

// Subjects gives the subj_… name under which the ledger knows a subject,
// always the same for the same tenant, issuer and subject. It is called
// concurrently, only after a token has passed every check. Any error makes
// Verify fail with ErrUnavailable.
type Subjects interface {
	Subject(ctx context.Context, tenant, issuer, subject string) (id string, err error)
}

// An Issuer is one provider of tokens and what to expect of them.
type Issuer struct {
	// Issuer is compared with iss byte for byte. http is accepted on loopback only.
	Issuer string `yaml:"issuer"`
	// Audience is this API's name, which every token must have in aud.
	Audience string `yaml:"audience"`
	// Clients are the client ids (azp or client_id) that may present tokens.
	Clients []string `yaml:"clients"`
	// Profile is rfc9068, keycloak or both; default rfc9068. The keycloak profile
	// also accepts the header type JWT if the payload says typ: Bearer.
	Profile []string `yaml:"profile"`
	// Roles are JSON Pointers (RFC 6901) to lists of roles; their union counts.
	// Default for rfc9068: /roles. Default for keycloak: /realm_access/roles and
	// /resource_access/<audience>/roles. Groups are not roles unless asked for:
	// in many organisations people found groups themselves.
	Roles []string `yaml:"roles"`
	// ACR maps the issuer's acr values to mfa or pwd. A value mfa or pwd that is
	// not mapped stands for itself; any other counts as none.
	ACR map[string]string `yaml:"acr"`
	// Tenant is whose people these are; default main.
	Tenant string `yaml:"tenant"`
	// Agents are clients that are programs; they need not stand in Clients too.
	Agents []string `yaml:"agents"`
}

// The profiles of an Issuer.
const (
	profileRFC9068  = "rfc9068"
	profileKeycloak = "keycloak"
)

func (c Config) validate() error {
	if len(c.Issuers) == 0 {
		return errors.New("issuers: at least one issuer is needed, else nobody can sign in")
	}
	seen := map[string]bool{}
	for i, is := range c.Issuers {
		if err := is.validate(); err != nil {
			return fmt.Errorf("issuers[%d].%w", i, err)
		}
		if seen[is.Issuer] {
			return fmt.Errorf("issuers[%d].issuer: the issuer is listed twice", i)
		}
		seen[is.Issuer] = true
	}
	return nil
}

func (is Issuer) validate() error {
	if err := validURL(is.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if is.Audience == "" {
		return errors.New("audience: is needed: the name under which the provider knows this API")
	}
	if len(is.Clients)+len(is.Agents) == 0 || slices.Contains(slices.Concat(is.Clients, is.Agents), "") {
		return errors.New("clients: name the client ids that may present tokens")
	}
	for _, p := range is.Profile {
		if p != profileRFC9068 && p != profileKeycloak {
			return errors.New("profile: is rfc9068, keycloak or both")
		}
	}
	for _, p := range is.Roles {
		if !strings.HasPrefix(p, "/") {
			return errors.New("roles: are JSON Pointers and begin with /, such as /realm_access/roles")
		}
	}
	for _, to := range is.ACR {
		if to != acrMFA && to != acrPWD {
			return errors.New("acr: maps the provider's values to mfa or pwd")
		}
	}
	return nil
}

// withDefaults returns the issuer with every zero field set.
func (is Issuer) withDefaults() Issuer {
	if len(is.Profile) == 0 {
		is.Profile = []string{profileRFC9068}
	}
	if is.Tenant == "" {
		is.Tenant = "main"
	}
	return is
}

// has reports whether the issuer follows the profile.
func (is Issuer) has(profile string) bool { return slices.Contains(is.Profile, profile) }

// pointers are the places of roles, and whether the operator named them.
func (is Issuer) pointers() (pointers []string, named bool) {
	if len(is.Roles) > 0 {
		return is.Roles, true
	}
	if is.has(profileRFC9068) {
		pointers = append(pointers, "/roles")
	}
	if is.has(profileKeycloak) {
		api := strings.NewReplacer("~", "~0", "/", "~1").Replace(is.Audience)
		pointers = append(pointers, "/realm_access/roles", "/resource_access/"+api+"/roles")
	}
	return pointers, false
}

// validURL accepts https anywhere and http where nobody can listen in.
func validURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not an absolute URL without user, query and fragment")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errors.New("must be https; http is accepted on loopback only")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
