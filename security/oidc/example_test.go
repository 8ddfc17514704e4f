package oidc_test

import (
	"context"
	"fmt"

	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
)

// A token of the development provider becomes a principal.
func ExampleVerifier_Verify() {
	ctx := context.Background()
	provider, err := devidp.Start(ctx, devidp.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = provider.Close(ctx) }()
	verifier, err := oidc.New(ctx, oidc.Config{
		Issuers:  []oidc.Issuer{{Issuer: provider.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}, Agents: []string{devidp.Agent}}},
		Subjects: names{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := devidp.SignIn(ctx, provider.Issuer(), "carol")
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := verifier.Verify(ctx, token)
	fmt.Println(who.ID, who.Kind, who.Roles, who.MFA(), err)
	_, err = verifier.Verify(ctx, token+"A")
	fmt.Println(err)
	// Output:
	// subj_main_carol human [admin security] true <nil>
	// the token was not signed by its issuer
}

// Explain says what an operator must change at the provider.
func ExampleVerifier_Explain() {
	ctx := context.Background()
	provider, err := devidp.Start(ctx, devidp.Config{Listen: "127.0.0.1:0", Audience: "account"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = provider.Close(ctx) }()
	verifier, err := oidc.New(ctx, oidc.Config{
		Issuers: []oidc.Issuer{{Issuer: provider.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := provider.Token(devidp.TokenRequest{Person: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range verifier.Explain(ctx, token).Checks {
		if !c.Passed {
			fmt.Println(c.Name, "should be", c.Expected, "and is", c.Found)
		}
	}
	// Output:
	// audience should be custody and is "account"
}
