package sensitive

// maxForm bounds the digits and letters of a form.
const maxForm = 20

// A form is the digits and letters of a number that stands in a text in one of
// the forms of a row, without what parts them. It is passed by value, so that a
// check costs no allocation.
type form struct {
	c [maxForm]byte
	n int
}

// at is the value of the digit at i.
func (f *form) at(i int) int { return int(f.c[i] - '0') }

// number is the value of the digits from i up to j, at most 18 of them.
func (f *form) number(i, j int) int {
	n := 0
	for _, c := range f.c[i:j] {
		n = n*10 + int(c-'0')
	}
	return n
}

func (f *form) is(s string) bool { return string(f.c[:f.n]) == s }

// digits reports whether the characters from i up to j are digits.
func (f *form) digits(i, j int) bool {
	for _, c := range f.c[i:j] {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// same reports whether the number is one digit over and over.
func (f *form) same() bool {
	for _, c := range f.c[1:f.n] {
		if c != f.c[0] {
			return false
		}
	}
	return true
}

// match holds a pattern of a personalRow against the text at i. It returns where
// the number ends, or 0.
func match(t string, i int, pattern string) (f form, end int) {
	var sep byte
	for k := range len(pattern) {
		if i >= len(t) {
			return f, 0
		}
		c := t[i]
		i++
		switch p := pattern[k]; p {
		case 'd', 'A', 'N':
			if !fits(p, c) {
				return f, 0
			}
			f.c[f.n] = c
			f.n++
		case '~':
			c = blank(c)
			if sep == 0 && (c == ' ' || c == '-' || c == '.') {
				sep = c
			}
			if c != sep {
				return f, 0
			}
		default:
			if blank(c) != p {
				return f, 0
			}
		}
	}
	return f, i
}

func fits(p, c byte) bool {
	return isDigit(c) && p != 'A' || isUpper(c) && p != 'd'
}

// blank takes the end of a line for a blank: long numbers are broken there.
func blank(c byte) byte {
	if c == '\n' || c == '\t' {
		return ' '
	}
	return c
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isAlnum(c byte) bool { return isDigit(c) || isLower(c|0x20) }

func lower(c byte) byte {
	if isUpper(c) {
		return c | 0x20
	}
	return c
}

// A pattern is a form of a row, as the scanner looks for it.
type pattern struct {
	text  string
	row   int
	alone bool // it counts without a word beside it where its kind is on
	skip  bool // its kind is off unless it was chosen
	next  byte // what follows the digits that it begins with, 0 for nothing
}

// follows reports whether the character behind a row of digits is the pattern's.
// Most numbers of a text are told apart from all patterns by this.
func (p *pattern) follows(c byte) bool {
	switch p.next {
	case 0:
		return true
	case 'A', 'N', 'd':
		return isUpper(c) || isDigit(c)
	case '~':
		c = blank(c)
		return c == ' ' || c == '-' || c == '.'
	}
	return blank(c) == p.next
}

// patterns orders the forms of all rows by how many digits they begin with; those
// that begin with a letter are at 0.
var patterns = func() (by [maxForm + 1][]pattern) {
	for i := range personalRows {
		r := &personalRows[i]
		for k, text := range append(r.prints[:len(r.prints):len(r.prints)], r.loose...) {
			n := 0
			for n < len(text) && text[n] == 'd' {
				n++
			}
			p := pattern{text: text, row: i, alone: k < len(r.prints), skip: r.Default == Off}
			if n < len(text) {
				p.next = text[n]
			}
			by[n] = append(by[n], p)
		}
	}
	return by
}()
