package oidc

import (
	"context"
	"slices"
	"strings"
	"time"
)

// logoutEvent is what a logout token is about (OpenID Connect Back-Channel
// Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// A Logout is what a provider said: a session, or all of a person's, has ended.
type Logout struct {
	Tenant   string
	Issuer   string
	ID       string    // subj_… of the person; empty if the token names only a session
	Session  string    // sid; empty: every session of the person that began until IssuedAt
	TokenID  string    // jti: the same one must not count twice
	IssuedAt time.Time // by the issuer's clock
}

// VerifyLogout reads a logout token (OpenID Connect Back-Channel Logout 1.0,
// section 2.6). That it was not seen before is the caller's to check. Its
// errors are a *TokenError, or wrap ErrUnavailable. Like Verify it causes at
// most one key fetch in ten seconds for each issuer.
func (v *Verifier) VerifyLogout(ctx context.Context, raw string) (Logout, error) {
	none := Logout{}
	p, keys, err := v.present(raw)
	if err != nil {
		return none, err
	}
	for _, c := range logoutChecks() {
		if !c.holds(p) {
			return none, c.refusal()
		}
	}
	if err := signed(ctx, p, keys); err != nil {
		return none, err
	}
	out := Logout{Tenant: p.issuer.Tenant, Issuer: p.issuer.Issuer, Session: p.claims.text("sid"), TokenID: p.claims.text("jti")}
	out.IssuedAt, _ = p.claims.instant("iat")
	if out.Session != "" {
		return out, nil // the narrower of the two
	}
	if v.subjects == nil {
		return none, ErrUnavailable
	}
	if out.ID, err = v.subjects.Subject(ctx, out.Tenant, out.Issuer, p.claims.text("sub")); err != nil || out.ID == "" {
		return none, ErrUnavailable
	}
	return out, nil
}

// logoutChecks must all hold. What is the same for every token of an issuer is
// asked by the checks that access tokens pass.
func logoutChecks() []check {
	var common []check
	for _, c := range checks() {
		if slices.Contains([]string{"algorithm", "critical", "issued", "not-before", "expiry"}, c.name) {
			common = append(common, c)
		}
	}
	return append(common, []check{{
		name: "type", says: "the token is not a logout token", holds: (*presented).logoutToken,
	}, {
		name: "event", says: "the token is not about a logout", holds: (*presented).aboutLogout,
	}, {
		name: "nonce", says: "a logout token has no nonce", holds: func(p *presented) bool { return !p.claims.has("nonce") },
	}, {
		name: "audience", says: "the token is not meant for a client of this API", holds: (*presented).forClient,
	}, {
		name: "jti", says: "the token has no id of its own",
		holds: func(p *presented) bool { return named(p.claims, "jti") },
	}, {
		name: "subject", says: "the token names neither a session nor a person",
		holds: func(p *presented) bool {
			for _, claim := range []string{"sid", "sub"} {
				if p.claims.has(claim) && !named(p.claims, claim) {
					return false
				}
			}
			return p.claims.has("sid") || p.claims.has("sub")
		},
	}}...)
}

// logoutToken reports whether the header says so. Providers that came before
// the type was registered write JWT; of those a profile must tell.
func (p *presented) logoutToken() bool {
	switch strings.TrimPrefix(strings.ToLower(p.header.text("typ")), "application/") {
	case "logout+jwt":
		return !p.claims.has("typ") || p.claims.text("typ") == "Logout"
	case "jwt":
		return p.claims.text("typ") == "Logout" && p.issuer.has(profileKeycloak)
	}
	return false
}

// aboutLogout reports whether events has the one member that counts, an object.
func (p *presented) aboutLogout() bool {
	events, ok := p.claims["events"].(object)
	if !ok {
		return false
	}
	_, ok = events[logoutEvent].(object)
	return ok
}

// forClient reports whether a client of ours is in aud: logout tokens are for
// clients, not for this API's audience.
func (p *presented) forClient() bool {
	list, ok := texts(p.claims["aud"])
	return ok && slices.ContainsFunc(list, func(aud string) bool {
		return aud != "" && slices.Contains(slices.Concat(p.issuer.Clients, p.issuer.Agents), aud)
	})
}
