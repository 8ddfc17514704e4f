package reading

import (
	"unicode"
	"unicode/utf8"
)

// Letters of other scripts that look like Latin ones, lower case and without
// accents, as pairs of rows of equal length. Which code point resembles which is
// a fact of Unicode's chart glyphs; letters whose likeness needs goodwill (и, г,
// щ, π) are left out, since words of two scripts exist: "TGFβ", "α-Test".
const (
	cyrillic   = "асеіорѕхуһјԁӏквмнтьԛԝүѵғԍꙅԃ"
	cyrillicAs = "aceiopsxyhjdlkbmhtbqwyvfgsd"
	greek      = "αενικορτυχγηωβςσϲϳκκζμ"
	greekAs    = "aevikoptuxynwbsocjkkzu"
	armenian   = "ոսօցհզյքգւ"
	armenianAs = "nuoghqjpqi"
	cherokee   = "ꭰꭱꭲꭹꭺꮃꭻꮇꮋꮐꮖꮞꮟꮢꮪꮯꮲꮶꮼꮩꮻꮓ"
	cherokeeAs = "driyalj" + "mhgi4b" + "rscpkyvw" + "z"
)

// lookalikes of each block of 256 code points, since most text is in a few.
var lookalikes = func() map[rune]byte {
	t := map[rune]byte{}
	for _, rows := range [][2]string{{cyrillic, cyrillicAs}, {greek, greekAs}, {armenian, armenianAs}, {cherokee, cherokeeAs}} {
		k := 0
		for _, r := range rows[0] {
			t[r] = rows[1][k]
			k++
		}
	}
	return t
}()

// lookalike returns the Latin letter that a letter of another script, in either
// case, looks like; 0 if none. Capitals look like capitals: В is a B, в is not
// mistaken for one alone but is in a word of mixed scripts.
func lookalike(r rune) byte {
	switch {
	case r < 0x370, r > 0x58F && r < 0x13A0, r > 0x13FF && r < 0xA640, r > 0xABBF:
		return 0
	}
	return lookalikes[unicode.ToLower(r)]
}

// wordLimit bounds how far a word is read ahead; a longer one is judged in parts.
const wordLimit = 64

// A word is what stands between two places that are no letters.
type word struct {
	end      int
	letters  int
	latin    bool // holds a Latin letter
	foreign  int  // letters of other scripts
	unlike   bool // one of them looks like no Latin one
	scripts  [4]bool
	nextElse bool // the next word does not begin with a Latin letter
}

// word folds the word at i, which begins with a letter that looks like a Latin
// one: to Latin letters if it mixes scripts, or if it stands among Latin words
// and consists of nothing else.
func (f *folder) word(i int) int {
	w := f.look(i)
	prev := f.before()
	mixed := 0
	for _, s := range w.scripts {
		if s {
			mixed++
		}
	}
	if prev == inWord {
		w.latin = true
	}
	masked := !w.unlike && (w.latin || mixed > 1 || prev == latinWord && (w.letters > 1 || !w.nextElse) || prev == nothing && !w.nextElse)
	for k := i; k < w.end; {
		r, n := utf8.DecodeRune(f.src[k:])
		b := lookalike(r)
		switch {
		case r < utf8.RuneSelf:
			f.put(rune(lowerOf[r]), r, k, n)
		case masked && b != 0:
			f.signs.Lookalikes++
			f.disguise = true
			low, cased := rune(b), rune(b)
			if unicode.IsUpper(r) {
				cased = unicode.ToUpper(cased)
			}
			f.put(low, cased, k, n)
		case r < europeEnd:
			if e := &europe[r-0x80]; e.n == 0 {
				f.mark()
			} else if c := lookalike(e.low[0]); masked && c != 0 { // with an accent
				f.signs.Lookalikes++
				f.disguise = true
				f.put(rune(c), rune(c), k, n)
			} else {
				f.several(e, k, n)
			}
		case hidden(r):
			f.drop(r, k)
		default:
			f.compatible(r, k, n)
		}
		k += n
	}
	return w.end
}

// look reads a word ahead.
func (f *folder) look(i int) (w word) {
	k := i
	for k < len(f.src) && w.letters < wordLimit && k-i < 8*wordLimit {
		r, n := utf8.DecodeRune(f.src[k:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		script := scriptOf(r)
		switch {
		case script < 0 && !accent(r) && !hidden(r):
			w.end = k
			w.nextElse = !f.latinAfter(k)
			return w
		case script < 0:
		case script == 0:
			w.latin = true
			w.letters++
		default:
			w.letters++
			w.foreign++
			w.scripts[min(script, 4)-1] = true
			if lookalike(r) == 0 && (r >= europeEnd || lookalike(europe[r-0x80].low[0]) == 0) {
				w.unlike = true
			}
		}
		k += n
	}
	w.end = k
	w.nextElse = !f.latinAfter(k)
	return w
}

// scriptOf numbers the scripts whose letters are compared: 0 Latin, 1 Cyrillic,
// 2 Greek, 3 Armenian, 4 any other; -1 for what is no letter.
func scriptOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		if c := lowerOf[r]; 'a' <= c && c <= 'z' {
			return 0
		}
		return -1
	case accent(r) || !unicode.IsLetter(r):
		return -1
	case r < 0x370:
		return 0
	case r < 0x400:
		return 2
	case r < 0x530 || 0xA640 <= r && r <= 0xA69F:
		return 1
	case r < 0x590:
		return 3
	case 0x1E00 <= r && r <= 0x1EFF, 0xFF21 <= r && r <= 0xFF5A, 0x1D400 <= r && r <= 0x1D6A3:
		return 0
	case 0x1F00 <= r && r <= 0x1FFF:
		return 2
	}
	return 4
}

// latinAfter reports whether a Latin letter stands close after k.
func (f *folder) latinAfter(k int) bool {
	for j := k; j < len(f.src) && j < k+4; j++ {
		switch c := f.src[j]; {
		case c >= utf8.RuneSelf:
			return false
		case 'a' <= lowerOf[c] && lowerOf[c] <= 'z':
			return true
		}
	}
	return false
}

// What stands before a word.
const (
	nothing   = iota // the beginning
	inWord           // a Latin letter, directly
	latinWord        // a Latin letter and up to three other characters
	elsewhere
)

func (f *folder) before() int {
	n := len(f.text)
	if n == 0 {
		return nothing
	}
	for k := n - 1; k >= 0 && k >= n-4; k-- {
		switch c := f.text[k]; {
		case 'a' <= c && c <= 'z':
			if k == n-1 {
				return inWord
			}
			return latinWord
		case c >= utf8.RuneSelf || c == '\n':
			return elsewhere
		}
	}
	return elsewhere
}
