package reading

// Each place of a text is read by a decoder once, so its work is linear.

// digit64 maps a byte to its value in either base64 alphabet (RFC 4648), -1 if
// it has none.
var digit64 = func() (t [256]int8) {
	for c := range 256 {
		t[c] = -1
		switch {
		case 'A' <= c && c <= 'Z':
			t[c] = int8(c - 'A')
		case 'a' <= c && c <= 'z':
			t[c] = int8(c - 'a' + 26)
		case '0' <= c && c <= '9':
			t[c] = int8(c - '0' + 52)
		case c == '+' || c == '-':
			t[c] = 62
		case c == '/' || c == '_':
			t[c] = 63
		}
	}
	return t
}()

// word64Of is wordOf for the bytes of base64 words, which have the bit of others
// as well; 0 for any other byte.
var word64Of = func() (t [256]uint8) {
	for c := range 256 {
		if digit64[c] >= 0 {
			t[c] = wordOf[c] | inHigh
		}
	}
	return t
}()

// A row is a row of words of one alphabet: base64 over several lines, or in
// pieces.
type row struct {
	lo, hi int // of the text
	words  int
	first  int // length of the first word
	even   bool
	digits int
}

// base64 decodes the rows of words that could be base64.
func (s *Scanner) base64(layer int) {
	p := &s.frames[layer].reading
	b := p.Cased
	s.work += len(b)
	long := 0
	for i := 0; i < len(b) && !s.stopped; {
		if word64Of[b[i]] == 0 {
			i++
			continue
		}
		end, odd := word64(b, i)
		if !odd {
			i = end
			continue
		}
		r := row64(b, i, end)
		if r.digits >= 8 {
			s.row64(layer, b, r)
		}
		if r.digits >= 16 {
			long++
		}
		i = r.hi
	}
	if long > 1 && !s.stopped {
		s.pieces64(layer)
	}
}

// word64 measures the word at i, which has at least one byte, and reports whether
// it looks like base64 rather than like a word of a language.
func word64(b []byte, i int) (end int, odd bool) {
	var rest uint8
	for end = i + 1; end < len(b); end++ {
		k := word64Of[b[end]]
		if k == 0 {
			break
		}
		rest |= k
	}
	all := word64Of[b[i]] | rest
	digits := end - i
	for end < len(b) && b[end] == '=' && end-i < digits+2 {
		end++
	}
	odd = all&inDigit != 0 && all&(inLower|inUpper) != 0 || rest&inUpper != 0 && all&inLower != 0 || end > i+digits
	return end, odd && digits >= 2
}

// row64 measures a row that begins with the word from i to end: words that look
// like base64 with at most a few signs between them, as in quoted pieces of program
// text.
func row64(b []byte, i, end int) row {
	r := row{lo: i, hi: end, words: 1, first: end - i, even: true, digits: end - i}
	for last := end - i; ; {
		k := r.hi
		for k < len(b) && k < r.hi+5 && between(b[k]) {
			k++
		}
		if k == r.hi || k == len(b) || digit64[b[k]] < 0 {
			return r
		}
		end, odd := word64(b, k)
		if !odd && end-k < 16 && end-k != r.first {
			return r
		}
		if last != r.first {
			r.even = false
		}
		last = end - k
		r.words, r.hi, r.digits = r.words+1, end, r.digits+end-k
	}
}

func between(c byte) bool {
	switch c {
	case ' ', '\n', ',', '"', '\'', '+', '\\', '>', '|', '.':
		return true
	}
	return false
}

// row64 decodes a row: as one stream, else each word by itself.
func (s *Scanner) row64(layer int, b []byte, r row) {
	s.work += 3 * (r.hi - r.lo)
	f := s.begin(layer)
	if r.words == 1 || r.even {
		f.stream64(b, r.lo, r.hi)
		if s.offer(layer, "base64", text) {
			return
		}
		if r.words == 1 {
			s.turned64(layer, b, r)
			return
		}
		f = s.begin(layer)
	}
	for i := r.lo; i < r.hi; {
		if digit64[b[i]] < 0 {
			i++
			continue
		}
		end, _ := word64(b, i)
		if len(f.raw) > 0 && f.raw[len(f.raw)-1] != ' ' {
			f.emit(' ', i, 0)
		}
		f.stream64(b, i, end)
		i = end
	}
	if s.offer(layer, "base64", text) {
		return
	}
	for i := r.lo; i < r.hi; {
		if digit64[b[i]] < 0 {
			i++
			continue
		}
		end, _ := word64(b, i)
		if end-i >= 12 {
			f := s.begin(layer)
			f.stream64(b, i, end)
			s.offer(layer, "base64", text)
		}
		i = end
	}
}

// turned64 tries a word from its end to its beginning, and with its letters
// turned by thirteen places.
func (s *Scanner) turned64(layer int, b []byte, r row) {
	if r.hi-r.lo < 16 {
		return
	}
	end := r.hi
	for end > r.lo && b[end-1] == '=' {
		end--
	}
	f := s.begin(layer)
	f.quads(end-r.lo, func(k int) (byte, int) { return b[end-1-k], end - 1 - k })
	if s.offer(layer, "reversed > base64", text) {
		return
	}
	f = s.begin(layer)
	f.quads(end-r.lo, func(k int) (byte, int) { return rot13(b[r.lo+k]), r.lo + k })
	s.offer(layer, "rot13 > base64", text)
}

func rot13(c byte) byte {
	if l := letterOf[c]; l < noLetter {
		return c - l + turns[13][l]
	}
	return c
}

