package detector

import "unicode/utf8"

// A part is a word of an entry of the lexicon.
type part struct {
	hash   uint64
	lo, hi int
	glyphs bool
}

// newSplitter makes a tokeniser that knows no words, for split.
func newSplitter() *tokeniser {
	return &tokeniser{lexicon: &Lexicon{words: newTable(1), stems: newTable(1), glyphs: newTable(1)}}
}

// split cuts a folded entry into its words as the tokeniser cuts a text.
func (t *tokeniser) split(text string) []part {
	t.run([]byte(text), 0, nil)
	var out []part
	for _, k := range t.tokens {
		r, _ := utf8.DecodeRuneInString(text[k.lo:])
		p := part{hash: k.hash, lo: int(k.lo), hi: int(k.hi), glyphs: classOf(r) == glyph}
		if n := len(out); p.glyphs && n > 0 && out[n-1].glyphs && out[n-1].hi == p.lo {
			out[n-1].hi = p.hi
			continue
		}
		out = append(out, p)
	}
	return out
}

// Flags of a token.
const (
	sentenceStart uint8 = 1 << iota // the first word of a sentence, a line, a quotation
	quoted                          // between quotation marks or in code marks
	capitals                        // in capital letters
	lineStart                       // the first word of a line
	colon                           // followed by a colon
	asked                           // in a sentence that ends in a question mark
	known                           // its concept is fixed: a phrase or glyphs
	clauseStart                     // the first word after a comma or a dash
)

// A token is a word of a reading, or a run of glyphs with one meaning.
type token struct {
	hash    uint64
	lo, hi  int32 // bytes of the reading
	width   int32 // room taken since the segment's start, at its end
	grams   int32 // n-grams emitted up to its end
	line    int32 // number of its sentence
	concept uint8
	stem    uint8 // concept of its longest known beginning
	flags   uint8
}

// A tokeniser cuts a segment of a reading into tokens and emits its n-grams on
// the way, in one pass.
type tokeniser struct {
	lexicon *Lexicon
	tokens  []token
	grams   []uint32
	lately  *[1 << lateBits]uint32
	before  uint32
	marks   []int32 // tokens before each mark of code: braces, semicolons...

	text     []byte
	base     int
	upper    func(int) bool
	at       int // where the word being read began
	n        int // its characters
	hash     uint64
	stem     uint8
	inWord   bool
	head     uint64 // hash of the word before its first apostrophe
	tail     int    // where the word goes on after that, 0 without one
	start    uint8  // flags for the next token
	quote    rune
	value    bool // the quotation is a value of JSON, which nobody quotes
	quoteAt  int  // tokens when the quotation opened
	sentence int32
	first    int // first token of the sentence
	width    int32
	r1, r2   uint64 // the characters before
	r3       uint64
	last     uint64 // hash of the word before
}

// minStem is the shortest beginning that the lexicon knows, in characters.
const minStem = 2

// run cuts the text, which begins at a byte of the reading. upper tells of a byte
// of the reading whether it was a capital letter.
func (t *tokeniser) run(text []byte, base int, upper func(int) bool) {
	t.before += uint32(len(t.grams)) + 1000                       //nolint:gosec // a segment is short
	if t.lately == nil || t.before > 1<<lateTime-8*segmentBytes { // time begins anew
		t.lately, t.before = new([1 << lateBits]uint32), 1000
	}
	*t = tokeniser{lexicon: t.lexicon, lately: t.lately, before: t.before, tokens: t.tokens[:0], grams: t.grams[:0], marks: t.marks[:0], text: text, base: base, upper: upper, start: sentenceStart | lineStart, r1: ' '}
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		c := classOf(r)
		if c == letter && size == 1 {
			i = t.latin(i)
			continue
		}
		if c == glyph {
			t.endWord(i)
			i = t.glyphs(i)
			continue
		}
		t.width += width(r)
		t.gram(r)
		switch {
		case c == letter:
			t.letter(i, r)
		case c == apostrophe && t.inWord && t.n > 2 && letterAt(text, i+size):
			// don't: the apostrophe is skipped; l'ordre: it separates.
			if t.tail == 0 {
				t.head, t.tail = t.hash, i+size
			}
		default:
			t.endWord(i)
			t.sign(i, r)
		}
		i += size
	}
	t.endWord(len(text))
	t.gram(' ')
	if n := len(t.tokens); n > 0 {
		t.tokens[n-1].grams = int32(len(t.grams)) //nolint:gosec // a segment is short
	}
}

