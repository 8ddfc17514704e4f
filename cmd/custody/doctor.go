package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/security/oidc"
)

type doctorCommand struct {
	Token string `arg:"" optional:"" help:"Explain a token instead. token: the one that commands would send; @FILE; - for standard input; or the token itself."`
}

// Help shows an example.
func (doctorCommand) Help() string {
	return "Example:\n\n    custody doctor\n    custody doctor token\n    custody doctor @alice.token\n\nIt reads the same settings as `custody serve`, goes on after whatever it finds, and exits with 0 if nothing is wrong; hints do not count. Beside `custody dev`: set -a; . .custody/env; set +a"
}

// whereSettings is for somebody who runs doctor in a shell without settings.
const whereSettings = "Run it with the environment of the server; beside `custody dev`: set -a; . .custody/env; set +a"

// Run looks at the installation, or at one token.
func (c doctorCommand) Run(ctx context.Context, s *session) error {
	file := s.env(custody.EnvConfig)
	cfg, unread := custody.Load(s.env, file)
	if c.Token != "" {
		if unread != nil {
			return &exit{code: exitUsage, err: unread}
		}
		if len(cfg.Issuers) == 0 {
			return usage("doctor compares a token with a server's settings, and here no issuer is set. %s\nWhat the server says of it: custody token show", whereSettings)
		}
		return c.explain(ctx, s, cfg)
	}
	if unread != nil {
		cfg, _ = custody.Load(s.env, "") // without a file nothing can fail
	}
	cfg.InsecureHTTP = cfg.TLSCert == "" && cfg.TLSKey == "" && !cfg.Production // as a process on loopback would run
	if cfg.DatabaseURL == "" && len(cfg.Issuers) == 0 && unread == nil {
		s.say("None of a server's settings are set here. %s", whereSettings)
	}
	return s.diagnosed(custody.Diagnose(ctx, custody.Installation{Config: cfg, Unread: unread, File: file, Environ: s.environ()}))
}

// environ is this session's environment: its own view first, then whatever else
// is set and might be meant for us.
func (s *session) environ() []string {
	var out []string
	for _, name := range custody.Variables() {
		if value := s.env(name); value != "" {
			out = append(out, name+"="+value)
		}
	}
	return append(out, os.Environ()...)
}

// diagnosed shows what was found, and fails if something is wrong.
func (s *session) diagnosed(found []custody.Symptom) error {
	count := map[custody.Level]int{}
	for _, f := range found {
		count[f.Level]++
	}
	good := count[custody.Problem] == 0
	if s.JSON {
		if err := s.terminal.json(map[string]any{"ok": good, "problems": count[custody.Problem], "hints": count[custody.Hint], "checks": found}); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			s.symptom(f)
		}
		s.print("%d problems, %d hints, %d checks are well", count[custody.Problem], count[custody.Hint], count[custody.Well])
	}
	if !good {
		return silently(exitFailure)
	}
	return nil
}

func (s *session) symptom(f custody.Symptom) {
	word := map[custody.Level]string{custody.Well: "ok", custody.Hint: "hint", custody.Problem: "BAD"}[f.Level]
	line := pad(word, 4) + "  " + pad(f.Group, 11) + "  " + f.Name
	if f.Detail != "" {
		line += ": " + f.Detail
	}
	s.print("%s", oneLine(line))
	if f.Remedy != "" {
		s.print("%s", oneLine(pad("", 4)+"  "+pad("", 11)+"  -> "+f.Remedy))
	}
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
