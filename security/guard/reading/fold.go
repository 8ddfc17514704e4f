package reading

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold folds a word as Read folds a text, so that a word list can be compared
// with readings. Blanks at its ends become one blank each.
func Fold(s string) string {
	var f folder
	f.fold([]byte(s))
	return string(f.text)
}

// A folder writes a text as it looks. It keeps its buffers.
type folder struct {
	text  []byte // in lower case
	cased []byte // as long, in the case as written
	trail trail

	signs    Signs
	has      traits
	disguise bool // more changed than case, accents and blanks

	src     []byte
	marks   int // combining marks since the last letter
	quiet   int // characters since the last one that shows something
	flag    bool
	softAt  int  // letters since the last soft hyphen
	rightly bool // something is written from right to left
	settled bool // the word that goes on is one of another script than Latin
}

// traits are what folding met and decoders ask for.
type traits struct {
	tags, selectors, bits int // characters that can spell hidden text
	override              bool
	turned, braille       int // letters of these kinds
}

// fold writes the folded src. The result is valid until the next call.
func (f *folder) fold(src []byte) {
	*f = folder{text: f.text[:0], cased: f.cased[:0], trail: f.trail, src: src}
	f.trail.reset()
	f.softAt = 8
	for i := 0; i < len(src); {
		switch kindOf[src[i]] {
		case visible:
			i = f.ascii(i)
		case blank:
			i = f.blanks(i)
		case ideograph:
			i = f.ideographs(i)
		default:
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n == 1 {
				i = f.invalid(i)
				continue
			}
			i = f.rune(r, i, n)
		}
	}
}

// ascii copies visible ASCII and single blanks between.
func (f *folder) ascii(i int) int {
	src, j := f.src, i
	for j < len(src) {
		if n := plain(src[j:]); n > 0 {
			j += n
		} else if kindOf[src[j]] == visible || src[j] == ' ' && j+1 < len(src) && kindOf[src[j+1]] == visible {
			j++
		} else {
			break
		}
	}
	at := len(f.text)
	f.trail.add(at, i, 1, 1, j-i)
	f.cased = append(f.cased, src[i:j]...)
	f.text = append(f.text, src[i:j]...)
	lowered(f.text[at:])
	f.softAt += j - i
	f.marks, f.quiet, f.flag, f.settled = 0, 0, false, false
	return j
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// plain looks at eight bytes at once. It returns how many of them are visible
// ASCII and single blanks between, if they all are: a blank at the end is left
// to the next look. Otherwise it returns 0.
func plain(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	v := binary.LittleEndian.Uint64(b)
	// Without high bits no sum below carries into the next byte.
	if v&highs != 0 || (v+(0x80-' ')*ones)&highs != highs || (v+ones)&highs != 0 {
		return 0
	}
	blanks := ^((v ^ ' '*ones) + 0x7F*ones) & highs
	switch {
	case blanks&(blanks<<8) != 0:
		return 0
	case blanks>>63 != 0:
		return 7
	}
	return 8
}

// lowered makes small letters of ASCII's capitals, eight bytes at once.
func lowered(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		capitals := (v + (0x80-'A')*ones) &^ (v + (0x80-'Z'-1)*ones) & highs
		binary.LittleEndian.PutUint64(b, v|capitals>>2)
	}
	for i, c := range b {
		b[i] = lowerOf[c]
	}
}

// ideographs copies Chinese characters and Korean syllables.
func (f *folder) ideographs(i int) int {
	src, j := f.src, i
	for j+2 < len(src) && kindOf[src[j]] == ideograph && src[j+1]&0xC0 == 0x80 && src[j+2]&0xC0 == 0x80 {
		j += 3
	}
	if j == i {
		return f.invalid(i)
	}
	f.trail.add(len(f.text), i, 3, 3, (j-i)/3)
	f.text = append(f.text, src[i:j]...)
	f.cased = append(f.cased, src[i:j]...)
	f.softAt += (j - i) / 3
	f.marks, f.quiet, f.flag, f.settled = 0, 0, false, false
	return j
}

