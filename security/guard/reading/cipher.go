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
	s.offer(layer, "reversed", language)
}

// shifts names the ciphers that replace each letter by the one some places on.
var shifts = [26]string{
	"", "caesar 1", "caesar 2", "caesar 3", "caesar 4", "caesar 5", "caesar 6", "caesar 7", "caesar 8", "caesar 9", "caesar 10",
	"caesar 11", "caesar 12", "rot13", "caesar 14", "caesar 15", "caesar 16", "caesar 17", "caesar 18", "caesar 19", "caesar 20",
	"caesar 21", "caesar 22", "caesar 23", "caesar 24", "caesar 25",
}

// ciphers tries every shift of the alphabet, and the alphabet backwards, on an
// unlikely part, and shows what becomes a language.
func (s *Scanner) ciphers(layer int, part span) {
	b := s.frames[layer].reading.Cased
	limit := min(len(b), part.hi+block)
	for lo := max(0, part.lo-block); lo < limit && !s.stopped; {
		end := min(limit, lo+4*block)
		key, found := s.key(b, lo, end, limit)
		if found.hi > 0 {
			s.decipher(layer, b, found, key)
			end = max(found.hi, lo+1)
		}
		lo = end
	}
}

// atbash is the key of the alphabet backwards.
const atbash = 26

// key finds the cipher that makes a language of a part of b[lo:end], and how far
// that part goes, at most to limit.
func (s *Scanner) key(b []byte, lo, end, limit int) (int, span) {
	var n [26]int
	letters := 0
	for _, c := range b[lo:end] {
		if l := letterOf[c]; l < noLetter {
			n[l]++
			letters++
		}
	}
	if letters < 10 {
		return 0, span{}
	}
	first, second, third := fitting(&n)
	for _, key := range [...]int{13, atbash, first, second, third} {
		if key != 0 {
			if found := s.better(b, lo, end, limit, key); found.hi > 0 {
				return key, found
			}
		}
	}
	return 0, span{}
}

// gainOf is how much likelier a part must become to be taken for a cipher.
const gainOf = 44

// better finds the part that begins between lo and end in which a cipher gains
// most, in either direction of reading: the largest sum over a row of pairs.
func (s *Scanner) better(b []byte, lo, end, limit, key int) span {
	var best, now [2]struct{ sum, likely, pairs, lo, hi int }
	a, p := uint(noLetter), uint(noLetter)
	i := lo
	for ; i < limit; i++ {
		cur := uint(letterOf[b[i]])
		turned := cur
		if cur < noLetter {
			turned = uint(turn(int(cur), key))
		}
		n, asIs, _ := pairs[(a<<5|cur)&1023].parts()
		_, likely, forward := pairs[(p<<5|turned)&1023].parts()
		a, p = cur, turned
		for d := range now {
			w := &now[d]
			if w.sum <= 0 {
				w.sum, w.likely, w.pairs, w.lo = 0, 0, 0, i
			}
			gain := likely - d*forward
			w.sum += gain - asIs
			w.likely += gain
			w.pairs += n
			if w.hi = i + 1; w.sum > best[d].sum {
				best[d] = *w
			}
		}
		if i >= end && now[0].sum < best[0].sum/2 && now[1].sum < best[1].sum/2 {
			break
		}
	}
	s.work += 2 * (i - lo)
	for _, w := range best {
		if w.sum >= gainOf && w.lo < end && 10*w.likely >= 20*w.pairs {
			return span{w.lo, w.hi}
		}
	}
	return span{}
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

// fitting returns the shifts under which frequent letters are most frequent.
func fitting(n *[26]int) (first, second, third int) {
	top, next, last := -1<<30, -1<<30, -1<<30
	for shift := range 26 {
		sum := 0
		for l, k := range n {
			sum += k * often[(l+shift)%26]
		}
		switch {
		case sum > top:
			top, next, last, first, second, third = sum, top, next, shift, first, second
		case sum > next:
			next, last, second, third = sum, next, shift, second
		case sum > last:
			last, third = sum, shift
		}
	}
	return first, second, third
}

func turn(letter, key int) int {
	if key == atbash {
		return 25 - letter
	}
	return (letter + key) % 26
}

// decipher deciphers a part and leaves the rest of its lines as it is.
func (s *Scanner) decipher(layer int, b []byte, part span, key int) {
	lo, hi := lines(b, part)
	for part.lo > lo && letterOf[b[part.lo-1]] < noLetter && letterOf[b[part.lo]] < noLetter {
		part.lo--
	}
	for part.hi < hi && letterOf[b[part.hi-1]] < noLetter && letterOf[b[part.hi]] < noLetter {
		part.hi++
	}
	f := s.begin(layer)
	f.copy(b[lo:hi], lo)
	for i := part.lo - lo; i < part.hi-lo; i++ {
		c := f.raw[i]
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
