package detector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/guard/reading"
)

// An Explanation takes a verdict apart. It quotes the text: it is for people who
// may read the text, never for a log or a ledger.
type Explanation struct {
	Result
	Threshold Threshold
	// Windows are the places with the most points, the worst first, at most 8.
	Windows []Window
}

// A Window is a place of a reading with what its points are made of. Points is
// the sum of Bias and of all contributions.
type Window struct {
	Reading       string
	Text          string // as the model might read it
	Start, End    int    // bytes of the original
	Points        float64
	Bias          float64
	Contributions []Contribution // the largest first, whatever their sign
}

// A Contribution is what one concept, a combination of them or a word adds.
type Contribution struct {
	// What says it in words: "ignore … earlier … instructions", "the word
	// "prompt"".
	What string
	// Kind is "pattern", "concept", "combination", "wording" or "form".
	Kind   string
	Points float64
}

// Telling are the contributions that speak against the text and can be told to
// anybody, the largest first: patterns and concepts of the lexicon, never words
// of the text.
func (w *Window) Telling() []Contribution {
	var out []Contribution
	for _, c := range w.Contributions {
		switch c.Kind {
		case "pattern", "concept", "combination":
			if c.Points > 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// maxWindows bounds Explanation.Windows.
const maxWindows = 8

// Explain scans the text and takes the worst windows apart.
func (d *Detector) Explain(text string, ch Channel) Explanation {
	s := newScan(d)
	s.extractor.trace = true
	var out Explanation
	s.window = func(r *reading.Reading, i, j int, points float32) {
		out.keep(s, r, i, j, points)
	}
	out.Result = s.run(text, ch)
	out.Threshold = d.Threshold(ch, len(text))
	return out
}

// keep takes a window into the explanation if it is among the worst.
func (x *Explanation) keep(s *scan, r *reading.Reading, i, j int, points float32) {
	if len(x.Windows) == maxWindows && float64(points) <= x.Windows[maxWindows-1].Points {
		return
	}
	e := s.extractor
	lo, hi := e.Chunks[i].Lo, e.Chunks[j].Hi
	w := Window{Reading: r.Name, Text: string(r.Text[lo:hi]), Points: float64(points), Bias: float64(s.detector.weights.Bias)}
	w.Start, w.End = r.Span(lo, hi)
	w.Contributions = s.contributions(i, j)
	at, _ := slices.BinarySearchFunc(x.Windows, w.Points, func(a Window, p float64) int { return cmp.Compare(p, a.Points) })
	x.Windows = slices.Insert(x.Windows, at, w)
	x.Windows = x.Windows[:min(len(x.Windows), maxWindows)]
}

// contributions names everything that adds to the window of chunks i to j.
func (s *scan) contributions(i, j int) []Contribution {
	e, w := s.extractor, s.detector.weights
	sums := map[Contribution]float64{}
	count := 0
	for k := i; k <= j; k++ {
		count += int(e.Chunks[k].GramHi - e.Chunks[k].GramLo)
	}
	norm := float64(Norm(count))
	for _, row := range Strongest(s.detector.lexicon, e.Rows[e.Chunks[i].RowLo:e.Chunks[j].RowHi], w.Row, nil) {
		sums[s.row(row)] += float64(w.Row[row]) * float64(w.RowStep)
	}
	for k := i; k <= j; k++ {
		c := e.Chunks[k]
		for n := c.ConceptLo; n < c.ConceptHi; n++ {
			what := s.name(e.Features[n])
			sums[what] += float64(w.Concept[e.Concepts[n]]) * float64(w.ConceptStep)
		}
		from := c.GramLo
		for t := c.firstToken; t < c.afterToken; t++ {
			what := Contribution{What: s.word(int(t)), Kind: "wording"}
			for ; from < e.cutter.tokens[t].grams && from < c.GramHi; from++ {
				sums[what] += float64(w.Gram[e.Grams[from]]) * float64(w.GramStep) * norm
			}
		}
	}
	out := make([]Contribution, 0, len(sums))
	for c, p := range sums {
		if p != 0 {
			c.Points = p
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(max(b.Points, -b.Points), max(a.Points, -a.Points)), strings.Compare(a.What, b.What))
	})
	return out
}

// row says in words what a pattern is.
func (s *scan) row(weight uint16) Contribution {
	c := Contribution{What: s.detector.lexicon.Patterns[patternOf(weight)].Means, Kind: "pattern"}
	switch way(weight) % ways {
	case spoken:
		c.What += " (quoted or spoken about)"
	case loose:
		c.What += " (in another order, or over two sentences)"
	}
	return c
}

// word is a token as it reads.
func (s *scan) word(t int) string {
	k := s.extractor.cutter.tokens[t]
	return string(s.extractor.cutter.text[k.lo:k.hi])
}

// name says in words what a feature is.
func (s *scan) name(f Feature) Contribution {
	label := func(c uint8) string { return s.detector.lexicon.Concepts[c].Label }
	switch f.Origin {
	case Alone:
		return Contribution{What: label(f.A), Kind: "concept"}
	case Start:
		return Contribution{What: label(f.A) + ", at the beginning of a sentence", Kind: "concept"}
	case Quoted:
		return Contribution{What: label(f.A) + ", in quotation marks", Kind: "concept"}
	case Capitals:
		return Contribution{What: label(f.A) + ", in capital letters", Kind: "concept"}
	case Asked:
		return Contribution{What: label(f.A) + ", in a question", Kind: "concept"}
	case Negated:
		return Contribution{What: "not … " + label(f.A), Kind: "combination"}
	case Near:
		return Contribution{What: label(f.A) + " " + label(f.B), Kind: "combination"}
	case Far:
		return Contribution{What: label(f.A) + " … " + label(f.B), Kind: "combination"}
	case Across:
		return Contribution{What: label(f.A) + " … (next sentence) " + label(f.B), Kind: "combination"}
	case Order:
		return Contribution{What: "a sentence that begins: " + label(f.A) + " … " + label(f.B), Kind: "combination"}
	case Label:
		return Contribution{What: fmt.Sprintf("a line that begins: %s:", s.word(int(f.Token))), Kind: "form"}
	}
	return Contribution{What: [...]string{"no marks of code", "a few marks of code", "marks of code", "many marks of code"}[f.A&3], Kind: "form"}
}