// blanks writes a run of blanks and control characters as one character.
func (f *folder) blanks(i int) int {
	j, out := i, byte(' ')
	for j < len(f.src) {
		c := f.src[j]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(f.src[j:])
			if !wideBlank(r) {
				break
			}
			if lineEnd(r) {
				out = '\n'
			} else if r < 0xA0 {
				f.signs.Controls++
			}
			j += n
			continue
		}
		if kindOf[c] != blank {
			break
		}
		switch {
		case c == '\n' || c == '\r':
			out = '\n'
		case c < ' ' && (c < '\t' || c > '\r') || c == 0x7F:
			f.signs.Controls++
		}
		j++
	}
	f.put(rune(out), rune(out), i, j-i)
	f.settled = false
	return j
}

func wideBlank(r rune) bool {
	return r >= 0x80 && r <= 0xA0 || r >= 0x1680 && unicode.IsSpace(r)
}

func lineEnd(r rune) bool { return r == 0x85 || r == 0x2028 || r == 0x2029 }

// invalid writes a run of bytes that are no UTF-8 as one replacement character.
func (f *folder) invalid(i int) int {
	j := i + 1
	for j < len(f.src) && f.src[j] >= utf8.RuneSelf {
		if r, n := utf8.DecodeRune(f.src[j:]); r != utf8.RuneError || n != 1 {
			break
		}
		j++
	}
	f.put(utf8.RuneError, utf8.RuneError, i, j-i)
	return j
}

// put writes one character that came from n bytes at i.
func (f *folder) put(low, cased rune, i, n int) {
	at := len(f.text)
	f.text = utf8.AppendRune(f.text, low)
	if low == cased || utf8.RuneLen(low) != utf8.RuneLen(cased) {
		f.cased = append(f.cased, f.text[at:]...)
	} else {
		f.cased = utf8.AppendRune(f.cased, cased)
	}
	f.trail.add(at, i, len(f.text)-at, n, 1)
	f.marks, f.quiet, f.flag = 0, 0, false
	f.softAt++
}

// rune folds one character that is not ASCII.
func (f *folder) rune(r rune, i, n int) int {
	switch {
	case r < europeEnd:
		return f.european(r, i, n)
	case 0x4E00 <= r && r <= 0x9FFF, 0xAC00 <= r && r <= 0xD7A3, 0x3041 <= r && r <= 0x3098, 0x309D <= r && r <= 0x30FE:
		f.put(r, r, i, n) // common and with nothing to fold
	case wideBlank(r):
		return f.blanks(i)
	case hidden(r):
		f.drop(r, i)
	case 0x0590 <= r && r <= 0x06FF:
		f.rightly = true
		f.semitic(r, i, n)
	case 0x2800 <= r && r <= 0x28FF:
		f.has.braille++
		f.put(r, r, i, n)
	case lookalike(r) != 0:
		return f.word(i)
	case r == 0x3099 || r == 0x309A:
		f.voiced(r, i, n)
	case r == 0xFF9E || r == 0xFF9F: // the same in half width
		f.voiced(r-0xFF9E+0x3099, i, n)
	case 0xE000 <= r && r <= 0xF8FF: // private use: shows nothing that is known
		f.quiet++
	case 0x1D400 <= r && r <= 0x1D6A3: // mathematical letters, also those that Unicode has elsewhere
		f.disguise = true
		k := (r - 0x1D400) % 52
		if k < 26 {
			f.put('a'+k, 'A'+k, i, n)
		} else {
			f.put('a'+k-26, 'a'+k-26, i, n)
		}
	case 0x2010 <= r && r <= 0x201F || r == 0x2212:
		f.put(plainSign(r), plainSign(r), i, n)
	case 0x1100 <= r && r <= 0x11FF:
		f.jamo(r, i, n)
	default:
		f.compatible(r, i, n)
	}
	return i + n
}

