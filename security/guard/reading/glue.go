package reading

import (
	"bytes"
	"unicode/utf8"
)

// glued reads texts whose words or pieces of words are stuck together with the
// same signs everywhere: "ig/no/re", one word on each line, "ig" + "nore", an
// emoji between letters. What stands between two pieces is glue; the most usual
// glue of a part is taken out, and any other is a blank.
func (s *Scanner) glued(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 4 * len(b)
	g := gluer{b: b, trail: &s.frames[layer].folder.trail}
	for i := 0; i < len(b) && !s.stopped; {
		i = g.take(i)
		if glue, first, last := g.usual(); last > first {
			s.unglue(layer, &g, glue, first, last)
		}
	}
}

// gluePieces is how many pieces of a text are looked at together.
const gluePieces = 512

// A gluer holds a part of a text, cut into pieces of letters.
type gluer struct {
	b      []byte
	trail  *trail
	pieces [gluePieces]span
	glue   [gluePieces]uint32 // after each piece
	n      int
}

// longestGlue is how many bytes may stand between two pieces.
const longestGlue = 20

// take cuts the next part and returns where the one after it begins.
func (g *gluer) take(i int) int {
	g.n = 0
	b := g.b
	for g.n < gluePieces {
		for i < len(b) && wordOf[b[i]]&(inLower|inUpper) == 0 {
			i++
		}
		if i == len(b) {
			break
		}
		start := i
		for i < len(b) && wordOf[b[i]]&(inLower|inUpper) != 0 {
			i++
		}
		g.pieces[g.n] = span{start, i}
		end := i
		for end < len(b) && end-i <= longestGlue && wordOf[b[end]]&(inLower|inUpper) == 0 {
			end++
		}
		g.glue[g.n] = g.sign(i, end)
		g.n++
		if end-i > longestGlue {
			break
		}
		i = end
	}
	return i
}

// blankGlue is the sign of a single blank.
const blankGlue = 1

