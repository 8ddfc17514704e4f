package sensitive

import (
	"unicode"
	"unicode/utf8"
)

// begins reports whether a number can begin at i, with a first row of n digits:
// it is not the rest of a word, of an amount, of a time or of a longer number.
func (s *scan) begins(i, n int) bool {
	t := s.t
	if i == 0 || i == s.fresh {
		return true
	}
	c := t[i-1]
	if c >= utf8.RuneSelf {
		r, _ := utf8.DecodeLastRuneInString(t[:i])
		return !joins(r)
	}
	if isAlnum(c) || c == '_' || c == '$' || c == '@' {
		return false
	}
	if i == 1 {
		return c != '.' // .5
	}
	before := t[i-2]
	switch c {
	case '-', '/':
		return !isAlnum(before)
	case '.', ':':
		return !isDigit(before)
	case ',':
		return !isDigit(before) || n != 3
	}
	return true
}

// ends reports whether a number can end before j: neither a word
// nor more of a number follows.
func (s *scan) ends(j int) bool {
	t := s.t
	if j == len(t) {
		return true
	}
	c := t[j]
	if c >= utf8.RuneSelf {
		r, _ := utf8.DecodeRuneInString(t[j:])
		return !joins(r)
	}
	if isAlnum(c) || c == '_' || c == '@' {
		return false
	}
	if j+1 == len(t) {
		return true
	}
	after := t[j+1]
	switch c {
	case '-':
		return !isAlnum(after)
	case '.', '/':
		return !isDigit(after)
	case ',':
		return !isDigit(after) || j+4 <= len(t) && !isDigit(t[j+3]) || j+4 < len(t) && isDigit(t[j+4])
	}
	return true
}

// joins reports whether r belongs to the word or number beside it. Scripts that
// are written without blanks do not: a number may stand in the middle of them.
func joins(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
