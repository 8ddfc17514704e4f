package workflow

import "strings"

// How an expression stands in a text.
const (
	opening = "${{"
	closing = "}}"
)

// A segment of a text is the author's words or an expression.
type segment struct {
	text string
	expr bool
	nth  int    // which expression of the text it is, from 0
	lead string // the white space before the expression's source
}

// split takes a text apart. ok is false if an expression is not closed; nth is
// then its number.
func split(s string) (segments []segment, nth int, ok bool) {
	for {
		before, rest, found := strings.Cut(s, opening)
		if before != "" {
			segments = append(segments, segment{text: before})
		}
		if !found {
			return segments, nth, true
		}
		end := closeOf(rest)
		if end < 0 {
			return segments, nth, false
		}
		inner := rest[:end]
		trimmed := strings.TrimLeft(inner, " \t\n")
		segments = append(segments, segment{text: strings.TrimRight(trimmed, " \t\n"), expr: true, nth: nth, lead: inner[:len(inner)-len(trimmed)]})
		nth++
		s = rest[end+len(closing):]
	}
}

// closeOf finds the end of an expression: the first `}}` outside of its texts
// and its own braces. -1 if there is none.
func closeOf(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\'', '"':
			i = skipQuoted(s, i)
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
				continue
			}
			if strings.HasPrefix(s[i:], closing) {
				return i
			}
		}
	}
	return -1
}

// skipQuoted returns the index of the quote that ends the text begun at i, or
// the end of s.
func skipQuoted(s string, i int) int {
	mark := s[i : i+1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(s[i:], triple) {
		mark = triple
	}
	for j := i + len(mark); j < len(s); j++ {
		if s[j] == '\\' {
			j++
			continue
		}
		if strings.HasPrefix(s[j:], mark) {
			return j + len(mark) - 1
		}
	}
	return len(s)
}

// whole returns the source of a text that is nothing but one expression.
func whole(segments []segment) (segment, bool) {
	var found []segment
	for _, s := range segments {
		if s.expr {
			found = append(found, s)
		} else if strings.TrimSpace(s.text) != "" {
			return segment{}, false
		}
	}
	if len(found) != 1 {
		return segment{}, false
	}
	return found[0], true
}
