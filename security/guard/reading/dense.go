package reading

import (
	"bytes"
	"unicode/utf8"
)

// dense reads rows of visible characters without a blank that hold text in 85
// digits, as Adobe (btoa) and RFC 1924 write them.
func (s *Scanner) dense(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	for i := 0; i < len(b) && !s.stopped; {
		for i < len(b) && kindOf[b[i]] != visible {
			i++
		}
		start := i
		for i < len(b) && (kindOf[b[i]] == visible || b[i] == '\n' && i-start >= 40 && solid(b, i+1)) {
			i++
		}
		if i-start >= leastDense {
			s.eightyFive(layer, b, start, i)
		}
	}
}

// solid reports whether the line at i is one row of visible characters, at most
// as long as lines are wrapped.
func solid(b []byte, i int) bool {
	start := i
	for i < len(b) && i-start <= 128 && kindOf[b[i]] == visible {
		i++
	}
	return i > start && (i == len(b) || b[i] == '\n')
}

const leastDense = 30

// digits85 are the digits of RFC 1924.
const digits85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"

// digit85 maps a byte to its value among the digits of RFC 1924, 85 if it is none.
var digit85 = func() (t [256]uint8) {
	for c := range t {
		t[c] = 85
	}
	for k := range len(digits85) {
		t[digits85[k]] = uint8(k)
	}
	return t
}()

func (s *Scanner) eightyFive(layer int, b []byte, lo, hi int) {
	if bytes.HasPrefix(b[lo:hi], []byte("<~")) {
		lo += 2
	}
	if k := bytes.Index(b[lo:hi], []byte("~>")); k >= 0 {
		hi = lo + k
	}
	if f := s.begin(layer); f.stream85(b, lo, hi, adobe85) {
		s.offer(layer, "base85", text)
	}
	if f := s.begin(layer); f.stream85(b, lo, hi, func(c byte) uint8 { return digit85[c] }) {
		s.offer(layer, "base85", text)
	}
}

func adobe85(c byte) uint8 {
	if c < '!' || c > 'u' {
		return 85
	}
	return c - '!'
}

// stream85 decodes groups of five digits, four bytes each, and gives up as soon
// as they make no text.
func (f *frame) stream85(b []byte, lo, hi int, digit func(byte) uint8) bool {
	var acc uint64
	n, from := 0, lo
	for i := lo; i < hi; i++ {
		if b[i] == '\n' {
			continue
		}
		d := digit(b[i])
		if d == 85 {
			return false
		}
		if n == 0 {
			from = i
		}
		acc = acc*85 + uint64(d)
		if n++; n == 5 {
			if acc > 1<<32-1 || !f.quad(acc, 4, from, i+1) {
				return false
			}
			acc, n = 0, 0
		}
	}
	if n > 1 {
		k := n - 1
		for ; n < 5; n++ {
			acc = acc*85 + 84
		}
		return f.quad(acc, k, from, hi)
	}
	return true
}

// quad writes the n first of four bytes and reports whether they can be text.
func (f *frame) quad(acc uint64, n, lo, hi int) bool {
	f.up.add(len(f.raw), lo, n, hi-lo, 1)
	for k := range n {
		c := byte(acc >> (24 - 8*k))
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7F {
			return false
		}
		f.raw = append(f.raw, c)
	}
	return true
}

// rot47 turns every visible character by 47 places, where that makes words of
// what has signs and digits in the middle of its words.
func (s *Scanner) rot47(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 3 * len(b)
	const part = 4 * block
	for lo := 0; lo < len(b) && !s.stopped; {
		hi := lo
		for hi < len(b) && gain47(b[hi:min(len(b), hi+part)]) {
			hi = min(len(b), hi+part)
		}
		if hi == lo {
			lo = min(len(b), lo+part)
			continue
		}
		start, end := lines(b, span{lo, hi}, part)
		f := s.begin(layer)
		f.copy(b[start:end], start)
		for i, c := range f.raw {
			if kindOf[c] == visible {
				f.raw[i] = turn47(c)
			}
		}
		s.offer(layer, "rot47", language)
		lo = end
	}
}

