package oidc_test

import (
	"errors"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security/oidc"
)

// FuzzVerify looks for a panic, for a token that is accepted although nobody
// signed it, and for a refusal that repeats the token.
func FuzzVerify(f *testing.F) {
	is := newIssuer(f)
	k := key(f, jose.EdDSA, "k1")
	is.publish(k)
	v := is.verifier(f, nil)
	good := sign(f, k, nil, is.claims())
	for _, seed := range []string{
		good, good + ".", good[:len(good)-1], "..", "", "a.b.c", "e30.e30.e30",
		signRaw(f, k, `{"alg":"EdDSA","typ":"at+jwt"}`, `{"iss":"`+is.url+`","exp":1e400}`),
		sign(f, k, claims{"alg": "none"}, is.claims()),
		sign(f, k, nil, with(is.claims(), claims{"act": claims{"act": claims{"sub": 1}}})),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := v.Verify(t.Context(), raw)
		accepted := v.Explain(t.Context(), raw).Accepted
		if err == nil != (raw == good) || accepted != (raw == good) {
			t.Fatalf("error %v, explained as accepted: %v", err, accepted)
		}
		if refused := (*oidc.TokenError)(nil); err != nil && !errors.As(err, &refused) {
			t.Fatalf("neither principal nor refusal: %v", err)
		}
		if err != nil && p.ID != "" {
			t.Fatal("a refusal with a principal")
		}
	})
}

// FuzzClaims signs whatever it is given: what comes out of the issuer must not
// be able to panic us or to make a principal without a subject.
func FuzzClaims(f *testing.F) {
	is := newIssuer(f)
	k := key(f, jose.EdDSA, "k1")
	is.publish(k)
	v := is.verifier(f, func(c *oidc.Issuer) {
		c.Profile, c.Roles = []string{"rfc9068", "keycloak"}, []string{"/roles", "/a/b~1c"}
	})
	base := `{"iss":"` + is.url + `","aud":"` + audience + `","client_id":"bot","sub":"s","iat":1772366400,"exp":1772367000`
	for _, more := range []string{
		`}`, `,"act":{"sub":"x","act":{}}}`, `,"roles":"r","amr":[],"acr":1}`, `,"a":{"b/c":["x"]},"sid":{}}`,
		`,"_claim_names":{"x":"y"}}`, `,"sub":"t"}`, `,"typ":"Bearer","preferred_username":"service-account-bot"}`,
	} {
		f.Add(`{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}`, base+more)
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		p, err := v.Verify(t.Context(), signRaw(t, k, header, payload))
		if err == nil && (p.Subject == "" || p.ID == "" || p.Client == "" || p.Expires.IsZero() || p.Kind != "human" && p.Kind != "agent") {
			t.Fatalf("half a principal: %+v", p)
		}
		if err == nil && (p.Kind == "agent" || len(p.Act) > 0) && (p.ACR != "" || p.AMR != nil || !p.AuthTime.IsZero()) {
			t.Fatalf("a program with a second factor: %+v", p)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			is := newIssuer(b)
			k := key(b, alg, "k1")
			is.publish(k)
			v, raw := is.verifier(b, nil), sign(b, k, nil, is.claims())
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
