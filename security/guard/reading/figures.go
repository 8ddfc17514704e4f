package reading

// figures decodes numbers of characters that are written with something around
// each: "chr(105)+chr(103)", "U+0069 U+0067", "\x{69}", "69h 67h", "0o151", or the
// places of letters in the alphabet: "9-7-14-15-18-5".
func (s *Scanner) figures(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 4 * len(b)
	var g figures
	for i := 0; i < len(b) && !s.stopped; {
		n, ok := g.next(b, i)
		if ok {
			i = n
			continue
		}
		if g.n >= leastFigures {
			s.figured(layer, &g)
		}
		i = n
		g.n = 0
	}
	if g.n >= leastFigures && !s.stopped {
		s.figured(layer, &g)
	}
}

const (
	leastFigures = 10
	mostFigures  = 2048
)

// figures are the numbers of a row with what stands between them.
type figures struct {
	b     []byte
	at    [mostFigures]span
	gap   [mostFigures]uint32 // before each
	n     int
	other int // gaps unlike the last two, lately
	top   byte
	hex   bool
	long  int
}

// next takes the next number at or after i. Where the row does not go on, it
// reports false and where to go on after it.
func (g *figures) next(b []byte, i int) (int, bool) {
	g.b = b
	start := i
	h := uint32(2166136261)
	for i < len(b) && i-start <= longestGlue {
		if k := figure(b, i); k > 0 {
			return g.add(start, i, k, h)
		}
		k := i + 1
		if wordOf[b[i]]&(inLower|inUpper|inDigit) != 0 {
			for k < len(b) && wordOf[b[k]]&(inLower|inUpper|inDigit) != 0 && k-start <= longestGlue {
				k++
			}
		}
		for ; i < k; i++ {
			h = (h ^ uint32(b[i])) * 16777619
		}
	}
	for i < len(b) && wordOf[b[i]]&inDigit == 0 && (i == 0 || wordOf[b[i-1]]&(inLower|inUpper|inDigit) != 0 || figure(b, i) == 0) {
		i++
	}
	return max(i, start+1), false
}

func (g *figures) add(start, i, end int, h uint32) (int, bool) {
	if g.n == 0 {
		g.top, g.hex, g.long, g.other = '0', false, 0, 0
	} else if g.n == mostFigures {
		return start, false
	} else if g.n > 1 && h != g.gap[g.n-1] && (g.n < 3 || h != g.gap[g.n-2]) && i-start > 3 {
		if g.other++; g.other > 3 {
			return start, false
		}
	} else if g.other > 0 {
		g.other--
	}
	lo, hi := i, end
	if hi-lo > 2 && b0x(g.b[lo:hi]) {
		lo += 2
	}
	if hi-lo > 1 && (g.b[hi-1] == 'h' || g.b[hi-1] == 'H') {
		hi--
		g.hex = true
	}
	for _, c := range g.b[lo:hi] {
		g.top = max(g.top, lowerOf[c])
	}
	g.long = max(g.long, hi-lo)
	g.at[g.n], g.gap[g.n] = span{lo, hi}, h
	g.n++
	return end, true
}

// b0x reports a prefix of a number: 0x, 0o, 0b.
func b0x(w []byte) bool {
	c := lowerOf[w[1]]
	return w[0] == '0' && (c == 'x' || c == 'o' || c == 'b' && len(w) > 6)
}

// figure returns the end of the number at i, 0 if there is none: digits, perhaps
// hexadecimal ones, with a prefix or an h behind.
func figure(b []byte, i int) int {
	if i > 0 && wordOf[b[i-1]]&(inLower|inUpper|inDigit) != 0 && (b[i-1] != 'u' && b[i-1] != 'x' && b[i-1] != 'U' || i < 2 || b[i-2] != '\\' && b[i-2] != '%') {
		return 0
	}
	k := i
	if k+2 < len(b) && b[k] == '0' && (lowerOf[b[k+1]] == 'x' || b[k+1] == 'o' || b[k+1] == 'b' && (b[k+2] == '0' || b[k+2] == '1')) {
		k += 2
	}
	digits, start := 0, k
	for k < len(b) && k-start <= 8 && wordOf[b[k]]&inHex != 0 {
		if wordOf[b[k]]&inDigit != 0 {
			digits++
		}
		k++
	}
	n := k - start
	if k < len(b) && (b[k] == 'h' || b[k] == 'H') && n == 2 {
		k++
	}
	if n == 0 || n > 9 || k < len(b) && wordOf[b[k]]&(inLower|inUpper|inDigit|inHigh) != 0 || digits == 0 && n != 2 || digits < n && n%2 != 0 {
		return 0
	}
	return k
}

