package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
)

// A Report explains how Custody reads one token, check by check. It shows
// claims, so it is for the token's holder and never for a log or an error.
// It holds neither the token nor its signature.
type Report struct {
	Accepted bool          `json:"accepted"`
	Issuer   string        `json:"issuer,omitempty"` // as configured; empty if it is not one of ours
	Checks   []CheckResult `json:"checks"`
	// Principal is the caller, without an ID; nil unless accepted.
	Principal *security.Principal `json:"principal,omitempty"`
}

// A CheckResult is the outcome of one check.
type CheckResult struct {
	Name     string `json:"name"`
	Passed   bool   `json:"passed"`
	Expected string `json:"expected"`
	Found    string `json:"found,omitempty"`
	Remedy   string `json:"remedy,omitempty"` // what to do; empty if it passed
}

// Explain makes every check, also after one has failed, and says of each what
// was expected and what to do. It names no subject in any database.
func (v *Verifier) Explain(ctx context.Context, raw string) Report {
	p, keys, err := v.present(raw)
	if p == nil {
		return Report{Checks: []CheckResult{unreadable(err)}}
	}
	known := CheckResult{Name: "issuer", Passed: err == nil, Expected: v.trusted(), Found: show(p.claims, "iss")}
	r := Report{Issuer: p.issuer.Issuer, Checks: []CheckResult{{Name: "shape", Passed: true, Expected: "a signed JWT in compact form"}}}
	if err != nil {
		known.Remedy = "add the issuer to the configuration, to the letter as in iss, or sign in at one that is there"
		r.Checks = append(r.Checks, known)
		return r
	}
	r.Checks = append(r.Checks, known)
	for _, c := range v.checks {
		r.Checks = append(r.Checks, c.explain(p))
	}
	r.Checks = append(r.Checks, explainSignature(signed(ctx, p, keys)))
	r.Accepted = !slices.ContainsFunc(r.Checks, func(c CheckResult) bool { return !c.Passed })
	if r.Accepted {
		who := p.principal()
		r.Principal = &who
	}
	return r
}

// trusted lists the issuers.
func (v *Verifier) trusted() string {
	var names []string
	for name := range v.issuers {
		names = append(names, name)
	}
	slices.Sort(names)
	return "one of " + strings.Join(names, ", ")
}

func (c check) explain(p *presented) CheckResult {
	r := CheckResult{Name: c.name, Passed: c.holds(p), Expected: c.expected(p), Found: c.found(p)}
	if !r.Passed {
		r.Remedy = c.remedy(p)
	}
	return r
}

func unreadable(err error) CheckResult {
	r := CheckResult{
		Name: "shape", Expected: "a signed JWT in compact form, at most 16 KiB",
		Remedy: "copy the whole access token, without Bearer and without line breaks; opaque tokens are not supported",
	}
	if refused := (*TokenError)(nil); errors.As(err, &refused) {
		r.Name, r.Found = refused.Code, refused.Description
	}
	return r
}

func explainSignature(err error) CheckResult {
	r := CheckResult{Name: "signature", Passed: err == nil, Expected: "made by a key that the issuer publishes"}
	switch {
	case errors.Is(err, ErrUnavailable):
		r.Found = err.Error()
		r.Remedy = "see that this machine reaches the issuer and that its discovery document and keys are what they should be"
	case err != nil:
		r.Found = "no such key made it"
		r.Remedy = "sign in again: the key may have been withdrawn; else the token is not from this issuer"
	}
	return r
}
