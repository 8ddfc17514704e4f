package guard

import (
	"strings"
	"unicode/utf8"
)

// A block holds, for 64 words in a row, which of them has which concept.
type block [64 * setWords]uint64

// sentences is a text as the rules see it: numbered words and their concepts.
// The end of a sentence takes a number too, and a blank line several, so that
// words of different sentences are further apart.
type sentences struct {
	v      *vocabulary
	marks  marks
	text   string
	leet   bool
	blocks []block
	from   []int32 // where each word starts and ends in text; -1 for a pause
	to     []int32
	buf    [64]byte
	spare  [64]byte

	clause bool // the next word begins a clause
	lead   bool // the last word leads to a command ("please", "you must")
	you    int  // number of the last "you"

	ciphers map[cipher]int
	odd     int // words of letters mixed with digits or signs
	single  int // longest row of single letters
	row     int
	short   int // words cut by a sign
}

// marks are the numbers of the concepts that the reader itself sets or asks for.
type marks struct{ imp, start, colon, url, mail, lead, you int }

func (v *vocabulary) marks() marks {
	n := v.number
	return marks{n["imp"], n["start"], n["colon"], n["url"], n["mail"], n["lead"], n["you"]}
}

// read splits a text into words and looks them up.
func (s *sentences) read(text string, leetspeak bool) {
	s.text, s.leet, s.clause, s.you = text, leetspeak, true, -100
	words := len(text)/5 + 8
	s.from, s.to = make([]int32, 0, words), make([]int32, 0, words)
	s.blocks = make([]block, 0, words>>6+1)
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c < utf8.RuneSelf && classes[c] == letter, c == '@' || c == '$':
			i = s.word(i)
		case c >= utf8.RuneSelf:
			i = s.foreign(i)
		default:
			i = s.between(i)
		}
	}
}

// Character classes of ASCII.
const (
	other  = iota
	letter // letters and digits
	ender  // ends a clause
	blank
)

var classes = func() (c [128]uint8) {
	for b := range c {
		switch {
		case isWordByte(byte(b)) && b != '_':
			c[b] = letter
		case strings.IndexByte(".!?;:,\"'()[]{}<>*#|=`-", byte(b)) >= 0:
			c[b] = ender
		case b <= ' ':
			c[b] = blank
		}
	}
	return c
}()

// between reads what stands between two words.
func (s *sentences) between(i int) int {
	c := s.text[i]
	switch {
	case c == '\n':
		s.clause = true
		n := strings.IndexFunc(s.text[i+1:], func(r rune) bool { return r != '\n' && r != '\r' && r != ' ' && r != '\t' })
		gap := s.text[i+1:]
		if n >= 0 {
			gap = gap[:n]
		}
		s.pause(1 + 2*min(strings.Count(gap, "\n"), 2))
		return i + 1 + len(gap)
	case classes[c] == ender:
		s.clause = true
		if (c == '.' || c == '!' || c == '?') && (i+1 == len(s.text) || classes[s.text[i+1]&127] == blank) {
			s.pause(1)
		}
	}
	return i + 1
}

// pause moves words apart. A text of blank lines is no longer than its bytes.
func (s *sentences) pause(n int) {
	for range n {
		s.number(-1, -1)
	}
}

// number gives the next number to what stands between two bytes.
func (s *sentences) number(i, j int) {
	s.from, s.to = append(s.from, int32(i)), append(s.to, int32(j))
}

// word reads one word: letters, digits, apostrophes, and the signs that stand
// for letters. It begins at i and ends where it returns.
func (s *sentences) word(i int) int {
	var w shape
	j := i
	for j < len(s.text) {
		n := s.letter(j, j > i, &w)
		if n == 0 {
			break
		}
		j += n
	}
	if j == i {
		return i + 1
	}
	s.shape(i, j, w)
	s.add(i, j)
	return j
}

// A shape counts what a word is made of.
type shape struct{ letters, digits, signs int }

// letter measures one character of a word; 0 is the end of the word.
func (s *sentences) letter(j int, inside bool, w *shape) int {
	c := s.text[j]
	if c >= utf8.RuneSelf {
		r, n := utf8.DecodeRuneInString(s.text[j:])
		if unspaced(r) || !wordRune(r) {
			return 0
		}
		w.letters++
		return n
	}
	more := j+1 < len(s.text) && s.text[j+1] < utf8.RuneSelf && classes[s.text[j+1]] == letter
	switch {
	case classes[c] == letter && c <= '9':
		w.digits++
	case classes[c] == letter:
		w.letters++
	case (c == '@' || c == '$') && more:
		w.signs++
	case c == '\'' && inside && more:
	default:
		return 0
	}
	return 1
}

