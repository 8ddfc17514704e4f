package reading

// A survey counts, in one pass, what could be encoded in a text, so that most
// texts need no decoder at all.
type survey struct {
	odd      int // words of the base64 alphabet that no writer makes: "aGVs", "x7f"
	codes    int // the longest row of words of hexadecimal digits, most with a digit among them
	hex      int // the longest of such words
	long     int // words that could be base58: long, with capitals, small letters and digits
	base32   int // words that could be base32: capitals or small letters, and digits
	gap      int // the longest row of bytes that belong to no word
	singles  int // the longest row of letters that stand alone
	short    int // the longest row of words of up to three letters that a sign cuts from another, or nearly
	leet     int // words with a digit or sign between letters
	ay       int // words that end in "ay", as all do in pig latin
	words    int
	run      int    // the longest word of small letters alone
	spells   int    // words that only the spelling alphabet uses, or nearly
	turns    int    // words that speak of the order of words
	turnAt   int    // the last one
	shaken   int    // words that are known ones with their inner letters shaken
	shakenIn span   // from the first to the last of them
	chain    int    // letters that stand alone, up to here
	numbers  int    // words of hexadecimal digits, up to here
	joints   int    // the longest row of words with the same signs between them, or nearly
	joint    int    // such words, up to here
	sign     uint32 // between the last two of them
	sign2    uint32 // the one before
	bullets  int    // words that are a few signs of two or three bytes
	stubs    int    // the longest row of words of up to three letters
	stub     int    // such words, up to here
	inside   int    // marks of a markup language directly after a letter
	bare     int    // the longest row of words without a vowel after their first letter, or nearly
	bared    int    // such words, up to here
	stars    int    // stars between letters
	veils    int    // the longest row of pieces without a vowel after a sign that could stand for one, or nearly
	veil     int    // such pieces, up to here
	shorts   int    // short words cut from others, up to here
	solid    int    // the longest row of visible ASCII, about
	figures  int    // the longest row of words of digits, or nearly
	figure   int    // such words, up to here

	hinted spans // telling words that are cut or misspelt

	signs [16]int // how often each sign of signOf occurs

	unlikely  spans // whose letters do not follow each other as in a language
	backwards spans // whose letters follow each other as in one read backwards
}

// A span is a part of a text.
type span struct{ lo, hi int }

// spans are a few parts of a text, in order.
type spans struct {
	all [8]span
	n   int
}

func (s *spans) list() []span { return s.all[:s.n] }

// add adds a part. Parts close to each other become one, and so do the last ones
// where there are too many.
func (s *spans) add(lo, hi int) {
	if s.n > 0 && (s.n == len(s.all) || lo-s.all[s.n-1].hi <= 2*block) {
		s.all[s.n-1].hi = hi
		return
	}
	s.all[s.n] = span{lo, hi}
	s.n++
}

// What a byte can be in a word.
const (
	inLower uint8 = 1 << iota
	inUpper
	inDigit
	inHex
	inOther // letters that are no hexadecimal digits
	inBase  // '+', '/' and '=': not letters but in base64
	inHigh  // part of a letter that is not ASCII
	inVowel
)

var wordOf = func() (t [256]uint8) {
	for c := range 256 {
		switch l := lowerOf[c]; {
		case c >= 0x80:
			t[c] = inHigh
		case '0' <= c && c <= '9':
			t[c] = inDigit | inHex
		case 'a' <= l && l <= 'f':
			t[c] = inHex
		case 'a' <= l && l <= 'z':
			t[c] = inOther
		case c == '+' || c == '/' || c == '=':
			t[c] = inBase
		}
		switch {
		case 'a' <= c && c <= 'z':
			t[c] |= inLower
		case 'A' <= c && c <= 'Z':
			t[c] |= inUpper
		}
		switch lowerOf[c] {
		case 'a', 'e', 'i', 'o', 'u', 'y':
			t[c] |= inVowel
		}
	}
	return t
}()

// Signs that decoders ask for.
const (
	noSign uint8 = iota
	percentSign
	ampersand
	backslash
	angle
	bracket
	dotSign
	dashSign
	leetSign
	joinSign
	equalSign
	hashSign
	quoteSign
	plusSign
)

var signOf = [256]uint8{
	'%': percentSign, '&': ampersand, '\\': backslash, '<': angle, '[': bracket, '.': dotSign, '-': dashSign, '_': dashSign,
	'@': leetSign, '$': leetSign, '!': leetSign, '|': leetSign,
	'*': joinSign, '~': joinSign, '^': joinSign, '\'': joinSign, '`': joinSign, ',': joinSign, '=': equalSign, '#': hashSign, '"': quoteSign, '+': plusSign,
}

// marking are the signs that begin and end a mark within a text.
var marking = [256]bool{'<': true, '>': true, '[': true, ']': true, '*': true, '~': true, '`': true, '/': true}

