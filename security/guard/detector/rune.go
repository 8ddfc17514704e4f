package detector

// A class says what the tokeniser does with a character.
type class uint8

const (
	other class = iota // blanks, punctuation, signs
	letter
	glyph // of a script written without blanks between words
	apostrophe
)

// classOf tells the class of a character of a folded text.
func classOf(r rune) class {
	if r < 0x80 {
		return asciiClass[r]
	}
	switch {
	case r < 0xAA, r > 0xAA && r < 0xB5, r > 0xB5 && r < 0xBA, r == 0xBB, r == 0xBF, r == 0xD7, r == 0xF7:
		return other
	case r < 0x0590:
		return letter
	case r < 0x0E00: // Hebrew, Arabic, the scripts of India
		switch r {
		case 0x05BE, 0x05C3, 0x060C, 0x061B, 0x061F, 0x06D4, 0x0964, 0x0965:
			return other
		}
		return letter
	case r < 0x0F00, r >= 0x1000 && r < 0x10A0, r >= 0x1780 && r < 0x1800: // Thai, Lao, Burmese, Khmer
		return glyph
	case r < 0x2000:
		return letter
	case r == 0x2019:
		return apostrophe
	case r < 0x2C00, r >= 0x3000 && r < 0x3040 && r != 0x3005:
		return other
	case r < 0x2E80:
		return letter
	case r < 0xA000: // kana and Han
		return glyph
	case r < 0xD7FF: // Hangul and others that write blanks
		return letter
	case r >= 0xF900 && r < 0xFB00, r >= 0x20000 && r < 0x32000:
		return glyph
	case r >= 0xFB00 && r < 0xFE00, r >= 0xFE70 && r < 0xFF00:
		return letter
	}
	return other
}

var asciiClass = func() (t [128]class) {
	for c := range t {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
			t[c] = letter
		}
	}
	t['\''] = apostrophe
	return t
}()

// asciiLetter tells of a byte whether it is a letter or digit of ASCII.
var asciiLetter = func() (t [256]bool) {
	for c, k := range asciiClass {
		t[c] = k == letter
	}
	return t
}()

// width is the room a character takes in a window: about the share of a word
// that it carries.
func width(r rune) int32 {
	if r < 0x2E80 {
		return 1
	}
	return 2
}

// ends tells whether a character ends a sentence or opens something that begins
// like one.
func ends(r rune) bool {
	switch r {
	case '.', '!', '?', ':', ';', '\n', '"', '>', '[', '{', '(', '*', '#', '|', '`', 0x3002, 0x061F, 0x06D4, 0x0964, 0x300C, 0x300D, 0x201C, 0x201D, 0x00AB, 0x00BB:
		return true
	}
	return false
}
