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
	greek      = "αενικορτυχγηωβςσϲϳζμ"
	greekAs    = "aevikoptuxynwbsocjzu"
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
// case, with or without an accent, looks like; 0 if none. The case does not
// count: a capital looks like that of the letter.
func lookalike(r rune) byte {
	switch {
	case 0x80 <= r && r < europeEnd:
		return europe[r-0x80].like
	case 0x530 <= r && r <= 0x58F, 0x13A0 <= r && r <= 0x13FF, 0xA640 <= r && r <= 0xA66F, 0xAB70 <= r && r <= 0xABBF:
		return lookalikes[unicode.ToLower(r)]
	}
	return 0
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
	f.settled = w.unlike
	masked := !w.unlike && (w.latin || mixed > 1 || prev == latinWord && (w.letters > 1 || !w.nextElse) || prev == nothing && !w.nextElse)
	for k := i; k < w.end; {
		r, n := utf8.DecodeRune(f.src[k:])
		f.letter(r, k, n, masked)
		k += n
	}
	return w.end
}

// letter folds one letter of a word, to the Latin one that it looks like if the
// word is masked.
func (f *folder) letter(r rune, k, n int, masked bool) {
	like := lookalike(r)
	switch {
	case r < utf8.RuneSelf:
		f.put(rune(lowerOf[r]), r, k, n)
	case masked && like != 0:
		f.signs.Lookalikes++
		f.disguise = true
		cased := rune(like)
		if unicode.IsUpper(r) {
			cased = unicode.ToUpper(cased)
		}
		f.put(rune(like), cased, k, n)
	case r < europeEnd && europe[r-0x80].n == 0:
		f.mark()
	case r < europeEnd:
		f.several(&europe[r-0x80], k, n)
	case hidden(r):
		f.drop(r, k)
	default:
		f.compatible(r, k, n)
	}
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
			if lookalike(r) == 0 { // that decides, and the rest need not be read
				w.unlike, w.end = true, k+n
				return w
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
func scriptOf(r rune) int8 {
	switch {
	case r < utf8.RuneSelf:
		if letterOf[r] < noLetter {
			return 0
		}
		return -1
	case r < europeEnd:
		return europe[r-0x80].script
	}
	return script(r)
}

func script(r rune) int8 {
	switch {
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
		case letterOf[c] < noLetter:
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