// take surveys a folded text.
func (s *survey) take(text, cased []byte) {
	*s = survey{}
	last := 0                            // where the last word ends
	from := 0                            // where the row of visible bytes begins
	near, nearer, chained := 0, 0, false // where the words before begin, if one byte parts them
	for i := 0; i < len(cased); {
		c := cased[i]
		first := wordOf[c]
		if first == 0 || first == inBase {
			s.signs[signOf[c]]++
			i++
			continue
		}
		start := i
		s.gap = max(s.gap, start-last)
		if last > 0 && start > last && marking[cased[last]] && marking[cased[start-1]] && cased[start-1] != '<' && cased[start-1] != '[' {
			s.inside++
			if cased[last] == '*' && start == last+1 {
				s.stars++
			}
		}
		if start-last >= 3 && (cased[last+1] == '/' && cased[last+2] == '*' || cased[last] == '<' && cased[last+1] == '!') {
			s.inside++
		}
		if start > last && (cased[last] == ' ' || cased[start-1] <= ' ') {
			s.solid, from = max(s.solid, last-from), start
		}
		if n := start - last; n > 1 || n == 1 && cased[last] != ' ' {
			if sign := uint32(n)<<16 | uint32(cased[last])<<8 | uint32(cased[start-1]); sign == s.sign || sign == s.sign2 {
				s.joint += 2
				s.joints = max(s.joints, s.joint)
			} else {
				s.sign, s.sign2 = sign, s.sign
				s.joint = max(s.joint-1, 0)
			}
		} else if s.joint > 0 {
			s.joint--
		}
		var rest uint8
		i, rest = wordEnd(cased, i+1)
		if start == last+1 {
			end := uint(text[i-1]) & 31
			first := uint(text[near]&31) << 5
			x := (tellingEnds[first|end] & tellingStarts[first|uint(text[near+1]&31)]) << 1 >> (i - near)
			if chained {
				first = uint(text[nearer]&31) << 5
				x |= (tellingEnds[first|end] & tellingStarts[first|uint(text[nearer+1]&31)]) << 2 >> (i - nearer)
			}
			if x&1 != 0 {
				s.pieced(text, near, nearer, start, i)
			}
			nearer, chained = near, true
		} else {
			chained = false
		}
		near = start
		s.word(text, start, i, first, rest)
		last = i
	}
	s.gap, s.solid = max(s.gap, len(cased)-last), max(s.solid, len(cased)-from)
	s.likely(text)
}

// word judges one word by the kinds of its bytes.
func (s *survey) word(text []byte, start, end int, first, rest uint8) {
	s.words++
	n := end - start
	all := first | rest
	if n <= 3 && all&(inDigit|inHigh) == 0 {
		s.stub++
		s.stubs = max(s.stubs, s.stub)
	} else {
		s.stub = 0
	}
	if all&inDigit != 0 {
		s.figure += 2
		s.figures = max(s.figures, s.figure)
	} else if s.figure > 0 {
		s.figure--
	}
	if all&(inVowel|inDigit|inHigh) == 0 && start > 0 && veilOf[text[start-1]] {
		s.veil += 2
		s.veils = max(s.veils, s.veil)
	} else if s.veil > 0 {
		s.veil--
	}
	if n == 1 {
		if first&(inLower|inUpper) != 0 {
			s.chain++
			s.singles = max(s.singles, s.chain)
		}
		s.number(first&inDigit != 0)
		return
	}
	if n >= 3 && rest&inVowel == 0 && all&(inDigit|inHigh|inBase) == 0 {
		s.bared += 2
		s.bare = max(s.bare, s.bared)
	} else if s.bared > 0 && n >= 3 {
		s.bared--
	}
	s.chain = 0
	s.number(all&(inOther|inBase|inHigh) == 0 && (all&inDigit != 0 || n == 2) || first&inDigit != 0 && text[start+1] == 'x')
	if all == all&(inLower|inHex|inOther|inVowel) && all&inDigit == 0 {
		s.small(text, start, end)
		return
	}
	if all&inHigh != 0 {
		if first == inHigh && n <= 8 && text[start] == 0xF0 {
			s.joint += 4
			s.joints = max(s.joints, s.joint)
		}
		if first == inHigh && n <= 12 && (text[start] == 0xC2 || text[start] == 0xE2) {
			s.bullets++
		}
		if all&(inLower|inUpper) != 0 && n >= 16 && scattered(text[start:end]) {
			s.joints = n
		}
		return
	}
	if all&inBase != 0 && n >= 3 {
		s.joint += 3
		s.joints = max(s.joints, s.joint)
	}
	s.mixed(text, start, end, all, rest)
}

// pieced notes a telling word that ends at end and is cut in two or three, the last
// of which begins at start.
func (s *survey) pieced(text []byte, near, nearer, start, end int) {
	switch {
	case end == start+1 && text[start] == 's': // a plural
	case whole(text[near:end], text[start-1]):
		s.hinted.add(near, end)
	case nearer < near && whole(text[nearer:end], text[near-1], text[start-1]):
		s.hinted.add(nearer, end)
	}
}

