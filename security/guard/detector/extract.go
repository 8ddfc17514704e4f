package detector

import (
	"slices"
	"unicode/utf8"
)

const (
	gramBits    = 16 // weights for n-grams of characters and words
	conceptBits = 16 // weights for concept grams

	// Grams is the size of the table of weights for n-grams.
	Grams = 1 << gramBits
	// Concepts is the size of the table of weights for concept grams.
	Concepts = 1 << conceptBits

	// A chunk, half a window, is about 100 characters: it ends with a sentence
	// after minChunk and in any case after maxChunk.
	minChunk = 40
	maxChunk = 120
	// seenBits is the size of the memory of what a chunk has, as a power of two.
	seenBits = 12
	// segmentBytes bounds what is held of a reading at a time.
	segmentBytes = 8 << 10
)

// An Origin says what a concept feature is.
type Origin uint8

// The kinds of concept features. A pair is two concepts in this order within a
// few words. Their numbers are hashed, so those that are free stay free until the
// weights are trained again.
const (
	Alone    Origin = iota + 1 // the concept occurs
	Start                      // it begins a sentence
	Quoted                     // in quotation marks
	Capitals                   // in capital letters
	Asked                      // in a question
	_
	_
	Near   // a pair within three words
	Far    // a pair within eight words
	Across // a pair in two sentences
	Order  // a pair whose first concept begins the sentence
	_
	Label   // a word and a colon at the beginning of a line
	Marks   // how many marks of code there are
	Negated // the concept within three words after a negation
)

// A Feature names a concept feature for explanations.
type Feature struct {
	Origin Origin
	A, B   uint8 // concepts, or a degree
	Token  int32 // the last token of it
}

// A Chunk is half a window with its features: ranges of Extractor.Grams and
// Extractor.Concepts.
type Chunk struct {
	Lo, Hi                 int // bytes of the reading
	GramLo, GramHi         int32
	ConceptLo, ConceptHi   int32
	RowLo, RowHi           int32
	firstToken, afterToken int32
}

// An Extractor makes the features of readings: hashed n-grams and concept grams
// by chunks of half a window. The training program and the detector use the
// same one, so they cannot drift apart. It keeps its buffers: one per
// goroutine.
type Extractor struct {
	Chunks   []Chunk
	Grams    []uint32 // n-grams; one that occurs twice stands twice
	Concepts []uint32 // concept grams; once per chunk
	Features []Feature
	Rows     []uint16 // patterns; once per chunk

	// Foreign says that what is read is not from the user: documents and tools
	// do not call an assistant by its name, people do.
	Foreign bool

	cutter   tokeniser
	text     []byte
	upper    func(int) bool
	base     int
	next     int
	trace    bool
	seen     [1 << seenBits]uint32
	epoch    uint32
	negative int
	recent   []int32 // the last concept tokens
	found    []match
	marked   []mark
	going    [maxPatterns / 64]uint64
	present  concepts // of the segment
}

// NewExtractor makes an Extractor over a lexicon.
func NewExtractor(l *Lexicon) *Extractor {
	return &Extractor{cutter: tokeniser{lexicon: l}}
}

// Open begins a reading. upper tells of a byte whether it was a capital letter
// in the original; nil is never.
func (e *Extractor) Open(text []byte, upper func(int) bool) {
	e.text, e.upper, e.base, e.next = text, upper, 0, 0
}

// Next extracts the next segment and tells whether there was one. Segments
// overlap by a chunk, so that every window lies in one of them.
func (e *Extractor) Next() bool {
	if e.next >= len(e.text) {
		return false
	}
	e.base = e.next
	end := e.segmentEnd()
	e.cutter.run(e.text[e.base:end], e.base, e.upper)
	e.fill()
	e.next = end
	if n := len(e.Chunks); end < len(e.text) && n > 1 && e.Chunks[n-1].Lo > e.base {
		e.next = e.Chunks[n-1].Lo
	}
	return true
}

