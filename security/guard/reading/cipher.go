package reading

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// letters undoes what was done to every letter: a cipher, or a text read
// backwards. The survey says where letters do not follow each other as they do
// in a language.
func (s *Scanner) letters(layer int, v *survey) {
	for _, part := range v.backwards.list() {
		s.reversed(layer, part)
	}
	for _, part := range v.unlikely.list() {
		s.ciphers(layer, part)
	}
	if s.frames[layer].has.turned >= 3 {
		s.upsideDown(layer)
	}
	b := s.frames[layer].reading.Text
	s.work += 2 * len(b)
	if bytes.Contains(b, []byte("revers")) || bytes.Contains(b, []byte("backward")) || bytes.Contains(b, []byte("ruckw")) {
		s.reversedWords(layer)
	}
}

// lines widens a span to whole lines, at most a block on either side.
func lines(b []byte, p span) (lo, hi int) {
	lo, hi = p.lo, p.hi
	for lo > 0 && b[lo-1] != '\n' && p.lo-lo < block {
		lo--
	}
	for hi < len(b) && b[hi] != '\n' && hi-p.hi < block {
		hi++
	}
	for lo > 0 && b[lo]&0xC0 == 0x80 {
		lo--
	}
	for hi < len(b) && b[hi]&0xC0 == 0x80 {
		hi++
	}
	return lo, hi
}

func (s *Scanner) reversed(layer int, part span) {
	b := s.frames[layer].reading.Cased
	lo, hi := lines(b, part)
	f := s.begin(layer)
	f.backwards(b, lo, hi)
	s.offer(layer, "reversed", text)
}

// shifts names the ciphers that replace each letter by the one some places on.
var shifts = [26]string{
	"", "caesar 1", "caesar 2", "caesar 3", "caesar 4", "caesar 5", "caesar 6", "caesar 7", "caesar 8", "caesar 9", "caesar 10",
	"caesar 11", "caesar 12", "rot13", "caesar 14", "caesar 15", "caesar 16", "caesar 17", "caesar 18", "caesar 19", "caesar 20",
	"caesar 21", "caesar 22", "caesar 23", "caesar 24", "caesar 25",
}

// ciphers tries every shift of the alphabet, and the alphabet backwards, on an
// unlikely part, and shows what the best makes of its lines.
func (s *Scanner) ciphers(layer int, part span) {
	b := s.frames[layer].reading.Cased
	for lo := part.lo; lo < part.hi && !s.stopped; {
		end := min(part.hi, lo+4*block)
		key, ok := s.key(b[lo:end])
		for ok && end < part.hi { // the key holds as long as it makes text
			next := min(part.hi, end+4*block)
			if k, same := s.key(b[end:next]); !same || k != key {
				break
			}
			end = next
		}
		if ok {
			s.decipher(layer, b, span{lo, end}, key)
		}
		lo = end
	}
}

// atbash is the key of the alphabet backwards.
const atbash = 26

// key finds the cipher that makes a language of a text.
func (s *Scanner) key(b []byte) (int, bool) {
	part := b[:min(len(b), 4*block)]
	var n [26]int
	letters := 0
	for _, c := range part {
		if l := letterOf[c]; l < noLetter {
			n[l]++
			letters++
		}
	}
	s.work += 5 * len(b)
	if letters < 10 {
		return 0, false
	}
	best, second := fitting(&n)
	pairs, asIs, _ := measure(part).parts()
	for _, key := range [...]int{13, atbash, best, second} {
		if likely := enciphered(part, key); key != 0 && likely-asIs >= pairs && 10*likely >= 20*pairs {
			return key, true
		}
	}
	return 0, false
}

// often is the logarithm of how often each letter of the alphabet occurs.
var often = func() (t [26]int) {
	for a := range 26 {
		sum := 0.0
		for _, v := range pairRows[a*27 : a*27+27] {
			sum += math.Exp2(float64(v-'q') / 2)
		}
		t[a] = int(16 * math.Log2(sum))
	}
	return t
}()

// fitting returns the two shifts under which frequent letters are frequent.
func fitting(n *[26]int) (best, second int) {
	top, next := -1<<30, -1<<30
	for shift := range 26 {
		sum := 0
		for l, k := range n {
			sum += k * often[(l+shift)%26]
		}
		if sum > top {
			top, next, best, second = sum, top, shift, best
		} else if sum > next {
			next, second = sum, shift
		}
	}
	return best, second
}

// enciphered measures a text as if it were deciphered.
func enciphered(b []byte, key int) int {
	var sum tally
	prev := uint(noLetter)
	for _, c := range b {
		cur := uint(letterOf[c])
		if cur < noLetter {
			cur = uint(turn(int(cur), key))
		}
		sum += pairs[(prev<<5|cur)&1023]
		prev = cur
	}
	_, likely, _ := (sum + pairs[(prev<<5|noLetter)&1023]).parts()
	return likely
}

func turn(letter, key int) int {
	if key == atbash {
		return 25 - letter
	}
	return (letter + key) % 26
}

func (s *Scanner) decipher(layer int, b []byte, part span, key int) {
	lo, hi := lines(b, part)
	f := s.begin(layer)
	f.copy(b[lo:hi], lo)
	for i, c := range f.raw {
		if l := letterOf[c]; l < noLetter {
			f.raw[i] = c - l + byte(turn(int(l), key))
		}
	}
	name := "atbash"
	if key != atbash {
		name = shifts[(26-key)%26]
	}
	s.offer(layer, name, certainly)
}

// reversedWords reads the words of each line from the last to the first.
func (s *Scanner) reversedWords(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	f := s.begin(layer)
	for lo := 0; lo < len(b); {
		hi := len(b)
		if k := bytes.IndexByte(b[lo:], '\n'); k >= 0 {
			hi = lo + k
		}
		for end := hi; end > lo; {
			start := bytes.LastIndexByte(b[lo:end], ' ') + 1 + lo
			if start < end {
				f.copy(b[start:end], start)
				f.emit(' ', max(start-1, lo), 0)
			}
			end = max(start-1, lo)
		}
		f.emit('\n', hi, 0)
		lo = hi + 1
	}
	s.offer(layer, "reversed words", certainly)
}

// Letters upside down, and what they are; those that look like other letters
// when turned are among them.
const (
	overturned   = "ɐqɔpǝɟƃɓɥᴉıɾſʞlɯuodbɹsʇnʌʍxʎzəɘ¿¡˙"
	overturnedAs = "abcdefgghiijjklmnopqrstuvwxyzee?!."
)

var upright = func() map[rune]byte {
	t := map[rune]byte{}
	k := 0
	for _, r := range overturned {
		t[r] = overturnedAs[k]
		k++
	}
	return t
}()

// upsideDown reads a text whose letters are turned: from its end to its
// beginning.
func (s *Scanner) upsideDown(layer int) {
	src := s.frames[layer].raw
	s.work += 2 * len(src)
	f := s.beginRaw(layer)
	for i := len(src); i > 0; {
		r, n := utf8.DecodeLastRune(src[:i])
		i -= n
		if c, ok := upright[r]; ok {
			r = rune(c)
		}
		f.emitRune(r, i, n)
	}
	s.offer(layer, "upside down", language)
}
