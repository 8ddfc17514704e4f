package reading

import (
	"bytes"
	"math"
	"strings"
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
		s.sifted(layer, part)
	}
	if s.frames[layer].has.turned >= 3 {
		s.upsideDown(layer)
	}
	if v.turns > 0 && !strings.Contains(s.frames[layer].reading.Name, "reversed") {
		s.reversedWords(layer, v.turnAt)
	}
}

// lines widens a span to whole lines, at most by so many bytes on either side.
func lines(b []byte, p span, most int) (lo, hi int) {
	lo, hi = p.lo, p.hi
	for lo > 0 && b[lo-1] != '\n' && p.lo-lo < most {
		lo--
	}
	for hi < len(b) && b[hi] != '\n' && hi-p.hi < most {
		hi++
	}
	for lo > 0 && lo < len(b) && b[lo]&0xC0 == 0x80 {
		lo--
	}
	for hi < len(b) && b[hi]&0xC0 == 0x80 {
		hi++
	}
	return lo, hi
}

func (s *Scanner) reversed(layer int, part span) {
	b := s.frames[layer].reading.Cased
	lo, hi := lines(b, part, 2*block)
	s.work += 2 * (hi - lo)
	pairs, likely, forward := measure(b[lo:min(hi, lo+1<<15)]).parts()
	if forward > -32 || 10*(likely-forward) < 22*pairs || !wordy(b[lo:hi], 90) {
		return
	}
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
	letters, blanks := 0, 1
	for _, c := range b[lo:end] {
		if l := letterOf[c]; l < noLetter {
			n[l]++
			letters++
		} else if c == ' ' || c == '\n' {
			blanks++
		}
	}
	s.work += end - lo
	if letters < 10 || letters > 12*blanks || 10*(letters+blanks) < 7*(end-lo) {
		return 0, span{}
	}
	first, second, third := fitting(&n)
	for _, key := range [...]int{13, atbash, first, second, third} {
		if key == 0 {
			continue
		}
		s.work += 2 * (end - lo)
		if found, ok := better(b, lo, end, key); ok {
			return key, s.prolong(b, found, end, limit, key)
		}
	}
	return 0, span{}
}

// gainOf is how much likelier a part must become to be taken for a cipher: 35
// bits, since 54 keys are tried at every place.
const gainOf = 70

// better finds the part of b[lo:end] in which a cipher gains most, in either
// direction of reading: the largest sum over a row of pairs.
func better(b []byte, lo, end, key int) (span, bool) {
	need := gainOf
	if key == 13 {
		need -= 20 // by far the most usual
	}
	if !gains(b[lo:end], key, need) {
		return span{}, false
	}
	var best, now [2]struct{ sum, likely, pairs, lo, hi int }
	a, p := uint(noLetter), uint(noLetter)
	for i := lo; i < end; i++ {
		cur := uint(letterOf[b[i]])
		turned := turn(cur, key)
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
	}
	for _, w := range best {
		if w.sum >= need && 10*w.likely >= 20*w.pairs && (wordy(b[w.lo:w.hi], 90) || w.sum >= 2*need && wordy(b[w.lo:w.hi], 75)) {
			return span{w.lo, w.hi}, true
		}
	}
	return span{}, false
}

// gains tells whether a cipher gains enough in some part of b: better without the
// parts, since hardly any text goes on from here.
func gains(b []byte, key, need int) bool {
	letters := &turns[key]
	var along, against, most int
	a, p := uint(noLetter), uint(noLetter)
	for _, c := range b {
		cur := uint(letterOf[c]) & 31
		turned := uint(letters[cur]) & 31
		asIs, gain := int(likelyOf[a<<5|cur]), int(likelyOf[p<<5|turned])
		along = max(along, 0) + gain - asIs
		against = max(against, 0) + gain - int(forwardOf[p<<5|turned]) - asIs
		most = max(most, along, against)
		a, p = cur, turned
	}
	return most >= need
}

// turns are the letters that each key makes of each.
var turns = func() (t [atbash + 1][32]uint8) {
	for key := range t {
		for letter := range t[key] {
			t[key][letter] = uint8(turn(uint(letter), key)) //nolint:gosec // a letter
		}
	}
	return t
}()

