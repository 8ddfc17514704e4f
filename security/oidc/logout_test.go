package oidc_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security/oidc"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// goodbye are the claims of a logout token that is good in every respect.
func (is *issuer) goodbye() claims {
	now := is.clock().Unix()
	return claims{
		"iss": is.url, "aud": "console", "sub": "alice", "sid": "s1", "jti": "l1", "iat": now, "exp": now + 120,
		"events": claims{logoutEvent: claims{}},
	}
}

func TestALogoutTokenIsNothingElse(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	now := is.clock().Unix()
	typ := func(name string) claims { return claims{"typ": name} }
	logout := typ("logout+jwt")
	for name, c := range map[string]struct {
		header, change claims
		code           string // empty: it is one
	}{
		"a session":             {logout, nil, ""},
		"with the long type":    {typ("application/logout+jwt"), nil, ""},
		"as Keycloak writes it": {logout, claims{"typ": "Logout"}, ""},
		"a person":              {logout, claims{"sid": nil}, ""},
		"only a session":        {logout, claims{"sub": nil}, ""},
		"for two, one is ours":  {logout, claims{"aud": []string{"other", "bot"}}, ""},
		"an access token":       {typ("at+jwt"), nil, "type"},
		"an ID token":           {typ("JWT"), nil, "type"},
		"without a type":        {typ(""), nil, "type"},
		"a payload of a bearer": {logout, claims{"typ": "Bearer"}, "type"},
		"Keycloak's, but not so": {
			typ("JWT"), claims{"typ": "Logout"}, "type",
		},
		"without events":       {logout, claims{"events": nil}, "event"},
		"with another event":   {logout, claims{"events": claims{"x": claims{}}}, "event"},
		"with a text as event": {logout, claims{"events": claims{logoutEvent: "yes"}}, "event"},
		"with a nonce":         {logout, claims{"nonce": "n"}, "nonce"},
		"for somebody else":    {logout, claims{"aud": "other"}, "audience"},
		"for the API":          {logout, claims{"aud": audience}, "audience"},
		"for nobody":           {logout, claims{"aud": nil}, "audience"},
		"without an id":        {logout, claims{"jti": nil}, "jti"},
		"with a number as id":  {logout, claims{"jti": 1}, "jti"},
		"of nobody":            {logout, claims{"sid": nil, "sub": nil}, "subject"},
		"with an empty sid":    {logout, claims{"sid": ""}, "subject"},
		"with a sid as list":   {logout, claims{"sid": []string{"s1"}}, "subject"},
		"expired":              {logout, claims{"exp": now - 61}, "expiry"},
		"without an end":       {logout, claims{"exp": nil}, "expiry"},
		"from the future":      {logout, claims{"iat": now + 61}, "issued"},
		"of another issuer":    {logout, claims{"iss": "https://evil.example"}, "issuer"},
		"critical":             {claims{"typ": "logout+jwt", "crit": []string{"x"}}, nil, "critical"},
		"without algorithm":    {claims{"typ": "logout+jwt", "alg": "none"}, nil, "algorithm"},
	} {
		out, err := v.VerifyLogout(t.Context(), sign(t, k, c.header, with(is.goodbye(), c.change)))
		var refused *oidc.TokenError
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.code == "" && (out.TokenID != "l1" || out.Tenant != "main" || (out.Session == "") != (out.ID == "subj_main_alice")):
			t.Errorf("%s: %+v", name, out)
		case c.code != "" && (!errors.As(err, &refused) || refused.Code != c.code || out != oidc.Logout{}):
			t.Errorf("%s: %v %+v, want %s", name, err, out, c.code)
		}
	}
	keycloak := is.verifier(t, func(i *oidc.Issuer) { i.Profile = []string{"keycloak"} })
	if _, err := keycloak.VerifyLogout(t.Context(), sign(t, k, typ("JWT"), with(is.goodbye(), claims{"typ": "Logout"}))); err != nil {
		t.Errorf("an older Keycloak: %v", err)
	}
	if _, err := v.Verify(t.Context(), sign(t, k, logout, is.goodbye())); err == nil {
		t.Error("a logout token passes for an access token")
	}
}

func TestForgedLogoutTokensCauseOneKeyFetch(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	good, bad := key(t, jose.ES256, "k1"), key(t, jose.ES256, "k2")
	is.publish(good)
	v := is.verifier(t, nil)
	header := claims{"typ": "logout+jwt"}
	for range 50 {
		if _, err := v.VerifyLogout(t.Context(), sign(t, bad, header, is.goodbye())); err == nil {
			t.Fatal("a forged token ends a session")
		}
	}
	if n := is.fetched(); n > 2 {
		t.Errorf("%d key fetches", n)
	}
	if _, err := v.VerifyLogout(t.Context(), sign(t, good, header, is.goodbye())); err != nil {
		t.Errorf("the harmless twin: %v", err)
	}
	is.wait(time.Hour)
	is.set(func(is *issuer) { is.down = true })
	none := is.verifier(t, nil)
	if _, err := none.VerifyLogout(t.Context(), sign(t, good, header, is.goodbye())); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("without keys: %v", err)
	}
}

func FuzzVerifyLogout(f *testing.F) {
	is := newIssuer(f)
	k := key(f, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(f, nil)
	f.Add(sign(f, k, claims{"typ": "logout+jwt"}, with(is.goodbye(), claims{"nonce": "n"})))
	f.Add("a.b.c")
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		if out, err := v.VerifyLogout(t.Context(), raw); (err == nil) != (out.TokenID != "") {
			t.Errorf("%+v %v", out, err)
		}
	})
}
