package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
)

type guardReleaseCommand struct {
	File   string `arg:"" optional:"" help:"The whole text, exactly as it was stopped; - is standard input."`
	OfRun  string `name:"run" complete:"run" placeholder:"RUN" help:"Instead of a text: what was stopped in this run."`
	Step   string `placeholder:"STEP" help:"In this step: all texts for which its last attempt was blocked or withheld."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept."`
	Until  string `required:"" placeholder:"TIME" help:"When it ends: a time, a day, or a while such as 720h; at most a year."`
	Key    string `help:"Idempotency key."`
	DryRun bool   `name:"dry-run" help:"Check everything, release nothing."`
}

// Help shows an example.
func (guardReleaseCommand) Help() string {
	return "Example:\n\n    custody --as carol guard release --run run_… --step draft --reason \"a clause of our own template\" --until 720h\n\nIt is for that text only, and needs the role security, a second factor, and somebody who did not submit the run. In the runs of whoever makes it, it does nothing."
}

// Run releases.
func (c guardReleaseCommand) Run(ctx context.Context, s *session) error {
	n := client.NewRelease{Run: c.OfRun, Step: c.Step, Reason: c.Reason, Key: c.Key, DryRun: c.DryRun}
	if (c.File == "") == (c.OfRun == "") || (c.OfRun == "") != (c.Step == "") {
		return usage("say what is released: a file with the text, or --run and --step")
	}
	var err error
	if n.Until, err = ahead("--until", c.Until); err != nil {
		return err
	}
	if c.File != "" {
		text, err := s.read(c.File)
		if err != nil {
			return err
		}
		n.Text = string(text)
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Release(ctx, n)
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	if c.DryRun {
		return s.rehearsed(r, "It would be released; nothing was changed.")
	}
	s.print("%s  released until %s", r.ID, r.Until.Format(clock))
	for _, text := range r.Texts {
		s.print("text     %s", text)
	}
	if r.Receipt != nil {
		s.print("receipt  %s", receipt(*r.Receipt))
	}
	s.say("Take it back with: %s", s.helper(s.As, "guard lift "+r.ID))
	return nil
}

// ahead reads a time, a day, or a while from now.
func ahead(flag, text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(d), nil
	}
	if t, ok := dated(text); ok {
		return t, nil
	}
	return time.Time{}, usage("%s is a time such as 2027-01-31T09:00:00Z, a day, or a while from now, such as 72h", flag)
}

type guardReleasesCommand struct {
	Limit int `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (guardReleasesCommand) Help() string {
	return "Example:\n\n    custody --as carol guard releases\n\nIt needs the role security or auditor."
}

// Run lists the releases.
func (c guardReleasesCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	columns := []column{{name: "release", firm: true}, {name: "made"}, {name: "ends"}, {name: "state"}, {name: "by", isID: true}, {name: "of", isID: true}, {name: "reason", loose: true}}
	return list(s, cl.Releases(ctx), c.Limit, columns, func(r client.Release) []cell {
		state, of := "in force", "a text"
		switch {
		case r.LiftedAt != nil:
			state = "lifted"
		case !r.Until.After(time.Now()):
			state = "ended"
		}
		if r.Run != nil {
			of = *r.Run
		}
		return cells(r.ID, s.when(r.CreatedAt.Time), s.when(r.Until.Time), state, r.By, of, r.Reason)
	})
}

type guardLiftCommand struct {
	ID     string `arg:"" complete:"release" help:"The release, rel_…."`
	DryRun bool   `name:"dry-run" help:"Check everything, lift nothing."`
}

// Help shows an example.
func (guardLiftCommand) Help() string {
	return "Example:\n\n    custody --as carol guard lift rel_…\n\nIt needs the role security, and a second factor. What the release has let begin goes on."
}

// Run lifts the release.
func (c guardLiftCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.DryRun {
		if err := cl.MayLiftRelease(ctx, c.ID); err != nil {
			return err
		}
		return s.rehearsed(map[string]string{"id": c.ID}, "The release would be lifted; nothing was changed.")
	}
	r, err := cl.LiftRelease(ctx, c.ID)
	return s.receipted(c.ID+" is lifted.", r, err)
}

type guardModeCommand struct {
	Mode   string `arg:"" optional:"" enum:",observe,enforce" default:"" help:"observe: only note what would stop a text; enforce: stop it. Left out: show what holds."`
	Until  string `placeholder:"TIME" help:"To observe, when that ends: a time, a day, or a while such as 72h; at most 30 days."`
	Reason string `placeholder:"TEXT" help:"Why; it is kept. Needed to change the mode."`
	DryRun bool   `name:"dry-run" help:"Check everything, change nothing."`
}

// Help shows an example.
func (guardModeCommand) Help() string {
	return "Example:\n\n    custody --as carol guard mode observe --until 72h --reason \"tuning a new workflow\"\n\nEverybody may see the mode; to change it the role security and a second factor are needed. Schema, size and the second model hold in both."
}

// Run shows the mode or changes it.
func (c guardModeCommand) Run(ctx context.Context, s *session) error {
	n := client.NewGuardMode{Mode: c.Mode, Reason: c.Reason, DryRun: c.DryRun}
	switch {
	case c.Mode != "" && c.Reason == "":
		return usage("say why: --reason TEXT")
	case (c.Mode == "observe") != (c.Until != ""):
		return usage("--until belongs to observe, and observe needs it")
	case c.Until != "":
		var err error
		if n.Until, err = ahead("--until", c.Until); err != nil {
			return err
		}
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	var m client.GuardMode
	if c.Mode == "" {
		m, err = cl.GuardMode(ctx)
	} else {
		m, err = cl.SetGuardMode(ctx, n)
	}
	if err != nil || s.JSON {
		return s.result(m, err)
	}
	if c.DryRun && c.Mode != "" {
		return s.rehearsed(m, "It would be changed; nothing was.")
	}
	s.print("%s", modeLine(m))
	if m.Receipt != nil {
		s.print("receipt  %s", receipt(*m.Receipt))
	}
	return nil
}

// modeLine says what the firewall does and why.
func modeLine(m client.GuardMode) string {
	var b strings.Builder
	b.WriteString(m.Mode)
	if m.Until != nil {
		b.WriteString(" until " + m.Until.Format(clock))
	}
	switch m.Source {
	case "config":
		b.WriteString(", by the server's configuration")
	case "order":
		b.WriteString(", ordered by " + oneLine(m.By) + ": " + oneLine(m.Reason))
	}
	return b.String()
}

type guardLabelsCommand struct{}

// Help shows an example.
func (guardLabelsCommand) Help() string {
	return "Example:\n\n    custody --as carol guard labels > labels.jsonl\n\nOne JSON object a line, in the format that security/guard/train reads. It needs the role security and a second factor; the ledger records every text that is read."
}

// Run prints the labels as they come.
func (guardLabelsCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	lines, err := cl.GuardLabels(ctx)
	if err != nil {
		return err
	}
	defer lines.Close()
	if _, err := io.Copy(s.out, lines); err != nil {
		return failed(exitFailure, "the labels ended early: %w", err)
	}
	return nil
}