// shape collects signs of disguise, which decide what other readings are worth
// their time.
func (s *sentences) shape(i, j int, w shape) {
	if w.letters > 0 && w.digits+w.signs > 0 {
		s.odd++
	}
	if j-i == 1 && w.letters == 1 {
		s.row++
		s.single = max(s.single, s.row)
	} else {
		s.row = 0
	}
	if i > 1 && j-i <= 12 && classes[s.text[i-1]&127] != blank && classes[s.text[i-2]&127] == letter {
		s.short++
	}
}

// add gives a word its number and its concepts.
func (s *sentences) add(i, j int) {
	low := s.lower(i, j)
	n := len(s.from)
	var cs set
	ok := false
	if low != nil {
		cs, ok = s.v.lookup(low, s.leet, s.spare[:0])
		if !ok && len(low) >= 5 && !s.leet {
			s.cipher(low)
		}
	}
	if !ok {
		if j-i >= 16 && j-i <= 400 {
			s.segment(i, j, s.v.latin)
			return
		}
	}
	s.number(i, j)
	s.place(n, i, j, cs)
}

// place writes the concepts of word n, and what its surroundings say of it.
func (s *sentences) place(n, i, j int, cs set) {
	m := &s.marks
	if s.clause || s.lead {
		cs.add(m.imp)
	}
	if s.clause {
		cs.add(m.start)
	}
	if j < len(s.text) && s.text[j] == ':' {
		if strings.HasPrefix(s.text[j:], "://") || strings.HasPrefix(s.text[j:], ":\\/\\/") {
			cs.add(m.url)
		} else {
			cs.add(m.colon)
		}
	}
	if k := strings.IndexByte(s.text[i:j], '@'); k > 0 && j < len(s.text) && s.text[j] == '.' {
		cs.add(m.mail)
	}
	you := cs.has(m.you)
	if you {
		s.you = n
	}
	s.lead = cs.has(m.lead) || n-s.you <= 4 && strings.EqualFold(s.text[i:j], "to")
	s.clause = false
	if cs == (set{}) {
		return
	}
	for len(s.blocks) <= n>>6 {
		s.blocks = append(s.blocks, block{})
	}
	b := &s.blocks[n>>6]
	for w, bitsLeft := range cs {
		for bitsLeft != 0 {
			c := trailing(bitsLeft)
			b[w<<6+c] |= 1 << (n & 63)
			bitsLeft &= bitsLeft - 1
		}
	}
}

// lower copies a word in lower case; nil if it is longer than any word known.
func (s *sentences) lower(i, j int) []byte {
	if j-i > len(s.buf) {
		return nil
	}
	low := s.buf[:0]
	for k := i; k < j; k++ {
		c := s.text[k]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low = append(low, c)
	}
	return low
}

func (s *sentences) cipher(low []byte) {
	if !s.v.maybe.has(wordHash(low)) {
		return
	}
	c, ok := s.v.codes[string(low)]
	if !ok {
		return
	}
	for _, k := range []cipher{rot13, atbash, backwards} {
		if c&k != 0 {
			s.ciphers[k]++
		}
	}
}

// foreign reads a word that begins with a character beyond ASCII.
func (s *sentences) foreign(i int) int {
	r, n := utf8.DecodeRuneInString(s.text[i:])
	if unspaced(r) {
		j := i
		for j < len(s.text) {
			r, n := utf8.DecodeRuneInString(s.text[j:])
			if !unspaced(r) {
				break
			}
			j += n
		}
		s.segment(i, j, s.v.first)
		return j
	}
	if wordRune(r) {
		return max(s.word(i), i+n)
	}
	s.clause = true
	return i + n
}

// segment cuts a row of letters without blanks into the words that it knows,
// longest first. What it does not know counts as one word for each four letters.
func (s *sentences) segment(i, j int, first map[rune]int) {
	unknown, since := 0, i
	for k := i; k < j; {
		r, n := utf8.DecodeRuneInString(s.text[k:])
		if r < utf8.RuneSelf && 'A' <= r && r <= 'Z' {
			r |= 0x20
		}
		cs, size := s.longestWord(k, min(j, k+min(first[r], len(s.buf))))
		if size == 0 {
			unknown += n
			k += n
			continue
		}
		for ; unknown >= 4; unknown -= 4 {
			s.number(since, k)
		}
		at := len(s.from)
		s.number(k, k+size)
		s.place(at, k, k+size, cs)
		k += size
		unknown, since = 0, k
	}
	if since == i { // nothing known
		s.number(i, j)
	}
	s.clause = false
}

func (s *sentences) longestWord(i, j int) (set, int) {
	if j <= i {
		return set{}, 0
	}
	low := s.lower(i, j)
	ascii := s.text[i] < utf8.RuneSelf
	for n := len(low); n >= 1; n-- {
		if ascii && n < 3 {
			return set{}, 0
		}
		if n < len(low) && !utf8.RuneStart(low[n]) {
			continue
		}
		words := s.v.exact
		if s.leet {
			words = s.v.leet
		}
		if cs, ok := words[string(low[:n])]; ok {
			return cs, n
		}
	}
	return set{}, 0
}
