package oidc

import (
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
)

const (
	leeway        = time.Minute      // on exp, nbf and iat, both ways
	maxHumanLife  = time.Hour        // exp - iat of a person's token
	maxAgentLife  = 30 * time.Minute // of any token in a program's hands
	maxSubject    = 255              // bytes; OpenID Connect Core 1.0, section 2
	maxClient     = 255              // bytes of an actor's name
	acrMFA        = "mfa"
	acrPWD        = "pwd"
	keycloakAgent = "service-account-" // preferred_username of a client's own account
)

// A presented token is a token with the issuer that it claims to be from and
// the moment of its checking. Its claims are worth nothing until keySet.verify
// has agreed.
type presented struct {
	token
	issuer Issuer
	now    time.Time
}

// client is who presents the token: azp, as OpenID Connect calls it, or
// client_id (RFC 9068, section 2.2). Two different ones are none.
func (p *presented) client() string {
	azp, id := p.claims.text("azp"), p.claims.text("client_id")
	if azp == "" {
		azp = id
	}
	if p.claims.has("client_id") && id != azp || p.claims.has("azp") && p.claims.text("azp") == "" {
		return ""
	}
	return azp
}

// agent reports whether the client is registered as a program.
func (p *presented) agent() bool { return slices.Contains(p.issuer.Agents, p.client()) }

// self reports whether the subject is the client: a client-credentials token
// (RFC 9068, section 2.2: sub is then the client id). Keycloak gives each
// client an account of its own, whose name no person can have.
func (p *presented) self() bool {
	client := p.client()
	return p.claims.text("sub") == client ||
		p.issuer.has(profileKeycloak) && p.claims.text("preferred_username") == keycloakAgent+client
}

// actors lists the programs that act for the subject, nearest first: the act
// claim's chain (RFC 8693, section 4.1), and before it a registered agent that
// presents somebody else's token. Keycloak never sends act, so its absence
// proves nothing. ok is false if act cannot be read.
func (p *presented) actors() (actors []string, ok bool) {
	if p.agent() && !p.self() {
		actors = append(actors, p.client())
	}
	level, present := p.claims, p.claims.has("act")
	for present {
		if level, ok = level["act"].(object); !ok {
			return nil, false
		}
		actor := level.text("client_id")
		if actor == "" {
			actor = level.text("sub")
		}
		if actor == "" || len(actor) > maxClient || !printable(actor) {
			return nil, false
		}
		if !slices.Contains(actors, actor) {
			actors = append(actors, actor)
		}
		present = level.has("act")
	}
	return actors, true
}

// program reports whether no person was there when the token was asked for.
func (p *presented) program() bool {
	actors, ok := p.actors()
	return p.self() || len(actors) > 0 || !ok
}

// kind is that of the subject.
func (p *presented) kind() security.Kind {
	if p.self() {
		return security.Agent
	}
	return security.Human
}

// maxLife is how long a token in these hands may live.
func (p *presented) maxLife() time.Duration {
	if p.program() {
		return maxAgentLife
	}
	return maxHumanLife
}

// accessToken reports whether this is an access token and no other kind of
// JWT that the issuer's keys sign (RFC 9068, section 4; RFC 8725, section
// 3.12). A nonce says nothing: older Keycloak access tokens have one.
func (p *presented) accessToken() bool {
	for _, alien := range []string{"events", "at_hash", "c_hash"} { // logout and ID tokens
		if p.claims.has(alien) {
			return false
		}
	}
	bearer := p.claims.text("typ") == "Bearer"
	switch strings.TrimPrefix(strings.ToLower(p.header.text("typ")), "application/") {
	case "at+jwt":
		return bearer || !p.claims.has("typ")
	case "jwt":
		return bearer && p.issuer.has(profileKeycloak)
	}
	return false
}

// subject reports whether sub can name somebody.
func (p *presented) subject() bool { return named(p.claims, "sub") }

// roles is the union over the issuer's pointers, sorted, and which pointers
// led nowhere. With the default pointers one find is enough: no provider
// fills them all.
func (p *presented) roles() (roles, missing []string) {
	pointers, named := p.issuer.pointers()
	for _, pointer := range pointers {
		v, _ := p.claims.at(pointer)
		list, ok := texts(v)
		if !ok {
			missing = append(missing, pointer)
		}
		roles = append(roles, list...)
	}
	if !named && len(missing) < len(pointers) {
		missing = nil
	}
	roles = slices.DeleteFunc(roles, func(r string) bool { return r == "" })
	slices.Sort(roles)
	return slices.Compact(roles), missing
}

// factors is how a person signed in. An acr of mfa beside an amr that knows
// of nothing but a password is not believed: Keycloak says that of somebody
// who enrolled a second factor a moment ago. Without an amr the acr stands alone.
func (p *presented) factors() (acr string, amr []string) {
	amr, readable := texts(p.claims["amr"])
	amr = slices.Clone(amr)
	slices.Sort(amr)
	raw := p.claims.text("acr")
	if raw == "" {
		return "", slices.Compact(amr) // whatever the mapping says of the empty text
	}
	acr, mapped := p.issuer.ACR[raw]
	if !mapped && (raw == acrMFA || raw == acrPWD) {
		acr = raw
	}
	doubtful := p.claims.has("amr") && !readable || len(amr) > 0 && !slices.ContainsFunc(amr, beyondPassword)
	if acr == acrMFA && doubtful {
		acr = acrPWD
	}
	return acr, slices.Compact(amr)
}

// beyondPassword reports whether the method (RFC 8176) is more than something
// that one knows.
func beyondPassword(method string) bool {
	return method != "" && method != "pwd" && method != "pin" && method != "kba"
}

// name is one to show to people, or empty.
func (p *presented) name() string {
	for _, claim := range []string{"name", "preferred_username"} {
		if named(p.claims, claim) {
			return p.claims.text(claim)
		}
	}
	return ""
}

// principal is the caller, without an ID.
func (p *presented) principal() security.Principal {
	roles, missing := p.roles()
	actors, _ := p.actors()
	expires, _ := p.claims.instant("exp")
	issued, _ := p.claims.instant("iat")
	who := security.Principal{
		Tenant: p.issuer.Tenant, Kind: p.kind(), Issuer: p.issuer.Issuer,
		Subject: p.claims.text("sub"), Name: p.name(), Client: p.client(),
		Session: p.claims.text("sid"), TokenID: p.claims.text("jti"),
		Roles: roles, Act: actors, IssuedAt: issued, Expires: expires, Missing: missing,
	}
	if who.TokenID == "" {
		who.Missing = append(who.Missing, "/jti")
	}
	if p.program() {
		return who // whatever acr says: Keycloak writes acr for programs too
	}
	who.ACR, who.AMR = p.factors()
	who.AuthTime, _ = p.claims.instant("auth_time")
	if p.claims.text("acr") == "" {
		who.Missing = append(who.Missing, "/acr")
	}
	if who.AuthTime.IsZero() {
		who.Missing = append(who.Missing, "/auth_time")
	}
	return who
}

// named reports whether a claim is a short printable text.
func named(o object, claim string) bool {
	text := o.text(claim)
	return text != "" && len(text) <= maxSubject && printable(text)
}

// printable reports whether the text can stand in a terminal and a log.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	})
}
