package reading

import (
	"bytes"
	"unicode/utf8"
)

// spelled reads words whose letters are written apart, or as something else.
func (s *Scanner) spelled(layer int, v *survey) {
	has := &s.frames[layer].has
	if v.singles >= 5 {
		s.spaced(layer)
	}
	if v.short >= 4 {
		s.joined(layer)
	}
	if v.leet >= 2 || v.signs[leetSign] >= 3 {
		s.leet(layer)
	}
	if v.signs[dotSign]+v.signs[dashSign] >= 12 {
		s.morse(layer)
	}
	if has.braille >= 4 {
		s.braille(layer)
	}
	if v.ay >= 4 && v.ay*3 >= v.words {
		s.pigLatin(layer)
	}
	if v.run >= 12 {
		s.unspaced(layer)
	}
	for _, part := range v.clumsy.list() {
		s.shaken(layer, part)
	}
	s.nato(layer)
}

// spaced joins rows of letters that stand alone: "i g n o r e", "i-g-n-o-r-e",
// one on each line. Where two blanks stand, or a blank among other signs, a word
// ends.
func (s *Scanner) spaced(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	for i := 0; i < len(b) && !s.stopped; {
		if n := alone(b, i); n == 0 {
			i++
			continue
		}
		i = s.row(layer, b, i)
	}
}

// alone returns the length of the letter at i if no other stands beside it.
func alone(b []byte, i int) int {
	if i > 0 && wordByte(b[i-1]) {
		return 0
	}
	n := 1
	if b[i] >= utf8.RuneSelf {
		_, n = utf8.DecodeRune(b[i:])
	}
	if !wordByte(b[i]) || i+n < len(b) && wordByte(b[i+n]) {
		return 0
	}
	return n
}

func wordByte(c byte) bool { return c >= utf8.RuneSelf || wordOf[c]&(inLower|inUpper|inDigit) != 0 }

// row reads one row of single letters and returns where it ends.
func (s *Scanner) row(layer int, b []byte, i int) int {
	f := s.begin(layer)
	trail := &s.frames[layer].folder.trail
	letters := 0
	narrow := narrowest(b, i)
	lo, end := i, i
	for i < len(b) {
		n := alone(b, i)
		if n == 0 {
			break
		}
		f.copy(b[i:i+n], i)
		letters++
		i += n
		end = i
		from := i
		for i < len(b) && i-from < 6 && !wordByte(b[i]) {
			i++
		}
		if gap := width(b, trail, from, i); gap > narrow {
			f.emit(' ', from, i-from)
		}
	}
	s.work += 3 * (end - lo)
	if letters >= 5 {
		s.offer(layer, "spaced", text)
	}
	return max(end, lo+1)
}

// narrowest is the usual gap of a row: that after its first letter, or after its
// second if that is narrower.
func narrowest(b []byte, i int) int {
	least := 6
	for range 4 {
		n := 0
		if i < len(b) {
			n = alone(b, i)
		}
		if n == 0 {
			break
		}
		i += n
		from := i
		for i < len(b) && i-from < 6 && !wordByte(b[i]) {
			i++
		}
		least = min(least, i-from)
	}
	return least
}

// width measures a gap. Folding makes one blank of several, so a blank that came
// from several counts as two.
func width(b []byte, t *trail, lo, hi int) int {
	n := hi - lo
	for i := lo; i < hi; i++ {
		if b[i] == ' ' || b[i] == '\n' {
			if from, to := t.source(i); to-from > 1 {
				n++
			}
		}
	}
	return n
}

// joined takes signs out from between letters: "ig-no-re".
func (s *Scanner) joined(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	f := s.begin(layer)
	from := 0
	for i := 1; i+1 < len(b); i++ {
		if k := signOf[b[i]]; (k == dotSign || k == dashSign || k == joinSign || k == leetSign || b[i] == '/' || b[i] == '+') &&
			wordOf[b[i-1]]&(inLower|inUpper) != 0 && wordOf[b[i+1]]&(inLower|inUpper) != 0 {
			f.copy(b[from:i], from)
			from = i + 1
		}
	}
	f.copy(b[from:], from)
	s.offer(layer, "joined", language)
}

// leetOf maps digits and signs to the letters that they stand for; 1 and | are i
// or l, which its neighbours decide.
var leetOf = [256]byte{
	'0': 'o', '1': 'i', '2': 'z', '3': 'e', '4': 'a', '5': 's', '6': 'g', '7': 't', '8': 'b', '9': 'g',
	'@': 'a', '$': 's', '!': 'i', '|': 'i',
}

