package oidc_test

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/oidc"
)

// The shapes of tokens as Keycloak 26.7.3 was seen to issue them for one
// realm, signed here with our own key.
func TestTokensAsKeycloakIssuesThem(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.RS256, "4lug")
	is.publish(k)
	v := is.verifier(t, func(c *oidc.Issuer) {
		c.Audience, c.Profile = "custody", []string{"keycloak"}
		c.Clients, c.Agents = []string{"custody-console", "custody-cli"}, []string{"agent-summariser"}
	})
	now := is.clock().Unix()
	alice := claims{
		"exp": now + 300, "iat": now, "auth_time": now, "jti": "onrtac:b947dc4a", "iss": is.url,
		"aud": []string{"agent-summariser", "custody"}, "sub": "0001", "typ": "Bearer", "azp": "custody-console",
		"sid": "HwIlSTH83q", "acr": "pwd", "allowed-origins": []string{"http://localhost:28090"},
		"realm_access": claims{"roles": []string{"analyst"}}, "scope": "openid profile email", "email_verified": true,
		"amr": []string{"pwd"}, "name": "Alice Test", "groups": []string{"/research"}, "preferred_username": "alice",
	}
	agent := with(alice, claims{
		"sid": nil, "auth_time": nil, "amr": []string{}, "sub": "00a1", "azp": "agent-summariser", "client_id": "agent-summariser",
		"clientHost": "127.0.0.1", "clientAddress": "127.0.0.1", "preferred_username": "service-account-agent-summariser",
		"name": nil, "aud": "custody", "exp": now + 900, "jti": "trrtcc:1",
	})
	mfa := claims{"acr": "mfa", "amr": []string{"pwd", "otp"}}
	rows := []struct {
		name   string
		typ    string
		body   claims
		code   string // refused for
		kind   security.Kind
		mfa    bool
		acting bool
	}{
		{"person with a password", "at+jwt", alice, "", security.Human, false, false},
		{"person after the step-up", "at+jwt", with(alice, mfa), "", security.Human, true, false},
		{"self-enrolled second factor", "at+jwt", with(alice, claims{"acr": "mfa"}), "", security.Human, false, false},
		{"realm with the default header", "JWT", alice, "", security.Human, false, false},
		{"device sign-in", "at+jwt", with(alice, claims{"aud": "custody", "azp": "custody-cli"}), "", security.Human, false, false},
		{"person without roles", "at+jwt", with(alice, claims{"realm_access": nil, "groups": nil}), "", security.Human, false, false},
		{"client credentials, which say acr pwd", "at+jwt", agent, "", security.Agent, false, false},
		{"client credentials that say acr mfa", "at+jwt", with(agent, mfa), "", security.Agent, false, false},
		{"exchanged for a person", "at+jwt", with(alice, with(mfa, claims{"azp": "agent-summariser", "aud": "custody", "exp": now + 900})), "", security.Human, false, true},
		{"ID token", "JWT", with(alice, claims{"typ": "ID", "aud": []string{"custody-console", "custody"}, "nonce": "n", "at_hash": "h"}), "type", "", false, false},
		{"refresh token", "JWT", with(alice, claims{"typ": "Refresh"}), "type", "", false, false},
		{"logout token", "logout+jwt", with(alice, claims{"typ": "Logout", "events": claims{}}), "type", "", false, false},
		{"client made with defaults", "JWT", with(alice, claims{"aud": "account"}), "audience", "", false, false},
		{"client made with defaults, no aud", "JWT", with(alice, claims{"aud": nil}), "audience", "", false, false},
		{"lightweight", "JWT", claims{"iss": is.url, "azp": "custody-console", "sid": "x", "typ": "Bearer", "aud": "custody", "iat": now, "exp": now + 300}, "subject", "", false, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := v.Verify(t.Context(), sign(t, k, claims{"typ": row.typ}, row.body))
			if got := refusedFor(t, err); got != row.code {
				t.Fatalf("refused for %q, want %q", got, row.code)
			}
			fresh := row.kind == security.Human && !row.acting
			if p.Kind != row.kind || p.MFA() != row.mfa || len(p.Act) > 0 != row.acting || p.FreshWithin(time.Minute, is.clock()) != fresh {
				t.Errorf("got %+v", p)
			}
		})
	}
}
