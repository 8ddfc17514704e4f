package oidc_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security/oidc"
)

func TestFloodOfForgedTokensCausesAtMostTwoFetches(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	good := sign(t, k, nil, is.claims())
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	is.wait(11 * time.Second) // so that the flood may have its one fetch
	forger := key(t, jose.ES256, "k1")
	var all sync.WaitGroup
	for i := range 50 {
		forger.KeyID = fmt.Sprintf("unknown-%d", i)
		unknown := sign(t, forger, nil, is.claims())
		forger.KeyID = "k1"
		forged := sign(t, forger, nil, is.claims())
		for _, raw := range []string{unknown, forged} {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), raw); refusedFor(t, err) != "signature" {
					t.Errorf("forged token: %v", err)
				}
			})
		}
	}
	all.Wait()
	if n := is.fetched(); n != 2 {
		t.Errorf("%d fetches, want the first and one more", n)
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the flood has shut out a good token: %v", err)
	}
}

func TestNewKeyIsPickedUpAndWithdrawnKeyRefused(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	old, next := key(t, jose.ES256, "k1"), key(t, jose.ES256, "k2")
	is.publish(old)
	v := is.verifier(t, nil)
	must := func(k jose.JSONWebKey, want string) {
		t.Helper()
		_, err := v.Verify(t.Context(), sign(t, k, nil, is.claims()))
		if got := refusedFor(t, err); got != want {
			t.Errorf("refused for %q, want %q", got, want)
		}
	}
	must(old, "")
	is.publish(old, next)
	must(next, "signature") // asked a moment ago: at most once in 10 s
	is.wait(11 * time.Second)
	must(next, "")
	is.publish(next)
	must(old, "") // still held
	is.wait(10 * time.Minute)
	must(old, "signature")
	must(next, "")
}

func TestWithdrawnKeyGoesWithAForcedFetchToo(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	old, next := key(t, jose.ES256, "k1"), key(t, jose.ES256, "k2")
	is.publish(old)
	v := is.verifier(t, nil)
	if _, err := v.Verify(t.Context(), sign(t, old, nil, is.claims())); err != nil {
		t.Fatal(err)
	}
	is.publish(next)
	is.wait(11 * time.Second)
	if _, err := v.Verify(t.Context(), sign(t, next, nil, is.claims())); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), sign(t, old, nil, is.claims())); refusedFor(t, err) != "signature" {
		t.Errorf("withdrawn key: %v", err)
	}
}

func TestUnreachableKeysAreUnavailableNeverAnAnswer(t *testing.T) {
	t.Parallel()
	k := key(t, jose.ES256, "k1")
	for name, damage := range map[string]func(*issuer){
		"down":                          func(is *issuer) { is.down = true },
		"discovery of another issuer":   func(is *issuer) { is.named = "https://other.example" },
		"discovery with a slash more":   func(is *issuer) { is.named = is.url + "/" },
		"key set that is not JSON":      func(is *issuer) { is.body = "<html>" },
		"key set without keys":          func(is *issuer) { is.body = "{}" },
		"key set larger than 512 KiB":   func(is *issuer) { is.body = `{"keys":[]` + strings.Repeat(" ", 512<<10) + "}" },
		"key set with too many members": func(is *issuer) { is.body = `{"keys":[` + strings.Repeat("{},", 64) + "{}]}" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := newIssuer(t)
			is.publish(k)
			is.set(damage)
			v := is.verifier(t, nil)
			good, forged := sign(t, k, nil, is.claims()), sign(t, key(t, jose.ES256, "k1"), nil, is.claims())
			for _, raw := range []string{good, forged} {
				p, err := v.Verify(t.Context(), raw)
				if refused := (*oidc.TokenError)(nil); !errors.Is(err, oidc.ErrUnavailable) || errors.As(err, &refused) {
					t.Errorf("got %v, %v", p, err)
				}
			}
			if err := v.Ready(t.Context()); !errors.Is(err, oidc.ErrUnavailable) || !strings.Contains(err.Error(), is.url) {
				t.Errorf("Ready: %v", err)
			}
			is.set(func(is *issuer) { is.down, is.named, is.body = false, "", "" })
			if _, err := v.Verify(t.Context(), good); !errors.Is(err, oidc.ErrUnavailable) {
				t.Errorf("asked again within 10 s: %v", err)
			}
			is.wait(11 * time.Second)
			if _, err := v.Verify(t.Context(), good); err != nil {
				t.Errorf("after it came back: %v", err)
			}
			if err := v.Ready(t.Context()); err != nil {
				t.Errorf("Ready after it came back: %v", err)
			}
		})
	}
}

