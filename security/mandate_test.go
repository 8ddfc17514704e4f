package security_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
)

func keys(t *testing.T, id string) *security.Keys {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := security.NewKeys(id, priv, map[string]ed25519.PublicKey{id: pub})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func alice() security.Principal {
	return security.Principal{
		Tenant: "main", ID: "subj_a", Kind: security.Human, Issuer: "https://id.example", Subject: "alice@example.org", Name: "Alice",
		Client: "cli", Session: "session-7", TokenID: "token-9", Roles: []string{"analyst"}, ACR: "mfa", AuthTime: time.Now(), Expires: time.Now(),
	}
}

func TestAMandateHoldsForItsRunOnly(t *testing.T) {
	t.Parallel()
	k, run, now := keys(t, "m1"), security.NewID(), time.Now()
	m := security.NewMandate(alice(), run, "sha256:w", "c0ffee", now, now.Add(time.Hour))
	signed, err := k.SignMandate(m)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := k.OpenMandate(signed, "main", run, "sha256:w"); err != nil || back.ID != "subj_a" {
		t.Fatalf("its own run: %v", err)
	}
	with := func(change func(*security.Mandate)) security.Signed {
		c := m
		change(&c)
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return security.Signed{Body: body, Key: signed.Key, Sig: signed.Sig}
	}
	for _, c := range []struct {
		name             string
		signed           security.Signed
		tenant, workflow string
		run              security.ID
	}{
		{"another run", signed, "main", "sha256:w", security.NewID()},
		{"another tenant", signed, "other", "sha256:w", run},
		{"another version", signed, "main", "sha256:x", run},
		{"a role more", with(func(m *security.Mandate) { m.Roles = append([]string{"legal"}, m.Roles...) }), "main", "sha256:w", run},
		{"a longer life", with(func(m *security.Mandate) { m.Expires += 3600 }), "main", "sha256:w", run},
		{"another key's id", security.Signed{Body: signed.Body, Key: "m2", Sig: signed.Sig}, "main", "sha256:w", run},
		{"no signature", security.Signed{Body: signed.Body, Key: "m1"}, "main", "sha256:w", run},
		{"a vote's signature", k.Sign(security.ForVote, signed.Body), "main", "sha256:w", run},
		{"not JSON", k.Sign(security.ForMandate, []byte("x")), "main", "sha256:w", run},
		{"of a later format", func() security.Signed {
			c := m
			c.V = 2
			s, _ := k.SignMandate(c)
			return s
		}(), "main", "sha256:w", run},
	} {
		if _, err := k.OpenMandate(c.signed, c.tenant, c.run, c.workflow); !errors.Is(err, security.ErrMandate) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAMandateSaysNothingAboutThePerson(t *testing.T) {
	t.Parallel()
	p, now := alice(), time.Now()
	signed, err := keys(t, "m1").SignMandate(security.NewMandate(p, security.NewID(), "w", "i", now, now))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{p.Subject, p.Name, p.Session, p.TokenID} {
		if strings.Contains(string(signed.Body), secret) {
			t.Errorf("it holds %q", secret)
		}
	}
}

func TestCallerAndMandateAreRevokedByTheSameNames(t *testing.T) {
	t.Parallel()
	p, now, run := alice(), time.Now(), security.NewID()
	m := security.NewMandate(p, run, "w", "i", now, now)
	have := strings.Join(m.RevocationKeys(), " ")
	for _, k := range append(p.RevocationKeys(), "run:"+run.Name("run")) {
		if !strings.Contains(have, k) {
			t.Errorf("the mandate is not revoked by %s", k)
		}
	}
}

func TestKeysBelongTogether(t *testing.T) {
	t.Parallel()
	pub, _, _ := ed25519.GenerateKey(nil)
	_, priv, _ := ed25519.GenerateKey(nil)
	for name, try := range map[string]func() (*security.Keys, error){
		"another's public part": func() (*security.Keys, error) {
			return security.NewKeys("m1", priv, map[string]ed25519.PublicKey{"m1": pub})
		},
		"no public part": func() (*security.Keys, error) { return security.NewKeys("m1", priv, nil) },
		"no name": func() (*security.Keys, error) {
			return security.NewKeys("", priv, map[string]ed25519.PublicKey{"": priv.Public().(ed25519.PublicKey)})
		},
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	k := keys(t, "m1")
	if !k.Has("m1") || k.Has("m2") || k.Active() != "m1" {
		t.Error("it does not know its keys")
	}
}

func TestADecisionSaysWhy(t *testing.T) {
	t.Parallel()
	no := security.Deny([]string{"step.requires"}, security.Reason{Code: "role", Detail: "needs the role legal"}, security.Reason{Code: "mfa", Detail: "needs a second factor"})
	if no.Allowed() || no.Code() != "role" || no.String() != "needs the role legal; needs a second factor" || len(no.Reasons()) != 2 {
		t.Errorf("%s", no)
	}
	if yes := security.Allow("workflow.requires"); !yes.Allowed() || yes.String() != "allowed by workflow.requires" {
		t.Errorf("%s", yes)
	}
	if (security.Decision{}).Code() != "denied" {
		t.Error("a denial without a reason has no code")
	}
}