// likelyOf and forwardOf are two parts of pairs.
var likelyOf, forwardOf = func() (likely, forward [32 << 5]int8) {
	for i, t := range pairs {
		_, l, f := t.parts()
		likely[i], forward[i] = int8(l), int8(f) //nolint:gosec // differences of letters
	}
	return likely, forward
}()

// prolong goes on from a part that reaches the end of where it was looked for,
// as long as the cipher makes a language of the text.
func (s *Scanner) prolong(b []byte, part span, end, limit, key int) span {
	if end-part.hi > block {
		return part
	}
	for part.hi < limit {
		next := min(part.hi+2*block, limit)
		var sum tally
		p := uint(noLetter)
		for _, c := range b[part.hi:next] {
			turned := turn(uint(letterOf[c]), key)
			sum += pairs[(p<<5|turned)&1023]
			p = turned
		}
		s.work += next - part.hi
		pairs, likely, forward := sum.parts()
		if 10*max(likely, likely-forward) < 20*pairs || pairs == 0 {
			break
		}
		part.hi = next
	}
	return part
}

// wordy reports whether a text consists of words, to so many per cent, with
// hardly a digit.
func wordy(b []byte, share int) bool {
	letters, blanks, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case letterOf[c] < noLetter:
			letters++
		case c == ' ' || c == '\n':
			blanks++
		case wordOf[c]&inDigit != 0:
			digits++
		}
	}
	return letters >= 12 && (letters+blanks)*100 >= len(b)*share && letters <= 12*(blanks+1) && digits*10 <= len(b)
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

// often2 is often twice over, so that a shift of it is a part.
var often2 = func() (t [52]int) {
	copy(t[:], often[:])
	copy(t[26:], often[:])
	return t
}()

// fitting returns the shifts under which frequent letters are most frequent.
func fitting(n *[26]int) (first, second, third int) {
	top, next, last := -1<<30, -1<<30, -1<<30
	for shift := range 26 {
		sum := 0
		for l, k := range often2[shift : shift+26] {
			sum += n[l] * k
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

// turn deciphers a letter.
func turn(letter uint, key int) uint {
	switch {
	case letter >= noLetter:
		return letter
	case key == atbash:
		return noLetter - 1 - letter
	}
	return (letter + uint(key)) % noLetter
}

// decipher deciphers a part and leaves the rest of its lines as it is.
func (s *Scanner) decipher(layer int, b []byte, part span, key int) {
	lo, hi := lines(b, part, 2*block)
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
			f.raw[i] = c - l + byte(turn(uint(l), key))
		}
	}
	name := "atbash"
	if key != atbash {
		name = shifts[(26-key)%26]
	}
	s.offer(layer, name, certainly)
}

// reversedWords reads the words of each line from the last to the first. Nothing
// in the letters shows that order, so it is done where a text speaks of it.
func (s *Scanner) reversedWords(layer, at int) {
	b := s.frames[layer].reading.Cased
	start, end := lines(b, span{at, at}, 32*block)
	if end < len(b) {
		_, end = lines(b, span{end + 1, end + 1}, 32*block)
	}
	if start > 0 {
		start, _ = lines(b, span{start - 1, start - 1}, 32*block)
	}
	b = b[:end]
	s.work += 2 * (end - start)
	f := s.begin(layer)
	for lo := start; lo < end; {
		hi := end
		if k := bytes.IndexByte(b[lo:], '\n'); k >= 0 {
			hi = lo + k
		}
		f.wordsBackwards(b, lo, hi)
		f.emit('\n', hi, 0)
		lo = hi + 1
	}
	s.offer(layer, "reversed words", certainly)
}

// wordsBackwards writes the words of a line.
func (f *frame) wordsBackwards(b []byte, lo, hi int) {
	for end := hi; end > lo; {
		start := bytes.LastIndexByte(b[lo:end], ' ') + 1 + lo
		if start < end {
			f.copy(b[start:end], start)
			f.emit(' ', max(start-1, lo), 0)
		}
		end = max(start-1, lo)
	}
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
