package oidc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/custodyhq/custody/security/oidc"
)

// failed are the checks that did not hold, by name.
func failed(r oidc.Report) map[string]oidc.CheckResult {
	out := map[string]oidc.CheckResult{}
	for _, c := range r.Checks {
		if !c.Passed {
			out[c.Name] = c
		}
	}
	return out
}

func TestExplainTellsEverythingThatIsWrongAndWhatToDo(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	stock := with(is.claims(), claims{"aud": "account", "azp": "console", "client_id": nil, "typ": "Bearer"})
	r := v.Explain(t.Context(), sign(t, k, claims{"typ": "JWT"}, stock))
	bad := failed(r)
	if r.Accepted || r.Principal != nil || len(bad) != 2 {
		t.Fatalf("got %+v", r)
	}
	if got := bad["audience"]; got.Expected != audience || got.Found != `"account"` ||
		!strings.Contains(got.Remedy, "Included Custom Audience to "+audience) || !strings.Contains(got.Remedy, "Clients, console,") {
		t.Errorf("audience: %+v", got)
	}
	if got := bad["type"]; !strings.Contains(got.Remedy, "add keycloak to the issuer's profile") {
		t.Errorf("type: %+v", got)
	}
}

func TestExplainOfAGoodTokenHasNoRemedies(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	r := is.verifier(t, nil).Explain(t.Context(), sign(t, k, nil, is.claims()))
	if !r.Accepted || r.Principal == nil || r.Principal.Subject != "alice" || r.Principal.ID != "" {
		t.Errorf("got %+v", r)
	}
	for _, c := range r.Checks {
		if c.Remedy != "" || c.Expected == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestExplainEveryFailureHasARemedyAndNoSignature(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	k := key(t, jose.ES256, "k1")
	is.publish(k)
	v := is.verifier(t, nil)
	good := sign(t, k, nil, is.claims())
	for name, raw := range map[string]string{
		"everything": sign(t, k, claims{"alg": "none", "crit": []string{"x"}, "typ": "x"}, claims{"iss": is.url, "cnf": claims{}, "act": 1, "nbf": "x", "iat": -1}),
		"issuer":     sign(t, k, nil, claims{"iss": "https://other.example"}),
		"shape":      "Bearer " + good,
		"size":       strings.Repeat("a", 20<<10),
		"signature":  good[:len(good)-8] + "AAAAAAAA",
	} {
		r := v.Explain(t.Context(), raw)
		if r.Accepted || len(failed(r)) == 0 {
			t.Errorf("%s is accepted", name)
		}
		if name == "everything" && len(failed(r)) != len(r.Checks)-2 { // all but shape and issuer
			t.Errorf("some checks hold of nothing: %+v", r.Checks)
		}
		for _, c := range failed(r) {
			if c.Remedy == "" {
				t.Errorf("%s: %s has no remedy", name, c.Name)
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if parts := strings.Split(raw, "."); len(parts) == 3 && strings.Contains(string(text), parts[2]) {
			t.Errorf("%s: the report holds the signature", name)
		}
	}
}

func TestExplainSaysWhyKeysCannotBeHad(t *testing.T) {
	t.Parallel()
	is := newIssuer(t)
	is.set(func(is *issuer) { is.named = "https://other.example" })
	r := is.verifier(t, nil).Explain(t.Context(), sign(t, key(t, jose.ES256, "k1"), nil, is.claims()))
	if got := failed(r)["signature"]; !strings.Contains(got.Found, "another issuer") {
		t.Errorf("got %+v", got)
	}
}
