package oidc

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A check is one thing that must hold of a token. says is what a stranger is
// told, so it is the same for every token; expected, found and remedy are for
// the token's holder and the operator (Explain).
type check struct {
	name     string
	says     string
	holds    func(p *presented) bool
	expected func(p *presented) string
	found    func(p *presented) string
	remedy   func(p *presented) string
}

// checks are made in this order, before the signature: a token that cannot be
// accepted whoever signed it must not cost a key fetch. All of them must hold.
func checks() []check {
	return slices.Concat(headerChecks(), partyChecks(), timeChecks())
}

func headerChecks() []check {
	return []check{{
		name: "algorithm", says: "the token is signed with an algorithm that is not accepted",
		holds: func(p *presented) bool {
			return slices.Contains(algorithms(), jose.SignatureAlgorithm(p.header.text("alg")))
		},
		expected: say("RS256, ES256, PS256 or EdDSA"), found: member("alg"),
		remedy: say("let the provider sign access tokens for this API with one of these"),
	}, {
		name: "critical", says: "the token asks for an extension that is not supported",
		holds:    func(p *presented) bool { return !p.header.has("crit") },
		expected: say("no crit in the header"), found: member("crit"),
		remedy: say("turn the extension off at the provider"),
	}, {
		name: "type", says: "the token is not an access token",
		holds: (*presented).accessToken, expected: expectedType,
		found: func(p *presented) string {
			return "header " + quoted(p.header.text("typ")) + ", payload " + quoted(p.claims.text("typ"))
		},
		remedy: remedyType,
	}, {
		name: "proof", says: "the token is bound to a key whose proof is not supported here",
		holds:    func(p *presented) bool { return !p.claims.has("cnf") },
		expected: say("no cnf: DPoP and mutual TLS are not supported yet"), found: claim("cnf"),
		remedy: say("turn sender-constrained tokens off for this client"),
	}}
}

func partyChecks() []check {
	return []check{{
		name: "audience", says: "the token is not meant for this API",
		holds: func(p *presented) bool {
			list, ok := texts(p.claims["aud"])
			return ok && slices.Contains(list, p.issuer.Audience)
		},
		expected: func(p *presented) string { return p.issuer.Audience }, found: claim("aud"), remedy: remedyAudience,
	}, {
		name: "client", says: "the token was issued to a client that is not admitted",
		holds: func(p *presented) bool {
			return p.client() != "" && slices.Contains(slices.Concat(p.issuer.Clients, p.issuer.Agents), p.client())
		},
		expected: func(p *presented) string {
			return "one of " + strings.Join(slices.Concat(p.issuer.Clients, p.issuer.Agents), ", ")
		},
		found: func(p *presented) string {
			return "azp " + quoted(p.claims.text("azp")) + ", client_id " + quoted(p.claims.text("client_id"))
		},
		remedy: say("sign in with an admitted client, or add this one to clients (people) or agents (programs) of the issuer; azp and client_id must agree"),
	}, {
		name: "subject", says: "the token does not say whose it is",
		holds:    (*presented).subject,
		expected: say("a sub of 1 to 255 printable bytes"), found: claim("sub"),
		remedy: say("Keycloak: turn Always use lightweight access token off in the client's advanced settings, and keep the basic client scope"),
	}, {
		name: "actor", says: "the token does not say readably who acts for its subject",
		holds:    func(p *presented) bool { _, ok := p.actors(); return ok },
		expected: say("no act, or one whose every level has a sub or client_id"), found: claim("act"),
		remedy: say("see RFC 8693, section 4.1, or drop the act claim"),
	}}
}

func timeChecks() []check {
	return []check{{
		name: "issued", says: "the token does not say when it was issued, or in the future",
		holds: func(p *presented) bool {
			iat, ok := p.claims.instant("iat")
			return ok && !iat.After(p.now.Add(leeway))
		},
		expected: soon, found: date("iat"), remedy: remedyClock,
	}, {
		name: "not-before", says: "the token is not valid yet",
		holds: func(p *presented) bool {
			nbf, ok := p.claims.instant("nbf")
			return !p.claims.has("nbf") || ok && !nbf.After(p.now.Add(leeway))
		},
		expected: soon, found: date("nbf"), remedy: remedyClock,
	}, {
		name: "expiry", says: "the token has expired",
		holds: func(p *presented) bool {
			exp, ok := p.claims.instant("exp")
			return ok && p.now.Before(exp.Add(leeway))
		},
		expected: func(p *presented) string { return "after " + p.now.Add(-leeway).UTC().Format(time.RFC3339) },
		found:    date("exp"), remedy: say("sign in again, or use the refresh token; if it is new, compare the clocks"),
	}, {
		name: "lifetime", says: "the token is valid for longer than is accepted",
		holds: func(p *presented) bool {
			iat, ok1 := p.claims.instant("iat")
			exp, ok2 := p.claims.instant("exp")
			return ok1 && ok2 && exp.Sub(iat) <= p.maxLife()
		},
		expected: func(p *presented) string { return "at most " + p.maxLife().String() },
		found: func(p *presented) string {
			iat, _ := p.claims.instant("iat")
			exp, _ := p.claims.instant("exp")
			return exp.Sub(iat).String()
		},
		remedy: say("shorten the access token lifespan at the provider: 60 minutes for people, 30 where a program is involved"),
	}}
}

func (c check) refusal() error { return &TokenError{Code: c.name, Description: c.says} }

func say(text string) func(*presented) string { return func(*presented) string { return text } }

func claim(name string) func(*presented) string {
	return func(p *presented) string { return show(p.claims, name) }
}

func member(name string) func(*presented) string {
	return func(p *presented) string { return show(p.header, name) }
}

func date(name string) func(*presented) string {
	return func(p *presented) string {
		if at, ok := p.claims.instant(name); ok {
			return at.Format(time.RFC3339)
		}
		return show(p.claims, name)
	}
}

// show is a value for the eyes of the token's holder.
func show(o object, name string) string {
	v, ok := o[name]
	if !ok {
		return "absent"
	}
	if list, ok := texts(v); ok {
		return quoted(strings.Join(list, ", "))
	}
	return quoted(fmt.Sprint(v))
}

// quoted makes a text safe for a terminal, and short.
func quoted(text string) string {
	if text == "" {
		return "empty"
	}
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	return fmt.Sprintf("%+q", text)
}

func soon(p *presented) string { return "before " + p.now.Add(leeway).UTC().Format(time.RFC3339) }

func remedyClock(*presented) string {
	return "compare the clocks of this machine and the provider: they may differ by 60 seconds"
}

func expectedType(p *presented) string {
	if p.issuer.has(profileKeycloak) {
		return "header typ at+jwt, or header typ JWT with typ: Bearer in the payload"
	}
	return "header typ at+jwt (RFC 9068)"
}

func remedyType(p *presented) string {
	if p.claims.text("typ") == "Bearer" && !p.issuer.has(profileKeycloak) {
		return "for a Keycloak realm add keycloak to the issuer's profile, or set the client attribute access.token.header.type.rfc9068 to true"
	}
	return "send the access token, not the ID, refresh or logout token; for Keycloak add keycloak to the issuer's profile"
}

func remedyAudience(p *presented) string {
	client := p.client()
	if client == "" || !printable(client) {
		client = "the client"
	}
	return "ask the provider for a token for this audience. Keycloak: Clients, " + client +
		", Client scopes, its dedicated scope, Add mapper, By configuration, Audience; set Included Custom Audience to " +
		p.issuer.Audience + " and Add to access token to On (mapper oidc-audience-mapper, included.custom.audience)"
}