// segmentEnd cuts before a blank if there is one near.
func (e *Extractor) segmentEnd() int {
	end := e.base + segmentBytes
	if end >= len(e.text) {
		return len(e.text)
	}
	for k := end; k > end-256; k-- {
		if e.text[k] == ' ' || e.text[k] == '\n' {
			return k
		}
	}
	for end > e.base && !utf8.RuneStart(e.text[end]) {
		end--
	}
	return end
}

// fill turns the tokens of a segment into chunks of features.
func (e *Extractor) fill() {
	e.Grams = e.cutter.grams
	e.Concepts, e.Features, e.Rows, e.Chunks, e.recent = e.Concepts[:0], e.Features[:0], e.Rows[:0], e.Chunks[:0], e.recent[:0]
	e.negative = -100
	e.conceive()
	e.match()
	found := e.found
	tokens := e.cutter.tokens
	var c Chunk
	c.Lo = e.base
	e.turn()
	var from int32
	marks := e.cutter.marks
	for i := range tokens {
		e.features(i)
		if i+1 < len(tokens) && !e.cuts(tokens, i, from) {
			continue
		}
		c.afterToken = int32(i + 1) //nolint:gosec // a segment is short
		mark := 0
		for mark < len(marks) && marks[mark] <= c.afterToken {
			mark++
		}
		e.marks(mark)
		marks = marks[mark:]
		found = e.rows(found, c.afterToken)
		c.RowHi = int32(len(e.Rows)) //nolint:gosec // a segment is short
		c.Hi = e.base + int(tokens[i].hi)
		c.GramHi, c.ConceptHi = tokens[i].grams, int32(len(e.Concepts)) //nolint:gosec // a segment is short
		e.Chunks = append(e.Chunks, c)
		c = Chunk{Lo: c.Hi, GramLo: c.GramHi, ConceptLo: c.ConceptHi, RowLo: c.RowHi, firstToken: c.afterToken}
		from = tokens[i].width
		e.turn()
	}
}

// turn forgets the features of the chunk before.
func (e *Extractor) turn() {
	if e.epoch++; e.epoch == 1<<(32-conceptBits+seenBits) {
		e.seen, e.epoch = [1 << seenBits]uint32{}, 1
	}
}

// rows emits the patterns that end before a token and returns the others.
func (e *Extractor) rows(found []match, before int32) []match {
	from := len(e.Rows)
	for len(found) > 0 && found[0].last < before {
		if w := e.weightOf(found[0]); !slices.Contains(e.Rows[from:], w) {
			e.Rows = append(e.Rows, w)
		}
		found = found[1:]
	}
	return found
}

// cuts tells whether a chunk ends with token i: at the end of a sentence if it
// has some length, else when it is full.
func (e *Extractor) cuts(tokens []token, i int, from int32) bool {
	n := tokens[i].width - from
	return n >= maxChunk || n >= minChunk && tokens[i+1].flags&sentenceStart != 0
}

// conceive gives every token its concept; the longest phrase wins.
func (e *Extractor) conceive() {
	l, tokens := e.cutter.lexicon, e.cutter.tokens
	for i := range tokens {
		if t := &tokens[i]; t.flags&known == 0 {
			t.concept = l.conceptOf(t.hash, t.stem)
			if n := t.hi - t.lo; t.concept == 0 && n >= leastSpelt && n <= mostSpelt {
				e.spell(t)
			}
		}
	}
	for i := 0; i < len(tokens); i++ {
		if !l.phrases.may(scramble(join(0, tokens[i].hash))) {
			// No phrase begins here, as hardly ever does one.
		} else if n, c := e.phrase(i); n > 0 {
			for k := i; k < i+n; k++ {
				tokens[k].concept = 0
				tokens[k].flags |= known
			}
			tokens[i].concept = c
			i += n - 1
			continue
		}
		if t := &tokens[i]; t.flags&known == 0 && t.concept == 0 && e.cutter.text[t.lo] >= 0xD6 {
			t.concept = l.stripped(e.cutter.text[t.lo:t.hi])
		}
	}
}

