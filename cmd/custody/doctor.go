package main

import (
	"context"
	"io"
	"strings"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/security/oidc"
)

type doctorCommand struct {
	Token string `arg:"" optional:"" help:"Explain a token instead. token: the one that commands would send; @FILE; - for standard input; or the token itself."`
}

// Help shows an example.
func (doctorCommand) Help() string {
	return "Example:\n\n    custody doctor\n    custody doctor token\n    custody doctor @alice.token\n\nIt reads the same settings as `custody serve`. Beside `custody dev`: set -a; . .custody/env; set +a"
}

// Run looks at the installation, or at one token.
func (c doctorCommand) Run(ctx context.Context, s *session) error {
	cfg, err := custody.Load(s.env, s.env(custody.EnvConfig))
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	if c.Token != "" {
		return c.explain(ctx, s, cfg)
	}
	cfg.InsecureHTTP = cfg.TLSCert == "" && !cfg.Production // as a process on loopback would run
	found := custody.Diagnose(ctx, cfg)
	good := true
	for _, f := range found {
		good = good && f.OK
		if s.JSON {
			continue
		}
		if f.OK && f.Detail == "" {
			s.print("ok   %s", f.Name)
			continue
		}
		if f.OK {
			s.print("ok   %s: %s", f.Name, f.Detail)
			continue
		}
		s.print("BAD  %s: %s", pad(f.Name, 10), printable(f.Detail))
		s.print("     %s  %s", pad("", 10), f.Remedy)
	}
	if s.JSON {
		if err := s.terminal.json(map[string]any{"ok": good, "checks": found}); err != nil {
			return err
		}
	}
	if !good {
		return silently(exitFailure)
	}
	return nil
}

func (c doctorCommand) explain(ctx context.Context, s *session, cfg custody.Config) error {
	token, err := c.token(ctx, s)
	if err != nil {
		return err
	}
	r, err := custody.ExplainToken(ctx, cfg.Issuers, token)
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	if s.JSON {
		err = s.terminal.json(r)
	} else {
		s.explained(r)
	}
	if err == nil && !r.Accepted {
		return silently(exitRefused)
	}
	return err
}

func (c doctorCommand) token(ctx context.Context, s *session) (string, error) {
	if c.Token == "token" { // no token is that short
		return s.bearer(ctx)
	}
	if file, ok := strings.CutPrefix(c.Token, "@"); ok {
		return tokenIn(file)
	}
	if c.Token != "-" {
		return c.Token, nil
	}
	raw, err := io.ReadAll(io.LimitReader(s.in, 64<<10))
	return strings.TrimSpace(string(raw)), err
}

func (s *session) explained(r oidc.Report) {
	for _, c := range r.Checks {
		s.print("%s", oneLine(checkLine(c)))
	}
	s.print("accepted: %v", r.Accepted)
}

func checkLine(c oidc.CheckResult) string {
	if c.Passed {
		return "ok   " + pad(c.Name, 12) + c.Expected
	}
	return "BAD  " + pad(c.Name, 12) + "expected " + c.Expected + "; found " + orNone(c.Found) + "; " + c.Remedy
}
