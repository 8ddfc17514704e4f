package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/oidc"
)

// rfc6750 is what may stand in error_description.
var rfc6750 = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)

// refusedFor is the code of a refusal, "" for none.
func refusedFor(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	refused := (*oidc.TokenError)(nil)
	if !errors.As(err, &refused) {
		t.Fatalf("not a refusal: %v", err)
	}
	if !rfc6750.MatchString(refused.Description) {
		t.Errorf("%q may not stand in error_description", refused.Description)
	}
	return refused.Code
}

// Each row is a token that is good but for one thing, and its twin: the
// nearest token that must be accepted.
func TestWrongTokenIsRefusedAndItsTwinAccepted(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	plain, keycloak := is.verifier(t, nil), is.verifier(t, func(c *oidc.Issuer) { c.Profile = []string{"keycloak"} })
	now := is.clock().Unix()
	bot := claims{"sub": "bot", "client_id": "bot"}
	type tok struct {
		v      *oidc.Verifier
		header claims
		body   claims
	}
	rows := []struct {
		name, code string
		wrong      tok
		twin       tok
	}{
		{"of another issuer", "issuer", tok{body: claims{"iss": "https://evil.example"}}, tok{}},
		{"with the issuer and a slash", "issuer", tok{body: claims{"iss": is.url + "/"}}, tok{}},
		{"without issuer", "issuer", tok{body: claims{"iss": nil}}, tok{}},
		{"with a critical header", "critical", tok{header: claims{"crit": []string{"exp"}, "exp": 1}}, tok{header: claims{"exp": 1}}},
		{"with typ JWT in profile rfc9068", "type", tok{header: claims{"typ": "JWT"}, body: claims{"typ": "Bearer"}}, tok{header: claims{"typ": "application/at+jwt"}}},
		{"with typ JWT and no payload typ", "type", tok{v: keycloak, header: claims{"typ": "JWT"}}, tok{v: keycloak, header: claims{"typ": "JWT"}, body: claims{"typ": "Bearer"}}},
		{"without header typ", "type", tok{v: keycloak, header: claims{"typ": nil}, body: claims{"typ": "Bearer"}}, tok{header: claims{"typ": "AT+JWT"}}},
		{"an ID token by payload", "type", tok{v: keycloak, header: claims{"typ": "JWT"}, body: claims{"typ": "ID", "nonce": "n"}}, tok{v: keycloak, header: claims{"typ": "JWT"}, body: claims{"typ": "Bearer", "nonce": "n"}}},
		{"an ID token by at_hash", "type", tok{body: claims{"at_hash": "h"}}, tok{body: claims{"nonce": "n"}}},
		{"a refresh token", "type", tok{v: keycloak, header: claims{"typ": "JWT"}, body: claims{"typ": "Refresh"}}, tok{v: keycloak, body: claims{"typ": "Bearer"}}},
		{"a refresh token dressed as at+jwt", "type", tok{body: claims{"typ": "Refresh"}}, tok{body: claims{"typ": "Bearer"}}},
		{"a logout token by header", "type", tok{header: claims{"typ": "logout+jwt"}}, tok{}},
		{"a logout token by events", "type", tok{body: claims{"events": claims{"http://schemas.openid.net/event/backchannel-logout": claims{}}}}, tok{}},
		{"a DPoP token by payload", "type", tok{v: keycloak, header: claims{"typ": "JWT"}, body: claims{"typ": "DPoP"}}, tok{v: keycloak}},
		{"bound to a key (cnf)", "proof", tok{body: claims{"cnf": claims{"jkt": "x"}}}, tok{}},
		{"for another audience", "audience", tok{body: claims{"aud": "account"}}, tok{body: claims{"aud": []string{"account", audience}}}},
		{"without audience", "audience", tok{body: claims{"aud": nil}}, tok{}},
		{"with AUD for aud", "audience", tok{body: claims{"aud": nil, "AUD": audience}}, tok{}},
		{"with an audience of mixed kinds", "audience", tok{body: claims{"aud": []any{audience, 1}}}, tok{body: claims{"aud": []any{audience}}}},
		{"with an audience that only begins like ours", "audience", tok{body: claims{"aud": audience + "/v2"}}, tok{}},
		{"of another client", "client", tok{body: claims{"client_id": "game"}}, tok{body: claims{"client_id": nil, "azp": "console"}}},
		{"without client", "client", tok{body: claims{"client_id": nil}}, tok{}},
		{"of two clients", "client", tok{body: claims{"azp": "bot"}}, tok{body: claims{"azp": "console"}}},
		{"without subject", "subject", tok{body: claims{"sub": nil}}, tok{}},
		{"with an empty subject", "subject", tok{body: claims{"sub": ""}}, tok{}},
		{"with a subject that is a number", "subject", tok{body: claims{"sub": 7}}, tok{body: claims{"sub": "7"}}},
		{"with a subject that moves the cursor", "subject", tok{body: claims{"sub": "a\x1b[2Jb"}}, tok{body: claims{"sub": "Żółć"}}},
		{"with an act that is no object", "actor", tok{body: claims{"act": "bot"}}, tok{body: claims{"act": claims{"sub": "bot"}}}},
		{"with an act without name", "actor", tok{body: claims{"act": claims{"sub": "bot", "act": claims{}}}}, tok{body: claims{"act": claims{"sub": "bot", "act": claims{"sub": "b2"}}}}},
		{"without iat", "issued", tok{body: claims{"iat": nil}}, tok{}},
		{"issued in the future", "issued", tok{body: claims{"iat": now + 61}}, tok{body: claims{"iat": now + 60}}},
		{"with iat as text", "issued", tok{body: claims{"iat": fmt.Sprint(now)}}, tok{body: claims{"iat": float64(now) + 0.5}}},
		{"not valid yet", "not-before", tok{body: claims{"nbf": now + 61}}, tok{body: claims{"nbf": now + 60}}},
		{"with nbf as text", "not-before", tok{body: claims{"nbf": "soon"}}, tok{body: claims{"nbf": now}}},
		{"without exp", "expiry", tok{body: claims{"exp": nil}}, tok{}},
		{"expired", "expiry", tok{body: claims{"iat": now - 600, "exp": now - 60}}, tok{body: claims{"iat": now - 600, "exp": now - 59}}},
		{"with exp beyond all clocks", "expiry", tok{body: claims{"exp": json.Number("1e999")}}, tok{}},
		{"of a person for over an hour", "lifetime", tok{body: claims{"exp": now + 3601}}, tok{body: claims{"exp": now + 3600}}},
		{"of a program for over half an hour", "lifetime", tok{body: with(bot, claims{"exp": now + 1801})}, tok{body: with(bot, claims{"exp": now + 1800})}},
		{"of a program for a person for over half an hour", "lifetime", tok{body: claims{"client_id": "bot", "exp": now + 1801}}, tok{body: claims{"client_id": "bot", "exp": now + 1800}}},
		{"acted for by claim for over half an hour", "lifetime", tok{body: claims{"act": claims{"sub": "x"}, "exp": now + 1801}}, tok{body: claims{"act": claims{"sub": "x"}, "exp": now + 1800}}},
		{"with a HMAC algorithm", "algorithm", tok{header: claims{"alg": "HS256"}}, tok{}},
		{"with a longer RSA algorithm", "algorithm", tok{header: claims{"alg": "RS512"}}, tok{}},
		{"with algorithm none", "algorithm", tok{header: claims{"alg": "none"}}, tok{}},
		{"with an algorithm that is not its key's", "signature", tok{header: claims{"alg": "RS256"}}, tok{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for want, tk := range map[string]tok{row.code: row.wrong, "": row.twin} {
				v := tk.v
				if v == nil {
					v = plain
				}
				raw := sign(t, k, tk.header, with(is.claims(), tk.body))
				_, err := v.Verify(t.Context(), raw)
				if got := refusedFor(t, err); got != want {
					t.Errorf("refused for %q, want %q", got, want)
				}
				if r := v.Explain(t.Context(), raw); r.Accepted != (want == "") {
					t.Errorf("Explain says accepted=%v, Verify says %v", r.Accepted, err)
				}
			}
		})
	}
}

