package sensitive

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A folded text is a text with its digits, full-width characters, blanks and
// dashes as ASCII has them, and without what is invisible.
type folded struct {
	text  string
	from  string // the text as it was given
	steps []step // where the distance between the two changes, in order
}

// A step says that the text at out was made of what stands at in.
type step struct{ out, in int }

// fold makes the second reading of a text. It returns false where that would be
// the text itself, or differ only where no number, key or address can stand.
func fold(t string) (f folded, differs bool) {
	first := foldable(t)
	if first < 0 {
		return folded{}, false
	}
	var b strings.Builder
	b.Grow(len(t))
	b.WriteString(t[:first])
	f.from = t
	delta := 0
	for i := first; i < len(t); {
		r, n := rune(t[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(t[i:])
		}
		c := foldRune(r)
		if c != gone {
			if i-b.Len() != delta {
				delta = i - b.Len()
				f.steps = append(f.steps, step{b.Len(), i})
			}
			if c == keep {
				b.WriteString(t[i : i+n])
			} else {
				b.WriteByte(byte(c))
			}
		}
		i += n
	}
	f.text = b.String()
	return f, true
}

// foldable finds the first character that makes a second reading worth while:
// one that is invisible or another way to write an ASCII letter, digit or sign,
// or a blank or dash beside a digit. It returns -1 for none.
func foldable(t string) int {
	for i := 0; i < len(t); i++ {
		if t[i] < utf8.RuneSelf {
			continue
		}
		r, n := utf8.DecodeRuneInString(t[i:])
		switch c := foldRune(r); c {
		case keep:
		case ' ', '-':
			if i > 0 && isDigit(t[i-1]) || i+n < len(t) && (isDigit(t[i+n]) || t[i+n] >= utf8.RuneSelf) {
				return i
			}
		default:
			return i
		}
		i += n - 1
	}
	return -1
}

// What foldRune says besides an ASCII character.
const (
	keep = -1 // it is itself
	gone = -2 // it is invisible
)

// foldRune is the ASCII character that r is another way to write.
func foldRune(r rune) int {
	switch {
	case r < 0xA0:
		return keep
	case 0xFF01 <= r && r <= 0xFF5E: // full width
		return int(r - 0xFF01 + '!')
	case invisible(r):
		return gone
	case 0x2010 <= r && r <= 0x2015, r == 0x2212, r == 0xFE58, r == 0xFE63:
		return '-'
	case r == 0xA0, 0x2000 <= r && r <= 0x200A, r == 0x202F, r == 0x205F, r == 0x3000, r == 0x1680:
		return ' '
	case r < 0x0660:
		return keep
	case unicode.Is(unicode.Nd, r):
		return '0' + digitValue(r)
	}
	return keep
}

// invisible reports whether r shows nothing: format characters and fillers
// (Unicode's Default_Ignorable_Code_Point, less what is not assigned).
func invisible(r rune) bool {
	switch {
	case r < 0x0300:
		return r == 0xAD
	case r < 0x2000:
		return r == 0x034F || r == 0x061C || r == 0x115F || r == 0x1160 || r == 0x17B4 || r == 0x17B5 || 0x180B <= r && r <= 0x180F
	case r < 0x3000:
		return 0x200B <= r && r <= 0x200F || 0x202A <= r && r <= 0x202E || 0x2060 <= r && r <= 0x206F
	}
	return r == 0x3164 || 0xFE00 <= r && r <= 0xFE0F || r == 0xFEFF || r == 0xFFA0 || 0xFFF0 <= r && r <= 0xFFFB || 0x1BCA0 <= r && r <= 0x1BCA3 || 0xE0000 <= r && r <= 0xE0FFF
}

// digitValue is the value of a decimal digit: each script has its ten in a row,
// from zero (Unicode, section 4.6).
func digitValue(r rune) int {
	if 0x1D7CE <= r && r <= 0x1D7FF { // mathematical digits: five rows on end
		return int(r-0x1D7CE) % 10
	}
	n := 0
	for n < 9 && unicode.Is(unicode.Nd, r-1) {
		r--
		n++
	}
	return n
}

// span maps a place of the folded text to the text as it was given.
func (f *folded) span(start, end int) (lo, hi int) {
	lo, hi = f.at(start), f.at(end-1)
	_, n := utf8.DecodeRuneInString(f.from[hi:])
	return lo, hi + n
}

func (f *folded) at(out int) int {
	n := sort.Search(len(f.steps), func(i int) bool { return f.steps[i].out > out })
	if n == 0 {
		return out
	}
	s := f.steps[n-1]
	return s.in + out - s.out
}
