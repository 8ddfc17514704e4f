package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
)

type tokenCommand struct {
	Login  tokenLoginCommand  `cmd:"" help:"Sign in at the server's provider."`
	Logout tokenLogoutCommand `cmd:"" help:"Forget the sign-in, and end it at the provider."`
	Show   tokenShowCommand   `cmd:"" help:"How Custody reads my token, and where it came from."`
	Revoke tokenRevokeCommand `cmd:"" help:"Have a token refused from now on."`
	Dev    tokenDevCommand    `cmd:"" help:"One access token of the development provider."`
}

type tokenDevCommand struct {
	ACR string        `enum:"mfa,pwd" default:"mfa" help:"mfa (a second factor) or pwd."`
	TTL time.Duration `default:"10m" help:"How long it lives."`
}

// Help shows an example.
func (tokenDevCommand) Help() string {
	return "Example:\n\n    custody token dev --as alice > alice.token\n\nIt prints the token and nothing else, and works only against `custody dev`."
}

// Run prints a token.
func (c tokenDevCommand) Run(ctx context.Context, s *session) error {
	if s.As == "" {
		return usage("say whose token: custody token dev --as alice")
	}
	issuer, err := s.devIssuer(ctx)
	if err != nil {
		return err
	}
	if err := knownPerson(s.As); err != nil {
		return err
	}
	token, err := devToken(ctx, issuer, url.Values{"as": {s.As}, "acr": {c.ACR}, "ttl": {c.TTL.String()}})
	if err != nil {
		return err
	}
	if s.JSON {
		return s.terminal.json(map[string]string{"access_token": token})
	}
	s.print("%s", token)
	return nil
}

type tokenShowCommand struct{}

// Help shows an example.
func (tokenShowCommand) Help() string { return "Example:\n\n    custody --as alice token show" }

// Run asks the server how it reads the token.
func (tokenShowCommand) Run(ctx context.Context, s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	me, err := c.Me(ctx)
	if p := (*client.Problem)(nil); errors.As(err, &p) && p.Status == http.StatusUnauthorized {
		return fmt.Errorf("%w\nThe token came from: %s", err, s.source())
	}
	if err != nil || s.JSON {
		return s.result(shown{me, s.source()}, err)
	}
	for _, line := range append(describe(me), "source    "+s.source()) {
		s.print("%s", oneLine(line))
	}
	return nil
}

// shown is a principal with the place of its token.
type shown struct {
	client.Principal
	Source string `json:"source"`
}

func describe(p client.Principal) []string {
	lines := []string{
		"id        " + p.ID + "  (your name in the ledger)",
		"kind      " + p.Kind,
		"subject   " + p.Subject + " of " + p.Issuer,
		"client    " + p.Client,
		"tenant    " + p.Tenant,
		"roles     " + orNone(strings.Join(p.Roles, ", ")),
		"sign-in   " + orNone(p.ACR) + map[bool]string{true: ", fresh and strong enough to approve"}[p.StepUp],
		"expires   " + p.ExpiresAt.Format(clock),
	}
	if len(p.Act) > 0 {
		lines = append(lines, "acting    "+strings.Join(p.Act, ", "))
	}
	if len(p.Missing) > 0 {
		lines = append(lines, "missing   "+strings.Join(p.Missing, ", ")+"  (claims that the token lacks)")
	}
	return lines
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