// sign is the same for gaps that look the same: digits are, and a blank that came
// from several is another than one.
func (g *gluer) sign(lo, hi int) uint32 {
	if hi-lo == 1 && g.b[lo] == ' ' {
		if from, to := g.trail.source(lo); to-from == 1 {
			return blankGlue
		}
	}
	h := uint32(2166136261)
	digits := false
	for k := lo; k < hi; k++ {
		c := g.b[k]
		switch {
		case '0' <= c && c <= '9':
			if digits {
				continue
			}
			digits, c = true, '0'
		case c == ' ' || c == '\n':
			digits = false
			from, to := g.trail.source(k)
			h = (h ^ uint32(min(to-from, 9))) * 16777619
		default:
			digits = false
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return h | 2
}

// usual returns the most usual glue of a part and the first and last piece that
// it stands after, if it is more than now and then.
func (g *gluer) usual() (glue uint32, first, last int) {
	var seen [16]struct {
		glue uint32
		n    int
	}
	best := 0
	short := 0
	for k := range g.n - 1 {
		if g.pieces[k].hi-g.pieces[k].lo <= 3 {
			short++
		}
		slot := &seen[g.glue[k]>>2&15]
		if slot.glue != g.glue[k] {
			if slot.n--; slot.n >= 0 {
				continue
			}
			slot.glue, slot.n = g.glue[k], 0
		}
		slot.n++
	}
	for k := range seen {
		if n := seen[k].n; n > best && (seen[k].glue != blankGlue || 5*short >= 4*g.n) {
			best, glue = n, seen[k].glue
		}
	}
	if best < 4 {
		return 0, 0, 0
	}
	first, last = g.densest(glue)
	return glue, first, last
}

// densest returns the part in which at least every fourth gap is the glue, and
// that has most of it; none if that is little.
func (g *gluer) densest(glue uint32) (first, last int) {
	sum, most, from := 0, 0, 0
	for k := range g.n - 1 {
		if g.glue[k] == glue {
			if sum <= 0 {
				sum, from = 0, k
			}
			if sum += 3; sum > most {
				most, first, last = sum, from, k+1
			}
		} else {
			sum--
		}
	}
	least := 18
	if last > first && g.pieces[first+1].lo-g.pieces[first].hi >= 3 {
		least = 10 // nothing ordinary is as long
	}
	if most < least {
		return 0, 0
	}
	return first, last
}

// unglue writes a part without its glue: with a blank in its place if the pieces
// are words, with nothing if they are parts of words.
func (s *Scanner) unglue(layer int, g *gluer, glue uint32, first, last int) {
	words := g.words(first, last)
	if words && !g.everywhere(glue, first, last) {
		return
	}
	if words && glue == blankGlue || !words && bytes.ContainsAny(g.b[g.pieces[first].hi:g.pieces[first+1].lo], "0123456789") {
		return
	}
	f := s.begin(layer)
	lo, _ := lines(g.b, span{g.pieces[first].lo, g.pieces[first].lo}, 2*block)
	f.copy(g.b[lo:g.opening(first, lo)], lo)
	for k := first; k <= last; {
		end := k
		for end < last && g.glue[end] == glue && !words {
			end++
		}
		s.compound(f, g, k, end)
		if end < last {
			f.space(g, end, words)
		}
		k = end + 1
	}
	end := g.pieces[last].hi
	_, hi := lines(g.b, span{end, end}, 2*block)
	f.copy(g.b[end:hi], end)
	s.work += 3 * (hi - lo)
	s.offer(layer, "joined", language)
}

// opening returns where the first of glued pieces begins, with what stands before
// it; a quotation mark that the glue has as well is part of a program.
func (g *gluer) opening(first, lo int) int {
	i := g.pieces[first].lo
	if c := g.b[g.pieces[first].hi]; i > lo && (c == '"' || c == '\'' || c == '`') && g.b[i-1] == c {
		return i - 1
	}
	return i
}

// space writes what stands after a piece where a word ends: its last sign that
// ends a sentence, and a blank.
func (f *frame) space(g *gluer, k int, words bool) {
	lo, hi := g.pieces[k].hi, g.pieces[k+1].lo
	if at := bytes.IndexAny(g.b[lo:hi], ".!?:,"); at >= 0 && !words {
		f.emit(g.b[lo+at], lo+at, 1)
	}
	f.emit(' ', lo, hi-lo)
}

// compound writes pieces as one, cut into words if it is none.
func (s *Scanner) compound(f *frame, g *gluer, from, to int) {
	at := len(f.raw)
	for k := from; k <= to; k++ {
		f.copy(g.b[g.pieces[k].lo:g.pieces[k].hi], g.pieces[k].lo)
	}
	w := f.raw[at:]
	if to == from || len(w) < 5 || len(w) > longestCut || known.has(w) || !s.cut(w) {
		return
	}
	f.raw, f.up.unit = f.raw[:at], 0
	f.up.cutBack(at)
	s.markCuts(len(w))
	n := 0
	for k := from; k <= to; k++ {
		for i := g.pieces[k].lo; i < g.pieces[k].hi; i++ {
			f.emit(g.b[i], i, 1)
			if n++; s.begins[n] < 0 && (k < to || i+1 < g.pieces[k].hi) {
				f.emit(' ', i+1, 0)
			}
		}
	}
}

// everywhere reports whether most gaps of a part are the glue.
func (g *gluer) everywhere(glue uint32, first, last int) bool {
	n := 0
	for k := first; k < last; k++ {
		if g.glue[k] == glue {
			n++
		}
	}
	return 10*n >= 6*(last-first)
}

// words reports whether most pieces are words.
func (g *gluer) words(first, last int) bool {
	n, letters := 0, 0
	for k := first; k <= last; k++ {
		p := g.pieces[k]
		if p.hi-p.lo == 1 {
			letters++
		} else if known.has(g.b[p.lo:p.hi]) {
			n++
		}
	}
	all := last + 1 - first
	return 2*letters < all && 10*n >= 6*all
}

// scattered reports a word in which letters and signs that are not ASCII take
// turns: letters with an emoji between.
func scattered(w []byte) bool {
	n := 0
	for i := 1; i < len(w); i++ {
		if w[i-1] >= utf8.RuneSelf && letterOf[w[i]] < noLetter {
			n++
		}
	}
	return n >= 5
}
