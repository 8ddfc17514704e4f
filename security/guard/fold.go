package guard

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A reading is one way to read a string: as it stands, folded, or decoded out
// of it. A finding in a reading is reported at its place in the original.
type reading struct {
	name string
	text string
	// at holds, for each byte of text, where the rune that it came from starts in
	// the original. Nil means that text is the original.
	at []int32
	// lo and hi are the span of what was decoded, where bytes cannot be followed
	// one by one; hi is 0 if they can.
	lo, hi int
}

// span maps text[i:j] to the original. Both ends are on rune boundaries.
func (r *reading) span(original string, i, j int) (int, int) {
	if r.hi > 0 {
		return r.lo, r.hi
	}
	if r.at == nil || i >= j {
		return runeStart(original, i), runeEnd(original, j)
	}
	a, b := int(r.at[i]), int(r.at[j-1])
	if a > b { // read backwards
		a, b = b, a
	}
	_, n := utf8.DecodeRuneInString(original[b:])
	return a, b + n
}

func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

func runeEnd(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return i
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unseen is what folding found and dropped.
type unseen struct {
	text   []byte // what tag characters and variation selectors spell
	lo, hi int    // where they stand
	run    int    // the longest run of characters that show nothing
	runAt  int
	turned bool // a right-to-left override
}

// fold reads a string as it looks: compatibility forms (full-width, ligatures,
// mathematical letters) become plain ones, accents and invisible characters go.
// It works rune by rune (the decompositions of Unicode's NFKD, UAX #15), so each
// byte knows where it came from; look-alikes of other scripts are left to the
// dictionary, which can tell a Russian word from a disguised English one.
func fold(s string) (reading, unseen) {
	f := folder{text: make([]byte, 0, len(s)), at: make([]int32, 0, len(s)+1)}
	for i, r := range s {
		switch {
		case r < utf8.RuneSelf:
			f.byte(byte(r), i)
			f.quiet, f.flag = 0, false
		case hidden(r):
			f.drop(r, i)
		default:
			f.rune(s, r, i)
		}
	}
	return reading{name: plain, text: string(f.text), at: f.at}, f.unseen
}

type folder struct {
	unseen
	text  []byte
	at    []int32
	quiet int // length of the current run of invisible characters
	flag  bool
}

func (f *folder) byte(b byte, i int) {
	f.text = append(f.text, b)
	f.at = append(f.at, int32(i))
}

func (f *folder) runes(r rune, i int) {
	before := len(f.text)
	f.text = utf8.AppendRune(f.text, r)
	for range len(f.text) - before {
		f.at = append(f.at, int32(i))
	}
}

func (f *folder) rune(s string, r rune, i int) {
	f.flag = r == 0x1F3F4 // a black flag: tag characters after it choose a country
	switch {
	case 0x300 <= r && r <= 0x36F:
		return
	case r == 0x85 || r == 0x2028 || r == 0x2029:
		f.byte('\n', i)
	case 0x4E00 <= r && r <= 0x9FFF || r == utf8.RuneError: // no decompositions, and common
		f.runes(r, i)
	case unicode.IsSpace(r):
		f.byte(' ', i)
	default:
		f.decomposed(s[i:], r, i)
	}
	f.quiet = 0
}

func (f *folder) decomposed(rest string, r rune, i int) {
	d := norm.NFKD.PropertiesString(rest).Decomposition()
	if d == nil {
		f.runes(unicode.ToLower(r), i)
		return
	}
	for len(d) > 0 {
		r, n := utf8.DecodeRune(d)
		d = d[n:]
		if r < 0x300 || r > 0x36F {
			if r >= utf8.RuneSelf {
				r = unicode.ToLower(r)
			}
			f.runes(r, i)
		}
	}
}

// hidden reports whether a character shows nothing: default ignorables, tags,
// variation selectors and bidirectional controls.
func hidden(r rune) bool {
	switch {
	case r == 0xAD, r == 0x34F, r == 0x61C, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5,
		0x180B <= r && r <= 0x180F, 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E,
		0x2060 <= r && r <= 0x206F, r == 0x3164, 0xFE00 <= r && r <= 0xFE0F, r == 0xFEFF, r == 0xFFA0,
		0xFFF9 <= r && r <= 0xFFFB, 0x1D173 <= r && r <= 0x1D17A, 0xE0000 <= r && r <= 0xE0FFF:
		return true
	}
	return false
}

// drop leaves an invisible character out, and remembers what it spells: tag
// characters mirror ASCII, and variation selectors number the 256 bytes.
func (f *folder) drop(r rune, i int) {
	f.quiet++
	if f.quiet > f.run {
		f.run, f.runAt = f.quiet, i
	}
	var b byte
	switch {
	case r == 0x202E:
		f.turned = true
		return
	case 0xE0020 <= r && r <= 0xE007E && !f.flag:
		b = byte(r - 0xE0000)
	case 0xE0100 <= r && r <= 0xE01EF:
		b = byte(r - 0xE0100 + 16)
	default:
		return
	}
	if len(f.unseen.text) == 0 {
		f.lo = i
	}
	f.hi = i + utf8.RuneLen(r)
	f.unseen.text = append(f.unseen.text, b)
}