// figured decodes a row as the numbers of characters in the likeliest base.
func (s *Scanner) figured(layer int, g *figures) {
	s.work += 4 * (g.at[g.n-1].hi - g.at[0].lo)
	switch {
	case g.hex || g.top > '9':
		s.characters(layer, g, 16, "hex")
	case g.top <= '1' && g.long >= 5:
		s.characters(layer, g, 2, "binary")
	case s.characters(layer, g, 10, "decimal"):
	case s.alphabet(layer, g):
	case g.top <= '5' && g.long == 2 && s.square(layer, g):
	case g.top <= '7' && s.characters(layer, g, 8, "octal"):
	default:
		s.characters(layer, g, 16, "hex")
	}
}

// characters decodes the numbers as code points in a base, if all are of
// characters that can be printed.
func (s *Scanner) characters(layer int, g *figures, base rune, name string) bool {
	f := s.begin(layer)
	for _, p := range g.at[:g.n] {
		r := number(g.b[p.lo:p.hi], base)
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r > 0x10FFFF || r >= 0x7F && r < 0xA0 {
			return false
		}
		f.emitRune(r, p.lo, p.hi-p.lo)
	}
	return s.offer(layer, name, language)
}

func number(w []byte, base rune) rune {
	var r rune
	for _, c := range w {
		d := rune(hexDigit(c))
		if d >= base || r > 0x10FFFF {
			return 1 << 30
		}
		r = r*base + d
	}
	return r
}

// alphabet decodes places in the alphabet. Where another gap stands than usual, a
// word ends.
func (s *Scanner) alphabet(layer int, g *figures) bool {
	same := 0
	for k := 2; k < g.n; k++ {
		if g.gap[k] == g.gap[1] {
			same++
		}
	}
	usual := g.gap[1]
	if 2*same < g.n-2 {
		usual = g.gap[2]
	}
	f := s.begin(layer)
	for k, p := range g.at[:g.n] {
		r := number(g.b[p.lo:p.hi], 10)
		if r < 1 || r > 26 {
			return false
		}
		if k > 0 && g.gap[k] != usual {
			f.emit(' ', g.at[k-1].hi, p.lo-g.at[k-1].hi)
		}
		f.emit('a'-1+byte(r), p.lo, p.hi-p.lo)
	}
	return different(f.raw) >= 6 && s.offer(layer, "places in the alphabet", language)
}

// square decodes rows and columns of a square of five by five letters, in which i
// and j share a field (Polybius). Where another gap stands than usual, a word ends.
func (s *Scanner) square(layer int, g *figures) bool {
	f := s.begin(layer)
	for k, p := range g.at[:g.n] {
		r := number(g.b[p.lo:p.hi], 10)
		row, column := r/10-1, r%10-1
		if row < 0 || row > 4 || column < 0 || column > 4 {
			return false
		}
		if k > 1 && g.gap[k] != g.gap[1] {
			f.emit(' ', g.at[k-1].hi, p.lo-g.at[k-1].hi)
		}
		c := 'a' + byte(5*row+column) //nolint:gosec // below 25
		if c >= 'j' {
			c++
		}
		f.emit(c, p.lo, p.hi-p.lo)
	}
	return different(f.raw) >= 6 && s.offer(layer, "polybius square", language)
}

// triples decodes a long row of digits, three for each character.
func (s *Scanner) triples(layer int, b []byte, lo, hi int) bool {
	if (hi-lo)%3 != 0 {
		return false
	}
	f := s.begin(layer)
	for i := lo; i < hi; i += 3 {
		r := number(b[i:i+3], 10)
		if r < ' ' && r != '\n' || r > 255 {
			return false
		}
		f.emit(byte(r), i, 3)
	}
	return s.offer(layer, "decimal", language)
}

// dump decodes a hexadecimal dump: lines that begin with an offset, and may end
// with the text itself in pieces.
func (s *Scanner) dump(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	f := s.begin(layer)
	rows := 0
	for i := 0; i < len(b); {
		end := i
		for end < len(b) && b[end] != '\n' {
			end++
		}
		if n := offset(b[i:end]); n > 0 {
			if dumped(f, b, i+n, end) {
				rows++
			}
		}
		i = end + 1
	}
	if rows >= 2 {
		s.offer(layer, "hex", text)
	}
}

// offset returns how long the offset at the beginning of a line is, with what
// ends it.
func offset(line []byte) int {
	n := 0
	for n < len(line) && wordOf[line[n]]&inHex != 0 {
		n++
	}
	if n < 4 || n > 16 || n+3 > len(line) || line[n] != ':' && line[n] != ' ' {
		return 0
	}
	return n + 1
}

// dumped decodes the digits of one line, at most 32 bytes.
func dumped(f *frame, b []byte, i, end int) bool {
	n := 0
	for i < end && n < 32 {
		if b[i] == ' ' {
			i++
			continue
		}
		k := i
		for k < end && wordOf[b[k]]&inHex != 0 {
			k++
		}
		if k == i || (k-i)%2 != 0 || k-i > 8 || k < end && b[k] != ' ' {
			break
		}
		for ; i < k; i += 2 {
			c, _ := hexPair(b[i:])
			f.emit(c, i, 2)
			n++
		}
	}
	return n >= 8
}