// pieces64 decodes all long words of a text as one stream: base64 in pieces that
// have something else between them, such as names.
func (s *Scanner) pieces64(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += len(b)
	f := s.begin(layer)
	words, last := 0, 0
	x := sextets{f: f}
	for i := 0; i < len(b); {
		if digit64[b[i]] < 0 {
			i++
			continue
		}
		end, odd := word64(b, i)
		if !odd || end-i < 16 {
			i = end
			continue
		}
		if words > 0 && i-last > 64 {
			break
		}
		words++
		for ; i < end; i++ {
			if d := digit64[b[i]]; d >= 0 {
				x.take(d, i)
			}
		}
		last = end
	}
	x.end(last)
	if words > 1 {
		s.offer(layer, "base64", text)
	}
}

// stream64 decodes the digits between two places, whatever stands between them.
// A last digit that is too little for a byte is left out: cut texts are common.
func (f *frame) stream64(b []byte, lo, hi int) {
	x := sextets{f: f}
	for i := lo; i < hi; i++ {
		d := digit64[b[i]]
		if d < 0 || d >= 62 && i > lo && i+1 < hi && digit64[b[i-1]] < 0 && digit64[b[i+1]] < 0 { // " + "
			continue
		}
		x.take(d, i)
	}
	x.end(hi)
}

// sextets are digits of base64 on their way to bytes: four make three.
type sextets struct {
	f    *frame
	acc  uint32
	n    int
	from int // where the first of them stands
}

// take adds the digit at i.
func (x *sextets) take(d int8, i int) {
	if x.n == 0 {
		x.from = i
	}
	x.acc = x.acc<<6 | uint32(d) //nolint:gosec // not negative
	if x.n++; x.n == 4 {
		x.f.triple(x.acc, 3, x.from, i+1)
		x.acc, x.n = 0, 0
	}
}

// end writes what is left; a single digit is too little for a byte.
func (x *sextets) end(hi int) {
	if x.n > 1 {
		x.f.triple(x.acc<<(6*(4-x.n)), x.n-1, x.from, hi)
	}
}

// quads decodes n digits that at returns with their places, which may run
// backwards.
func (f *frame) quads(n int, at func(int) (byte, int)) {
	for k := 0; k+1 < n; k += 4 {
		var acc uint32
		m := min(4, n-k)
		lo, hi := 0, 0
		for j := range 4 {
			d := int8(0)
			if j < m {
				c, place := at(k + j)
				d = max(0, digit64[c])
				if j == 0 {
					lo, hi = place, place
				}
				lo, hi = min(lo, place), max(hi, place)
			}
			acc = acc<<6 | uint32(d)
		}
		f.triple(acc, m-1, lo, hi+1)
	}
}

// triple writes the n first of three bytes, which came from the source between
// two places.
func (f *frame) triple(acc uint32, n, lo, hi int) {
	if n < 1 {
		return
	}
	f.up.add(len(f.raw), lo, n, hi-lo, 1)
	f.raw = append(f.raw, byte(acc>>16), byte(acc>>8), byte(acc))
	f.raw = f.raw[:len(f.raw)-3+n]
}

// base32 decodes long words of its alphabet (RFC 4648): capitals or small
// letters, and the digits 2 to 7.
func (s *Scanner) base32(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += len(b)
	for i := 0; i < len(b) && !s.stopped; {
		if digit32(b[i]) < 0 {
			i++
			continue
		}
		j := i
		for j < len(b) && (digit32(b[j]) >= 0 || wrap32(b, i, j)) {
			j++
		}
		if j-i >= 12 && (j == len(b) || wordOf[b[j]] == 0 || wordOf[b[j]] == inBase) {
			f := s.begin(layer)
			f.stream32(b, i, j)
			s.work += 3 * (j - i)
			s.offer(layer, "base32", text)
		}
		for j < len(b) && b[j] == '=' {
			j++
		}
		i = max(j, i+1)
	}
}

// wrap32 reports a line end, or blank, within rows of the alphabet.
func wrap32(b []byte, i, j int) bool {
	return (b[j] == '\n' || b[j] == ' ') && j-i >= 8 && j+1 < len(b) && digit32(b[j+1]) >= 0 && 'a' > b[j+1] && 'a' > b[j-1]
}

func digit32(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c - 'a')
	case '2' <= c && c <= '7':
		return int(c-'2') + 26
	}
	return -1
}

// stream32 decodes groups of eight digits, five bytes each.
func (f *frame) stream32(b []byte, lo, hi int) {
	var acc uint64
	n, from := 0, lo
	for i := lo; i < hi; i++ {
		d := digit32(b[i])
		if d < 0 {
			continue
		}
		if n == 0 {
			from = i
		}
		acc = acc<<5 | uint64(d)
		if n++; n == 8 {
			f.quint(acc, 5, from, i+1)
			acc, n = 0, 0
		}
	}
	if n > 1 {
		f.quint(acc<<(5*(8-n)), n*5/8, from, hi)
	}
}

// quint writes the n first of five bytes.
func (f *frame) quint(acc uint64, n, lo, hi int) {
	if n < 1 {
		return
	}
	f.up.add(len(f.raw), lo, n, hi-lo, 1)
	f.raw = append(f.raw, byte(acc>>32), byte(acc>>24), byte(acc>>16), byte(acc>>8), byte(acc))
	f.raw = f.raw[:len(f.raw)-5+n]
}