func TestStaleKeysServeForADayAndNoLonger(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k, unknown := key(t, jose.ES256, "k1"), key(t, jose.ES256, "k2")
	is.publish(k)
	v := is.verifier(t, nil)
	verify := func(k jose.JSONWebKey) error {
		_, err := v.Verify(t.Context(), sign(t, k, nil, is.claims()))
		return err
	}
	if err := verify(k); err != nil {
		t.Fatal(err)
	}
	is.set(func(is *issuer) { is.down = true })
	is.wait(11 * time.Minute)
	if err := verify(k); err != nil {
		t.Errorf("eleven minutes old: %v", err)
	}
	if err := verify(unknown); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("a key that may be new is %v, want unavailable", err)
	}
	if err := verify(key(t, jose.ES256, "k1")); refusedFor(t, err) != "signature" {
		t.Errorf("forged with a known kid: %v", err)
	}
	is.wait(24*time.Hour - 12*time.Minute)
	if err := verify(k); err != nil {
		t.Errorf("nearly a day old: %v", err)
	}
	is.wait(2 * time.Minute)
	if err := verify(k); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("over a day old: %v", err)
	}
}

func TestIssuerThatIsNotTrustedIsNeverAsked(t *testing.T) {
	t.Parallel()
	is, evil := newIssuer(t), newIssuer(t)
	k := key(t, jose.ES256, "k1")
	evil.publish(k)
	v := is.verifier(t, nil)
	if _, err := v.Verify(t.Context(), sign(t, k, nil, evil.claims())); refusedFor(t, err) != "issuer" {
		t.Errorf("got %v", err)
	}
	if evil.discovers+evil.fetches+is.discovers+is.fetches != 0 {
		t.Error("somebody was asked for keys")
	}
}

func TestTwoIssuersDoNotSignForEachOther(t *testing.T) {
	t.Parallel()
	one, two := newIssuer(t), newIssuer(t)
	k1, k2 := key(t, jose.ES256, "k"), key(t, jose.ES256, "k")
	one.publish(k1)
	two.publish(k2)
	c := one.config()
	c.Issuers = append(c.Issuers, two.config().Issuers[0])
	c.Issuers[1].Tenant = "second"
	v, err := oidc.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), sign(t, k1, nil, two.claims())); refusedFor(t, err) != "signature" {
		t.Errorf("the first issuer signed for the second: %v", err)
	}
	p, err := v.Verify(t.Context(), sign(t, k2, nil, two.claims()))
	if err != nil || p.Tenant != "second" {
		t.Errorf("got tenant %q, %v", p.Tenant, err)
	}
}

func TestRedirectsOfTheIssuerAreNotFollowed(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	door := httptest.NewServer(http.RedirectHandler(is.url+"/.well-known/openid-configuration", http.StatusFound))
	t.Cleanup(door.Close)
	is.set(func(is *issuer) { is.named = door.URL })
	v := is.verifier(t, func(c *oidc.Issuer) { c.Issuer = door.URL })
	raw := sign(t, k, nil, with(is.claims(), claims{"iss": door.URL}))
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if is.fetched() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestCallerWhoLeavesDoesNotSpoilTheFetchOfOthers(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	raw := sign(t, k, nil, is.claims())
	if _, err := v.Verify(gone, raw); err != nil && !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("the one who left: %v", err)
	}
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

func TestWeakAndForeignKeysAreNotUsed(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	encryption := key(t, jose.ES256, "k1")
	encryption.Use = "enc"
	other := key(t, jose.RS256, "k2")
	published := other
	published.Algorithm = "PS256" // the issuer says PS256; the token says RS256
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := jose.JSONWebKey{Key: short, KeyID: "k3", Algorithm: "RS256", Use: "sig"}
	is.publish(encryption, published, weak)
	v := is.verifier(t, nil)
	for _, k := range []jose.JSONWebKey{encryption, other, weak} {
		if _, err := v.Verify(t.Context(), sign(t, k, nil, is.claims())); refusedFor(t, err) != "signature" {
			t.Errorf("%s: %v", k.KeyID, err)
		}
	}
	other.Algorithm = "PS256"
	if _, err := v.Verify(t.Context(), sign(t, other, nil, is.claims())); err != nil {
		t.Errorf("twin: %v", err)
	}
}