// leet reads the parts of a text in which words hold digits between letters.
func (s *Scanner) leet(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	lo, end, count, words := 0, 0, 0, 0
	for i := 0; i < len(b); {
		start := i
		for i < len(b) && b[i] != ' ' && b[i] != '\n' {
			i++
		}
		if i > start {
			words++
			if leetWord(b[start:i]) {
				if count == 0 || words > 4 {
					s.leetPart(layer, b, lo, end, count)
					lo, count = start, 0
				}
				count, words, end = count+1, 0, i
			}
		}
		i++
	}
	s.leetPart(layer, b, lo, end, count)
}

// leetWord reports whether a digit or sign stands for a letter in a word.
func leetWord(w []byte) bool {
	if len(w) > 24 {
		return false
	}
	letters, digits, inner := 0, 0, 0
	for i, c := range w {
		switch k := wordOf[c]; {
		case c >= utf8.RuneSelf:
			return false
		case k&(inLower|inUpper) != 0:
			letters++
		case leetOf[c] != 0:
			digits++
			if i > 0 && i+1 < len(w) && (wordOf[w[i-1]]&(inLower|inUpper) != 0 || wordOf[w[i+1]]&(inLower|inUpper) != 0) {
				inner++
			}
		}
	}
	return letters > 0 && inner > 0 && digits <= 2*letters+1
}

// leetPart decodes from the word before the first leet word to the one after the
// last.
func (s *Scanner) leetPart(layer int, b []byte, lo, hi, count int) {
	if count < 2 {
		return
	}
	lo, hi = max(0, lo-1), min(len(b), hi+1)
	for lo > 0 && hi-lo < 1<<20 && b[lo-1] != ' ' && b[lo-1] != '\n' {
		lo--
	}
	for hi < len(b) && b[hi] != ' ' && b[hi] != '\n' {
		hi++
	}
	f := s.begin(layer)
	f.copy(b[lo:hi], lo)
	s.work += 6 * (hi - lo)
	for i, c := range f.raw {
		l := leetOf[c]
		if l == 0 || leetOf[c] == 'i' && wordOf[c] == 0 && (i+1 == len(f.raw) || !wordByte(f.raw[i+1])) {
			continue
		}
		if l == 'i' && c != '!' && (ell(f.raw, i) || i+1 < len(f.raw) && f.raw[i+1] == c || i > 0 && f.raw[i-1] == 'l' && b[lo+i-1] == c) {
			l = 'l'
		}
		f.raw[i] = l
	}
	if 10*likelihood(f.raw) > 10*likelihood(b[lo:hi])+4*len(f.raw) {
		s.offer(layer, "leet", language)
	}
}

func likelihood(b []byte) int {
	_, likely, _ := measure(b[:min(len(b), 1<<15)]).parts()
	return likely
}

// ell reports whether an l fits better than an i between two letters.
func ell(b []byte, i int) bool {
	prev, next := byte(noLetter), byte(noLetter)
	if i > 0 {
		prev = letterOf[b[i-1]]
	}
	if i+1 < len(b) {
		next = letterOf[b[i+1]]
		if l := leetOf[b[i+1]]; l != 0 {
			next = letterOf[l]
		}
	}
	if prev > noLetter || next > noLetter {
		return false
	}
	at := func(a, b byte) int { return int(pairRows[int(a)*27+int(b)]) }
	const i2, l2 = 'i' - 'a', 'l' - 'a'
	return at(prev, l2)+at(l2, next) > at(prev, i2)+at(i2, next)
}

// morseRows are the codes of a to z and 0 to 9 (ITU-R M.1677).
var morseCodes = [...]string{
	".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--",
	"-.", "---", ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..",
	"-----", ".----", "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----.",
}

// morseOf maps a code, written in binary after a leading 1, to its character.
var morseOf = func() (t [64]byte) {
	for k, code := range morseCodes {
		n := 1
		for _, c := range code {
			n <<= 1
			if c == '-' {
				n++
			}
		}
		t[n] = byte('a' + k)
		if k >= 26 {
			t[n] = byte('0' + k - 26)
		}
	}
	return t
}()

