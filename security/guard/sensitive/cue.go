package sensitive

import (
	"strings"
	"unicode/utf8"
)

// A cue is a word, or a few, that says which number stands beside it. It is
// compared without regard to case. A blank in it stands for at most two of
// " _-./:'" or for none, so that "tax id" is also "tax_id" and "taxId". It begins
// where a word begins and ends where one ends; with * at its end, it may go on.
// Cues in scripts that are written without blanks may stand anywhere.
type cue struct {
	text  string
	open  bool // the word may go on
	kinds Set  // the rows that it names
}

// How much of the text around a number is searched for cues, in bytes.
const (
	cuesBefore = 48
	cuesAfter  = 24
)

// cues holds the cues of all rows by their first byte.
var cues = func() (by [256][]cue) {
	for i := range personalRows {
	words:
		for text := range strings.SplitSeq(personalRows[i].cues, "|") {
			word, open := strings.CutSuffix(text, "*")
			list := &by[word[0]]
			for k := range *list {
				if c := &(*list)[k]; c.text == word && c.open == open {
					c.kinds.put(i)
					continue words
				}
			}
			c := cue{text: word, open: open}
			c.kinds.put(i)
			*list = append(*list, c)
		}
	}
	return by
}()

// cuesIn adds the kinds that the words of t name.
func cuesIn(t string, found *Set) {
	for i := range len(t) {
		c := t[i]
		if c < utf8.RuneSelf && !wordStarts(t, i) {
			continue
		}
		list := cues[lower(c)]
		for k := range list {
			if list[k].at(t, i) {
				found.add(&list[k].kinds)
			}
		}
	}
}

// wordStarts reports whether a word starts at i: after something else, or where
// a capital follows a small letter, as in customerSsn.
func wordStarts(t string, i int) bool {
	if !isAlnum(t[i]) {
		return false
	}
	if i == 0 || isUpper(t[i]) && isLower(t[i-1]) || i > 1 && t[i-2] == '\\' {
		return true
	}
	if t[i-1] >= utf8.RuneSelf {
		r, _ := utf8.DecodeLastRuneInString(t[:i])
		return !joins(r)
	}
	return !isAlnum(t[i-1])
}

// at reports whether the cue stands at i.
func (c *cue) at(t string, i int) bool {
	for k := range len(c.text) {
		if c.text[k] == ' ' {
			for n := 0; n < 2 && i < len(t) && strings.IndexByte(" _-./:'", t[i]) >= 0; n++ {
				i++
			}
			continue
		}
		if i >= len(t) || lower(t[i]) != c.text[k] {
			return false
		}
		i++
	}
	if c.open || i == len(t) {
		return true
	}
	if t[i] >= utf8.RuneSelf {
		r, _ := utf8.DecodeRuneInString(t[i:])
		return !joins(r)
	}
	return !isAlnum(t[i]) || isUpper(t[i]) && isLower(t[i-1]) || isDigit(t[i]) && !isDigit(t[i-1])
}
