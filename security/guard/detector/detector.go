package detector

import (
	"crypto/sha256"
	_ "embed" // the weights
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/custodyhq/custody/security/guard/reading"
)

//go:embed weights.bin
var embeddedWeights []byte

// A Detector scores texts. It is read-only after New: any number of goroutines
// may use it.
type Detector struct {
	lexicon *Lexicon
	weights *Weights
	version string
	pool    sync.Pool // of *scan
}

// New loads the embedded lexicon and weights.
func New() (*Detector, error) {
	l, err := NewLexicon()
	if err != nil {
		return nil, err
	}
	return With(l, embeddedWeights)
}

// With makes a detector of a lexicon and encoded weights. The weights must have
// been trained with the same list of concepts.
func With(l *Lexicon, encoded []byte) (*Detector, error) {
	w, err := DecodeWeights(encoded)
	if err != nil {
		return nil, err
	}
	if w.Concepts != l.ConceptsSum() {
		return nil, errors.New("weights: trained with another list of concepts or patterns; train again")
	}
	d := &Detector{lexicon: l, weights: w, version: version(encoded)}
	d.pool.New = func() any { return newScan(d) }
	return d, nil
}

// Version names the weights: a format and their SHA-256.
func (d *Detector) Version() string { return d.version }

// ConceptsSum is the SHA-256 of the lists of concepts and of patterns: what the
// weights are bound to.
func (l *Lexicon) ConceptsSum() [sha256.Size]byte {
	var names []string
	for _, c := range l.Concepts {
		names = append(names, c.Name)
	}
	for _, p := range l.Patterns {
		names = append(names, p.Means)
	}
	return sha256.Sum256([]byte(strings.Join(names, "\n")))
}

// Scan reads the text in every way that a model might and returns the worst.
func (d *Detector) Scan(text string, ch Channel) Result {
	s := d.pool.Get().(*scan) //nolint:forcetypeassert // the pool holds nothing else
	defer d.pool.Put(s)
	return s.run(text, ch)
}

// Threshold returns what a text of that channel and length is held against.
func (d *Detector) Threshold(ch Channel, bytes int) Threshold {
	if ch >= channels {
		ch = Unknown
	}
	t, more := d.weights.Thresholds[ch][LengthClass(bytes)], Length(bytes)
	return Threshold{Review: t.Review + more, Block: t.Block + more}
}

// A scan is the state of one Scan: buffers and the worst place so far.
type scan struct {
	detector  *Detector
	scanner   reading.Scanner
	extractor *Extractor
	see       func(*reading.Reading) bool
	upper     func(int) bool // of current
	current   *reading.Reading

	text      string
	threshold Threshold
	plain     bool // a plain order was found
	sums      []sum
	rows      []uint16
	best      float32
	bestLo    int // in the reading being read, -1 if the best is of an earlier one
	bestHi    int
	result    Result
	window    func(r *reading.Reading, i, j int, points float32) // Explain looks at chunks i to j
}

// A sum is what a chunk's features add up to.
type sum struct {
	grams, concepts int32
	count           int
}

func newScan(d *Detector) *scan {
	s := &scan{detector: d, extractor: NewExtractor(d.lexicon)}
	s.see = s.reading
	s.upper = func(i int) bool { return s.current.Upper(i) }
	return s
}

func (s *scan) run(text string, ch Channel) Result {
	s.text, s.threshold = text, s.detector.Threshold(ch, len(text))
	s.extractor.Foreign = ch.Foreign()
	s.best, s.plain = float32(math.Inf(-1)), false
	s.result = Result{Reading: "plain", Version: s.detector.version}
	s.result.Signs = s.scanner.Read(text, s.see)
	s.signs()
	s.result.Signs.Tokens = nil
	out := s.result
	s.text, s.result, s.current = "", Result{}, nil
	if !math.IsInf(float64(s.best), -1) {
		out.Points = float64(s.best)
		out.Score = s.threshold.score(s.best)
		out.Level = max(out.Level, s.threshold.level(s.best))
	}
	if s.plain {
		out.Score = max(out.Score, plainScore)
	}
	return out
}

func (t Threshold) level(points float32) Level {
	switch {
	case points >= t.Block:
		return Block
	case points >= t.Review:
		return Review
	}
	return Pass
}

// score maps points to 0..1 so that Review becomes 0.5 and Block 0.9.
func (t Threshold) score(points float32) float64 {
	const nine = 2.1972245773362196 // the logit of 0.9
	x := nine * float64(points-t.Review) / float64(t.Block-t.Review)
	return 1 / (1 + math.Exp(-x))
}

