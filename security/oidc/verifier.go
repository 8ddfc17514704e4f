package oidc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/custodyhq/custody/security"
)

// A Verifier turns bearer tokens into principals. It is safe for concurrent
// use. The zero Verifier trusts no issuer and refuses everything.
type Verifier struct {
	issuers  map[string]trusted
	checks   []check
	now      func() time.Time
	subjects Subjects
}

// trusted is an issuer with its keys.
type trusted struct {
	Issuer
	keys *keySet
}

// New makes a Verifier. It asks no issuer for anything: keys are fetched for
// the first token, so an issuer that is down does not keep a process from
// starting. Its errors name the field of the Config.
func New(_ context.Context, c Config) (*Verifier, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	client := &http.Client{Timeout: fetchLimit}
	if c.HTTP != nil {
		copied := *c.HTTP
		client = &copied
	}
	// A redirect could lead from the issuer to whoever can write its pages.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &Verifier{issuers: map[string]trusted{}, checks: checks(), now: c.Now, subjects: c.Subjects}
	for _, is := range c.Issuers {
		v.issuers[is.Issuer] = trusted{is.withDefaults(), &keySet{issuer: is.Issuer, http: client, now: c.Now}}
	}
	return v, nil
}

// Verify returns whom the token speaks for. Its errors are a *TokenError
// (401), or wrap ErrUnavailable (503); any other is a refusal, too.
func (v *Verifier) Verify(ctx context.Context, raw string) (security.Principal, error) {
	none := security.Principal{}
	p, keys, err := v.present(raw)
	if err != nil {
		return none, err
	}
	for _, c := range v.checks {
		if !c.holds(p) {
			return none, c.refusal()
		}
	}
	if err := signed(ctx, p, keys); err != nil {
		return none, err
	}
	who := p.principal()
	if v.subjects == nil {
		return none, errors.New("no subjects are configured, so nobody can be named")
	}
	who.ID, err = v.subjects.Subject(ctx, who.Tenant, who.Issuer, who.Subject)
	if err != nil {
		return none, fmt.Errorf("%w: name the subject: %w", ErrUnavailable, err)
	}
	if who.ID == "" {
		return none, fmt.Errorf("%w: the subject has no name", ErrUnavailable)
	}
	return who, nil
}

// Ready returns nil if every issuer's keys are at hand, fetching them if need
// be, and else an error that names the issuers.
func (v *Verifier) Ready(ctx context.Context) error {
	var errs []error
	for _, is := range v.issuers {
		if _, _, err := is.keys.current(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// present reads the token and finds the issuer that it claims. An issuer that
// is not ours is never contacted.
func (v *Verifier) present(raw string) (*presented, *keySet, error) {
	t, err := parse(raw)
	if err != nil {
		return nil, nil, err
	}
	is, ok := v.issuers[t.claims.text("iss")]
	if !ok {
		return &presented{token: t}, nil, &TokenError{"issuer", "the token is from an issuer that is not trusted here"}
	}
	return &presented{token: t, issuer: is.Issuer, now: v.now()}, is.keys, nil
}

// signed asks go-oidc, with our keys. It reads the token with another reader
// than ours and compares iss again; both readers must agree.
func signed(ctx context.Context, p *presented, keys *keySet) error {
	t := &trial{keys: keys}
	algs := make([]string, 0, 4)
	for _, a := range algorithms() {
		algs = append(algs, string(a))
	}
	_, err := gooidc.NewVerifier(p.issuer.Issuer, t, &gooidc.Config{
		SupportedSigningAlgs: algs,
		SkipClientIDCheck:    true, // check.go looks at aud
		SkipExpiryCheck:      true, // and at the times, with our leeway
	}).Verify(ctx, p.raw)
	switch {
	case errors.Is(t.err, ErrUnavailable):
		return t.err
	case err != nil || !bytes.Equal(t.payload, p.payload):
		return &TokenError{"signature", "the token was not signed by its issuer"}
	}
	return nil
}

// A trial is go-oidc's view of a key set for one token. It keeps the error,
// which go-oidc flattens to text.
type trial struct {
	keys    *keySet
	payload []byte
	err     error
}

// VerifySignature implements go-oidc's KeySet.
func (t *trial) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	t.payload, t.err = t.keys.verify(ctx, raw)
	return t.payload, t.err
}