// european folds letters of the tables: Latin, Greek and Cyrillic.
func (f *folder) european(r rune, i, n int) int {
	e := &europe[r-0x80]
	switch {
	case r <= 0xA0:
		return f.blanks(i)
	case r == 0xAD || r == 0x34F:
		f.drop(r, i)
	case e.n == 0: // a mark
		f.mark()
	case e.like != 0 && !f.settled:
		return f.word(i)
	default:
		if e.script > 0 {
			f.settled = true
		} else if e.turned {
			f.has.turned++
		}
		f.several(e, i, n)
	}
	return i + n
}

// several writes the characters that one stands for.
func (f *folder) several(e *folded, i, n int) {
	if e.n == 1 {
		f.put(rune(e.low[0]), rune(e.cased[0]), i, n)
		return
	}
	at := len(f.text)
	for k := range int(e.n) {
		f.text = utf8.AppendRune(f.text, rune(e.low[k]))
		f.cased = utf8.AppendRune(f.cased, rune(e.cased[k]))
	}
	f.trail.add(at, i, len(f.text)-at, n, 1)
	f.marks, f.quiet, f.flag = 0, 0, false
	f.softAt += int(e.n)
}

// mark drops an accent. Two belong to letters of many languages; stacks of them
// are made to hide text.
func (f *folder) mark() {
	f.marks++
	if f.marks > 2 {
		f.signs.Marks++
		f.disguise = true
	}
}

// compatible folds a character by its decomposition (UAX #15, NFKD).
func (f *folder) compatible(r rune, i, n int) {
	b := boxed(r)
	if b == 0 && f.besideLetter(i, n) {
		b = pictured(r)
	}
	if b != 0 {
		f.disguise = true
		f.put(unicode.ToLower(b), b, i, n)
		return
	}
	if accent(r) {
		f.mark()
		return
	}
	if 0x3131 <= r && r <= 0x318E { // Korean chat spells with these; they are no syllables
		f.put(r, r, i, n)
		return
	}
	d := norm.NFKD.Properties(f.src[i:]).Decomposition()
	if d == nil {
		f.flag = r == 0x1F3F4 // a black flag: tag characters after it choose a country
		flag := f.flag
		f.put(lower(r), r, i, n)
		f.flag = flag
		return
	}
	f.decomposed(d, i, n, r >= 0xFF00 || 0x2460 <= r && r <= 0x24FF)
}

// pictured returns the letter or sign that an emoji looks like, 0 for none.
func pictured(r rune) rune {
	switch r {
	case 0x2B55:
		return 'O'
	case 0x274C, 0x274E:
		return 'X'
	case 0x2757, 0x2755:
		return '!'
	case 0x2753, 0x2754:
		return '?'
	}
	return 0
}

// besideLetter reports whether an ASCII letter stands directly before or after.
func (f *folder) besideLetter(i, n int) bool {
	return len(f.text) > 0 && letterOf[f.text[len(f.text)-1]] < noLetter || i+n < len(f.src) && letterOf[f.src[i+n]] < noLetter
}

// decomposed writes what a character stands for. A styled one is chosen by
// somebody; others, such as a ligature, come with the typesetting.
func (f *folder) decomposed(d []byte, i, n int, styled bool) {
	at := len(f.text)
	for len(d) > 0 {
		r, k := utf8.DecodeRune(d)
		d = d[k:]
		if accent(r) || pointed(r) {
			continue
		}
		if low := lower(r); styled && 'a' <= low && low <= 'z' {
			f.disguise = true
		}
		r = unified(r)
		low := lower(r)
		f.text = utf8.AppendRune(f.text, low)
		if utf8.RuneLen(low) != utf8.RuneLen(r) {
			r = low
		}
		f.cased = utf8.AppendRune(f.cased, r)
	}
	if len(f.text) > at {
		f.trail.add(at, i, len(f.text)-at, n, 1)
	}
	f.marks, f.quiet, f.flag = 0, 0, false
	f.softAt++
}

