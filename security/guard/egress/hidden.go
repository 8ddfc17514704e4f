package egress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zwsp       = '\u200B'
	zwnj       = '\u200C'
	zwj        = '\u200D'
	softHyphen = '\u00AD'
	byteOrder  = '\uFEFF'
	blackFlag  = '\U0001F3F4'

	// maxControl bounds a control sequence of a terminal. Longer ones lose their
	// introducer, which makes the rest plain text.
	maxControl = 4096
)

// hidden looks for what shows nothing or shows the text as it is not. What it
// finds is removed; what is left out belongs where it stands: the joiners of
// emoji, Persian and Hindi, the marks of Hebrew and Arabic, the tags of a flag.
func (s *search) hidden() {
	t := s.text
	line := directions{end: -1}
	before := rune(0) // the last character that shows something
	for i := 0; i < len(t); {
		c := t[i]
		if c >= 0x20 && c < 0x7F || c == '\n' || c == '\t' || c == '\r' {
			before = rune(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(t[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			s.drop(TextControl, i, i+1, "The output contains bytes that are no text.", "\uFFFD")
		case unicode.IsControl(r):
			n = s.control(i, n)
		case bidi(r):
			if i >= line.end {
				line = readLine(t, i)
			}
			if line.wrong {
				s.drop(TextBidi, i, i+n, "The output contains marks that show text in another order than it has.", "")
			}
		case unseen(r):
			n = s.group(i, before)
		default:
			before = r
		}
		i += n
	}
}

func (s *search) drop(rule string, i, j int, why, instead string) {
	s.add(Finding{Rule: rule, Start: i, End: j, Why: why, Replacement: instead})
}

// control handles the control character at i and returns how long it is with all
// that belongs to it.
func (s *search) control(i, n int) int {
	if n := sequence(s.text[i:]); n > 0 {
		s.drop(TextANSI, i, i+n, "The output contains a control sequence for terminals.", "")
		s.hyperlink(i, n)
		return n
	}
	s.drop(TextControl, i, i+n, "The output contains a control character.", "")
	return n
}

// hyperlink judges the link of a control sequence that makes one: OSC 8, whose
// address follows the second semicolon. It leaves with the sequence only if that
// is removed, so it is a finding of its own.
func (s *search) hyperlink(i, n int) {
	parts := strings.SplitN(s.text[i:i+n], ";", 3)
	if len(parts) < 3 || !strings.HasSuffix(parts[0], "8") || s.off["link"] {
		return
	}
	to := strings.TrimRight(parts[2], "\x1b\\\x07\u009c")
	if rule := s.judge(resolve(to), false); to != "" && rule != "" {
		s.drop(rule, i, i+n, explain(rule), "")
	}
}

// sequence measures the control sequence of a terminal at the beginning of t
// (ECMA-48, sections 5.3 to 5.6): 0 if there is none.
func sequence(t string) int {
	var kind byte
	var n int
	switch {
	case strings.HasPrefix(t, "\u009b"):
		kind, n = '[', 2
	case strings.HasPrefix(t, "\u009d"):
		kind, n = ']', 2
	case strings.HasPrefix(t, "\u0090"), strings.HasPrefix(t, "\u0098"), strings.HasPrefix(t, "\u009e"), strings.HasPrefix(t, "\u009f"):
		kind, n = 'P', 2
	case t[0] != 0x1B:
		return 0
	case len(t) == 1:
		return 1
	default:
		kind, n = t[1], 2
	}
	switch kind {
	case '[':
		return n + csi(t[n:])
	case ']', 'P', 'X', '^', '_':
		return n + controlString(t[n:])
	}
	if kind < 0x20 || kind > 0x7E {
		return 1
	}
	return n
}

// csi measures the parameters and the final byte of a control sequence.
func csi(t string) int {
	for i := 0; i < len(t) && i < maxControl; i++ {
		switch c := t[i]; {
		case c >= 0x40 && c <= 0x7E:
			return i + 1
		case c < 0x20 || c > 0x3F:
			return i
		}
	}
	return 0
}

// controlString measures a control string and its terminator: 0 if none follows.
func controlString(t string) int {
	for i := 0; i < len(t) && i < maxControl; i++ {
		switch {
		case t[i] == 0x07:
			return i + 1
		case t[i] == 0x1B:
			if i+1 < len(t) && t[i+1] == '\\' {
				return i + 2
			}
			return 0
		case strings.HasPrefix(t[i:], "\u009c"):
			return i + 2
		case t[i] == 0xC2 && i+1 < len(t) && t[i+1] < 0xA0: // another one begins
			return 0
		}
	}
	return 0
}

// bidi are the marks that change the order of what stands around them.
func bidi(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// directions are the bidirectional marks of one line.
type directions struct {
	end   int
	wrong bool // they turn text round that is not written that way
}

// readLine looks at the line in which i stands. Overrides are always wrong, and
// so is what does not end in its line, or turns to the left where nothing is
// written from right to left. Isolates and embeddings from left to right, which
// programs put around what they fill in, change nothing. Where one mark is wrong,
// all of the line are: the others may be its other half.
func readLine(t string, i int) directions {
	d := directions{end: len(t)}
	if n := strings.IndexByte(t[i:], '\n'); n >= 0 {
		d.end = i + n
	}
	embedded, isolated, turned, leftward := 0, 0, false, false
	for _, r := range t[strings.LastIndexByte(t[:i], '\n')+1 : d.end] {
		switch {
		case r < 0x590:
		case r == 0x202D || r == 0x202E:
			d.wrong = true
		case r == 0x202A || r == 0x202B:
			embedded++
			turned = turned || r == 0x202B
		case r == 0x202C:
			embedded--
		case r >= 0x2066 && r <= 0x2068:
			isolated++
			turned = turned || r == 0x2067
		case r == 0x2069:
			isolated--
		case unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko):
			leftward = true
		}
		d.wrong = d.wrong || embedded < 0 || isolated < 0
	}
	d.wrong = d.wrong || embedded != 0 || isolated != 0 || turned && !leftward
	return d
}

// unseen are characters that show nothing by themselves.
func unseen(r rune) bool {
	switch {
	case r == softHyphen, r == 0x034F, r == 0x061C, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == byteOrder:
		return true
	case r >= 0x180B && r <= 0x180F, r >= 0x200B && r <= 0x200F, r >= 0x2060 && r <= 0x2065, r >= 0x206A && r <= 0x206F:
		return true
	}
	return selector(r) || r >= 0xFFF9 && r <= 0xFFFB || r >= 0x1D173 && r <= 0x1D17A || r >= 0xE0000 && r <= 0xE00FF || r >= 0xE01F0 && r <= 0xE0FFF
}

func selector(r rune) bool { return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF }

// group handles the run of invisible characters at i and returns its length.
func (s *search) group(i int, before rune) int {
	t := s.text[i:]
	n, count := 0, 0
	var first, last rune
	for n < len(t) {
		r, size := utf8.DecodeRuneInString(t[n:])
		if !unseen(r) {
			break
		}
		if count == 0 {
			first = r
		}
		last = r
		n += size
		count++
	}
	after, _ := utf8.DecodeRuneInString(t[n:])
	if n == len(t) {
		after = 0
	}
	ok := false
	switch count {
	case 1:
		ok = i == 0 && first == byteOrder || alone(first, before, after)
	case 2:
		ok = mark(first) && mark(last) || first == 0xFE0F && last == zwj && before > 0x2000 ||
			first == zwnj && last == zwnj && shaped(before)
	default:
		ok = before == blackFlag && flag(t[:n])
	}
	if !ok {
		s.drop(TextHidden, i, i+n, "The output contains characters that show nothing and can carry a message.", "")
	}
	return n
}

// mark are the marks of Hebrew and Arabic text.
func mark(r rune) bool { return r == 0x200E || r == 0x200F || r == 0x061C }

// flag are the three flags that Unicode makes of tags (emoji-sequences.txt).
func flag(t string) bool {
	for _, region := range [...]string{"gbeng", "gbsct", "gbwls"} {
		if len(t) != 4*len(region)+4 {
			continue
		}
		same := strings.HasSuffix(t, "\U000E007F")
		for i := range len(region) {
			same = same && t[4*i:4*i+4] == string(rune(0xE0000)+rune(region[i]))
		}
		if same {
			return true
		}
	}
	return false
}

// alone says whether one invisible character belongs between its neighbours.
func alone(r, before, after rune) bool {
	switch {
	case r == softHyphen, mark(r):
		return true
	case r >= 0xFE00 && r <= 0xFE0F:
		return before >= 0x1000 || before == '#' || before == '*' || before >= '0' && before <= '9' || before == 0xA9 || before == 0xAE
	case selector(r):
		return unicode.Is(unicode.Han, before)
	case r == zwj:
		return shaped(before) || before >= 0x2190 && !unicode.IsLetter(before) && after >= 0x2190
	case r == zwnj:
		return shaped(before) || shaped(after)
	case r == zwsp, r == 0x2060, r == byteOrder:
		return !alphabetic(before) || !alphabetic(after)
	case r >= 0x180B && r <= 0x180F:
		return unicode.Is(unicode.Mongolian, before)
	case r == 0x115F, r == 0x1160:
		return unicode.Is(unicode.Hangul, before) || unicode.Is(unicode.Hangul, after)
	case r == 0x17B4, r == 0x17B5:
		return unicode.Is(unicode.Khmer, before)
	case r == 0x034F:
		return unicode.Is(unicode.Hebrew, before) || unicode.IsMark(before)
	}
	return false
}

// shaped are letters of scripts whose letters join or stack, so that joiners
// change how they look.
func shaped(r rune) bool {
	return r >= 0x0600 && r <= 0x109F || r >= 0x1700 && r <= 0x18AF || r >= 0xA840 && r <= 0xABFF || r >= 0x11000 && r <= 0x11FFF
}

// alphabetic are letters and digits of scripts that write words apart and need no
// invisible help.
func alphabetic(r rune) bool {
	return r >= '0' && r <= '9' || r == '_' || unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}