// morse reads rows of dots and dashes. A slash, a bar or a line end is a blank.
func (s *Scanner) morse(layer int) {
	b := s.frames[layer].reading.Cased
	trail := &s.frames[layer].folder.trail
	s.work += 2 * len(b)
	for i := 0; i < len(b) && !s.stopped; {
		if b[i] != '.' && b[i] != '-' && b[i] != '_' {
			i++
			continue
		}
		f := s.begin(layer)
		code, from, start := 1, i, i
		flush := func(end int) bool {
			if code > 1 {
				if code >= len(morseOf) || morseOf[code] == 0 {
					return false
				}
				f.emit(morseOf[code], from, end-from)
			}
			code = 1
			return true
		}
		ok := true
		for ok && i < len(b) {
			switch c := b[i]; {
			case c == '.' || c == '-' || c == '_':
				if code == 1 {
					from = i
				}
				code <<= 1
				if c != '.' {
					code++
				}
				if code > 1<<10 {
					code = 1 << 10
				}
			case c == ' ':
				ok = flush(i)
				if from, to := trail.source(i); ok && to-from > 2 {
					f.emit(' ', i, 1)
				}
			case c == '/' || c == '|' || c == '\n':
				if ok = flush(i); ok {
					f.emit(' ', i, 1)
				}
			default:
				ok = false
				if code > 1 {
					flush(i)
				}
			}
			if ok {
				i++
			}
		}
		if ok {
			flush(i)
		}
		s.work += 3 * (i - start)
		if len(f.raw) >= 6 {
			s.offer(layer, "morse", text)
		}
		i = max(i, start+1)
		for i < len(b) && (b[i] == '.' || b[i] == '-' || b[i] == '_') {
			i++
		}
	}
}

// brailleOf maps the patterns of the six dots to letters (ISO 11548).
var brailleOf = func() (t [64]byte) {
	const rows = "\x01a\x03b\x09c\x19d\x11e\x0bf\x1bg\x13h\x0ai\x1aj\x05k\x07l\x0dm\x1dn\x15o\x0fp\x1fq\x17r\x0es\x1et\x25u\x27v\x3aw\x2dx\x3dy\x35z\x02,\x32.\x16!\x26?\x04'\x24-"
	for k := 0; k < len(rows); k += 2 {
		t[rows[k]] = rows[k+1]
	}
	t[0] = ' '
	return t
}()