func turn47(c byte) byte { return '!' + (c-'!'+47)%94 }

// gain47 reports whether a part is far likelier when its characters are turned.
func gain47(b []byte) bool {
	var as, turned tally
	a, t := uint(noLetter), uint(noLetter)
	letters, blanks := 0, 0
	for _, c := range b {
		cur := uint(letterOf[c])
		as += pairs[(a<<5|cur)&1023]
		a = cur
		k := cur
		switch {
		case kindOf[c] == visible:
			k = uint(letterOf[turn47(c)])
		case c == ' ' || c == '\n':
			blanks++
		}
		if k < noLetter {
			letters++
		}
		turned += pairs[(t<<5|k)&1023]
		t = k
	}
	n, likely, _ := turned.parts()
	_, plain, _ := as.parts()
	return n >= 16 && 10*(letters+blanks) >= 8*len(b) && blanks*12 >= letters && 10*likely >= 20*n && likely-plain >= 40
}

// utf7 reads the shifts of UTF-7 (RFC 2152): "+AGkAZw-".
func (s *Scanner) utf7(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 3 * len(b)
	f := s.begin(layer)
	shifts := 0
	for i := 0; i < len(b); {
		if b[i] != '+' || i+3 >= len(b) {
			f.emit(b[i], i, 1)
			i++
			continue
		}
		end := i + 1
		for end < len(b) && digit64[b[end]] >= 0 && b[end] != '-' {
			end++
		}
		if !f.units(b, i+1, end) {
			f.emit(b[i], i, 1)
			i++
			continue
		}
		shifts++
		if i = end; i < len(b) && b[i] == '-' {
			i++
		}
	}
	if shifts >= 3 {
		s.offer(layer, "utf-7", text)
	}
}

// units decodes base64 of characters of two bytes. If there is another in it, it
// writes nothing and reports false.
func (f *frame) units(b []byte, lo, hi int) bool {
	if hi-lo < 3 {
		return false
	}
	at := len(f.raw)
	var acc uint32
	bits, from := 0, lo
	for i := lo; i < hi; i++ {
		acc = acc<<6 | uint32(digit64[b[i]])
		if bits += 6; bits >= 16 {
			bits -= 16
			r := rune(acc >> bits & 0xFFFF)
			if r < ' ' && r != '\n' && r != '\t' || 0x7F <= r && r < 0xA0 || 0xD800 <= r && r < 0xE000 || r > 0x2FFF {
				f.raw = f.raw[:at]
				f.up.cutBack(at)
				return false
			}
			f.emitRune(r, from, i+1-from)
			from = i + 1
			if bits > 0 {
				from = i
			}
		}
	}
	return len(f.raw) > at
}

// namedLetter reads \N{LATIN SMALL LETTER A}, as Python and Perl write it.
func namedLetter(b []byte) (rune, int) {
	const prefix = `\N{`
	if !bytes.HasPrefix(b, []byte(prefix)) {
		return 0, 0
	}
	end := bytes.IndexByte(b[:min(len(b), 48)], '}')
	if end < 0 {
		return 0, 0
	}
	name := b[len(prefix):end]
	last := name[bytes.LastIndexByte(name, ' ')+1:]
	switch {
	case bytes.HasPrefix(name, []byte("LATIN ")) && len(last) == 1:
		c := rune(lowerOf[last[0]])
		if bytes.Contains(name, []byte("CAPITAL")) {
			c = rune(last[0])
		}
		return c, end + 1
	case bytes.Equal(last, []byte("STOP")):
		return '.', end + 1
	case bytes.Equal(last, []byte("COMMA")):
		return ',', end + 1
	case bytes.Equal(last, []byte("APOSTROPHE")):
		return '\'', end + 1
	case len(name) > 3 && len(name) < utf8.UTFMax*10:
		return ' ', end + 1
	}
	return 0, 0
}