func lower(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(lowerOf[r])
	}
	return unicode.ToLower(r)
}

// semitic folds Hebrew and Arabic: without vowel marks, alef, ya and kaf in one
// form each. Persian and Urdu write some of them with other code points.
func (f *folder) semitic(r rune, i, n int) {
	switch {
	case pointed(r):
		return
	case 0x0675 <= r && r <= 0x0678:
		f.decomposed(norm.NFKD.Properties(f.src[i:]).Decomposition(), i, n, false)
	default:
		r = unified(r)
		f.put(r, r, i, n)
	}
}

// pointed reports vowel marks of Hebrew and Arabic and the tatweel, which only
// stretches a word.
func pointed(r rune) bool {
	return 0x0591 <= r && r <= 0x05BD || r == 0x05BF || r == 0x05C1 || r == 0x05C2 || r == 0x05C4 || r == 0x05C5 || r == 0x05C7 ||
		0x0610 <= r && r <= 0x061A || r == 0x0640 || 0x064B <= r && r <= 0x065F || r == 0x0670 || 0x06D6 <= r && r <= 0x06DC || 0x06DF <= r && r <= 0x06E8 || 0x06EA <= r && r <= 0x06ED
}

func unified(r rune) rune {
	switch r {
	case 0x0622, 0x0623, 0x0625, 0x0671:
		return 0x0627
	case 0x0624:
		return 0x0648
	case 0x0626, 0x0649, 0x06CC:
		return 0x064A
	case 0x06A9:
		return 0x0643
	}
	return r
}

// voiced joins the sign of a voiced sound to the kana before it.
func (f *folder) voiced(r rune, i, n int) {
	prev, k := utf8.DecodeLastRune(f.text)
	if c := voicedKana(prev, r); c != 0 {
		f.replace(c, k, n)
		return
	}
	f.put(r, r, i, n)
}

func voicedKana(prev, mark rune) rune {
	base := prev
	if 0x30A1 <= prev && prev <= 0x30FA {
		base -= 0x60
	}
	dot := 0x304B <= base && base <= 0x3062 && base%2 == 1 || base == 0x3064 || base == 0x3066 || base == 0x3068
	row := 0x306F <= base && base <= 0x307D && base%3 == 0x306F%3
	switch {
	case mark == 0x3099 && (dot || row):
		return prev + 1
	case mark == 0x309A && row:
		return prev + 2
	case mark == 0x3099 && base == 0x3046:
		return prev + 0x4E
	}
	return 0
}

// jamo composes Korean syllables from their letters (Unicode 3.12).
func (f *folder) jamo(r rune, i, n int) {
	prev, k := utf8.DecodeLastRune(f.text)
	switch {
	case 0x1161 <= r && r <= 0x1175 && 0x1100 <= prev && prev <= 0x1112:
		f.replace(0xAC00+((prev-0x1100)*21+(r-0x1161))*28, k, n)
	case 0x11A8 <= r && r <= 0x11C2 && 0xAC00 <= prev && prev <= 0xD7A3 && (prev-0xAC00)%28 == 0:
		f.replace(prev+(r-0x11A7), k, n)
	default:
		f.put(r, r, i, n)
	}
}

// replace writes another character in place of the last one, which is k bytes
// long as well, and came from n bytes less.
func (f *folder) replace(r rune, k, n int) {
	f.text = utf8.AppendRune(f.text[:len(f.text)-k], r)
	f.cased = utf8.AppendRune(f.cased[:len(f.cased)-k], r)
	f.trail.widen(n)
}

// plainSign returns the quote or dash of a keyboard for a typographic one.
func plainSign(r rune) rune {
	switch {
	case r <= 0x2015 || r == 0x2212:
		return '-'
	case 0x2018 <= r && r <= 0x201B:
		return '\''
	case r >= 0x201C:
		return '"'
	}
	return r
}
