package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/signin"
)

type tokenLoginCommand struct {
	Issuer  string `placeholder:"URL" help:"The provider; else the one that the server names."`
	Client  string `default:"custody-cli" placeholder:"ID" help:"This program's client id at the provider."`
	ACR     string `name:"acr" placeholder:"LEVEL" help:"Ask for this level of sign-in: mfa is a second factor that is at most 5 minutes old."`
	Browser bool   `xor:"way" help:"Sign in through a browser on this machine. The default with --acr."`
	Device  bool   `xor:"way" help:"Sign in at any screen, with a code. The default without --acr; some providers, Keycloak among them, then ask for no second factor."`
}

// Help shows an example.
func (tokenLoginCommand) Help() string {
	return "Example:\n\n    custody token login\n    custody token login --acr mfa\n\nIt shows an address and opens nothing. The tokens are kept in a file that only you can read, one for each server, and renewed when they are about to end; every command without --as, --token-file and CUSTODY_TOKEN uses them."
}

// Run signs somebody in.
func (c tokenLoginCommand) Run(ctx context.Context, s *session) error {
	if s.As != "" {
		return usage("--as signs in by itself: leave out `token login`, or --as")
	}
	shelf, err := signin.ShelfOf(s.env)
	if err != nil {
		return usage("%w", err)
	}
	issuer, err := c.issuer(ctx, s)
	if err != nil {
		return err
	}
	p, err := signin.New(ctx, signin.Config{Issuer: issuer, Client: c.Client, ACR: c.ACR})
	if err != nil {
		return err
	}
	s.destination(shelf, issuer)
	t, err := c.signIn(ctx, s, p)
	switch {
	case errors.Is(err, signin.ErrRefused):
		return &exit{code: exitRefused, err: err}
	case errors.Is(err, signin.ErrExpired):
		return failed(exitNotNow, "%w: try again", err)
	case err != nil:
		return err
	}
	k := signin.Kept{Server: s.server(), Issuer: issuer, Client: c.Client}.With(t)
	if err := keep(ctx, shelf, k); err != nil {
		return err
	}
	return c.welcome(ctx, s, shelf, k)
}

// destination says who asks for the password and who gets the token: a server
// may name any provider, and a token that is good elsewhere, too, is in its
// hands then.
func (s *session) destination(shelf signin.Shelf, issuer string) {
	s.say("Provider    %s\nToken for   %s", oneLine(issuer), oneLine(s.server()))
	if before, err := shelf.Load(s.server()); err == nil && before.Issuer != issuer {
		s.say("Note: the last sign-in for this server was at %s. Go on only if you know why that has changed.", oneLine(before.Issuer))
	}
}

// keep saves the sign-in after whoever renews the one before it.
func keep(ctx context.Context, shelf signin.Shelf, k signin.Kept) error {
	unlock, err := shelf.Lock(ctx, k.Server)
	if err != nil {
		return err
	}
	defer unlock()
	return shelf.Save(k)
}

// issuer asks the server where one can sign in (RFC 9728).
func (c tokenLoginCommand) issuer(ctx context.Context, s *session) (string, error) {
	api, err := client.New(client.Config{URL: s.server(), UserAgent: "custody-cli"})
	if err != nil {
		return "", err
	}
	defer api.Close()
	resource, err := api.Resource(ctx)
	if err != nil {
		return "", err
	}
	if !sameServer(resource.Resource, s.server()) { // RFC 9728, section 3.3: else its answer is worth nothing
		return "", usage("the server calls itself %s: use --url with that address, or correct its CUSTODY_URL", short(oneLine(resource.Resource), 200))
	}
	names := strings.Join(resource.Servers, ", ")
	switch {
	case c.Issuer != "" && !slices.Contains(resource.Servers, c.Issuer):
		return "", usage("the server does not trust that provider, only %s", oneLine(names))
	case c.Issuer == "" && len(resource.Servers) != 1:
		return "", usage("say where to sign in: --issuer with one of %s", orNone(oneLine(names)))
	}
	return cmp.Or(c.Issuer, resource.Servers[0]), nil
}

