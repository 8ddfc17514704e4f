package guard

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// setWords bounds the number of concepts: 64 for each word of a set.
const setWords = 3

// A set is a set of concepts, by number.
type set [setWords]uint64

func (s *set) add(c int)      { s[c>>6] |= 1 << (c & 63) }
func (s *set) has(c int) bool { return s[c>>6]&(1<<(c&63)) != 0 }
func (s *set) join(t set) {
	for i := range s {
		s[i] |= t[i]
	}
}

// A vocabulary finds the concepts of a word, however it is written. It never
// changes.
type vocabulary struct {
	number    map[string]int // concept name to number
	exact     map[string]set
	prefix    map[string]set
	stems     [1 << 12]bool     // by hash of three bytes: may a beginning start so?
	jumbled   map[uint64]set    // same first and last letter, the others in any order
	leet      map[string]set    // with l written i
	codes     map[string]cipher // words as rot13, atbash or backwards would show them
	first     map[rune]int      // for texts without blanks: longest word that starts so, in bytes
	latin     map[rune]int
	lookalike map[rune]byte
	maybe     sieve // of exact, codes and jumbled: most words of most texts are in none
}

// A sieve tells most words that are not in a dictionary without asking it.
type sieve [1 << 10]uint64

func (b *sieve) add(h uint64)      { b[h>>6&(1<<10-1)] |= 1 << (h & 63) }
func (b *sieve) has(h uint64) bool { return b[h>>6&(1<<10-1)]&(1<<(h&63)) != 0 }

func wordHash(w []byte) uint64 {
	h := uint64(len(w))
	for _, c := range w {
		h = (h ^ uint64(c)) * 0x9E3779B97F4A7C15
	}
	return h >> 32
}

// A cipher is a way to write a whole text.
type cipher uint8

const (
	rot13 cipher = 1 << iota
	atbash
	backwards
)

func newVocabulary(rows []row) (*vocabulary, []phrase, error) {
	v := &vocabulary{
		number: map[string]int{}, exact: map[string]set{}, prefix: map[string]set{}, jumbled: map[uint64]set{},
		leet: map[string]set{}, codes: map[string]cipher{}, first: map[rune]int{}, latin: map[rune]int{},
		lookalike: map[rune]byte{},
	}
	i := 0
	for _, r := range disguised {
		v.lookalike[r] = plainly[i]
		i++
	}
	for n, c := range concepts {
		v.number[c.name] = n
		for _, w := range strings.Fields(c.words) {
			folded, _ := fold(w)
			v.put(strings.ToLower(folded.text), n)
		}
	}
	rules, err := v.compile(rows)
	if err != nil {
		return nil, nil, err
	}
	if len(v.number) > 64*setWords {
		return nil, nil, fmt.Errorf("guard: %d concepts, and a set holds %d", len(v.number), 64*setWords)
	}
	v.derive()
	return v, rules, nil
}

func (v *vocabulary) put(w string, n int) {
	into := v.exact
	if stem, ok := strings.CutSuffix(w, "*"); ok {
		w, into = stem, v.prefix
		v.stems[stemHash([]byte(w))] = true
	}
	s := into[w]
	s.add(n)
	into[w] = s
	r, size := utf8.DecodeRuneInString(w)
	switch {
	case unspaced(r):
		v.first[r] = max(v.first[r], len(w))
	case size == 1 && len(w) >= 3:
		v.latin[r] = max(v.latin[r], len(w))
	}
}

