package reading

import "unicode/utf8"

// unseen reads what characters that show nothing spell, and what direction
// controls let appear in another order.
func (s *Scanner) unseen(layer int) {
	has := s.frames[layer].has
	if has.tags >= 4 {
		s.smuggled(layer, "tags", func(r rune) (byte, bool) {
			return byte(r), 0xE0020 <= r && r <= 0xE007E
		})
	}
	if has.selectors >= 4 {
		s.smuggled(layer, "variation selectors", selector)
	}
	if has.bits >= 32 {
		s.bits(layer)
	}
	if has.override {
		s.displayed(layer)
	}
}

// selector maps the 256 variation selectors to bytes.
func selector(r rune) (byte, bool) {
	switch {
	case 0xFE00 <= r && r <= 0xFE0F:
		return byte(r - 0xFE00), true
	case 0xE0100 <= r && r <= 0xE01EF:
		return byte(r - 0xE0100 + 16), true
	}
	return 0, false
}

func (s *Scanner) smuggled(layer int, name string, spell func(rune) (byte, bool)) {
	src := s.frames[layer].raw
	s.work += len(src)
	f := s.beginRaw(layer)
	for i := 0; i < len(src); {
		if src[i] < 0xE0 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		if b, ok := spell(r); ok {
			f.emit(b, i, n)
		}
		i += n
	}
	s.offer(layer, name, text)
}

// bits reads two invisible characters as the digits of binary numbers, either
// way round.
func (s *Scanner) bits(layer int) {
	src := s.frames[layer].raw
	s.work += 2 * len(src)
	for _, flip := range []byte{0, 1} {
		f := s.beginRaw(layer)
		var zero rune
		var acc byte
		n, from := 0, 0
		for i := 0; i < len(src); {
			if src[i] < 0xE2 {
				i++
				continue
			}
			r, k := utf8.DecodeRune(src[i:])
			if bitSign(r) {
				if zero == 0 {
					zero = r
				}
				if n == 0 {
					from = i
				}
				acc = acc<<1 | flip
				if r != zero {
					acc ^= 1
				}
				if n++; n == 8 {
					f.emit(acc, from, i+k-from)
					acc, n = 0, 0
				}
			}
			i += k
		}
		if s.offer(layer, "invisible bits", text) {
			return
		}
	}
}

func bitSign(r rune) bool {
	return r == 0x200B || r == 0x200C || r == 0x200D || r == 0xFEFF || 0x2060 <= r && r <= 0x2064 || r == 0x200E || r == 0x200F
}

// displayed reads what stands after a right-to-left override in the order in
// which it is displayed.
func (s *Scanner) displayed(layer int) {
	src := s.frames[layer].raw
	s.work += 2 * len(src)
	f := s.beginRaw(layer)
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		i += n
		if r != 0x202E {
			continue
		}
		end := i
		for end < len(src) {
			r, n := utf8.DecodeRune(src[end:])
			if r == 0x202C || r == 0x202D || r == 0x2069 {
				break
			}
			end += n
		}
		f.backwards(src, i, end)
		f.emit('\n', end, 0)
		i = end
	}
	s.offer(layer, "reversed", certainly)
}

// backwards writes a part of a text from its last character to its first.
func (f *frame) backwards(b []byte, lo, hi int) {
	for i := hi; i > lo; {
		_, n := utf8.DecodeLastRune(b[lo:i])
		at := len(f.raw)
		f.up.add(at, i, n, -n, 1)
		f.raw = append(f.raw, b[i-n:i]...)
		i -= n
	}
}
