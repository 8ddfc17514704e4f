package main

import (
	"runtime"
	"slices"
	"sync"

	"github.com/custodyhq/custody/security/guard/detector"
	"github.com/custodyhq/custody/security/guard/reading"
)

// A window is one training example: two neighbouring chunks of a reading.
type window struct {
	grams    [2][]uint16
	concepts [2][]uint16
	rows     []uint16
	norm     float32 // 1/sqrt of the number of n-grams

	decoded bool // of a reading that is not the text as it stands
	inside  int8 // of a text with a span: 1 in it, 0 partly, -1 outside; 0 without span
}

// A sample is a text with its windows.
type sample struct {
	text    *Text
	windows []window
	certain bool // a pattern in it stops a text by itself
}

// samples extracts the features of all texts.
func samples(lexicon *detector.Lexicon, texts []*Text) []sample {
	out := make([]sample, len(texts))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			m := newMaker(lexicon)
			for i := w; i < len(texts); i += workers {
				out[i] = m.sample(texts[i])
			}
		}()
	}
	wg.Wait()
	return out
}

// A maker turns texts into samples.
type maker struct {
	scanner   reading.Scanner
	extractor *detector.Extractor
}

func newMaker(lexicon *detector.Lexicon) *maker {
	return &maker{extractor: detector.NewExtractor(lexicon)}
}

func (m *maker) sample(t *Text) sample {
	s := sample{text: t}
	m.extractor.Foreign = channelOf(t).Foreign()
	lo, hi := byteSpan(t)
	m.scanner.Read(t.Text, func(r *reading.Reading) bool {
		decoded := r.Layer > 0
		m.extractor.Open(r.Text, r.Upper)
		for m.extractor.Next() {
			s.add(m.extractor, func(from, to int) int8 {
				if lo < 0 {
					return 0
				}
				a, b := r.Span(from, to)
				return inside(a, b, lo, hi)
			}, decoded)
			if _, _, ok := m.extractor.Certain(); ok {
				s.certain = true
			}
		}
		return true
	})
	return s
}

// byteSpan is the span of a text in bytes, -1 for none.
func byteSpan(t *Text) (lo, hi int) {
	if len(t.Span) != 2 {
		return -1, -1
	}
	at, n := 0, 0
	lo, hi = len(t.Text), len(t.Text)
	for at = range t.Text {
		if n == t.Span[0] {
			lo = at
		}
		if n == t.Span[1] {
			hi = at
		}
		n++
	}
	return lo, hi
}

// inside tells how a window lies to the span of the attack.
func inside(a, b, lo, hi int) int8 {
	common := min(b, hi) - max(a, lo)
	switch {
	case common <= 4:
		return -1
	case 5*common >= 3*min(hi-lo, b-a):
		return 1
	}
	return 0
}

// add takes the windows of the extractor's segment.
func (s *sample) add(e *detector.Extractor, place func(lo, hi int) int8, decoded bool) {
	type features struct{ grams, concepts []uint16 }
	chunks := make([]features, len(e.Chunks))
	for i, c := range e.Chunks {
		chunks[i] = features{narrow(e.Grams[c.GramLo:c.GramHi]), narrow(e.Concepts[c.ConceptLo:c.ConceptHi])}
	}
	for i := range max(1, len(chunks)-1) {
		if i >= len(chunks) {
			break
		}
		j := min(i+1, len(chunks)-1)
		w := window{decoded: decoded, inside: place(e.Chunks[i].Lo, e.Chunks[j].Hi)}
		w.grams[0], w.concepts[0] = chunks[i].grams, chunks[i].concepts
		w.rows = slices.Clone(e.Rows[e.Chunks[i].RowLo:e.Chunks[j].RowHi])
		if j > i {
			w.grams[1], w.concepts[1] = chunks[j].grams, chunks[j].concepts
		}
		w.norm = detector.Norm(len(w.grams[0]) + len(w.grams[1]))
		s.windows = append(s.windows, w)
	}
}

func narrow(x []uint32) []uint16 {
	out := make([]uint16, len(x))
	for i, v := range x {
		out[i] = uint16(v) //nolint:gosec // the tables have 2^16 weights
	}
	return out
}
