package reading

import (
	"bytes"
	"html"
	"unicode/utf8"
)

// escapes decodes characters that are written as escapes among others: each kind
// by itself, so that the layers of nested ones are told apart.
func (s *Scanner) escapes(layer int, v *survey) {
	if v.signs[percentSign] > 0 {
		s.escaped(layer, "url", '%', percentEscape)
	}
	if v.signs[ampersand] > 0 {
		s.escaped(layer, "html", '&', entity)
	}
	if v.signs[backslash] > 0 {
		s.escaped(layer, "escape", '\\', backslashEscape)
	}
	if v.signs[equalSign] >= 3 {
		s.escaped(layer, "quoted-printable", '=', quotedPrintable)
	}
}

// reach is how far an escape may stand from the next to belong together.
const reach = 64

// An escape reads one escape at the beginning of b: what it stands for and how
// long it is, 0 if it is none. A rune below zero stands for nothing.
type escape func(b []byte) (r rune, raw bool, n int)

// escaped decodes every part of the text that holds escapes, with the words
// between them, since "%69gnore" hides one letter of seven.
func (s *Scanner) escaped(layer int, name string, mark byte, read escape) {
	b := s.frames[layer].reading.Cased
	s.work += len(b)
	for i := 0; i < len(b) && !s.stopped; {
		k := bytes.IndexByte(b[i:], mark)
		if k < 0 {
			return
		}
		i += k
		if _, _, n := read(b[i:]); n == 0 {
			i++
			continue
		}
		i = s.stretch(layer, name, mark, read, b, i)
	}
}

// stretch decodes from the word before the escape at i to the last escape that
// is in reach of the one before it, and returns where it ended.
func (s *Scanner) stretch(layer int, name string, mark byte, read escape, b []byte, i int) int {
	f := s.begin(layer)
	lo := i
	for lo > 0 && i-lo < reach && b[lo-1] != '\n' {
		lo--
	}
	for lo < i && b[lo]&0xC0 == 0x80 {
		lo++
	}
	for k := lo; k < i; k++ {
		f.plain(b[k], mark, k)
	}
	count, telling, end, broken := 0, 0, i, false
	for i < len(b) && i-end < reach {
		if b[i] == mark {
			if r, raw, n := read(b[i:]); n > 0 {
				count++
				if mark == '=' && 0 <= r && r < ' ' && r != '\n' && r != '\r' && r != '\t' {
					broken = true
				}
				if r >= '0' && r < utf8.RuneSelf && wordOf[r]&(inLower|inUpper|inDigit) != 0 || r >= 0x80 {
					telling++
				}
				f.unescape(r, raw, i, n)
				i += n
				end = i
				continue
			}
		}
		if b[i] == mark && mark == '=' {
			broken = true // quoted-printable escapes every sign of equality
		}
		if b[i] == '\n' && i-end > reach/2 {
			break
		}
		f.plain(b[i], mark, i)
		i++
	}
	s.work += 3 * (i - lo)
	for len(f.raw) > 0 && i < len(b) && b[i]&0xC0 == 0x80 { // not within a character
		f.plain(b[i], mark, i)
		i++
	}
	if broken {
		return max(end, lo+1)
	}
	if count >= 3 || telling > 0 && telling*2 >= count && mark != '=' {
		s.offer(layer, name, text)
	}
	return max(end, lo+1)
}

// unescape writes what an escape stands for.
func (f *frame) unescape(r rune, raw bool, i, n int) {
	switch {
	case r < 0:
	case raw:
		f.emit(byte(r), i, n)
	default:
		f.emitRune(r, i, n)
	}
}

// plain writes what stands between escapes. In an address, '+' is a blank.
func (f *frame) plain(c, mark byte, i int) {
	if c == '+' && mark == '%' {
		c = ' '
	}
	f.emit(c, i, 1)
}

func percentEscape(b []byte) (rune, bool, int) {
	if c, ok := hexPair(b[1:]); ok {
		return rune(c), true, 3
	}
	if len(b) >= 6 && b[1]|0x20 == 'u' {
		if r, ok := hexRune(b[2:6]); ok {
			return r, false, 6
		}
	}
	return 0, false, 0
}