// maxPhrase is the longest phrase that is looked for, in words.
const maxPhrase = 8

// phrase finds the longest phrase that begins at token i.
func (e *Extractor) phrase(i int) (n int, concept uint8) {
	h := uint64(0)
	tokens := e.cutter.tokens
	for k := i; k < len(tokens) && k < i+maxPhrase; k++ {
		h = join(h, tokens[k].hash)
		v := e.cutter.lexicon.phrases.get(scramble(h))
		if v&^longer != 0 {
			n, concept = k+1-i, uint8(v&^longer) //nolint:gosec // a concept
		}
		if v&longer == 0 {
			break
		}
	}
	return n, concept
}

const (
	nearWords = 3
	farWords  = 8
	maxPairs  = 6 // concepts looked back at
)

// features emits what token i adds.
func (e *Extractor) features(i int) {
	t := &e.cutter.tokens[i]
	c := t.concept
	if t.flags&lineStart != 0 && t.flags&colon != 0 {
		e.label(t.hash, i)
	}
	if c == 0 {
		return
	}
	e.add(Alone, c, 0, i)
	if t.flags&sentenceStart != 0 {
		e.add(Start, c, 0, i)
	}
	if t.flags&quoted != 0 {
		e.add(Quoted, c, 0, i)
	}
	if t.flags&capitals != 0 {
		e.add(Capitals, c, 0, i)
	}
	if t.flags&asked != 0 {
		e.add(Asked, c, 0, i)
	}
	e.pairs(i, t)
	if c == e.cutter.lexicon.negation {
		e.negative = i
	} else if i-e.negative <= nearWords {
		e.add(Negated, c, 0, i)
	}
	e.recent = append(e.recent, int32(i)) //nolint:gosec // a segment is short
}

// pairs emits the ordered pairs that end with token i.
func (e *Extractor) pairs(i int, t *token) {
	n := len(e.recent)
	for k := n - 1; k >= 0 && k >= n-maxPairs; k-- {
		j := int(e.recent[k])
		a := &e.cutter.tokens[j]
		if i-j > farWords {
			break
		}
		if a.concept == t.concept {
			continue
		}
		switch {
		case a.line != t.line:
			e.add(Across, a.concept, t.concept, i)
		case i-j <= nearWords:
			e.add(Near, a.concept, t.concept, i)
		default:
			e.add(Far, a.concept, t.concept, i)
		}
		if a.flags&sentenceStart != 0 && a.line == t.line {
			e.add(Order, a.concept, t.concept, i)
		}
	}
}

// marks emits how many marks of code the chunk has, in four steps.
func (e *Extractor) marks(n int) {
	d := uint8(0)
	switch {
	case n >= 12:
		d = 3
	case n >= 5:
		d = 2
	case n >= 2:
		d = 1
	}
	e.add(Marks, d, 0, len(e.cutter.tokens)-1)
}

func (e *Extractor) add(o Origin, a, b uint8, i int) {
	e.emit(uint64(o)<<24|uint64(a)<<16|uint64(b)<<8, Feature{Origin: o, A: a, B: b, Token: int32(i)}) //nolint:gosec // a segment is short
}

// label emits token i as a label, by the hash of its word.
func (e *Extractor) label(hash uint64, i int) {
	e.emit(uint64(Label)<<24|hash<<32, Feature{Origin: Label, Token: int32(i)}) //nolint:gosec // a segment is short
}

// emit appends a feature unless the chunk has it already. The memory of what it
// has is a direct-mapped cache: now and then a feature stands twice, always the
// same ones.
func (e *Extractor) emit(key uint64, f Feature) {
	x := uint32(mix(key) & (Concepts - 1)) //nolint:gosec // masked
	slot := &e.seen[x&uint32(len(e.seen)-1)]
	stamp := e.epoch<<(conceptBits-seenBits) | x>>seenBits
	if *slot == stamp {
		return
	}
	*slot = stamp
	e.Concepts = append(e.Concepts, x)
	if e.trace {
		e.Features = append(e.Features, f)
	}
}