// reading scores one reading of the text.
func (s *scan) reading(r *reading.Reading) bool {
	s.bestLo, s.current = -1, r
	s.extractor.Open(r.Text, s.upper)
	for s.extractor.Next() {
		s.segment(r)
		if lo, hi, ok := s.extractor.Certain(); ok {
			lo, hi = r.Span(lo, hi)
			s.hit(PlainOrder, Block, r.Name, lo, hi)
			s.plain = true
		}
	}
	if s.bestLo >= 0 {
		s.result.Reading = r.Name
		s.result.Start, s.result.End = r.Span(s.bestLo, s.bestHi)
	}
	return true
}

// segment scores the windows of the extractor's segment: two chunks each.
func (s *scan) segment(r *reading.Reading) {
	e := s.extractor
	s.sums = s.sums[:0]
	for i := range e.Chunks {
		s.sums = append(s.sums, s.detector.weights.sum(e, &e.Chunks[i]))
	}
	for i := range e.Chunks {
		j := i + 1
		if j == len(e.Chunks) {
			if i > 0 {
				break
			}
			j = i
		}
		points := s.detector.weights.points(s.sums[i:j+1], s.patterns(i, j))
		if s.window != nil {
			s.window(r, i, j, points)
		}
		s.place(r, e.Chunks[i].Lo, e.Chunks[j].Hi, points)
	}
}

// patterns adds the weights of the strongest patterns in chunks i to j.
func (s *scan) patterns(i, j int) int32 {
	w := s.detector.weights
	var out int32
	s.rows = Strongest(s.detector.lexicon, s.extractor.Rows[s.extractor.Chunks[i].RowLo:s.extractor.Chunks[j].RowHi], w.Row, s.rows[:0])
	for _, x := range s.rows {
		out += int32(w.Row[x])
	}
	return out
}

func (w *Weights) sum(e *Extractor, c *Chunk) sum {
	out := sum{count: int(c.GramHi - c.GramLo)}
	grams, concepts := (*[Grams]int8)(w.Gram), (*[Concepts]int8)(w.Concept) // no bounds to check
	for _, x := range e.Grams[c.GramLo:c.GramHi] {
		out.grams += int32(grams[x&(Grams-1)])
	}
	for _, x := range e.Concepts[c.ConceptLo:c.ConceptHi] {
		out.concepts += int32(concepts[x&(Concepts-1)])
	}
	return out
}

// points is the score of a window made of these chunks and patterns.
func (w *Weights) points(chunks []sum, rows int32) float32 {
	var t sum
	for _, c := range chunks {
		t.grams += c.grams
		t.concepts += c.concepts
		t.count += c.count
	}
	return w.Bias + float32(float32(t.grams)*w.GramStep*Norm(t.count)) + float32(float32(t.concepts)*w.ConceptStep) + float32(float32(rows)*w.RowStep)
}

// place takes note of a window.
func (s *scan) place(r *reading.Reading, lo, hi int, points float32) {
	if points > s.best {
		s.best, s.bestLo, s.bestHi = points, lo, hi
	}
	if points < s.threshold.Review || len(s.result.Hits) >= maxHits {
		return
	}
	h := Hit{Level: s.threshold.level(points), Reading: r.Name, Score: s.threshold.score(points)}
	h.Start, h.End = r.Span(lo, hi)
	if n := len(s.result.Hits); n > 0 {
		if last := &s.result.Hits[n-1]; last.Reading == h.Reading && last.Sign == NoSign && h.Start <= last.End && h.End >= last.Start {
			last.Start, last.End = min(last.Start, h.Start), max(last.End, h.End)
			last.Level, last.Score = max(last.Level, h.Level), max(last.Score, h.Score)
			return
		}
	}
	s.result.Hits = append(s.result.Hits, h)
}

// hit adds a hard sign.
func (s *scan) hit(sign Sign, level Level, name string, lo, hi int) {
	s.result.Level = max(s.result.Level, level)
	if len(s.result.Hits) < maxHits {
		s.result.Hits = append(s.result.Hits, Hit{Start: lo, End: hi, Level: level, Reading: name, Sign: sign})
	}
}

// String says the verdict in one line without quoting the text.
func (r Result) String() string {
	return fmt.Sprintf("%s, score %.2f, reading %s, bytes %d to %d", r.Level, r.Score, r.Reading, r.Start, r.End)
}