// sameServer compares two addresses; all names of this machine are one.
func sameServer(a, b string) bool {
	u, err1 := url.Parse(strings.TrimRight(a, "/"))
	v, err2 := url.Parse(strings.TrimRight(b, "/"))
	if err1 != nil || err2 != nil || u.Scheme != v.Scheme || u.Path != v.Path {
		return false
	}
	return strings.EqualFold(u.Host, v.Host) || u.Port() == v.Port() && loopback(u.Hostname()) && loopback(v.Hostname())
}

// signIn shows where to go and waits.
func (c tokenLoginCommand) signIn(ctx context.Context, s *session, p *signin.Provider) (signin.Tokens, error) {
	if c.Browser || c.ACR != "" && !c.Device {
		v, err := p.Visit(ctx)
		if err != nil {
			return signin.Tokens{}, err
		}
		s.say("Sign in with a browser on this machine:\n\n    %s\n\nWaiting until %s; Ctrl-C ends it. No browser here? custody token login --device", v.Address, local(v.Expires))
		return v.Wait(ctx)
	}
	d, err := p.Device(ctx)
	if err != nil {
		return signin.Tokens{}, err
	}
	s.say("Go to       %s\nYour code   %s\n", d.Address, d.UserCode)
	if d.Complete != "" {
		s.say("Or go to    %s\nand compare the code.\n", d.Complete)
	}
	s.say("Waiting until %s; Ctrl-C ends it.", local(d.Expires))
	return p.Wait(ctx, d)
}

func local(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// A signedIn is the result of a login.
type signedIn struct {
	client.Principal
	Server    string `json:"server"`
	File      string `json:"file"`
	Renewable bool   `json:"renewable"` // the tokens are renewed until the provider ends the session
}

// welcome says whom the server takes us for. The tokens are kept, whatever it
// says: `custody doctor token` explains one that is refused.
func (c tokenLoginCommand) welcome(ctx context.Context, s *session, shelf signin.Shelf, k signin.Kept) error {
	api, err := client.New(client.Config{
		URL: s.server(), UserAgent: "custody-cli", Token: func(context.Context) (string, error) { return k.Access, nil },
	})
	if err != nil {
		return err
	}
	defer api.Close()
	me, err := api.Me(ctx)
	if p := (*client.Problem)(nil); errors.As(err, &p) && codeOfStatus(p) == exitRefused {
		return refused(exitRefused, "unauthenticated", "the sign-in worked, but the server refuses its token: %s\n`custody doctor token`, where the server's settings are, says what to change", p.Detail)
	}
	if err != nil {
		return err
	}
	out := signedIn{Principal: me, Server: k.Server, File: shelf.File(k.Server), Renewable: k.Refresh != ""}
	if from := s.source(); !strings.HasPrefix(from, "custody token login") {
		s.say("Note: commands use another token before this one: %s", from)
	}
	if s.JSON {
		err = s.terminal.json(out)
	} else {
		s.print("%s", oneLine(out.sentence()))
	}
	if err == nil && c.ACR == "mfa" && !me.MFA {
		return c.weak()
	}
	return err
}

func (c tokenLoginCommand) weak() error {
	hint := "look at acr and amr: custody doctor token"
	if c.Device {
		hint = "try `custody token login --acr mfa` without --device: many providers ask for it in a browser only"
	}
	return refused(exitRefused, "step-up-required", "signed in, but without a second factor: the provider did not ask for it, or the server does not read it from the token\n%s", hint)
}

func (o signedIn) sentence() string {
	how := map[bool]string{true: " with a second factor"}[o.MFA]
	text := "Signed in as " + cmp.Or(o.Name, o.Subject) + how + " until " + local(o.ExpiresAt.Time)
	if o.Renewable {
		text += ", renewed when needed"
	}
	return text + "; kept in " + o.File
}