// quotedPrintable reads an escape of RFC 2045, section 6.7; "=" at the end of a
// line joins it to the next.
func quotedPrintable(b []byte) (rune, bool, int) {
	if c, ok := hexPair(b[1:]); ok {
		return rune(c), true, 3
	}
	if len(b) > 1 && b[1] == '\n' {
		return -1, false, 2
	}
	return 0, false, 0
}

func hexRune(b []byte) (rune, bool) {
	var r rune
	for _, c := range b {
		if wordOf[c]&inHex == 0 || r > 0xFFFFF {
			return 0, false
		}
		r = r<<4 | rune(hexDigit(c))
	}
	return r, len(b) > 0
}

// backslashEscape reads the escapes of programming languages: \uXXXX, \u{XXXX},
// \UXXXXXXXX, \xXX, \NNN in octal, and those of line ends and tabs.
func backslashEscape(b []byte) (rune, bool, int) {
	if len(b) < 2 {
		return 0, false, 0
	}
	if b[1] == '\\' { // an escape in a string in a string
		k := 2
		for k < len(b) && k < 16 && b[k] == '\\' {
			k++
		}
		if k+4 < len(b) && b[k] == 'u' {
			if r, ok := hexRune(b[k+1 : k+5]); ok {
				return r, false, k + 5
			}
		}
	}
	switch c := b[1]; {
	case c == 'u' && len(b) > 3 && b[2] == '{':
		end := bytes.IndexByte(b[3:min(len(b), 11)], '}')
		if r, ok := hexRune(b[3 : 3+max(end, 0)]); ok {
			return r, false, end + 4
		}
	case c == 'u' && len(b) >= 6:
		if r, ok := hexRune(b[2:6]); ok {
			return pair(b, r)
		}
	case c == 'U' && len(b) >= 10:
		if r, ok := hexRune(b[2:10]); ok {
			return r, false, 10
		}
	case c == 'N':
		r, n := namedLetter(b)
		return r, false, n
	case c == 'x':
		if p, ok := hexPair(b[2:]); ok {
			return rune(p), true, 4
		}
	case c == 'n' || c == 'r' || c == 't':
		return ' ', false, 2
	case '0' <= c && c <= '3' && len(b) >= 4 && b[2]&^7 == '0' && b[3]&^7 == '0':
		return rune(c-'0')<<6 | rune(b[2]-'0')<<3 | rune(b[3]-'0'), true, 4
	}
	return 0, false, 0
}

// pair joins the two escapes of a character beyond U+FFFF.
func pair(b []byte, r rune) (rune, bool, int) {
	if r < 0xD800 || r > 0xDFFF {
		return r, false, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hexRune(b[8:12]); ok && r < 0xDC00 && 0xDC00 <= low && low <= 0xDFFF {
			return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), false, 12
		}
	}
	return utf8.RuneError, false, 6
}

// entity reads a character reference of HTML, with or without its semicolon
// where it is a number.
func entity(b []byte) (rune, bool, int) {
	if len(b) < 3 {
		return 0, false, 0
	}
	if b[1] == '#' {
		return numericEntity(b)
	}
	end := bytes.IndexByte(b[:min(len(b), 24)], ';')
	if end < 2 {
		return 0, false, 0
	}
	switch name := b[1:end]; string(name) {
	case "amp":
		return '&', false, end + 1
	case "lt":
		return '<', false, end + 1
	case "gt":
		return '>', false, end + 1
	case "quot":
		return '"', false, end + 1
	case "apos":
		return '\'', false, end + 1
	case "nbsp":
		return ' ', false, end + 1
	}
	for _, c := range b[1:end] {
		if wordOf[c]&(inLower|inUpper|inDigit) == 0 {
			return 0, false, 0
		}
	}
	t := html.UnescapeString(string(b[:end+1]))
	if r, n := utf8.DecodeRuneInString(t); n == len(t) {
		return r, false, end + 1
	}
	return 0, false, 0
}

func numericEntity(b []byte) (rune, bool, int) {
	i, base := 2, rune(10)
	if b[2]|0x20 == 'x' {
		i, base = 3, 16
	}
	start, r := i, rune(0)
	for i < len(b) && r <= utf8.MaxRune {
		k := wordOf[b[i]]
		if k&inDigit == 0 && (base == 10 || k&inHex == 0) {
			break
		}
		r = r*base + rune(hexDigit(b[i]))
		i++
	}
	if i == start || r > utf8.MaxRune {
		return 0, false, 0
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	return r, false, i
}
