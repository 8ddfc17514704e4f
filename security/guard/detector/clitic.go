package detector

import (
	"bytes"
	"strings"
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

// otherScripts is where the scripts begin that people write an English word into
// without a blank, with a clitic before it or an ending behind: Hebrew, Arabic,
// those of India, Hangul.
const otherScripts = 0x0590

func smallLatin(c byte) bool { return c >= 'a' && c <= 'z' }

// particles are what stands beside an English word in a sentence of another
// script and parts nothing: Korean endings, Arabic and Hebrew clitics.
var particles = func() map[string]bool {
	m := map[string]bool{}
	for _, p := range strings.Fields("를 을 은 는 이 가 의 에 로 도 만 야 과 와 나 랑 님 들") {
		m[p] = true
	}
	for _, c := range foldedClitics() {
		m[string(c)] = true
	}
	return m
}()

// longestParticle is in bytes.
const longestParticle = 6

// ending tells whether the word that ends at i is a particle written to a word of
// Latin letters.
func (t *tokeniser) ending(i int) bool {
	if t.text[t.at] < 0xD6 || i-t.at > longestParticle {
		return false
	}
	n := len(t.tokens)
	beside := n > 0 && int(t.tokens[n-1].hi) == t.at && smallLatin(t.text[t.at-1]) || i < len(t.text) && smallLatin(t.text[i])
	return beside && particles[string(t.text[t.at:i])]
}

// part takes a word with an apostrophe that ends at i for what stands before it if
// the lexicon knows that and not the whole: prompt'unu is a form of prompt. Where
// it knows only what stands behind, as in dell'istruzione, the word has the
// concept of that.
func (t *tokeniser) part(i int) {
	l, tail := t.lexicon, t.text[t.tail:i]
	t.tail = 0
	switch {
	case contracted(tail) || l.words.get(scramble(t.hash)) != 0:
	case l.words.get(scramble(t.head)) != 0:
		t.hash = t.head
	case t.stem == 0 && len(tail) > 1:
		t.stem = l.lookUp(tail)
	}
}

// contracted tells whether an apostrophe stands for letters that English leaves
// out: you've been told is written in the lexicon as it is in a text.
func contracted(tail []byte) bool {
	switch string(tail) {
	case "s", "t", "d", "m", "ll", "re", "ve":
		return true
	}
	return false
}