func letterAt(text []byte, i int) bool {
	if i >= len(text) {
		return false
	}
	r, _ := utf8.DecodeRune(text[i:])
	return classOf(r) == letter
}

func (t *tokeniser) letter(i int, r rune) {
	if t.inWord && r >= otherScripts && smallLatin(t.text[i-1]) {
		t.endWord(i)
	}
	if !t.inWord {
		t.inWord, t.at, t.n, t.hash, t.stem = true, i, 0, wordSeed, 0
	}
	t.hash = step(t.hash, r)
	t.n++
	if t.n >= minStem {
		if c := t.lexicon.stems.get(scramble(t.hash)); c != 0 {
			t.stem = uint8(c) //nolint:gosec // stems hold concepts only
		}
	}
}

// latin takes the row of ASCII letters and digits at i and returns its end. It
// does what gram and letter do, with what they keep in registers: most of most
// texts goes through here.
func (t *tokeniser) latin(i int) int {
	if t.inWord && t.text[i-1] >= utf8.RuneSelf && smallLatin(t.text[i]) {
		if r, _ := utf8.DecodeLastRune(t.text[:i]); r >= otherScripts {
			t.endWord(i)
		}
	}
	if !t.inWord {
		t.inWord, t.at, t.n, t.hash, t.stem = true, i, 0, wordSeed, 0
	}
	text, grams, lately, stems := t.text, t.grams, t.lately, t.lexicon.stems
	hash, stem, r1, r2, r3 := t.hash, t.stem, t.r1, t.r2, t.r3
	from, unknown := i, i+minStem-1-t.n // the first letters are no stem
	for ; i < len(text) && asciiLetter[text[i]]; i++ {
		c := uint64(text[i])
		x := bucket(((r3*spread1+r2)*spread1+r1)*spread2 + c)
		r3, r2, r1 = r2, r1, c
		slot := &lately[x&uint32(len(lately)-1)]
		now := t.before + uint32(len(grams)) //nolint:gosec // a segment is short
		was, stamp := *slot, x>>lateBits<<lateTime|now
		if *slot = stamp; !again(was, stamp) {
			grams = append(grams, x)
		}
		hash = (hash ^ c) * wordPrime
		if i >= unknown {
			if v := stems.get(scramble(hash)); v != 0 {
				stem = uint8(v) //nolint:gosec // stems hold concepts only
			}
		}
	}
	t.n += i - from
	t.width += int32(i - from) //nolint:gosec // a segment is short
	t.grams, t.hash, t.stem, t.r1, t.r2, t.r3 = grams, hash, stem, r1, r2, r3
	return i
}

// gram emits the n-gram of four characters that ends here.
func (t *tokeniser) gram(r rune) {
	c := uint64(uint32(r)) //nolint:gosec // a rune's bits
	if r == '\n' {
		c = ' '
	}
	t.emit(bucket(((t.r3*spread1+t.r2)*spread1+t.r1)*spread2 + c))
	t.r3, t.r2, t.r1 = t.r2, t.r1, c
}

// emit adds an n-gram unless it was added a moment ago: a run of noughts or a
// table of numbers would else say the same thing a hundred times.
func (t *tokeniser) emit(x uint32) {
	slot := &t.lately[x&uint32(len(t.lately)-1)]
	now := t.before + uint32(len(t.grams)) //nolint:gosec // a segment is short
	was, stamp := *slot, x>>lateBits<<lateTime|now
	if *slot = stamp; !again(was, stamp) {
		t.grams = append(t.grams, x)
	}
}

