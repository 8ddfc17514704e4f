package reading

// codes decodes characters written as numbers: hexadecimal, decimal, octal or
// binary, with blanks, commas or prefixes between them.
func (s *Scanner) codes(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	for i := 0; i < len(b) && !s.stopped; {
		if wordOf[b[i]]&inHex == 0 || i > 0 && wordOf[b[i-1]]&(inOther|inHex|inHigh) != 0 && !prefixed(b, i) {
			i++
			continue
		}
		i = s.numbers(layer, b, i)
	}
}

// prefixed reports whether "0x" or "x" of an escape stands directly before i.
func prefixed(b []byte, i int) bool {
	return i >= 2 && b[i-1] == 'x' && (b[i-2] == '0' || b[i-2] == '\\')
}

// A list is a list of numbers.
type list struct {
	hi      int
	groups  int
	digits  int
	decimal bool // no letters
	octal   bool
	binary  bool
	two     bool // each an even number of digits
	longest int
}

// numbers measures the list at i, decodes it, and returns where it ends.
func (s *Scanner) numbers(layer int, b []byte, i int) int {
	l := numberList(b, i)
	s.work += 4 * (l.hi - i)
	if l.digits < 10 {
		return max(l.hi, i+1)
	}
	switch {
	case l.binary && l.digits >= 32 && s.binary(layer, b, i, l.hi, 8):
	case l.binary && l.digits >= 32 && s.binary(layer, b, i, l.hi, 7):
	case l.decimal && l.groups >= 6 && l.longest <= 3 && s.decimal(layer, b, i, l.hi, 10, "decimal"):
	case l.octal && l.groups >= 6 && l.longest <= 4 && s.decimal(layer, b, i, l.hi, 8, "octal"):
	case l.decimal && l.groups == 1 && l.digits >= 24 && s.triples(layer, b, i, l.hi):
	case l.two && s.hex(layer, b, i, l.hi):
	case l.two && l.groups == 1 && s.turnedHex(layer, b, i, l.hi):
	}
	return max(l.hi, i+1)
}

// numberList reads numbers that stand at most three signs apart.
func numberList(b []byte, i int) list {
	l := list{hi: i, decimal: true, octal: true, binary: true, two: true}
	for k := i; k < len(b); {
		if k+1 < len(b) && (b[k] == '0' || b[k] == '\\') && (b[k+1] == 'x' || b[k+1] == 'X') {
			k += 2
			l.decimal, l.octal = false, false
		}
		end := k
		var all uint8
		top := byte('0')
		for end < len(b) && wordOf[b[end]]&inHex != 0 {
			all |= wordOf[b[end]]
			top = max(top, lowerOf[b[end]])
			end++
		}
		if end == k || end < len(b) && wordOf[b[end]]&(inOther|inHigh) != 0 {
			return l
		}
		n := end - k
		l.hi, l.groups, l.digits, l.longest = end, l.groups+1, l.digits+n, max(l.longest, n)
		l.decimal = l.decimal && all&(inLower|inUpper) == 0
		l.octal = l.octal && top <= '7'
		l.binary = l.binary && top <= '1'
		l.two = l.two && n%2 == 0
		k = end
		for k < len(b) && k < end+3 && apart(b[k]) {
			k++
		}
		if k == end && !(k+1 < len(b) && b[k] == '\\') {
			return l
		}
	}
	return l
}

func apart(c byte) bool {
	switch c {
	case ' ', '\n', ',', ':', ';', '-', '.', '/', '|', '_', '"', '\'':
		return true
	}
	return false
}

// hex decodes pairs of hexadecimal digits.
func (s *Scanner) hex(layer int, b []byte, lo, hi int) bool {
	f := s.begin(layer)
	for i := lo; i+1 < hi; {
		if b[i] == '0' && (b[i+1] == 'x' || b[i+1] == 'X') {
			i += 2
			continue
		}
		c, ok := hexPair(b[i:])
		if !ok {
			i++
			continue
		}
		f.emit(c, i, 2)
		i += 2
	}
	return s.offer(layer, "hex", text)
}

// turnedHex decodes digits from the last to the first.
func (s *Scanner) turnedHex(layer int, b []byte, lo, hi int) bool {
	f := s.begin(layer)
	for i := hi; i-2 >= lo; i -= 2 {
		c, ok := hexPair([]byte{b[i-1], b[i-2]})
		if !ok || c < '\t' || c == 0x7F {
			return false
		}
		f.emit(c, i-2, 2)
	}
	return s.offer(layer, "reversed > hex", text)
}

func hexPair(b []byte) (byte, bool) {
	if len(b) < 2 || wordOf[b[0]]&inHex == 0 || wordOf[b[1]]&inHex == 0 {
		return 0, false
	}
	return hexDigit(b[0])<<4 | hexDigit(b[1]), true
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lowerOf[c] - 'a' + 10
}

// decimal decodes numbers of characters in a base of ten or eight.
func (s *Scanner) decimal(layer int, b []byte, lo, hi int, base rune, name string) bool {
	f := s.begin(layer)
	for i := lo; i < hi; {
		if wordOf[b[i]]&inDigit == 0 {
			i++
			continue
		}
		from, r := i, rune(0)
		for i < hi && wordOf[b[i]]&inDigit != 0 && r < 1<<20 {
			r = r*base + rune(b[i]-'0')
			i++
		}
		f.emitRune(r, from, i-from)
	}
	return s.offer(layer, name, language)
}

// binary decodes digits of one bit, some of which make a character.
func (s *Scanner) binary(layer int, b []byte, lo, hi, bits int) bool {
	f := s.begin(layer)
	var acc byte
	n, from := 0, lo
	for i := lo; i < hi; i++ {
		if b[i] != '0' && b[i] != '1' {
			continue
		}
		if n == 0 {
			from = i
		}
		acc = acc<<1 | (b[i] - '0')
		if n++; n == bits {
			f.emit(acc, from, i+1-from)
			acc, n = 0, 0
		}
	}
	return n == 0 && s.offer(layer, "binary", text)
}
