package egress

import "github.com/custodyhq/custody/security/guard/reading"

// read looks at every reading of the text.
func (s *search) read() {
	g := s.guarded
	words := s.words != nil && !s.off["word"]
	prompts := g != nil && len(g.prompts) > 0 && !s.off["leak"]
	canaries := g != nil && len(g.needles) > 0 && !s.off["leak"]
	copies := g != nil && len(g.copied) > 0 && !s.off["copy"]
	if !words && !prompts && !canaries && !copies && len(s.code) == 0 {
		return
	}
	signs := s.scanner.Read(s.text, func(r *reading.Reading) bool {
		s.reading = r
		s.unsafe(r.Text)
		if canaries {
			s.canaries(r.Text, r.Cased, r.Layer == 0)
		}
		if words || prompts || copies {
			s.tokens = tokens(s.tokens[:0], r.Text)
		}
		if words {
			s.listed()
		}
		if prompts {
			s.prompts()
		}
		if copies {
			s.copies()
		}
		return len(s.found) < maxFindings
	})
	s.reading = nil
	if signs.Truncated {
		s.add(Finding{
			Rule: BoundReadings, End: len(s.text), Replacement: "[text removed]",
			Why: "The output can be read in more ways than the bound allows, and some were left out.",
		})
	}
}

// inReading adds a finding in the reading that is looked at.
func (s *search) inReading(rule string, i, j int, why, instead string) {
	lo, hi := s.reading.Span(i, j)
	if lo < hi {
		s.add(Finding{Rule: rule, Start: lo, End: hi, Why: why, Replacement: instead, Read: s.reading.Name})
	}
}
