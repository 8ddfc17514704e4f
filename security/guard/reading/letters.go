package reading

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A kind is what folding does with a byte.
type kind uint8

const (
	high      kind = iota // part of a character that is not ASCII
	visible               // printable ASCII
	blank                 // a blank or a control character
	ideograph             // begins a character of three bytes with nothing to fold
)

var kindOf = func() (t [256]kind) {
	for c := range 128 {
		t[c] = blank
		if c > ' ' && c < 0x7F {
			t[c] = visible
		}
	}
	for _, c := range []byte{0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEB, 0xEC} {
		t[c] = ideograph // U+4000 to U+9FFF, U+B000 to U+CFFF
	}
	return t
}()

var lowerOf = func() (t [256]byte) {
	for c := range 256 {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

// A folded character: up to three characters, none for a mark.
type folded struct {
	low, cased [3]uint16
	n          uint8
	like       uint8 // the Latin letter that it looks like, if it is none
	script     int8  // see scriptOf
	turned     bool  // a Latin letter upside down
}

// europe holds the foldings of Latin, Greek and Cyrillic letters, U+0080 to
// U+052F, computed from their decompositions.
const europeEnd = 0x530

var europe = func() (t [europeEnd - 0x80]folded) {
	for r := rune(0x80); r < europeEnd; r++ {
		e := foldEuropean(r)
		e.script, e.turned = script(r), turned(r)
		if e.like = lookalikes[unicode.ToLower(r)]; e.like == 0 && r >= 0x370 && e.n > 0 {
			e.like = lookalikes[rune(e.low[0])] // with an accent
		}
		t[r-0x80] = e
	}
	return t
}()

// foldEuropean folds a letter: its compatibility decomposition without accents,
// and strokes and ligatures that Unicode does not decompose but a reader does.
func foldEuropean(r rune) (e folded) {
	if accent(r) {
		return e
	}
	add := func(low, cased rune) {
		if utf8.RuneLen(low) != utf8.RuneLen(cased) {
			cased = low
		}
		e.low[e.n], e.cased[e.n] = uint16(low), uint16(cased)
		e.n++
	}
	d := norm.NFKD.PropertiesString(string(r)).Decomposition()
	if d == nil {
		d = []byte(string(r))
	}
	for _, c := range string(d) {
		plain, ok := plainLetters[unicode.ToLower(c)]
		switch {
		case accent(c) && c != r:
		case ok:
			for _, p := range plain {
				if unicode.IsUpper(c) {
					add(p, unicode.ToUpper(p))
				} else {
					add(p, p)
				}
			}
		case int(e.n) < len(e.low):
			add(unicode.ToLower(c), c)
		}
	}
	return e
}

// plainLetters are letters with a stroke, ligatures and variants, as they are
// written where the keyboard lacks them.
var plainLetters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'ħ': "h", 'ı': "i", 'ł': "l", 'ŧ': "t", 'þ': "th",
	'ŋ': "n", 'ĸ': "k", 'ſ': "s", 'ƀ': "b", 'ƈ': "c", 'ɖ': "d", 'ƒ': "f", 'ǥ': "g", 'ƙ': "k", 'ƚ': "l", 'ƥ': "p", 'ƭ': "t",
	'ƴ': "y", 'ƶ': "z", 'ɓ': "b", 'ɗ': "d", 'ɠ': "g", 'ɦ': "h", 'ɨ': "i", 'ɫ': "l", 'ɬ': "l", 'ɱ': "m", 'ɲ': "n", 'ɳ': "n", 'ɵ': "o",
	'ʂ': "s", 'ʈ': "t", 'ʉ': "u", 'ʋ': "v", 'ʐ': "z", 'ɡ': "g", 'ɑ': "a", 'ɩ': "i", 'ɪ': "i", 'ʏ': "y", 'ʀ': "r", 'ɴ': "n", 'ʟ': "l",
	'ɢ': "g", 'ʙ': "b", 'ʜ': "h", 'ς': "σ", 'ȷ': "j",
}

// accent reports a combining mark that only changes how a letter is spoken, or
// decorates it. Vowel signs of Indic scripts are letters and are none.
func accent(r rune) bool {
	return 0x300 <= r && r <= 0x36F && r != 0x34F || 0x483 <= r && r <= 0x489 ||
		0x1AB0 <= r && r <= 0x1AFF || 0x1DC0 <= r && r <= 0x1DFF || 0x20D0 <= r && r <= 0x20FF || 0xFE20 <= r && r <= 0xFE2F ||
		0x0653 <= r && r <= 0x0655
}

// boxed returns the capital that a letter in a box, a disc or of a flag stands
// for, where Unicode gives no decomposition. 0 if r is none.
func boxed(r rune) rune {
	switch {
	case 0x1F150 <= r && r <= 0x1F169:
		return r - 0x1F150 + 'A'
	case 0x1F170 <= r && r <= 0x1F189:
		return r - 0x1F170 + 'A'
	case 0x1F1E6 <= r && r <= 0x1F1FF:
		return r - 0x1F1E6 + 'A'
	}
	if r >= 0x1D00 && r <= 0xA7FF {
		if k, ok := smallCapitals[r]; ok {
			return k
		}
	}
	return 0
}

// smallCapitals beyond the table of europe. They are lower case letters in
// another style, so they do not count as capitals.
var smallCapitals = map[rune]rune{
	'ᴀ': 'a', 'ᴄ': 'c', 'ᴅ': 'd', 'ᴇ': 'e', 'ꜰ': 'f', 'ᴊ': 'j', 'ᴋ': 'k', 'ᴍ': 'm', 'ᴏ': 'o', 'ᴘ': 'p', 'ꞯ': 'q', 'ꜱ': 's', 'ᴛ': 't',
	'ᴜ': 'u', 'ᴠ': 'v', 'ᴡ': 'w', 'ᴢ': 'z', 'ᴌ': 'l', 'ᴎ': 'n', 'ᴙ': 'r',
}

// turned reports letters made by turning a Latin one upside down.
func turned(r rune) bool {
	switch r {
	case 'ɐ', 'ǝ', 'ɟ', 'ɥ', 'ɯ', 'ɹ', 'ʇ', 'ʌ', 'ʍ', 'ʎ', 'ʞ':
		return true
	}
	return false
}
