package reading

// A survey counts, in one pass, what could be encoded in a text, so that most
// texts need no decoder at all.
type survey struct {
	odd     int // words of the base64 alphabet that no writer makes: "aGVs", "x7f"
	codes   int // words of digits, or of hexadecimal digits with a digit among them
	longest int // the longest word
	singles int // letters that stand alone
	short   int // words of two or three letters beside a sign and not a blank
	leet    int // words with a digit or sign between letters
	ay      int // words that end in "ay", as all do in pig latin
	words   int
	run     int // the longest word of small letters alone

	signs [16]int // how often each sign of signOf occurs

	clumsy    spans // whose letters follow each other as in a text with slips
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
	quoteSign
	leetSign
	joinSign
	equalSign
	hashSign
)

var signOf = [256]uint8{
	'%': percentSign, '&': ampersand, '\\': backslash, '<': angle, '[': bracket, '.': dotSign, '-': dashSign, '_': dashSign,
	'"': quoteSign, '@': leetSign, '$': leetSign, '!': leetSign, '|': leetSign,
	'*': joinSign, '~': joinSign, '^': joinSign, '\'': joinSign, '`': joinSign, ',': joinSign, '=': equalSign, '#': hashSign,
}

// take surveys a folded text.
func (s *survey) take(text, cased []byte) {
	*s = survey{}
	for i := 0; i < len(cased); {
		c := cased[i]
		first := wordOf[c]
		if first == 0 || first == inBase {
			s.signs[signOf[c]]++
			i++
			continue
		}
		start := i
		var rest uint8
		for i++; i < len(cased); i++ {
			k := wordOf[cased[i]]
			if k == 0 {
				break
			}
			rest |= k
		}
		s.word(text, cased, start, i, first, rest)
	}
	s.likely(text)
}

// word judges one word by the kinds of its bytes.
func (s *survey) word(text, cased []byte, start, end int, first, rest uint8) {
	s.words++
	n := end - start
	all := first | rest
	if n > s.longest {
		s.longest = n
	}
	switch {
	case all&inHigh != 0:
		return
	case n == 1:
		if first&(inLower|inUpper) != 0 {
			s.singles++
		}
		if first&inDigit != 0 {
			s.codes++
		}
		return
	case n <= 3 && all&(inLower|inUpper) != 0 && (start > 0 && text[start-1] != ' ' || end < len(text) && text[end] != ' '):
		s.short++
	}
	if all&inDigit != 0 && all&(inOther|inBase) == 0 {
		s.codes++
	}
	if all&inBase != 0 {
		s.signs[equalSign] += 3
	}
	if all&inDigit != 0 && all&(inLower|inUpper) != 0 {
		s.odd++
		s.leet++
	} else if n >= 4 && rest&inUpper != 0 && all&inLower != 0 || all&inBase != 0 && n >= 8 {
		s.odd++
	}
	if all == all&(inLower|inHex|inOther) && n > s.run {
		s.run = n
	}
	if n > 3 && text[end-1] == 'y' && text[end-2] == 'a' {
		s.ay++
	}
}

// block is how many bytes the likelihood of letters is measured over.
const block = 32

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
		if 10*likely < 26*pairs {
			s.clumsy.add(i, end)
		}
		if 10*likely < 16*pairs {
			s.unlikely.add(i, end)
		}
		if 10*forward < -4*pairs {
			s.backwards.add(i, end)
		}
	}
}