func (s *Scanner) braille(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	f := s.begin(layer)
	for i := 0; i < len(b); {
		if b[i] != 0xE2 {
			if (b[i] == ' ' || b[i] == '\n') && len(f.raw) > 0 {
				f.emit(' ', i, 1)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if 0x2800 <= r && r < 0x2840 && brailleOf[r-0x2800] != 0 {
			f.emit(brailleOf[r-0x2800], i, n)
		}
		i += n
	}
	s.offer(layer, "braille", text)
}

// pigLatin puts the beginnings of words back: "eviouspray", "ignoreway".
func (s *Scanner) pigLatin(layer int) {
	b := s.frames[layer].reading.Text
	s.work += 2 * len(b)
	f := s.begin(layer)
	for i := 0; i < len(b); {
		if wordOf[b[i]]&inLower == 0 {
			f.emit(b[i], i, 1)
			i++
			continue
		}
		end := i
		for end < len(b) && wordOf[b[end]]&inLower != 0 {
			end++
		}
		s.pigWord(f, b, i, end)
		i = end
	}
	s.offer(layer, "pig latin", language)
}

func (s *Scanner) pigWord(f *frame, b []byte, lo, hi int) {
	stem := hi - 2
	if hi-lo < 3 || b[hi-1] != 'y' || b[hi-2] != 'a' {
		f.copy(b[lo:hi], lo)
		return
	}
	if c := b[stem-1]; stem-lo > 1 && (c == 'w' || c == 'y') && (vowel(b[lo]) || b[lo] == 'y') {
		f.copy(b[lo:stem-1], lo)
		return
	}
	onset := stem
	for onset > lo && stem-onset < 3 && !vowel(b[onset-1]) {
		onset--
	}
	for k := onset; k < stem; k++ {
		if startsWord(b[k:stem]) && s.puts(b[k:stem], b[lo:k]) {
			onset = k
			break
		}
	}
	for stem-onset > 1 && !startsWord(b[onset:stem]) {
		onset++
	}
	f.copy(b[onset:stem], onset)
	f.copy(b[lo:onset], lo)
}

// puts reports whether a beginning and the rest make a known word.
func (s *Scanner) puts(begin, rest []byte) bool {
	s.words = append(append(s.words[:0], begin...), rest...)
	return known[string(s.words)]
}

func vowel(c byte) bool {
	return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'
}

// startsWord reports whether an English word can begin with these consonants.
func startsWord(b []byte) bool {
	const onsets = " bl br ch cl cr dr fl fr gh gl gr kn ph pl pr qu sc scr sh shr sk sl sm sn sp spl spr squ st str sw th thr tr tw wh wr "
	n := bytes.Index([]byte(onsets), b)
	return n > 0 && onsets[n-1] == ' ' && onsets[n+len(b)] == ' '
}

// spellingWords are the words of the spelling alphabet of radio (ICAO).
const spellingWords = " alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu "

// nato reads the first letters of the words of the spelling alphabet.
func (s *Scanner) nato(layer int) {
	b := s.frames[layer].reading.Text
	s.work += 4 * len(b)
	if !bytes.Contains(b, []byte("echo")) && !bytes.Contains(b, []byte("romeo")) || !bytes.Contains(b, []byte("o ")) {
		return
	}
	f := s.begin(layer)
	count := 0
	for i := 0; i < len(b); {
		if wordOf[b[i]]&inLower == 0 {
			if k := b[i]; k == '\n' || k == '/' || k == '.' || k == ',' {
				f.emit(' ', i, 1)
			}
			i++
			continue
		}
		end := i
		for end < len(b) && (wordOf[b[end]]&inLower != 0) {
			end++
		}
		if spelling(b[i:end]) {
			f.emit(b[i], i, end-i)
			count++
		} else {
			f.emit(' ', i, end-i)
		}
		i = end
	}
	if count >= 6 {
		s.offer(layer, "spelling alphabet", text)
	}
}

func spelling(w []byte) bool {
	if len(w) < 4 || len(w) > 8 {
		return false
	}
	for i := 0; i+len(w) < len(spellingWords); i++ {
		if spellingWords[i] == ' ' && spellingWords[i+1] == w[0] && spellingWords[i+1:i+1+len(w)] == string(w) && spellingWords[i+1+len(w)] == ' ' {
			return true
		}
	}
	return false
}

// unspaced cuts long words of the text into words: "ignoreallprevious".
func (s *Scanner) unspaced(layer int) {
	b := s.frames[layer].reading.Text
	s.work += 2 * len(b)
	f := s.begin(layer)
	from, cuts := 0, 0
	for i := 0; i < len(b); {
		if wordOf[b[i]]&inLower == 0 {
			i++
			continue
		}
		end := i
		for end < len(b) && wordOf[b[end]]&inLower != 0 {
			end++
		}
		if end-i >= 12 && end-i <= 1024 && s.cut(b[i:end]) {
			f.copy(b[from:i], from)
			for k := end; k > i; {
				start := i + int(s.begins[k-i])
				s.begins[k-i] = -2
				k = start
			}
			at := i
			for k := i + 1; k <= end; k++ {
				if s.begins[k-i] == -2 {
					f.copy(b[at:k], at)
					f.emit(' ', k, 0)
					at = k
				}
			}
			from, cuts = end, cuts+1
		}
		i = end
	}
	f.copy(b[from:], from)
	if cuts > 0 {
		s.offer(layer, "unspaced", text)
	}
}

// shaken puts the letters of shaken words back: "prveious isntructions".
func (s *Scanner) shaken(layer int, part span) {
	all := s.frames[layer].reading.Text
	lo, hi := lines(all, part)
	b := all[:hi]
	s.work += 4 * (hi - lo)
	f := s.begin(layer)
	from, count := lo, 0
	for i := lo; i < hi; {
		if wordOf[b[i]]&inLower == 0 {
			i++
			continue
		}
		end := i
		for end < len(b) && wordOf[b[end]]&inLower != 0 {
			end++
		}
		if n := end - i; n >= 5 && n <= longestKnown {
			if w, ok := shaken[shape(b[i:end])]; ok && w != string(b[i:end]) {
				f.copy(b[from:i], from)
				f.up.add(len(f.raw), i, n, n, 1)
				f.raw = append(f.raw, w...)
				from, count = end, count+1
			}
		}
		i = end
	}
	f.copy(b[from:], from)
	if count >= 2 {
		s.offer(layer, "shaken letters", text)
	}
}
