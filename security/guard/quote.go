package guard

import "strings"

// quoted reports whether a phrase is spoken about rather than said: it stands
// in quotation marks that close right after it, and words such as "attack" or
// "example" stand near. An attacker can write that, too, but then a reader sees
// a quotation, which is the weakest form of a command.
func (s *sentences) quoted(h hit) bool {
	if !s.v.near(s, h.word) {
		return false
	}
	line := s.text[strings.LastIndexByte(s.text[:h.from], '\n')+1 : h.from]
	line = line[max(0, len(line)-24):]
	for _, q := range []string{`"`, "'", "`", "“", "‘", "«", "„"} {
		if strings.Contains(line, q) && closes(s.text[h.to:], q) {
			return true
		}
	}
	return false
}

func closes(rest, open string) bool {
	rest = rest[:min(len(rest), 48)]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	switch open {
	case "“", "„":
		return strings.ContainsAny(rest, "”“")
	case "‘":
		return strings.Contains(rest, "’")
	case "«":
		return strings.Contains(rest, "»")
	}
	return strings.Contains(rest, open)
}

// near reports whether words about attacks stand within a dozen words.
func (v *vocabulary) near(s *sentences, n int) bool {
	return s.window(n-12, []int{v.number["mention"]})&(1<<32-1) != 0
}