const (
	// lateGrams is how many n-grams are a moment: about a chunk of them.
	lateGrams = 120
	// lateBits is the size of the memory of n-grams, as a power of two; a slot has
	// the bits of the n-gram that do not say where it is, then lateTime bits of time.
	lateBits = 10
	lateTime = 32 - (gramBits - lateBits)
)

// again tells whether two stamps of one slot are of the same n-gram within a
// moment: then they differ in nothing but a few n-grams of time.
func again(was, stamp uint32) bool { return stamp-was < lateGrams }

// Odd constants that spread the characters of an n-gram over a hash.
const (
	spread1 = 0x9E3779B97F4A7C15
	spread2 = 0xC2B2AE3D27D4EB4F
)

// bucket is the weight that an n-gram's hash stands for.
func bucket(h uint64) uint32 {
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	return uint32(h >> (64 - gramBits))
}

func (t *tokeniser) endWord(i int) {
	if !t.inWord {
		return
	}
	t.inWord = false
	if t.ending(i) {
		t.tail = 0
		return
	}
	flags := t.start
	t.start = 0
	if t.upper != nil && t.n > 2 && t.upper(t.base+t.at) && t.upper(t.base+t.at+1) && t.upper(t.base+t.at+2) {
		flags |= capitals
	}
	if t.quote != 0 && !t.value {
		flags |= quoted
	}
	t.emit(bucket(t.hash + 7))
	if t.last != 0 {
		t.emit(bucket(t.last*31 + t.hash))
	}
	t.last = t.hash
	if t.tail != 0 {
		t.part(i)
	}
	t.add(t.at, i, t.hash, t.stem, flags)
}

func (t *tokeniser) add(lo, hi int, hash uint64, stem, flags uint8) {
	//nolint:gosec // a segment is short
	t.tokens = append(t.tokens, token{hash: hash, lo: int32(lo), hi: int32(hi), width: t.width, grams: int32(len(t.grams)), line: t.sentence, stem: stem, flags: flags})
}

// sign takes a character that is no part of a word.
func (t *tokeniser) sign(i int, r rune) {
	switch r {
	case ' ':
		return
	case ',', '-', 0x2013, 0x2014, 0x3001, 0x060C:
		t.start |= clauseStart
		return
	case ':':
		if n := len(t.tokens); n > 0 && int(t.tokens[n-1].hi) == i {
			t.tokens[n-1].flags |= colon
		}
	case '\'', 0x2018, 0x2019:
		t.single(i, r)
	case '"', '`', 0x201C, 0x201D, 0x00AB, 0x00BB, 0x300C, 0x300D:
		t.quotation(i, r)
	case '{', '}', ';', '=', '<', '>', '\\', '/', '_', '(', ')':
		t.marks = append(t.marks, int32(len(t.tokens))) //nolint:gosec // a segment is short
	}
	if r == '.' && i+1 < len(t.text) && t.text[i+1] != ' ' && t.text[i+1] != '\n' && t.text[i+1] != '"' {
		return // a number, a file's name
	}
	if !ends(r) {
		return
	}
	t.start |= sentenceStart
	switch r {
	case '\n':
		t.start |= lineStart
		t.quote = 0
	case '?', 0x061F:
		for k := t.first; k < len(t.tokens); k++ {
			t.tokens[k].flags |= asked
		}
	}
	if t.first < len(t.tokens) {
		t.sentence++
		t.first = len(t.tokens)
	}
}

// single takes a quotation mark that is also an apostrophe: it opens before a
// letter and not after one, and closes only what it opened.
func (t *tokeniser) single(i int, r rune) {
	size := utf8.RuneLen(r)
	switch {
	case t.quote == '\'':
		if !letterAt(t.text, i+size) {
			t.quote = 0
		}
	case t.quote == 0 && letterAt(t.text, i+size) && !letterBefore(t.text, i):
		t.quote, t.quoteAt, t.value = '\'', len(t.tokens), false
		t.start |= sentenceStart
	}
}

func letterBefore(text []byte, i int) bool {
	r, _ := utf8.DecodeLastRune(text[:i])
	return i > 0 && classOf(r) == letter
}

