package reading

import "bytes"

// sifted reads parts in which letters of a text stand among others, or in another
// order: each letter twice, every other letter, the rails of a fence.
func (s *Scanner) sifted(layer int, part span) {
	b := s.frames[layer].reading.Cased
	lo, hi := lines(b, part, longestRail)
	if hi-lo < 16 {
		return
	}
	s.work += 4 * (hi - lo)
	if s.undoubled(layer, b, lo, hi) || s.alternate(layer, b, lo, hi) {
		return
	}
	s.rails(layer, part)
}

// undoubled reads words in which each letter stands twice: "iiggnnoorree".
func (s *Scanner) undoubled(layer int, b []byte, lo, hi int) bool {
	words, twice := 0, 0
	for i := lo; i < hi; {
		if letterOf[b[i]] >= noLetter {
			i++
			continue
		}
		start, all := i, true
		for i < hi && letterOf[b[i]] < noLetter {
			all = all && (i-start)%2 == 0 || i > start && lowerOf[b[i]] == lowerOf[b[i-1]]
			i++
		}
		words++
		if all && (i-start)%2 == 0 {
			twice++
		}
	}
	if twice < 3 || 5*twice < 4*words {
		return false
	}
	f := s.begin(layer)
	for i := lo; i < hi; i++ {
		if letterOf[b[i]] < noLetter && i+1 < hi && lowerOf[b[i]] == lowerOf[b[i+1]] {
			f.emit(b[i], i, 2)
			i++
			continue
		}
		f.copy(b[i:i+1], i)
	}
	return s.offer(layer, "doubled letters", language)
}

// gainOfSifted is how much likelier a text must become when letters are left out
// or put in another order, for each of its letters in tenths: chance does that
// to short ones.
const gainOfSifted = 8

// alternate reads every other character.
func (s *Scanner) alternate(layer int, b []byte, lo, hi int) bool {
	likely := tallied(b[lo:hi])
	for first := range 2 {
		f := s.begin(layer)
		for i := lo + first; i < hi; i += 2 {
			f.emit(b[i], i, 1)
		}
		if s.gained(f.raw, likely/2) && s.offer(layer, "every other letter", language) {
			return true
		}
	}
	return false
}

// gained reports whether what a decoder wrote is a language, and far likelier than
// what it was.
func (s *Scanner) gained(b []byte, before int) bool {
	pairs, likely, _ := measure(b).parts()
	return pairs >= 20 && 10*likely >= 19*pairs && 10*(likely-before) >= gainOfSifted*pairs && s.wordful(b)
}

// tallied is how likely a text is.
func tallied(b []byte) int {
	_, likely, _ := measure(b[:min(len(b), 1<<15)]).parts()
	return likely
}

// wordful reports whether a text consists of words, most of them known ones, or of
// such without blanks: letters in another order are likely by chance now and then.
func (s *Scanner) wordful(b []byte) bool {
	letters, blanks, right := 0, 0, 0
	for i := 0; i < len(b); {
		if letterOf[b[i]] >= noLetter {
			if b[i] == ' ' {
				blanks++
			}
			i++
			continue
		}
		start := i
		for i < len(b) && letterOf[b[i]] < noLetter {
			i++
		}
		letters += i - start
		if w := b[start:i]; len(w) > longestKnown && len(w) <= longestCut {
			if s.cut(w) {
				right += len(w)
			}
		} else if known.has(w) {
			right += len(w)
		}
	}
	return 10*(letters+blanks) >= 9*len(b) && 2*right >= letters
}

const (
	mostRails   = 5
	longestRail = 600 // bytes of a text that was written in zigzag
)

// rails reads lines that were written down and up on a few rails and then copied
// rail by rail, blanks and all: so they are read as they were before folding.
func (s *Scanner) rails(layer int, part span) {
	f := &s.frames[layer]
	b := f.raw
	part.lo, part.hi = f.folder.trail.span(part.lo, part.hi)
	lo, end := lines(b, part, longestRail)
	for lo < end && !s.stopped {
		hi := end
		if k := bytes.IndexByte(b[lo:end], '\n'); k >= 0 {
			hi = lo + k
		}
		if n := hi - lo; n >= 24 && n <= longestRail {
			s.fence(layer, b, lo, hi)
		}
		lo = hi + 1
	}
}

// fence tries numbers of rails on one line.
func (s *Scanner) fence(layer int, b []byte, lo, hi int) {
	n := hi - lo
	before := tallied(b[lo:hi])
	for rails := 2; rails <= mostRails && 3*rails < n; rails++ {
		s.work += 4 * n
		var order [longestRail]int32
		k, period := 0, 2*(rails-1)
		for rail := range rails {
			for i := rail; i < n; {
				order[i] = int32(k) //nolint:gosec // a line is short
				k++
				if step := period - 2*(i%period); rail > 0 && rail < rails-1 && i%period <= rail {
					i += step
				} else if rail > 0 && rail < rails-1 {
					i += 2 * rail
				} else {
					i += period
				}
			}
		}
		f := s.beginRaw(layer)
		for _, from := range order[:n] {
			f.emit(b[lo+int(from)], lo+int(from), 1)
		}
		if s.gained(f.raw, before) && s.offer(layer, "rail fence", language) {
			return
		}
	}
}
