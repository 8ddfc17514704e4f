package reading

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

// spelled reads words whose letters are written apart, or as something else.
func (s *Scanner) spelled(layer int, v *survey) {
	has := &s.frames[layer].has
	if v.singles >= 5 {
		s.spaced(layer)
	}
	if v.short >= 5 {
		s.joined(layer)
	}
	if v.leet >= 2 || v.signs[leetSign] >= 3 {
		s.leet(layer)
	}
	if v.gap >= 16 && v.signs[dotSign]+v.signs[dashSign] >= 12 || v.bullets >= 12 {
		s.morse(layer)
	}
	if has.braille >= 4 {
		s.braille(layer)
	}
	if v.ay >= 4 && v.ay*3 >= v.words {
		s.pigLatin(layer)
	}
	if v.run >= shortestRun {
		s.unspaced(layer)
	}
	if v.shaken >= 3 || v.shaken == 2 && v.words <= 8 { // two are slips in a longer text
		s.shaken(layer, v.shakenIn)
	}
	if v.hinted.n > 0 {
		s.mend(layer, v)
	}
	if v.bare >= 8 || v.stars >= 3 || v.veils >= 8 {
		s.vowels(layer, v)
	}
	if v.spells >= 2 {
		s.nato(layer)
	}
	if v.inside >= 3 {
		s.unmarked(layer)
	}
	if v.joints >= 10 || v.stubs >= 6 {
		s.glued(layer)
	}
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
	if letters >= 5 && different(f.raw) != 1 {
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

// width measures a gap as it was before folding made one blank of several.
func width(b []byte, t *trail, lo, hi int) int {
	n := hi - lo
	for i := lo; i < hi; i++ {
		if b[i] == ' ' || b[i] == '\n' {
			from, to := t.source(i)
			n += min(to-from, 9) - 1
		}
	}
	return n
}

// joined takes signs out from words that are cut with them: "ig-no-re". Words
// that are written with signs have pieces that are words: "state-of-the-art".
func (s *Scanner) joined(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 4 * len(b)
	f := s.begin(layer)
	from, words, cuts, sure := -1, 0, 0, 0
	for i := 0; i < len(b); {
		if wordOf[b[i]]&(inLower|inUpper) == 0 {
			i++
			continue
		}
		end, pieces, plain, long := s.piecesOf(b, i)
		words++
		if pieces > 1 && !plain && (!long || known.has(s.words)) {
			if from < 0 {
				from, _ = lines(b, span{i, end}, 2*block)
				words = 1
			}
			f.copy(b[from:i], from)
			for k := i; k < end; k++ {
				if wordOf[b[k]]&(inLower|inUpper) != 0 {
					f.copy(b[k:k+1], k)
				}
			}
			from = end
			cuts++
			if len(s.words) >= 5 && known.has(s.words) {
				sure++
			}
		}
		i = end
	}
	if cuts == 0 {
		return
	}
	_, end := lines(b, span{from, from}, 2*block)
	f.copy(b[from:end], from)
	if sure >= 2 || cuts >= 4 && cuts*5 >= words*2 {
		s.offer(layer, "joined", language)
	}
}

// piecesOf measures the word at i with the signs between its letters, and writes
// its letters to words. It is plain if one of its pieces is a word by itself, and
// long if one is not short.
func (s *Scanner) piecesOf(b []byte, i int) (end, pieces int, plain, long bool) {
	s.words = s.words[:0]
	for end = i; ; {
		start := len(s.words)
		for end < len(b) && wordOf[b[end]]&(inLower|inUpper) != 0 {
			s.words = append(s.words, lowerOf[b[end]])
			end++
		}
		pieces++
		piece := s.words[start:]
		plain = plain || len(piece) > 2 && known.has(piece)
		long = long || len(piece) > 6
		if end+1 >= len(b) || !joins(b[end]) || wordOf[b[end+1]]&(inLower|inUpper) == 0 {
			return end, pieces, plain, long
		}
		end++
	}
}

func joins(c byte) bool {
	switch signOf[c] {
	case dotSign, dashSign, joinSign, leetSign:
		return c != '\'' && c != '`'
	}
	return c == '/' || c == '+'
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
		start, all := i, uint8(0)
		for i < len(b) && leetKind[b[i]] != leetBlank {
			all |= leetKind[b[i]]
			i++
		}
		if i > start {
			words++
			if all == leetLetter|leetMark && leetWord(b[start:i]) {
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

// What a byte is in a word that may be leet.
const (
	leetLetter uint8 = 1 << iota
	leetMark         // stands for a letter
	leetBlank
)

var leetKind = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c == ' ' || c == '\n':
			t[c] = leetBlank
		case wordOf[c]&(inLower|inUpper) != 0:
			t[c] = leetLetter
		case leetOf[c] != 0:
			t[c] = leetMark
		}
	}
	return t
}()

// leetWord reports whether a digit or sign stands for a letter in a word.
func leetWord(w []byte) bool {
	for len(w) > 0 && wordOf[w[len(w)-1]] == 0 {
		w = w[:len(w)-1]
	}
	for len(w) > 0 && wordOf[w[0]] == 0 && leetOf[w[0]] == 0 {
		w = w[1:]
	}
	if len(w) > 24 || len(w) < 2 {
		return false
	}
	letters, digits := 0, 0
	for _, c := range w {
		switch {
		case wordOf[c]&(inLower|inUpper) != 0:
			letters++
		case leetOf[c] != 0:
			digits++
		case c != '\'':
			return false
		}
	}
	return letters > 0 && digits > 0 && (digits <= letters+1 || len(w) <= 5)
}

// innerDigits counts digits and dollars between letters. The 3rd and version v1
// have none.
func innerDigits(b []byte) int {
	n := 0
	for i := 1; i+1 < len(b); i++ {
		if (wordOf[b[i]]&inDigit != 0 || b[i] == '$') && wordOf[b[i-1]]&(inLower|inUpper) != 0 && wordOf[b[i+1]]&(inLower|inUpper) != 0 {
			n++
		}
	}
	return n
}

// leetPart decodes from the word before the first leet word to the one after the
// last.
func (s *Scanner) leetPart(layer int, b []byte, lo, hi, count int) {
	if count < 2 || innerDigits(b[lo:hi]) < 2 {
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
	pairs, likely, _ := measure(f.raw[:min(len(f.raw), 1<<15)]).parts()
	if 10*likely >= 18*pairs && pairs >= 12 {
		s.offer(layer, "leet", language)
	}
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

// morseMarks are the codes of punctuation.
var morseMarks = [...]struct {
	code string
	mark byte
}{
	{".-.-.-", '.'},
	{"--..--", ','},
	{"..--..", '?'},
	{".----.", '\''},
	{"-.-.--", '!'},
	{"-..-.", '/'},
	{"-.--.", '('},
	{"-.--.-", ')'},
	{"---...", ':'},
	{"-.-.-.", ';'},
	{"-...-", '='},
	{".-.-.", '+'},
	{"-....-", '-'},
	{".-..-.", '"'},
	{".--.-.", '@'},
	{"..--.-", '_'},
	{".-...", '&'},
}

// morseOf maps a code, written in binary after a leading 1, to its character.
var morseOf = func() (t [128]byte) {
	for k, code := range morseCodes {
		t[morseKey(code)] = byte('a' + k)
		if k >= 26 {
			t[morseKey(code)] = byte('0' + k - 26)
		}
	}
	for _, m := range morseMarks {
		t[morseKey(m.code)] = m.mark
	}
	return t
}()

func morseKey(code string) int {
	n := 1
	for _, c := range code {
		n <<= 1
		if c == '-' {
			n++
		}
	}
	return n
}

// morse reads rows of dots and dashes. A slash, a bar or a line end is a blank.
func (s *Scanner) morse(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	for i := 0; i < len(b) && !s.stopped; {
		if k, n := morseSign(b[i:]); k == 0 {
			i += n
			continue
		}
		m := morseReader{f: s.begin(layer), trail: &s.frames[layer].folder.trail}
		start := i
		for i < len(b) {
			n := m.read(b, i)
			if n == 0 {
				break
			}
			i += n
		}
		m.flush(i)
		s.work += 3 * (i - start)
		if f := m.f; len(f.raw) >= 6 && different(f.raw) >= 4 {
			s.offer(layer, "morse", language)
		}
		for i < len(b) { // the rest of what is no code
			k, n := morseSign(b[i:])
			if k == 0 {
				break
			}
			i += n
		}
	}
}

// morseSign returns 1 for a dot, 2 for a dash and 0 for what is neither, and its
// length.
func morseSign(b []byte) (sign uint, n int) {
	switch b[0] {
	case '.', '*':
		return 1, 1
	case '-', '_':
		return 2, 1
	case 0xC2:
		if len(b) > 1 && b[1] == 0xB7 { // a middle dot
			return 1, 2
		}
	case 0xE2:
		switch r, n := utf8.DecodeRune(b); r {
		case 0x2022, 0x2219, 0x22C5, 0x25CF:
			return 1, n
		}
	}
	return 0, 1
}

// A morseReader decodes one row.
type morseReader struct {
	f     *frame
	trail *trail
	code  uint // in binary after a leading 1; 0 between codes
	from  int
}

// read takes the sign at i and returns its length, 0 if the row ends.
func (m *morseReader) read(b []byte, i int) int {
	if k, n := morseSign(b[i:]); k > 0 {
		if m.code == 0 {
			m.code, m.from = 1, i
		}
		m.code = m.code<<1 | (k - 1)
		if m.code >= uint(len(morseOf)) {
			return 0
		}
		return n
	}
	c := b[i]
	if c != ' ' && c != '/' && c != '|' && c != '\n' || !m.flush(i) {
		return 0
	}
	if from, to := m.trail.source(i); c != ' ' || to-from > 2 {
		m.f.emit(' ', i, 1)
	}
	return 1
}

// flush ends a code and reports whether it was one.
func (m *morseReader) flush(end int) bool {
	code := m.code
	m.code = 0
	if code == 0 {
		return true
	}
	if code >= uint(len(morseOf)) || morseOf[code] == 0 {
		return false
	}
	m.f.emit(morseOf[code], m.from, end-m.from)
	return true
}

// different counts the different letters of a text.
func different(b []byte) int {
	var seen uint32
	for _, c := range b {
		if l := letterOf[c]; l < noLetter {
			seen |= 1 << l
		}
	}
	return bits.OnesCount32(seen)
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
	onset, best := -1, 1<<30
	for k := max(lo, stem-3); k <= stem; k++ {
		if k > lo && (stem-k <= 1 || startsWord(b[k:stem])) {
			if rank := s.rankOf(b[k:stem], b[lo:k]); rank >= 0 && rank < best {
				onset, best = k, rank
			}
		}
	}
	if c := b[stem-1]; stem-lo > 1 && (c == 'w' || c == 'y') && (vowel(b[lo]) || b[lo] == 'y') {
		if rank := s.rankOf(nil, b[lo:stem-1]); onset < 0 || rank >= 0 && rank < best {
			f.copy(b[lo:stem-1], lo)
			return
		}
	}
	if onset < 0 {
		onset = stem
		for onset > lo && stem-onset < 3 && !vowel(b[onset-1]) {
			onset--
		}
		for stem-onset > 1 && !startsWord(b[onset:stem]) {
			onset++
		}
	}
	f.copy(b[onset:stem], onset)
	f.copy(b[lo:onset], lo)
}

// rankOf returns the rank of the word that a beginning and the rest make, -1 if
// they make none.
func (s *Scanner) rankOf(begin, rest []byte) int {
	return known.rank(letterHash(letterHash(letterSeed, begin), rest))
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
	if count >= 6 && different(f.raw) >= 4 {
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

// shortestRun is the length of a word that could be several without blanks, and
// longestCut that of the longest that is cut.
const (
	shortestRun = 14
	longestCut  = 1 << 12
)

// unspaced cuts long words of the text into words: "ignoreallprevious". Beside
// them, shorter ones are cut as well: blanks were taken out of all of the text.
func (s *Scanner) unspaced(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 2 * len(b)
	f := s.begin(layer)
	from, cuts, shortest := -1, 0, shortestRun
	for i := 0; i < len(b); {
		if wordOf[b[i]]&(inLower|inUpper) == 0 {
			i++
			continue
		}
		end := i
		for end < len(b) && wordOf[b[end]]&(inLower|inUpper) != 0 {
			end++
		}
		if w := b[i:min(end, i+longestCut)]; len(w) >= shortest && !known.has(w) && s.cut(w) {
			if from < 0 {
				from, _ = lines(b, span{i, end}, 2*block)
			}
			f.copy(b[from:i], from)
			s.apart(f, w, i)
			from, cuts, shortest = i+len(w), cuts+1, shortestRun/2
		}
		i = end
	}
	if cuts > 0 {
		_, end := lines(b, span{from, from}, 2*block)
		f.copy(b[from:end], from)
		s.offer(layer, "unspaced", text)
	}
}

// apart writes the word at i with blanks where cut cut it.
func (s *Scanner) apart(f *frame, w []byte, i int) {
	s.markCuts(len(w))
	at := 0
	for k := 1; k <= len(w); k++ {
		if s.begins[k] < 0 {
			f.copy(w[at:k], i+at)
			if at = k; k < len(w) {
				f.emit(' ', i+k, 0)
			}
		}
	}
}

// shaken puts the letters of shaken words back: "prveious isntructions".
func (s *Scanner) shaken(layer int, part span) {
	all := s.frames[layer].reading.Text
	lo, hi := lines(all, part, 2*block)
	b := all[:hi]
	s.work += 4 * (hi - lo)
	f := s.begin(layer)
	from, count, last := lo, 0, ""
	for i := lo; i < hi; {
		if wordOf[b[i]]&inLower == 0 {
			i++
			continue
		}
		end := i
		for end < len(b) && wordOf[b[end]]&inLower != 0 {
			end++
		}
		if w := putBack(b[i:end]); w != "" {
			f.copy(b[from:i], from)
			f.up.add(len(f.raw), i, end-i, end-i, 1)
			f.raw = append(f.raw, w...)
			if from = end; w != last {
				last = w
				count++
			}
		}
		i = end
	}
	f.copy(b[from:], from)
	if count >= 2 {
		s.offer(layer, "shaken letters", text)
	}
}
