package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Tokens are what a sign-in gave.
type Tokens struct {
	Access  string
	Refresh string // empty: when Access has ended, somebody must sign in again
	Issued  time.Time
	Expires time.Time // of Access, by this machine's clock
}

// answered are tokens as a provider sends them (RFC 6749, section 5.1).
type answered struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Life    int64  `json:"expires_in"` // seconds
	Refresh string `json:"refresh_token"`
}

// redeem asks the token endpoint.
func (p *Provider) redeem(ctx context.Context, form url.Values) (Tokens, error) {
	asked := p.cfg.Now()
	var a answered
	if err := p.post(ctx, p.at.Token, form, &a); err != nil {
		return Tokens{}, err
	}
	if a.Access == "" || strings.ContainsAny(a.Access, " \r\n") || !strings.EqualFold(a.Type, "Bearer") {
		return Tokens{}, errors.New("the provider's answer holds no bearer token")
	}
	life := time.Duration(a.Life) * time.Second
	if life <= 0 || life > 24*time.Hour {
		life = defaultLife
	}
	return Tokens{Access: a.Access, Refresh: a.Refresh, Issued: asked, Expires: asked.Add(life)}, nil
}

// Refresh continues a sign-in. Providers that rotate refresh tokens take a
// second use of one for a theft and end the sign-in: of all processes that hold
// the same token only one may call this (Shelf.Lock). The error wraps ErrOver
// if only a new sign-in helps.
func (p *Provider) Refresh(ctx context.Context, refresh string) (Tokens, error) {
	t, err := p.redeem(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	var r *refusal
	if errors.As(err, &r) && r.Code == "invalid_grant" {
		return Tokens{}, fmt.Errorf("%w: %w", ErrOver, err)
	}
	if err == nil && t.Refresh == "" {
		t.Refresh = refresh // RFC 6749, section 6: the old one goes on
	}
	return t, err
}

// Revoke ends a sign-in at the provider (RFC 7009). A provider that cannot is
// an error: the refresh token then lives until it ends by itself.
func (p *Provider) Revoke(ctx context.Context, refresh string) error {
	if p.at.Revocation == "" {
		return errors.New("the provider has no revocation endpoint")
	}
	return p.post(ctx, p.at.Revocation, url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}}, nil)
}
