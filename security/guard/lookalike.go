package guard

import "unicode/utf8"

// Letters of other scripts that look like Latin ones, as two lines of equal
// length. After folding, so there are no capitals and no accents. Source: the
// single-letter rows of Unicode's confusables (UTS #39) for the scripts that
// attacks use: Cyrillic, Greek, Armenian, Cherokee, phonetic letters.
const (
	disguised = "асеіорѕхуһјԁӏвкмнтгпьиԛԝүѵ" + "αβγδεικνορτυχωϲϳηςλ" + "հոսօցքզ" + "ɑɡɩʟıȷɪɴʀᴀᴄᴅᴇᴊᴋᴍᴏᴘꜱᴛᴜᴠᴡᴢ" + "\u0142\u00f8\u0111\u0127"
	plainly   = "aceiopsxyhjdlbkmhtrnbuqwyv" + "abydeikvoptuxwcjnsl" + "hnuogqq" + "agilijinracdejkmopstuvwz" + "lodh"
)

// unmask writes a word of look-alikes in Latin letters, or returns nil if a
// letter of it is not one.
func (v *vocabulary) unmask(word, buf []byte) []byte {
	buf = buf[:0]
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		word = word[n:]
		if r < utf8.RuneSelf {
			buf = append(buf, byte(r))
			continue
		}
		b, ok := v.lookalike[r]
		if !ok {
			return nil
		}
		buf = append(buf, b)
	}
	return buf
}

// leet maps digits and signs to the letters that they stand for. The digit 1
// is i or l: the leet dictionary spells both i.
func leet(b byte) byte {
	switch b {
	case '0':
		return 'o'
	case '1', '!', '|':
		return 'i'
	case '3':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$':
		return 's'
	case '7', '+':
		return 't'
	case '8':
		return 'b'
	case '9':
		return 'g'
	}
	return b
}
