package detector

import "unicode/utf8"

const (
	gramBits    = 16 // weights for n-grams of characters and words
	conceptBits = 16 // weights for concept grams

	// Grams and Concepts are the sizes of the two tables of weights.
	Grams    = 1 << gramBits
	Concepts = 1 << conceptBits

	// A chunk, half a window, is about 100 characters: it ends with a sentence
	// after minChunk and in any case after maxChunk.
	minChunk = 40
	maxChunk = 120
	// segmentBytes bounds what is held of a reading at a time.
	segmentBytes = 8 << 10
)

// An Origin says what a concept feature is.
type Origin uint8

// The kinds of concept features. A pair and a triple are concepts in this order
// within a few words.
const (
	Alone    Origin = iota + 1 // the concept occurs
	Start                      // it begins a sentence
	Quoted                     // in quotation marks
	Capitals                   // in capital letters
	Asked                      // in a question
	Next                       // with the word after it
	Before                     // with the word before it
	Near                       // a pair within three words
	Far                        // a pair within eight words
	Across                     // a pair in two sentences
	Order                      // a pair whose first concept begins the sentence
	Triple                     // three concepts within ten words
	Label                      // a word and a colon at the beginning of a line
	Marks                      // how many marks of code there are
	Negated                    // the concept within three words after a negation
)

// A Feature names a concept feature for explanations.
type Feature struct {
	Origin  Origin
	A, B, C uint8 // concepts, or a degree
	Token   int32 // the last token of it
}

// A Chunk is half a window with its features: ranges of Extractor.Grams and
// Extractor.Concepts.
type Chunk struct {
	Lo, Hi                 int // bytes of the reading
	GramLo, GramHi         int32
	ConceptLo, ConceptHi   int32
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

	cutter   tokeniser
	text     []byte
	upper    func(int) bool
	shifted  func(int) bool
	base     int
	next     int
	trace    bool
	seen     [4096]uint64
	epoch    uint64
	negative int
	recent   []int32 // the last concept tokens
}

// NewExtractor makes an Extractor over a lexicon.
func NewExtractor(l *Lexicon) *Extractor {
	e := &Extractor{cutter: tokeniser{lexicon: l}}
	e.shifted = func(i int) bool { return e.upper(e.base + i) }
	return e
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
	upper := e.shifted
	if e.upper == nil {
		upper = nil
	}
	e.cutter.run(e.text[e.base:end], upper)
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
	e.Concepts, e.Features, e.Chunks, e.recent = e.Concepts[:0], e.Features[:0], e.Chunks[:0], e.recent[:0]
	e.negative = -100
	e.conceive()
	tokens := e.cutter.tokens
	var c Chunk
	c.Lo = e.base
	e.epoch++
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
		e.degree(Marks, mark)
		marks = marks[mark:]
		c.Hi = e.base + int(tokens[i].hi)
		c.GramHi, c.ConceptHi = tokens[i].grams, int32(len(e.Concepts)) //nolint:gosec // a segment is short
		e.Chunks = append(e.Chunks, c)
		c = Chunk{Lo: c.Hi, GramLo: c.GramHi, ConceptLo: c.ConceptHi, firstToken: c.afterToken}
		from = tokens[i].width
		e.epoch++
	}
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
	for i := 0; i < len(tokens); i++ {
		if n, c := e.phrase(i); n > 0 {
			for k := i; k < i+n; k++ {
				tokens[k].concept = 0
				tokens[k].flags |= known
			}
			tokens[i].concept = c
			i += n - 1
			continue
		}
		if tokens[i].flags&known == 0 {
			tokens[i].concept = l.conceptOf(tokens[i].hash, tokens[i].stem)
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
		v := e.cutter.lexicon.phrases.get(mix(h))
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
	nearWords   = 3
	farWords    = 8
	tripleWords = 10
	maxPairs    = 6 // concepts looked back at
	maxTriples  = 4
)

// features emits what token i adds.
func (e *Extractor) features(i int) {
	t := &e.cutter.tokens[i]
	c := t.concept
	if t.flags&lineStart != 0 && t.flags&colon != 0 {
		e.word(Label, 0, t.hash, i)
	}
	if c == 0 {
		if n := len(e.recent); n > 0 && int(e.recent[n-1]) == i-1 {
			e.word(Next, e.cutter.tokens[i-1].concept, t.hash, i)
		}
		return
	}
	e.add(Alone, c, 0, 0, i)
	if t.flags&sentenceStart != 0 {
		e.add(Start, c, 0, 0, i)
	}
	if t.flags&quoted != 0 {
		e.add(Quoted, c, 0, 0, i)
	}
	if t.flags&capitals != 0 {
		e.add(Capitals, c, 0, 0, i)
	}
	if t.flags&asked != 0 {
		e.add(Asked, c, 0, 0, i)
	}
	if i > 0 {
		e.word(Before, c, e.cutter.tokens[i-1].hash, i)
	}
	e.pairs(i, t)
	if c == e.cutter.lexicon.negation {
		e.negative = i
	} else if i-e.negative <= nearWords {
		e.add(Negated, c, 0, 0, i)
	}
	e.recent = append(e.recent, int32(i)) //nolint:gosec // a segment is short
}

// pairs emits the ordered pairs and triples that end with token i.
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
			e.add(Across, a.concept, t.concept, 0, i)
		case i-j <= nearWords:
			e.add(Near, a.concept, t.concept, 0, i)
		default:
			e.add(Far, a.concept, t.concept, 0, i)
		}
		if a.flags&sentenceStart != 0 && a.line == t.line {
			e.add(Order, a.concept, t.concept, 0, i)
		}
		for m := k - 1; m >= 0 && m >= n-maxTriples; m-- {
			b := &e.cutter.tokens[e.recent[m]]
			if i-int(e.recent[m]) > tripleWords {
				break
			}
			if b.concept != a.concept && b.concept != t.concept {
				e.add(Triple, b.concept, a.concept, t.concept, i)
			}
		}
	}
}

// degree emits how often something occurs in the chunk, in four steps.
func (e *Extractor) degree(o Origin, n int) {
	d := uint8(0)
	switch {
	case n >= 12:
		d = 3
	case n >= 5:
		d = 2
	case n >= 2:
		d = 1
	}
	e.add(o, d, 0, 0, len(e.cutter.tokens)-1)
}

func (e *Extractor) add(o Origin, a, b, c uint8, i int) {
	e.emit(uint64(o)<<24|uint64(a)<<16|uint64(b)<<8|uint64(c), Feature{Origin: o, A: a, B: b, C: c, Token: int32(i)}) //nolint:gosec // a segment is short
}

func (e *Extractor) word(o Origin, c uint8, hash uint64, i int) {
	e.emit(uint64(o)<<24|uint64(c)<<16|hash<<32, Feature{Origin: o, A: c, Token: int32(i)}) //nolint:gosec // a segment is short
}

// emit appends a feature unless the chunk has it already. The memory of what it
// has is a direct-mapped cache: now and then a feature stands twice, always the
// same ones.
func (e *Extractor) emit(key uint64, f Feature) {
	x := uint32(mix(key) & (Concepts - 1)) //nolint:gosec // masked
	slot := &e.seen[x&uint32(len(e.seen)-1)]
	if stamp := e.epoch<<conceptBits | uint64(x); *slot == stamp {
		return
	} else {
		*slot = stamp
	}
	e.Concepts = append(e.Concepts, x)
	if e.trace {
		e.Features = append(e.Features, f)
	}
}
