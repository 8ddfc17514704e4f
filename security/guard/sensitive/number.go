package sensitive

import "strings"

// The rows that have scanners of their own.
var (
	kindCard     = kindNamed("card")
	kindIBAN     = kindNamed("iban")
	kindEmail    = kindNamed("email")
	kindPhone    = kindNamed("phone")
	kindIP       = kindNamed("ip-address")
	kindBitcoin  = kindNamed("btc-address")
	kindEthereum = kindNamed("eth-address")
)

// number tries the forms that begin with as many digits as stand at i. It returns
// the end of what was found, or 0.
func (s *scan) number(i int) int {
	t := s.t
	n := digitsAt(t, i)
	if n < 4 && (i+n >= len(t) || !partsNumber(t[i+n])) || !s.begins(i, n) {
		return 0
	}
	if n <= maxForm {
		if end := s.forms(i, n); end > 0 {
			return end
		}
	}
	if t[i] == '0' && n >= 4 && t[i+1] == '0' && s.near(kindPhone, i, i) {
		if end := s.phone(i, i+2); end > 0 {
			return end
		}
	}
	if end := s.homePhone(i); end > 0 {
		return end
	}
	return s.oddNumber(i, n)
}

// partsNumber reports whether a number may go on after c; letters are those of
// national numbers that begin with digits.
func partsNumber(c byte) bool {
	return c == ' ' || c == '-' || c == '.' || c == '/' || c == '\n' || c == '\t' || isUpper(c)
}

func digitsAt(t string, i int) int {
	n := 0
	for i+n < len(t) && isDigit(t[i+n]) && n <= 64 {
		n++
	}
	return n
}

// forms tries the patterns that begin with n digits at i. One whose kind is named
// beside the number wins over one that stands alone.
func (s *scan) forms(i, n int) int {
	best, bestEnd := -1, 0
	var next byte
	if i+n < len(s.t) {
		next = s.t[i+n]
	}
	list := patterns[n]
	for k := range list {
		p := &list[k]
		if !p.follows(next) {
			continue
		}
		chosen := s.o.Kinds.has(p.row)
		if p.skip && !chosen {
			continue
		}
		r := &personalRows[p.row]
		f, end := match(s.t, i, p.text)
		if end == 0 || !s.ends(end) || !r.check(f) || !s.apart(p, i, end) || s.o.SkipTests && p.row == kindCard && isTestCard(f) {
			continue
		}
		if s.near(p.row, i, end) {
			return s.report(p.row, named(r.strength), i, end)
		}
		if best < 0 && p.alone && (r.Default == On || chosen) {
			best, bestEnd = p.row, end
		}
	}
	if best < 0 {
		return 0
	}
	return s.report(best, personalRows[best].strength, i, bestEnd)
}

// named is the strength of what a word beside it names.
func named(s Strength) Strength {
	if s == Shaped {
		return Context
	}
	return s
}

// apart refuses a number that is parted by blanks and has more rows of digits
// beside it: a table. A card may stand between others, but not in rows of four.
func (s *scan) apart(p *pattern, i, end int) bool {
	if !strings.ContainsAny(p.text, " ~") || strings.IndexByte(s.t[i:end], ' ') < 0 {
		return true
	}
	t := s.t
	before := i >= 2 && t[i-1] == ' ' && isDigit(t[i-2])
	if p.row == kindCard {
		return !before || i < 5 || digitsAt(t, i-5) < 4
	}
	after := end+1 < len(t) && t[end] == ' ' && isDigit(t[end+1])
	return !before && !after
}

// near reports whether a word in the name of the value, before or after the
// number names the row.
func (s *scan) near(row, i, end int) bool {
	if !s.nameAsked {
		cuesIn(s.name, &s.nameCues)
		s.nameAsked = true
	}
	if s.nameCues.has(row) {
		return true
	}
	var found Set
	lo := max(0, i-cuesBefore)
	for lo > 0 && lo < i && (isAlnum(s.t[lo]) || s.t[lo] >= 0x80) && lo > i-cuesBefore-16 {
		lo--
	}
	cuesIn(s.t[lo:i], &found)
	if !found.has(row) {
		cuesIn(s.t[end:min(len(s.t), end+cuesAfter)], &found)
	}
	return found.has(row)
}

// oddNumber finds a card that was taken apart in an unusual way, in rows of one
// length and with one sign between them: 4 1 1 1 … is a card all the same.
func (s *scan) oddNumber(i, n int) int {
	t := s.t
	if n > 6 || n == 4 || i+n >= len(t) {
		return 0
	}
	sep := t[i+n]
	if sep != ' ' && sep != '-' && sep != '.' || i > 1 && t[i-1] == sep && isDigit(t[i-2]) {
		return 0
	}
	var f form
	j := i
	for f.n < maxForm && j < len(t) && isDigit(t[j]) {
		k := digitsAt(t, j)
		if k > n || f.n+k > maxForm {
			return 0
		}
		copy(f.c[f.n:], t[j:j+k])
		f.n += k
		j += k
		if k < n || j >= len(t) || t[j] != sep {
			break
		}
		j++
	}
	if t[j-1] == sep {
		j--
	}
	if f.n < 14 || !s.ends(j) || !card(f) || s.o.SkipTests && isTestCard(f) {
		return 0
	}
	return s.report(kindCard, Checked, i, j)
}

func isTestCard(f form) bool {
	return strings.Contains(testCards, " "+string(f.c[:f.n])+" ")
}

// capitals tries what begins with a capital letter.
func (s *scan) capitals(i int) int {
	if !s.begins(i, 0) {
		return 0
	}
	if end := s.iban(i); end > 0 {
		return end
	}
	t := s.t
	for k := i + 1; k < len(t) && k < i+10; k++ { // a word in capitals is no number
		if isDigit(t[k]) {
			return s.forms(i, 0)
		}
	}
	return 0
}
