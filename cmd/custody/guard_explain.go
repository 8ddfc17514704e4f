package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/guard/detector"
	"github.com/custodyhq/custody/security/guard/reading"
)

type guardExplainCommand struct {
	File    string `arg:"" help:"A text; - is standard input."`
	Channel string `default:"document" help:"Where the text comes from: person, document, tool or model."`
}

// Help shows an example.
func (guardExplainCommand) Help() string {
	return `Example:

    custody guard explain letter.txt --channel document

It shows how a model may read the text, what weighs for and against it and what the rules for outputs would find. It quotes the text: keep its output as you keep the text.

The detector is not what safety rests on: an instruction in plain words can pass it. docs/prompt-firewall.md says how often.`
}

// An explained text is everything that the firewall sees in it.
type explained struct {
	Verdict  string             `json:"verdict"` // pass, review, block
	Score    float64            `json:"score"`
	Channel  string             `json:"channel"`
	Reasons  []string           `json:"reasons"`
	Weights  string             `json:"weights"` // version of the detector
	Readings []explainedReading `json:"readings"`
	Places   []explainedPlace   `json:"places"` // the worst first
	Findings []security.Finding `json:"findings"`
}

// An explained reading is one way to read the text.
type explainedReading struct {
	Name  string `json:"name"`
	Text  string `json:"text"` // its beginning
	Bytes int    `json:"bytes"`
}

// An explained place is a part of the text with what its points are made of.
type explainedPlace struct {
	Reading string           `json:"reading"`
	Start   int              `json:"start"`
	End     int              `json:"end"`
	Text    string           `json:"text"` // as the model may read it
	Points  float64          `json:"points"`
	Weights []explainedShare `json:"weights"` // largest first; with base they add up to points
}

// An explained share is what one concept, word or form adds.
type explainedShare struct {
	What   string  `json:"what"`
	Kind   string  `json:"kind"`
	Points float64 `json:"points"`
}

const (
	maxShownReadings = 20
	maxShownShares   = 12
	shownText        = 400 // bytes of a reading
)

// Run explains a file.
func (c guardExplainCommand) Run(s *session) error {
	ch, err := channelNamed(c.Channel)
	if err != nil {
		return failed(exitUsage, "%w", err)
	}
	body, err := s.read(c.File)
	if err != nil {
		return err
	}
	g, err := guard.New(guard.Config{})
	if err != nil {
		return err
	}
	text := string(body)
	x := explain(g.Detector(), text, ch)
	x.Findings = append(x.Findings, g.ScanOutput("", text)...)
	if s.JSON {
		return s.terminal.json(x)
	}
	s.firewall(x, text)
	return nil
}

func explain(d *detector.Detector, text string, ch detector.Channel) explained {
	e := d.Explain(text, ch)
	out := explained{
		Verdict: e.Level.String(), Score: math.Round(e.Score*1e4) / 1e4, Channel: ch.String(), Reasons: []string{},
		Weights: e.Version, Readings: readings(text), Places: []explainedPlace{}, Findings: []security.Finding{},
	}
	if e.Level > detector.Pass {
		out.Reasons = reasonsOf(e)
	}
	for _, w := range e.Windows {
		p := explainedPlace{Reading: w.Reading, Start: w.Start, End: w.End, Text: w.Text, Points: rounded(w.Points)}
		p.Weights = append(p.Weights, explainedShare{What: "every text", Kind: "base", Points: rounded(w.Bias)})
		for _, c := range w.Contributions {
			p.Weights = append(p.Weights, explainedShare{c.What, c.Kind, rounded(c.Points)})
		}
		out.Places = append(out.Places, p)
	}
	return out
}

func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }

// readings lists the ways to read a text.
func readings(text string) []explainedReading {
	var sc reading.Scanner
	var out []explainedReading
	sc.Read(text, func(r *reading.Reading) bool {
		out = append(out, explainedReading{r.Name, strings.ToValidUTF8(string(r.Text[:min(len(r.Text), shownText)]), ""), len(r.Text)})
		return len(out) < maxShownReadings
	})
	return out
}

// firewall writes for people: the verdict first.
func (s *session) firewall(x explained, text string) {
	s.print("verdict   %s  score %.2f on channel %s (a person looks from 0.50, blocked from 0.90)", x.Verdict, x.Score, x.Channel)
	for _, r := range x.Reasons {
		s.print("          %s", r)
	}
	s.print("readings  %d", len(x.Readings))
	for _, r := range x.Readings {
		s.print("  %s %s", pad(r.Name, 18), short(oneLine(r.Text), 100))
	}
	if len(x.Places) > 0 {
		s.place(x.Places[0], text)
	}
	for _, f := range x.Findings {
		s.print("%s  bytes %d to %d  %s", pad(f.Action, 8), f.Start, f.End, f.Rule)
		if f.Why != "" {
			s.print("          %s", f.Why)
		}
	}
	s.print("weights   %s", x.Weights)
}

// place writes the worst place with its largest weights.
func (s *session) place(p explainedPlace, text string) {
	s.print("place     bytes %d to %d, read as %s: %.2f points", p.Start, p.End, p.Reading, p.Points)
	if 0 <= p.Start && p.Start < p.End && p.End <= len(text) {
		s.print("          “%s”", short(oneLine(text[p.Start:p.End]), 160))
	}
	for i, w := range p.Weights {
		if i > maxShownShares {
			s.print("          %s", fmt.Sprintf("… and %d smaller ones (--json shows all)", len(p.Weights)-i))
			break
		}
		s.print("  %+7.2f  %s  %s", w.Points, pad(w.Kind, 11), short(oneLine(w.What), 90))
	}
}
