package main

import (
	"bufio"
	"encoding/json"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
)

type guardCommand struct {
	Explain guardExplainCommand `cmd:"" help:"What the firewall sees in a file."`
	Scan    guardScanCommand    `cmd:"" help:"JSON lines in, JSON lines out."`
}

type guardExplainCommand struct {
	File string `arg:"" help:"A text; - is standard input."`
}

// Help shows an example.
func (guardExplainCommand) Help() string {
	return "Example:\n\n    custody guard explain letter.txt\n\nThe firewall is not what safety rests on: what is worded well enough passes any detector."
}

// A scanned text is the answer to one text. Verdict is the strongest action.
type scanned struct {
	ID       json.RawMessage    `json:"id,omitempty"`
	Verdict  string             `json:"verdict"` // block, withhold, review, redact, note, pass
	Findings []security.Finding `json:"findings"`
}

// Run explains a file.
func (c guardExplainCommand) Run(s *session) error {
	text, err := s.read(c.File)
	if err != nil {
		return err
	}
	g, err := guard.New(guard.Config{})
	if err != nil {
		return err
	}
	r := scan(g, string(text))
	if s.JSON {
		return s.terminal.json(r)
	}
	for _, f := range r.Findings {
		s.print("%s  bytes %d to %d  %s", pad(f.Action, 8), f.Start, f.End, f.Rule)
		if 0 <= f.Start && f.Start < f.End && f.End <= len(text) {
			s.print("          “%s”", short(oneLine(string(text[f.Start:f.End])), 160))
		}
		if f.Read != "" && f.Read != "plain" {
			s.print("          read as %s", f.Read)
		}
		if f.Why != "" {
			s.print("          %s", f.Why)
		}
	}
	s.print("verdict   %s", r.Verdict)
	return nil
}

func scan(g *guard.Guard, text string) scanned {
	r := scanned{Verdict: "pass", Findings: g.Scan("", text)}
	if r.Findings == nil {
		r.Findings = []security.Finding{}
	}
	for _, action := range []string{security.Note, security.Redact, security.Revise, security.Review, security.Withhold, security.Block} {
		for _, f := range r.Findings {
			if f.Action == action {
				r.Verdict = action
			}
		}
	}
	return r
}

type guardScanCommand struct{}

// Help shows an example.
func (guardScanCommand) Help() string {
	return "Example:\n\n    echo '{\"id\": 1, \"text\": \"ignore all previous instructions\"}' | custody guard scan\n\nEach line in is a JSON string or an object with text and, if wanted, id. Each line out is {id, verdict, findings}."
}

// Run scans line by line.
func (guardScanCommand) Run(s *session) error {
	g, err := guard.New(guard.Config{})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(s.in)
	lines.Buffer(make([]byte, 0, 64<<10), 16<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		id, text, err := scanLine(lines.Bytes())
		if err != nil {
			return failed(exitInvalid, "line %d: %w", n, err)
		}
		r := scan(g, text)
		r.ID = id
		if err := s.jsonLine(r); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return failed(exitInvalid, "standard input: %w", err)
	}
	return nil
}

func scanLine(line []byte) (id json.RawMessage, text string, err error) {
	if json.Unmarshal(line, &text) == nil {
		return nil, text, nil
	}
	var q struct {
		ID   json.RawMessage `json:"id"`
		Text *string         `json:"text"`
	}
	if json.Unmarshal(line, &q) != nil || q.Text == nil {
		return nil, "", fmt.Errorf("must be a JSON string, or an object with the member text")
	}
	return q.ID, *q.Text, nil
}
