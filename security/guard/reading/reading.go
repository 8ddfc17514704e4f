package reading

// A Reading is one way to read a text. It is valid only during the call that it
// is passed to.
type Reading struct {
	// Text is the reading, folded: compatibility forms are plain characters
	// (NFKC), letters are lower case, accents of Latin, Greek and Cyrillic letters
	// are gone, so are the vowel marks of Arabic and Hebrew and the tatweel; forms
	// of alef, ya and kaf are one; look-alikes in words of mixed scripts are Latin
	// letters; typographic quotes
	// and dashes are those of a keyboard; what shows nothing is dropped; a run of blanks and control
	// characters is one blank, or one '\n' if a line ends in it. It is valid UTF-8.
	Text []byte
	// Cased is Text as long and at the same offsets, in the case as written.
	Cased []byte
	// Name says how the text is read: "plain" as it stands, "folded" if the
	// folding changed more than case, accents and blanks, else one of the names
	// that this package gives its decoders: "base64", "rot13", "comment". Names of
	// nested readings are joined: "base64 > rot13".
	Name string
	// Layer counts the decodings: 0 for the text as it stands.
	Layer int

	path *link
}

// A link is one step from a text to its source. The last one leads to the
// original.
type link struct {
	trail *trail
	next  *link
}

// Span maps Text[i:j] to the bytes of the original text that it came from: the
// smallest span on rune boundaries that holds them. Offsets outside of Text are
// moved to its ends; an empty span stays empty where the original has a place
// for it.
func (r *Reading) Span(i, j int) (lo, hi int) {
	i = max(0, min(i, len(r.Text)))
	j = max(i, min(j, len(r.Text)))
	for l := r.path; l != nil; l = l.next {
		i, j = l.trail.span(i, j)
	}
	return i, j
}

// Upper reports whether the letter that begins at Text[i] was an upper case one.
func (r *Reading) Upper(i int) bool {
	if i < 0 || i >= len(r.Text) {
		return false
	}
	return r.Text[i] != r.Cased[i] || r.Text[i] >= 0xC0 && r.upperAfter(i)
}

// upperAfter looks at the later bytes of a letter of several bytes: the first
// ones of an upper and a lower case letter are often the same.
func (r *Reading) upperAfter(i int) bool {
	for k := i + 1; k < len(r.Text) && r.Text[k]&0xC0 == 0x80; k++ {
		if r.Text[k] != r.Cased[k] {
			return true
		}
	}
	return false
}
