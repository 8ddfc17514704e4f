package main

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security"
)

// A stoppedText is what a review shows of one text.
type stoppedText struct {
	Path     string             `json:"path"`
	Channel  string             `json:"channel"`
	Text     string             `json:"text"`
	Findings []security.Finding `json:"findings"`
}

// review shows a text that the firewall stopped: first what was found, with the
// words around it, then all of it. It reports whether the value is such a text.
func (s *session) review(v client.Shown) bool {
	var t stoppedText
	if json.Unmarshal([]byte(v.Content), &t) != nil || len(t.Findings) == 0 {
		return false
	}
	s.say("--- %s: %s, from a %s ---", oneLine(v.Name), oneLine(t.Path), oneLine(t.Channel))
	for _, f := range t.Findings {
		s.say("%s", oneLine(reasonOf(f)))
		if span := around(t.Text, f.Start, f.End); span != "" {
			s.say("    %s", span)
		}
	}
	s.say("the whole text:")
	s.say("%s", printable(t.Text))
	s.say("---")
	return true
}

// reasonOf says what was found and why, in a line.
func reasonOf(f security.Finding) string {
	line := "rule " + f.Rule + readAs(f)
	if f.Why != "" {
		line += ": " + f.Why
	}
	if len(f.Evidence) > 0 {
		line += " (" + evidenceOf(f) + ")"
	}
	return line
}

// readAs says how the text was read, if not as it stands there.
func readAs(f security.Finding) string {
	if f.Read == "" || f.Read == "plain" {
		return ""
	}
	return ", read as " + f.Read
}

// evidenceOf names what weighed most.
func evidenceOf(f security.Finding) string {
	names := make([]string, len(f.Evidence))
	for i, e := range f.Evidence {
		names[i] = e.Name
	}
	return strings.Join(names, "; ")
}

// reach is how many bytes are shown on each side of a finding.
const reach = 80

// around is a finding's text in guillemets, with what stands around it, on one
// line; "" if it has no place.
func around(text string, start, end int) string {
	if start < 0 || end <= start || end > len(text) {
		return ""
	}
	lo, hi := max(start-reach, 0), min(end+reach, len(text))
	for lo > 0 && !utf8.RuneStart(text[lo]) {
		lo--
	}
	for hi < len(text) && !utf8.RuneStart(text[hi]) {
		hi++
	}
	line := oneLine(text[lo:start]) + "»" + oneLine(text[start:end]) + "«" + oneLine(text[end:hi])
	if lo > 0 {
		line = "…" + line
	}
	if hi < len(text) {
		line += "…"
	}
	return line
}
