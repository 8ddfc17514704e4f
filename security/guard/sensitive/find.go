package sensitive

import (
	"sort"
)

// Options say what Find looks for. The zero value is the defaults of Kinds.
type Options struct {
	Kinds     Set   // on top of the defaults, see Select
	Only      Class // nothing but this class; zero for both
	SkipTests bool  // pass over numbers that are published for tests and fiction: cards, accounts, +1 415 555 01xx
}

// Find looks for personal data and secrets in a text and hands each to see, until
// see returns false. Name is the JSON member that the text stands under, "ssn" or
// "api_key": it counts as a word beside every number, and as the name of a value
// that is the whole text. Empty for none.
//
// What stands in the text as it is comes first, in order; what only its second
// reading shows comes after, in order. Spans of the two may overlap, those of one
// do not.
func Find(text, name string, o Options, see func(Finding) bool) {
	s := scan{t: text, name: name, o: o, see: see, fresh: -1, phones: o.Kinds.touches(&homeKinds)}
	s.run()
	if s.stopped {
		return
	}
	if f, ok := fold(text); ok {
		s.folded, s.t, s.fresh, s.bodies = f, f.text, -1, bodies{}
		s.again = true
		s.run()
	}
}

// A scan is the work of one Find.
type scan struct {
	t         string // the reading
	name      string
	o         Options
	see       func(Finding) bool
	stopped   bool
	phones    bool   // a country's own form of telephone numbers was chosen
	fresh     int    // a word starts here although a letter stands before it
	bodies    bodies // how far the tokens at hand go
	again     bool   // it is the second reading
	folded    folded // what that reads
	found     []span // in the first reading
	nameCues  Set
	nameAsked bool
}

// A span is a place of the text as it was given.
type span struct{ lo, hi int }

// report hands on what stands at start up to end of the reading and returns end.
func (s *scan) report(kind int, strength Strength, start, end int) int {
	k := &kinds[kind]
	if s.stopped || s.o.Only != 0 && s.o.Only != k.Class {
		return end
	}
	lo, hi := start, end
	if s.again {
		lo, hi = s.folded.span(start, end)
		if s.knows(lo, hi) {
			return end
		}
	} else {
		s.found = append(s.found, span{lo, hi})
	}
	s.stopped = !s.see(Finding{k.Name, k.Class, strength, lo, hi, k.why[strength]})
	return end
}

// knows reports whether the first reading has found all of this.
func (s *scan) knows(lo, hi int) bool {
	n := sort.Search(len(s.found), func(i int) bool { return s.found[i].hi >= hi })
	return n < len(s.found) && s.found[n].lo <= lo
}

func (s *scan) looksFor(c Class) bool { return s.o.Only == 0 || s.o.Only == c }

// What the scanner does at a byte.
const (
	pass = iota
	inWord
	inNumber
	atSign
	plusSign
	bracket
	colon
	dash
	tilde
)

var classes = func() (t [256]uint8) {
	for c := range 128 {
		switch {
		case isDigit(byte(c)):
			t[c] = inNumber
		case isAlnum(byte(c)):
			t[c] = inWord
		}
	}
	t['@'], t['+'], t['('], t['-'], t['~'] = atSign, plusSign, bracket, dash, tilde
	t[':'], t['='], t['>'] = colon, colon, colon
	return t
}()

// run goes through the text once. Every step moves on by a byte at least, and
// looks at a bounded number of bytes around it. Where nothing was seen, the whole
// may be the value of its name.
func (s *scan) run() {
	t := s.t
	for i := 0; i < len(t) && !s.stopped; {
		end := 0
		switch classes[t[i]] {
		case pass:
		case inWord, inNumber:
			end = s.word(i)
		case atSign:
			end = s.email(i)
		case plusSign:
			end = s.phone(i, i+1)
		case bracket:
			end = s.bracketed(i)
		case colon:
			end = s.assignment(i)
		case dash:
			end = s.dash(i)
		case tilde:
			end = s.azureSecret(i)
		}
		i = max(end, i+1)
	}
	if len(s.found) == 0 {
		s.whole()
	}
}

// word tries everything that begins where a word begins, and returns the end of
// the word or of what was found.
func (s *scan) word(i int) int {
	t := s.t
	if i > 0 && (t[i-1] == '\\' || t[i-1] == '%') {
		if n := escape(t, i); n > 0 {
			s.fresh = i + n
			return i + n
		}
	}
	end := i + 1
	for end < len(t) && (classes[t[end]] == inWord || classes[t[end]] == inNumber) {
		end++
	}
	if s.looksFor(Secret) {
		if e := s.token(i, end); e > 0 {
			return e
		}
	}
	if !s.looksFor(Personal) {
		return end
	}
	if e := s.wordOfPerson(i, end); e > 0 {
		return e
	}
	return end
}

// wordOfPerson tries numbers and what begins with capital letters.
func (s *scan) wordOfPerson(i, end int) int {
	t := s.t
	switch {
	case isDigit(t[i]):
		if e := s.number(i); e > 0 {
			return e
		}
	case isUpper(t[i]) && (end == i+1 || !isLower(t[i+1])):
		if e := s.capitals(i); e > 0 {
			return e
		}
	}
	if end-i >= 25 {
		return s.longWord(i, end)
	}
	if s.o.Kinds.has(kindIP) {
		return s.address(i, end)
	}
	return 0
}

// escape measures what only looks like the beginning of a word: the letter of \n
// in quoted text, the digits of %3D and of \u003d. It returns 0 where it is one.
func escape(t string, i int) int {
	if i == 0 || i == len(t) {
		return 0
	}
	switch t[i-1] {
	case '\\':
		switch t[i] {
		case 'n', 'r', 't':
			return 1
		case 'u':
			if i+5 <= len(t) && isHex(t[i+1:i+5]) {
				return 5
			}
		}
	case '%':
		if i+2 <= len(t) && isHex(t[i:i+2]) {
			return 2
		}
	}
	return 0
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; !isDigit(s[i]) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
