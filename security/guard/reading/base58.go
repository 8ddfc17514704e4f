package reading

// digits58 are the digits of base58 as Bitcoin writes it: no 0, O, I and l.
const digits58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// digit58 maps a byte to its value, 58 if it is no digit.
var digit58 = func() (t [256]uint8) {
	for c := range t {
		t[c] = 58
	}
	for k := range len(digits58) {
		t[digits58[k]] = uint8(k)
	}
	return t
}()

// Lengths of words that are tried: shorter ones are names of things, and the work
// grows with the square.
const (
	least58 = 24
	most58  = 600
)

// base58 decodes long words of its digits. All of one came from all of the word,
// since each digit changes every byte.
func (s *Scanner) base58(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += len(b)
	for i := 0; i < len(b) && !s.stopped; i++ {
		start, kinds, digits := i, uint8(0), true
		for ; i < len(b) && wordOf[b[i]] != 0; i++ {
			kinds |= wordOf[b[i]]
			digits = digits && digit58[b[i]] < 58
		}
		if n := i - start; digits && n >= least58 && n <= most58 && kinds&inUpper != 0 && kinds&inLower != 0 && kinds&inDigit != 0 {
			s.word58(layer, b, start, i)
		}
	}
}

// word58 decodes one word: five digits at a time are added to a long number.
func (s *Scanner) word58(layer int, b []byte, lo, hi int) {
	var limbs [most58 * 6 / 32]uint32
	n := 0
	for i := lo; i < hi; {
		mul, add := uint64(1), uint64(0)
		for k := 0; k < 5 && i < hi; k++ {
			mul, add, i = mul*58, add*58+uint64(digit58[b[i]]), i+1
		}
		for k := range n {
			add += uint64(limbs[k]) * mul
			limbs[k] = uint32(add) //nolint:gosec // the rest is carried
			add >>= 32
		}
		for ; add > 0 && n < len(limbs); add >>= 32 {
			limbs[n] = uint32(add) //nolint:gosec // the rest is carried
			n++
		}
	}
	s.work += 8 * (hi - lo) * (n/8 + 1)
	f := s.begin(layer)
	for k := n - 1; k >= 0; k-- {
		for shift := 24; shift >= 0; shift -= 8 {
			if c := byte(limbs[k] >> shift); c != 0 || len(f.raw) > 0 {
				f.raw = append(f.raw, c)
			}
		}
	}
	if len(f.raw) > 0 {
		f.up.add(0, lo, len(f.raw), hi-lo, 1)
	}
	s.offer(layer, "base58", text)
}