func TestMalformedTokenIsRefused(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	good, err := json.Marshal(is.claims())
	if err != nil {
		t.Fatal(err)
	}
	open := strings.TrimSuffix(string(good), "}")
	raw := sign(t, k, nil, is.claims())
	parts := strings.Split(raw, ".")
	padded := len(raw) + maxPad(raw)
	rows := []struct{ name, code, token string }{
		{"good", "", raw},
		{"good with a member more", "", signText(t, k, nil, open+`,"x":{"a":[1,{"b":2}]}}`)},
		{"empty", "shape", ""},
		{"two parts", "shape", parts[0] + "." + parts[1]},
		{"four parts", "shape", raw + "."},
		{"unsigned", "shape", parts[0] + "." + parts[1] + "."},
		{"padded", "shape", parts[0] + "." + parts[1] + "." + parts[2] + "=="},
		{"with a line break", "shape", parts[0] + "." + parts[1] + ".\n" + parts[2]},
		{"with a repeated claim", "shape", signText(t, k, nil, open+`,"sub":"bob"}`)},
		{"with a repeated claim in disguise", "shape", signText(t, k, nil, open+`,"s\u0075b":"bob"}`)},
		{"with a repeated member deep inside", "shape", signText(t, k, nil, open+`,"x":[{"a":1,"a":2}]}`)},
		{"with a repeated header", "shape", signRaw(t, k, `{"typ":"at+jwt","alg":"ES256","kid":"k1","alg":"ES256"}`, string(good))},
		{"nested too deep", "shape", signText(t, k, nil, open+`,"x":`+strings.Repeat("[", 8)+strings.Repeat("]", 8)+`}`)},
		{"with broken UTF-8", "shape", signText(t, k, nil, open+",\"x\":\"\xff\"}")},
		{"with something after the claims", "shape", signText(t, k, nil, string(good)+"{}")},
		{"a list", "shape", signText(t, k, nil, "["+string(good)+"]")},
		{"over 16 KiB", "size", raw + strings.Repeat("A", padded)},
		{"with another payload", "signature", parts[0] + "." + strings.Split(sign(t, k, nil, with(is.claims(), claims{"sub": "bob"})), ".")[1] + "." + parts[2]},
		{"signed by a key of the same id", "signature", sign(t, key(t, jose.ES256, "k1"), nil, is.claims())},
		{"signed by a key in its own header", "signature", selfSigned(t, is)},
		{"HMAC with the public key", "algorithm", hmacToken(t, k, string(good))},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(t.Context(), row.token)
			if got := refusedFor(t, err); got != row.code {
				t.Errorf("refused for %q, want %q", got, row.code)
			}
		})
	}
}

