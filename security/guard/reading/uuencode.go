package reading

import "bytes"

// uuencoded decodes lines that begin with their length and hold three bytes in
// four characters, as uuencode writes them (POSIX).
func (s *Scanner) uuencoded(layer int) {
	b := s.frames[layer].raw
	s.work += 2 * len(b)
	f := s.beginRaw(layer)
	for i := 0; i < len(b); {
		end := len(b)
		if k := bytes.IndexByte(b[i:], '\n'); k >= 0 {
			end = i + k
		}
		if !f.uuLine(b, i, end) && len(f.raw) > 0 {
			if s.offer(layer, "uuencode", text); s.stopped {
				return
			}
			f = s.beginRaw(layer)
		}
		i = end + 1
	}
	s.offer(layer, "uuencode", text)
}

// uuLine decodes one line and reports whether it was one of at least eight bytes.
// Blanks at its end may have been cut off.
func (f *frame) uuLine(b []byte, lo, hi int) bool {
	if hi > lo && b[hi-1] == '\r' {
		hi--
	}
	if hi-lo < 9 {
		return hi-lo >= 5 && len(f.raw) > 0 && f.uuDigits(b, lo, hi)
	}
	return f.uuDigits(b, lo, hi)
}

func (f *frame) uuDigits(b []byte, lo, hi int) bool {
	n := int(b[lo]-' ') & 63
	if length := 1 + (n+2)/3*4; b[lo] <= ' ' || b[lo] > '`' || n == 0 || hi-lo > length || hi-lo < length-2 {
		return false
	}
	for _, c := range b[lo:hi] {
		if c < ' ' || c > '`' {
			return false
		}
	}
	for i := lo + 1; n > 0; i, n = i+4, n-3 {
		var acc uint32
		for k := i; k < i+4; k++ {
			acc <<= 6
			if k < hi {
				acc |= uint32(b[k]-' ') & 63
			}
		}
		f.triple(acc, min(n, 3), i, min(i+4, hi))
	}
	return true
}