// derive makes the dictionaries of disguised words from the plain ones.
func (v *vocabulary) derive() {
	for w, s := range v.exact {
		if !isASCII(w) || len(w) < 3 {
			continue
		}
		l := v.leet[strings.ReplaceAll(w, "l", "i")]
		l.join(s)
		v.leet[strings.ReplaceAll(w, "l", "i")] = l
		if len(w) >= 6 {
			j := v.jumbled[jumble([]byte(w))]
			j.join(s)
			v.jumbled[jumble([]byte(w))] = j
		}
		if len(w) >= 5 && v.telling(s) {
			v.codes[encipher(w, rot13)] |= rot13
			v.codes[encipher(w, atbash)] |= atbash
			v.codes[encipher(w, backwards)] |= backwards
		}
	}
	for w := range v.codes {
		if _, plain := v.exact[w]; plain {
			delete(v.codes, w)
		}
	}
	for w := range v.exact {
		v.maybe.add(wordHash([]byte(w)))
	}
	for w := range v.codes {
		v.maybe.add(wordHash([]byte(w)))
	}
	for j := range v.jumbled {
		v.maybe.add(j >> 20)
	}
}

// telling reports whether a word belongs to what attacks speak of.
func (v *vocabulary) telling(s set) bool {
	for _, name := range []string{"ignore", "prior", "instr", "loose", "disclose", "sys", "send", "goods", "private", "unbound", "model"} {
		if s.has(v.number[name]) {
			return true
		}
	}
	return false
}

// encipher writes a text of ASCII in one of the ciphers. They are their own
// inverses.
func encipher(w string, c cipher) string {
	b := []byte(w)
	if c == backwards {
		slices.Reverse(b)
		return string(b)
	}
	for i, x := range b {
		low := x | 0x20
		switch {
		case low < 'a' || low > 'z':
		case c == rot13:
			b[i] = x - low + 'a' + (low-'a'+13)%26
		default:
			b[i] = x - low + 'z' - (low - 'a')
		}
	}
	return string(b)
}

func stemHash(w []byte) int {
	if len(w) < 3 {
		return 0
	}
	return (int(w[0])*961 + int(w[1])*31 + int(w[2])) & (1<<12 - 1)
}

// jumble is the same for words with the same first and last letter and the same
// letters between.
func jumble(w []byte) uint64 {
	sum := uint64(len(w))<<16 | uint64(w[0])<<8 | uint64(w[len(w)-1])
	for _, b := range w[1 : len(w)-1] {
		x := uint64(b) * 0x9E3779B97F4A7C15
		sum += x ^ x>>29
	}
	return sum
}

// lookup finds the concepts of one word in lower case.
func (v *vocabulary) lookup(w []byte, leet bool, buf []byte) (set, bool) {
	if leet {
		buf = append(buf[:0], w...)
		for i, b := range buf {
			if b == 'l' {
				buf[i] = 'i'
			}
		}
		s, ok := v.leet[string(buf)]
		return s, ok
	}
	if s, ok := v.direct(w); ok {
		return s, true
	}
	ascii := true
	for _, b := range w {
		if b >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if !ascii {
		if u := v.unmask(w, buf); u != nil {
			return v.direct(u)
		}
		return set{}, false
	}
	if i := bytes.IndexByte(w, '\''); i > 0 {
		return v.direct(w[:i])
	}
	if len(w) >= 6 {
		if j := jumble(w); v.maybe.has(j >> 20) {
			s, ok := v.jumbled[j]
			return s, ok
		}
	}
	return set{}, false
}

func (v *vocabulary) direct(w []byte) (set, bool) {
	if v.maybe.has(wordHash(w)) {
		if s, ok := v.exact[string(w)]; ok {
			return s, true
		}
	}
	if len(w) < 3 || !v.stems[stemHash(w)] {
		return set{}, false
	}
	for n := min(len(w), 24); n >= 3; n-- {
		if s, ok := v.prefix[string(w[:n])]; ok {
			return s, true
		}
	}
	return set{}, false
}

// unspaced reports whether a script is written without blanks between words.
func unspaced(r rune) bool {
	return r >= 0xE00 && (r <= 0xE7F || // Thai
		0x3040 <= r && r <= 0x30FF || 0x3400 <= r && r <= 0x9FFF || 0xAC00 <= r && r <= 0xD7A3 ||
		0x20000 <= r && r <= 0x3FFFF)
}

// wordRune reports whether a character beyond ASCII is part of a word.
func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}
