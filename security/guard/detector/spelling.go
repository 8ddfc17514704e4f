package detector

import (
	"strings"

	"github.com/custodyhq/custody/security/guard/reading"
)

// misspelt are the English words that are known in spite of a slip: those that an
// attack can hardly do without and that few other words look like.
const misspelt = `
	ignore ignores ignored ignoring disregard disregards disregarded disregarding override overrides overriding
	overridden overlook neglect forget forgets forgetting forgotten unlearn bypass bypassing circumvent disobey violate
	disable disabled deactivate without
	instruction instructions directive directives directions command commands guideline guidelines policies principles
	regulations protocol protocols prompt prompts prompted system systems message messages
	previous previously preceding earlier before original initial everything anything whatever completely
	instead always important following
	reveal reveals revealing disclose disclosing divulge expose display repeat answer respond response output exactly
	verbatim translate summarize
	secret secrets confidential password passwords credential credentials sensitive
	restriction restrictions restricted limitation limitations constraint constraints censorship unrestricted
	unfiltered uncensored unlimited unethical harmful illegal jailbreak pretend imagine
	developer administrator configuration programming parameters chatgpt assistant assistants chatbot
	execute transfer delete upload forward activate request
`

// namesakes are words of their own, in any language, that look like a slip in one
// of those.
const namesakes = `
	commend commends constrains deplete delate forges massage massages precious prevend principales reheat repeal
	repeals repent
`

const (
	leastSpelt = 6  // letters of a word: shorter ones are one slip from too many others
	mostSpelt  = 20 // letters
)

// A speller knows words in spite of one slip: inner letters in another order, or
// one of them missing, too many or wrong. The first and the last letter must be
// right, which readers hold on to as well (and what attacks with scrambled words
// leave in place). It is read-only after it was built.
//
// A word's sum is of its letters' numbers, each times a power for its place, so the
// sum without a letter, or with any letter, follows from that of the whole.
type speller struct {
	hashes  []uint64 // of the words as the lexicon has them
	whole   *table   // sum of a word -> its number
	missing *table   // sum of a word without an inner letter -> its number
	wrong   *table   // sum of a word with any letter in a place -> its number
	bags    *table   // first, last and inner letters in any order -> its number

	lengths [26][26]uint32 // of the words with this first and last letter, as bits
	value   [128]uint64    // of a letter or digit, 0 for what is none
}

// powers of an odd number, for the places of a word, and its inverse.
var powers = func() (p [mostSpelt + 2]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * spread1
	}
	return p
}()

// inverse of spread1 modulo 2^64, by Newton's method.
var inverse = func() uint64 {
	x := uint64(spread1)
	for range 5 {
		x *= 2 - spread1*x
	}
	return x
}()

// wild stands for any letter.
const wild = spread2

func newSpeller() *speller {
	s := &speller{whole: newTable(1 << 9), missing: newTable(1 << 12), wrong: newTable(1 << 12), bags: newTable(1 << 9)}
	for c := range s.value {
		if asciiClass[c] == letter {
			s.value[c] = mix(uint64(c)) //nolint:gosec // a character
		}
	}
	return s
}

// learnSpellings enters the words that are known in spite of a slip.
func (l *Lexicon) learnSpellings() {
	l.spelling = newSpeller()
	for _, w := range strings.Fields(misspelt) {
		l.spelling.learn(w, l.splitter.split(w)[0].hash)
	}
	l.namesakes = map[uint64]bool{}
	for _, w := range strings.Fields(namesakes) {
		l.namesakes[l.splitter.split(reading.Fold(w))[0].hash] = true
	}
}

// spellable tells whether a word has the shape of one that is known in spite of a
// slip, with its sum.
func (s *speller) spellable(word []byte) (sum uint64, ok bool) {
	n := len(word)
	if n < leastSpelt || n > mostSpelt || word[0] < 'a' || word[0] > 'z' || word[n-1] < 'a' || word[n-1] > 'z' {
		return 0, false
	}
	for i, c := range word {
		if c >= 128 || s.value[c] == 0 {
			return 0, false
		}
		sum += s.value[c] * powers[i]
	}
	return sum, true
}

// learn enters a word; hash is what the lexicon knows it by.
func (s *speller) learn(text string, hash uint64) {
	word := []byte(text)
	sum, ok := s.spellable(word)
	if !ok {
		return
	}
	s.hashes = append(s.hashes, hash)
	id, n := uint16(len(s.hashes)), len(word) //nolint:gosec // the words are few
	s.lengths[word[0]-'a'][word[n-1]-'a'] |= 1 << n
	first(s.whole, sum, id)
	first(s.bags, s.bag(word), id)
	before := s.value[word[0]]
	for i := 1; i < n-1; i++ {
		own := s.value[word[i]] * powers[i]
		first(s.missing, before+(sum-before-own)*inverse, id)
		first(s.wrong, sum-own+wild*powers[i], id)
		before += own
	}
}

// first keeps the word that was there before.
func first(t *table, sum uint64, id uint16) {
	if key := scramble(sum); t.get(key) == 0 {
		t.put(key, id)
	}
}

// bag is a number for the first, the last and the inner letters in any order.
func (s *speller) bag(word []byte) uint64 {
	n := len(word)
	h := s.value[word[0]]*3 + s.value[word[n-1]]*5
	for _, c := range word[1 : n-1] {
		h += s.value[c]
	}
	return h
}

// meant is the hash of the word that a misspelt one stands for. It costs a look at
// a table of lengths for most words and one at another table for each letter of
// those that begin and end like one it knows.
func (s *speller) meant(word []byte) (hash uint64, ok bool) {
	n := len(word)
	if n < leastSpelt || n > mostSpelt || word[0]-'a' > 25 || word[n-1]-'a' > 25 {
		return 0, false
	}
	lengths := s.lengths[word[0]-'a'][word[n-1]-'a'] >> (n - 1)
	if lengths&7 == 0 {
		return 0, false
	}
	sum, ok := s.spellable(word)
	if !ok {
		return 0, false
	}
	id := uint16(0)
	if lengths&4 != 0 {
		id = s.missing.get(scramble(sum))
	}
	if id == 0 && lengths&2 != 0 {
		id = s.bags.get(scramble(s.bag(word)))
	}
	if id == 0 && lengths&3 != 0 {
		id = s.slip(word, sum, lengths)
	}
	if id == 0 {
		return 0, false
	}
	return s.hashes[id-1], true
}

// slip finds the word that has another letter in one place, or one fewer.
func (s *speller) slip(word []byte, sum uint64, lengths uint32) uint16 {
	before := s.value[word[0]]
	for i := 1; i < len(word)-1; i++ {
		own := s.value[word[i]] * powers[i]
		if lengths&2 != 0 {
			if id := s.wrong.get(scramble(sum - own + wild*powers[i])); id != 0 {
				return id
			}
		}
		if lengths&1 != 0 {
			if id := s.whole.get(scramble(before + (sum-before-own)*inverse)); id != 0 {
				return id
			}
		}
		before += own
	}
	return 0
}

// spell puts the word that was meant in the place of a misspelt one, so that rows
// of words are found in spite of a slip as well.
func (e *Extractor) spell(t *token) {
	l := e.cutter.lexicon
	hash, ok := l.spelling.meant(e.cutter.text[t.lo:t.hi])
	if ok && !l.namesakes[t.hash] {
		t.hash = hash
		t.concept = l.conceptOf(hash, 0)
	}
}