// maxQuote is how many tokens a quotation may have before its mark is taken for
// something else.
const maxQuote = 60

func (t *tokeniser) quotation(i int, r rune) {
	if t.quote != 0 && t.quote != '\'' && len(t.tokens)-t.quoteAt <= maxQuote {
		t.quote = 0
		return
	}
	t.quote, t.quoteAt, t.value = r, len(t.tokens), r == '"' && valueAt(t.text, i)
}

// valueAt tells whether the quotation mark at i opens a value of JSON: a colon
// stands before it, and before that the mark that closes the key.
func valueAt(text []byte, i int) bool {
	for i--; i > 0 && (text[i] == ' ' || text[i] == '\\'); i-- { // JSON in a string of JSON
	}
	return i > 0 && text[i] == ':' && text[i-1] == '"'
}

// maxGlyphs is the longest entry that glyphs finds, in characters.
const maxGlyphs = 16

// glyphs cuts a run of glyphs by the longest entries of the lexicon; what it
// does not know becomes tokens of two characters.
func (t *tokeniser) glyphs(i int) int {
	room, from := int32(0), i
	flush := func(to int, particle bool) {
		if room > 0 && !(particle && loneGlyph(t.text[from:to])) {
			t.glyph(from, to, 0)
		}
		room, from = 0, to
	}
	after := false // a known entry
	for i < len(t.text) {
		r, size := utf8.DecodeRune(t.text[i:])
		if classOf(r) != glyph {
			break
		}
		if end, c := t.longest(i); c != 0 {
			flush(i, true)
			t.runes(i, end)
			t.glyph(i, end, c)
			i, from, after = end, end, true
			continue
		}
		t.runes(i, i+size)
		room += glyphRoom(r)
		i += size
		if room >= unknownRoom {
			flush(i, false)
			after = false
		}
	}
	flush(i, after)
	return i
}

// unknownRoom is the room of the pieces into which unknown glyphs are cut: two
// Chinese characters, four kana or letters of Thai, about a word.
const unknownRoom = 4

func glyphRoom(r rune) int32 {
	if r >= 0x3400 {
		return 2
	}
	return 1
}

// loneGlyph tells whether a piece is one character: beside a word that is known
// it is a particle, which parts nothing.
func loneGlyph(piece []byte) bool {
	_, size := utf8.DecodeRune(piece)
	return size == len(piece)
}

// longest finds the longest entry that begins at i.
func (t *tokeniser) longest(i int) (end int, concept uint8) {
	h := uint64(wordSeed)
	for n := 0; n < maxGlyphs && i < len(t.text); n++ {
		r, size := utf8.DecodeRune(t.text[i:])
		h = step(h, r)
		i += size
		v := t.lexicon.glyphs.get(scramble(h))
		if v&^longer != 0 {
			end, concept = i, uint8(v&^longer) //nolint:gosec // a concept
		}
		if v&longer == 0 {
			break
		}
	}
	return end, concept
}

// runes emits the n-grams of two and three characters of glyphs.
func (t *tokeniser) runes(lo, hi int) {
	for lo < hi {
		r, size := utf8.DecodeRune(t.text[lo:])
		lo += size
		c := uint64(uint32(r)) //nolint:gosec // a rune's bits
		t.width += width(r)
		pair := t.r1*spread2 + c
		t.emit(bucket(pair + 12))
		t.emit(bucket((t.r2*spread1+t.r1)*spread2 + c))
		t.r3, t.r2, t.r1 = t.r2, t.r1, c
	}
}

func (t *tokeniser) glyph(lo, hi int, concept uint8) {
	h := uint64(wordSeed)
	for k := lo; k < hi; {
		r, size := utf8.DecodeRune(t.text[k:])
		h = step(h, r)
		k += size
	}
	flags := t.start | known
	t.start = 0
	if t.quote != 0 && !t.value {
		flags |= quoted
	}
	t.add(lo, hi, h, 0, flags)
	t.tokens[len(t.tokens)-1].concept = concept
	t.last = h
}
