package detector

import (
	"bytes"
	"unicode/utf8"

	"github.com/custodyhq/custody/security/guard/reading"
)

// clitics are what Arabic and Hebrew write before a word without a blank: the
// article, "and", "with", "to"; the longest first.
var clitics = [...]string{"وال", "بال", "فال", "كال", "لل", "ال", "و", "ف", "ب", "ل", "ك", "וה", "שה", "מה", "ה", "ו", "ב", "ל", "מ", "ש", "כ"}

// leastStripped is how many characters a word must have left.
const leastStripped = 3

// foldedClitics are the clitics as they stand in a reading.
func foldedClitics() [][]byte {
	out := make([][]byte, len(clitics))
	for i, c := range clitics {
		out[i] = []byte(reading.Fold(c))
	}
	return out
}

// stripped tells the concept of a word without its clitic, 0 for none.
func (l *Lexicon) stripped(word []byte) uint8 {
	if len(word) < 2 || word[0] < 0xD6 || word[0] > 0xDB { // Hebrew and Arabic begin with these bytes
		return 0
	}
	for _, c := range l.clitics {
		rest, ok := bytes.CutPrefix(word, c)
		if !ok || utf8.RuneCount(rest) < leastStripped {
			continue
		}
		if id := l.lookUp(rest); id != 0 {
			return id
		}
	}
	return 0
}

// lookUp tells the concept of a word from its letters.
func (l *Lexicon) lookUp(word []byte) uint8 {
	h, n := uint64(wordSeed), 0
	var stem uint8
	for i := 0; i < len(word); {
		r, size := utf8.DecodeRune(word[i:])
		h = step(h, r)
		i += size
		if n++; n >= minStem {
			if c := l.stems.get(scramble(h)); c != 0 {
				stem = uint8(c) //nolint:gosec // stems hold concepts only
			}
		}
	}
	return l.conceptOf(h, stem)
}