// whole reports whether pieces with these signs between them make a telling word,
// perhaps with its letters shaken.
func whole(w []byte, gaps ...byte) bool {
	h := uint64(w[0])<<8 | uint64(w[len(w)-1]) + uint64(len(w)-len(gaps))<<16
	for _, c := range w[1 : len(w)-1] {
		h += letterWeights[c&31]
	}
	for _, c := range gaps {
		h -= letterWeights[c&31]
	}
	return tellingShapes.find(h) != "" && lettersOf(w) == len(w)-len(gaps)
}

func lettersOf(w []byte) int {
	n := 0
	for _, c := range w {
		if letterOf[c] < noLetter {
			n++
		}
	}
	return n
}

// number counts words of digits in a row.
func (s *survey) number(is bool) {
	if !is {
		s.numbers = 0
		return
	}
	s.numbers++
	s.codes = max(s.codes, s.numbers)
}

// small judges a word of small letters.
func (s *survey) small(text []byte, start, end int) {
	n := end - start
	s.run = max(s.run, n)
	if n <= 3 {
		if start > 1 && joins(text[start-1]) && letterOf[text[start-2]] < noLetter || end+1 < len(text) && joins(text[end]) && letterOf[text[end+1]] < noLetter {
			s.shorts += 2
			s.short = max(s.short, s.shorts)
		} else if s.shorts > 0 {
			s.shorts--
		}
		return
	}
	if s.shorts > 0 && !(start > 1 && joins(text[start-1])) && !(end+1 < len(text) && joins(text[end])) {
		s.shorts--
	}
	w := text[start:end]
	if n >= leastShaken && n <= longestKnown && shapeEnds[w[0]&31][w[n-1]&31]>>n&1 != 0 && shapes.restored(w) != "" {
		if s.shaken == 0 {
			s.shakenIn.lo = start
		}
		s.shaken, s.shakenIn.hi = s.shaken+1, end
		if tellingShapes.find(shape(w)) != "" {
			s.hinted.add(start, end)
		}
	} else if slipEnds[(uint(w[0])&31)<<5|uint(w[n-1])&31]>>n&1 != 0 && slipped(w) {
		s.hinted.add(start, end)
	}
	switch w[0] {
	case 'r':
		if n >= 6 && string(w[:6]) == "revers" || n >= 5 && string(w[:5]) == "ruckw" {
			s.turns, s.turnAt = s.turns+1, start
		}
		if string(w) == "romeo" {
			s.spells++
		}
	case 'b':
		if n >= 8 && string(w[:8]) == "backward" {
			s.turns, s.turnAt = s.turns+1, start
		}
	case 'e':
		if string(w) == "echo" {
			s.spells++
		}
	}
	if w[n-1] == 'y' && w[n-2] == 'a' {
		s.ay++
	}
}

// mixed judges a word with capitals, digits or signs of base64.
func (s *survey) mixed(text []byte, start, end int, all, rest uint8) {
	n := end - start
	if n >= shortestRun && leetAlone(text[start:end], rest) {
		s.hinted.add(start, end)
	}
	if all&(inDigit|inBase) == 0 {
		lower := start
		for lower < end && text[lower] >= 'a' {
			lower++
		}
		s.small(text, start, lower)
	}
	if all&inDigit != 0 && (all&(inOther|inBase) == 0 || text[start+1] == 'x') {
		s.hex = max(s.hex, n)
	}
	if n >= least58 && all&(inUpper|inLower|inDigit|inBase) == inUpper|inLower|inDigit {
		s.long++
	}
	if n >= 8 && (all&inUpper == 0 || all&inLower == 0) && (all&inDigit != 0 || n >= 24) {
		s.base32++
	}
	if all&inBase != 0 {
		s.signs[equalSign] += 3
	}
	if all&inDigit != 0 && all&(inLower|inUpper) != 0 {
		s.odd++
		s.leet++
		if n >= leastCut && n <= longestKnown && disguised(text[start:end]) {
			s.hinted.add(start, end)
		}
	} else if n >= 4 && rest&inUpper != 0 && all&inLower != 0 || all&inBase != 0 && n >= 8 {
		s.odd++
	}
}

// block is how many bytes the likelihood of letters is measured over.
const block = 32

// wordEnd returns where the word that holds i ends, and what its bytes from i on
// can be. It is no part of take, which has more to hold than there are registers.
//
//go:noinline
func wordEnd(b []byte, i int) (end int, rest uint8) {
	for ; i < len(b); i++ {
		k := wordOf[b[i]]
		if k == 0 {
			break
		}
		rest |= k
	}
	return i, rest
}

// likely measures the text in blocks.
func (s *survey) likely(text []byte) {
	prev := uint(noLetter)
	for i := 0; i < len(text); i += block {
		end := min(i+block, len(text))
		var sum tally
		for _, c := range text[i:end] {
			cur := uint(letterOf[c])
			sum += pairs[(prev<<5|cur)&1023]
			prev = cur
		}
		pairs, likely, forward := sum.parts()
		if pairs < 10 {
			continue
		}
		if 10*likely < 16*pairs {
			s.unlikely.add(i, end)
		}
		if 10*forward < -4*pairs {
			s.backwards.add(i, end)
		}
	}
}