func maxPad(raw string) int { return 16<<10 - len(raw) + 1 }

// selfSigned is a token that brings the key it is signed with.
func selfSigned(t *testing.T, is *issuer) string {
	t.Helper()
	own := key(t, jose.ES256, "")
	return sign(t, own, claims{"jwk": own.Public(), "kid": nil}, is.claims())
}

// hmacToken uses the issuer's public key as a shared secret, the classic
// confusion of algorithms (RFC 8725, section 2.1).
func hmacToken(t *testing.T, k jose.JSONWebKey, payload string) string {
	t.Helper()
	secret, err := x509.MarshalPKIXPublicKey(k.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"typ":"at+jwt","alg":"HS256","kid":"k1"}`)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func TestEveryAcceptedAlgorithmWorks(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			is := newIssuer(t)
			k, other := key(t, alg, "k1"), key(t, alg, "")
			is.publish(k, other)
			v := is.verifier(t, nil)
			if _, err := v.Verify(t.Context(), sign(t, k, nil, is.claims())); err != nil {
				t.Errorf("with kid: %v", err)
			}
			if _, err := v.Verify(t.Context(), sign(t, k, claims{"kid": nil}, is.claims())); err != nil {
				t.Errorf("without kid: %v", err)
			}
		})
	}
}

func TestPrincipalIsWhatTheTokenSays(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	now := is.clock()
	base := security.Principal{
		Tenant: "main", ID: "subj_main_alice", Kind: security.Human, Issuer: is.url, Subject: "alice", Client: "console",
		Session: "s1", TokenID: "j1", Roles: []string{"analyst"}, ACR: "mfa", AMR: []string{"otp", "pwd"},
		AuthTime: now.Add(-30 * time.Second), IssuedAt: now, Expires: now.Add(10 * time.Minute),
	}
	acting := base
	acting.ACR, acting.AMR, acting.AuthTime = "", nil, time.Time{}
	agent := acting
	agent.Kind, agent.Subject, agent.ID, agent.Client = security.Agent, "bot", "subj_main_bot", "bot"
	account := agent
	account.Subject, account.ID, account.Name = "0a1", "subj_main_0a1", "service-account-bot"
	edit := func(p security.Principal, change func(*security.Principal)) security.Principal { change(&p); return p }
	rows := []struct {
		name   string
		config func(*oidc.Issuer)
		body   claims
		want   security.Principal
	}{
		{"a person", nil, nil, base},
		{"a person with a name", nil, claims{"name": "Alice"}, edit(base, func(p *security.Principal) { p.Name = "Alice" })},
		{"a name that moves the cursor is not shown", nil, claims{"name": "A\x1b[2J"}, base},
		{"another tenant", func(c *oidc.Issuer) { c.Tenant = "acme" }, nil, edit(base, func(p *security.Principal) { p.Tenant, p.ID = "acme", "subj_acme_alice" })},
		{"acr without mapping counts as none", nil, claims{"acr": "2"}, edit(base, func(p *security.Principal) { p.ACR = "" })},
		{"acr is mapped", func(c *oidc.Issuer) { c.ACR = map[string]string{"2": "mfa"} }, claims{"acr": "2"}, base},
		{"acr mfa may be mapped away", func(c *oidc.Issuer) { c.ACR = map[string]string{"mfa": "pwd"} }, nil, edit(base, func(p *security.Principal) { p.ACR = "pwd" })},
		{"without acr there is none", nil, claims{"acr": nil}, edit(base, func(p *security.Principal) { p.ACR, p.Missing = "", []string{"/acr"} })},
		{"nor can a mapping make one", func(c *oidc.Issuer) { c.ACR = map[string]string{"": "mfa"} }, claims{"acr": nil}, edit(base, func(p *security.Principal) { p.ACR, p.Missing = "", []string{"/acr"} })},
		{"acr mfa without amr stands", nil, claims{"amr": nil}, edit(base, func(p *security.Principal) { p.AMR = nil })},
		{"acr mfa with a password alone is not believed", nil, claims{"amr": []string{"pwd"}}, edit(base, func(p *security.Principal) { p.ACR, p.AMR = "pwd", []string{"pwd"} })},
		{"acr mfa with an unreadable amr is not believed", nil, claims{"amr": claims{}}, edit(base, func(p *security.Principal) { p.ACR, p.AMR = "pwd", nil })},
		{"without auth_time there is none", nil, claims{"auth_time": nil}, edit(base, func(p *security.Principal) { p.AuthTime, p.Missing = time.Time{}, []string{"/auth_time"} })},
		{"a token without jti says so", nil, claims{"jti": nil}, edit(base, func(p *security.Principal) { p.TokenID, p.Missing = "", []string{"/jti"} })},
		{"roles are sorted and single", nil, claims{"roles": []string{"b", "a", "b", ""}}, edit(base, func(p *security.Principal) { p.Roles = []string{"a", "b"} })},
		{"a missing role claim is reported", nil, claims{"roles": nil}, edit(base, func(p *security.Principal) { p.Roles, p.Missing = nil, []string{"/roles"} })},
		{"a role claim of mixed kinds is missing", nil, claims{"roles": []any{"admin", 1}}, edit(base, func(p *security.Principal) { p.Roles, p.Missing = nil, []string{"/roles"} })},
		{"groups are no roles", nil, claims{"groups": []string{"admin"}}, base},
		{"groups are roles if asked for", func(c *oidc.Issuer) { c.Roles = []string{"/groups", "/a~1b/r"} }, claims{"groups": []string{"g"}, "a/b": claims{"r": []string{"h"}}}, edit(base, func(p *security.Principal) { p.Roles = []string{"g", "h"} })},
		{"each named pointer that leads nowhere is reported", func(c *oidc.Issuer) { c.Roles = []string{"/roles", "/x/y"} }, nil, edit(base, func(p *security.Principal) { p.Missing = []string{"/x/y"} })},
		{
			"Keycloak's realm and client roles", func(c *oidc.Issuer) { c.Profile = []string{"keycloak"} },
			claims{"realm_access": claims{"roles": []string{"legal"}}, "resource_access": claims{audience: claims{"roles": []string{"analyst"}}}},
			edit(base, func(p *security.Principal) { p.Roles = []string{"analyst", "legal"} }),
		},
		{
			"Keycloak's person without roles", func(c *oidc.Issuer) { c.Profile = []string{"keycloak"}; c.Roles = []string{"/realm_access/roles"} }, nil,
			edit(base, func(p *security.Principal) { p.Roles, p.Missing = nil, []string{"/realm_access/roles"} }),
		},
		{"a program, whatever its acr", nil, claims{"sub": "bot", "client_id": "bot"}, agent},
		{"a program that nobody registered", nil, claims{"sub": "console"}, edit(agent, func(p *security.Principal) { p.Subject, p.ID, p.Client = "console", "subj_main_console", "console" })},
		{"Keycloak's service account", func(c *oidc.Issuer) { c.Profile = []string{"keycloak"}; c.Roles = []string{"/roles"} }, claims{"sub": "0a1", "client_id": nil, "azp": "bot", "preferred_username": "service-account-bot"}, account},
		{
			"the same name outside Keycloak proves nothing", nil,
			claims{"sub": "0a1", "client_id": "bot", "preferred_username": "service-account-bot"},
			edit(account, func(p *security.Principal) { p.Kind, p.Act = security.Human, []string{"bot"} }),
		},
		{"a program for a person, by its client", nil, claims{"client_id": "bot"}, edit(acting, func(p *security.Principal) { p.Client, p.Act = "bot", []string{"bot"} })},
		{"a program for a person, by act", nil, claims{"act": claims{"sub": "helper"}}, edit(acting, func(p *security.Principal) { p.Act = []string{"helper"} })},
		{
			"a chain of programs, nearest first", nil,
			claims{"client_id": "bot", "act": claims{"sub": "bot", "act": claims{"client_id": "b2", "sub": "x"}}},
			edit(acting, func(p *security.Principal) { p.Client, p.Act = "bot", []string{"bot", "b2"} }),
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			v := is.verifier(t, row.config)
			got, err := v.Verify(t.Context(), sign(t, k, nil, with(is.claims(), row.body)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnlyAPersonHasASecondFactor(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	for _, row := range []struct {
		name string
		body claims
		want bool
	}{
		{"alice", nil, true},
		{"the agent", claims{"sub": "bot", "client_id": "bot"}, false},
		{"the agent with alice's token", claims{"client_id": "bot"}, false},
		{"somebody with act", claims{"act": claims{"sub": "x"}}, false},
	} {
		p, err := v.Verify(t.Context(), sign(t, k, nil, with(is.claims(), row.body)))
		if err != nil {
			t.Fatal(err)
		}
		if p.MFA() != row.want || p.FreshWithin(5*time.Minute, is.clock()) != row.want {
			t.Errorf("%s: second factor %v, fresh %v, want %v", row.name, p.MFA(), p.FreshWithin(5*time.Minute, is.clock()), row.want)
		}
	}
}

func TestWithoutANameThereIsNoPrincipal(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	raw := sign(t, k, nil, is.claims())
	c := is.config()
	c.Subjects = brokenNames{}
	broken, err := oidc.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Verify(t.Context(), raw); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("with a broken database: %v", err)
	}
	c.Subjects = noNames{}
	empty, err := oidc.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := empty.Verify(t.Context(), raw); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("with an empty name: %v", err)
	}
	c.Subjects = nil
	nameless, err := oidc.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := nameless.Verify(t.Context(), raw); err == nil {
		t.Errorf("without Subjects: %v", p)
	}
	if r := nameless.Explain(t.Context(), raw); !r.Accepted {
		t.Errorf("Explain needs no Subjects: %+v", r)
	}
	if _, err := (&oidc.Verifier{}).Verify(t.Context(), raw); refusedFor(t, err) != "issuer" {
		t.Error("the zero Verifier trusts somebody")
	}
}

func TestConfigNamesTheWrongField(t *testing.T) {
	t.Parallel()
	good := oidc.Issuer{Issuer: "https://id.example", Audience: "a", Clients: []string{"c"}}
	for _, row := range []struct {
		want   string // in the error; empty: none
		change func(*oidc.Issuer)
	}{
		{"", func(*oidc.Issuer) {}},
		{"", func(c *oidc.Issuer) { c.Issuer = "http://127.0.0.1:8090" }},
		{"", func(c *oidc.Issuer) { c.Issuer = "http://[::1]:8090/realms/x" }},
		{"", func(c *oidc.Issuer) { c.Issuer = "http://localhost:28080/realms/x" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "http://id.example" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "http://127.0.0.1.evil.example" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "http://127.0.0.1@evil.example" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "http://user@127.0.0.1:8090" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "https://id.example?tenant=x" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "" }},
		{"issuers[0].issuer", func(c *oidc.Issuer) { c.Issuer = "ftp://id.example" }},
		{"issuers[0].audience", func(c *oidc.Issuer) { c.Audience = "" }},
		{"issuers[0].clients", func(c *oidc.Issuer) { c.Clients = nil }},
		{"", func(c *oidc.Issuer) { c.Clients, c.Agents = nil, []string{"bot"} }},
		{"issuers[0].clients", func(c *oidc.Issuer) { c.Clients = []string{""} }},
		{"issuers[0].profile", func(c *oidc.Issuer) { c.Profile = []string{"okta"} }},
		{"issuers[0].roles", func(c *oidc.Issuer) { c.Roles = []string{"roles"} }},
		{"issuers[0].acr", func(c *oidc.Issuer) { c.ACR = map[string]string{"2": "gold"} }},
	} {
		is := good
		row.change(&is)
		_, err := oidc.New(t.Context(), oidc.Config{Issuers: []oidc.Issuer{is}})
		if (err == nil) != (row.want == "") || err != nil && !strings.HasPrefix(err.Error(), row.want) {
			t.Errorf("%+v: %v, want %q", is, err, row.want)
		}
	}
	if _, err := oidc.New(t.Context(), oidc.Config{}); err == nil {
		t.Error("no issuer at all is accepted")
	}
	if _, err := oidc.New(t.Context(), oidc.Config{Issuers: []oidc.Issuer{good, good}}); err == nil {
		t.Error("the same issuer twice is accepted")
	}
}
