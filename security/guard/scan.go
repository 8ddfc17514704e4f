package guard

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/custodyhq/custody/security"
)

// maxLayers is how many encodings on top of each other are taken off.
const maxLayers = 2

// A sight is what a rule saw in one string, before any mode is applied.
type sight struct {
	rule, kind, why, read string
	lo, hi                int
	label                 string // what replaces it, without brackets: email, key
	quoted                bool   // the text speaks about it and does not say it
}

// A scan looks at one string in all its readings.
type scan struct {
	g         *Guard
	original  string
	injection bool
	sensitive bool // personal data and secrets
	key       string
	out       []sight
}

// scan reads a string. The key is the name under which it stands, if any.
func (g *Guard) scan(text, key string, injection, sensitive bool) []sight {
	s := scan{g: g, original: text, injection: injection, sensitive: sensitive, key: key}
	r := reading{name: plain, text: text}
	if !isASCII(text) {
		var u unseen
		r, u = fold(text)
		s.unseen(u)
	}
	s.look(r, 0)
	slices.SortStableFunc(s.out, func(a, b sight) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi))
	})
	return s.out
}

// unseen judges characters that show nothing. A few are ordinary (joined emoji,
// Persian, soft hyphens); a message made of them is not.
func (s *scan) unseen(u unseen) {
	if len(u.text) >= 4 && readable(u.text) {
		s.look(reading{name: "invisible", text: string(u.text), lo: u.lo, hi: u.hi}, 1)
	}
	switch {
	case !s.injection:
	case len(u.text) >= 8:
		s.add(sight{rule: "hidden.text", kind: "injection", why: whyHidden, read: "invisible", lo: u.lo, hi: u.hi})
	case u.run >= 24:
		_, end := runeAt(s.original, u.runAt)
		s.add(sight{rule: "hidden.run", kind: "injection", why: whyHidden, read: "invisible", lo: u.runAt, hi: end})
	}
}

func runeAt(s string, i int) (int, int) { return i, runeEnd(s, i+1) }

// look applies every rule to a reading, and then to what it shows when it is
// read in other ways.
func (s *scan) look(r reading, layer int) {
	if s.sensitive {
		s.secrets(&r)
		s.personal(&r)
	}
	if s.injection {
		s.marks(&r)
		st := s.words(r, false)
		s.disguises(r, st)
	}
	if layer < maxLayers {
		for _, p := range decodings(r.text) {
			lo, hi := r.span(s.original, p.lo, p.hi)
			inner := reading{name: p.name, text: p.text, lo: lo, hi: hi}
			if !isASCII(p.text) {
				f, _ := fold(p.text)
				inner.text = f.text
			}
			s.look(inner, layer+1)
		}
	}
}

// words applies the rules over words.
func (s *scan) words(r reading, leetspeak bool) *sentences {
	st := s.g.read(r.text, leetspeak)
	for _, h := range st.hits(s.g.phrases) {
		if r.name == joinedText && !strings.HasPrefix(h.phrase.rule, "override.") {
			continue // joining makes words of addresses, which the other rules know
		}
		lo, hi := r.span(s.original, h.from, h.to)
		s.add(sight{
			rule: h.phrase.rule, kind: "injection", why: h.phrase.why, read: s.name(&r, lo, hi, h.from, h.to),
			lo: lo, hi: hi, quoted: st.quoted(h),
		})
	}
	return st
}

// name tells a folded reading from one that folding left as it was.
func (s *scan) name(r *reading, lo, hi, from, to int) string {
	if r.name != plain || r.at == nil || strings.EqualFold(s.original[lo:hi], r.text[from:to]) {
		return r.name
	}
	return foldedText
}

// disguises reads the text again in those ways that it shows signs of.
func (s *scan) disguises(r reading, st *sentences) {
	if st.odd >= 2 {
		s.again(r, "leet", leetText, true)
	}
	if st.single >= 5 {
		s.spaced(r)
	}
	if st.short >= 3 {
		s.joined(r)
	}
	for c, name := range map[cipher]string{rot13: "rot13", atbash: "atbash"} {
		if st.ciphers[c] >= 2 {
			s.again(r, name, func(t string) string { return encipher(t, c) }, false)
		}
	}
	if st.ciphers[backwards] >= 2 {
		s.reversed(r)
	}
}

// again reads a text in which each byte was replaced by another.
func (s *scan) again(r reading, name string, f func(string) string, leetspeak bool) {
	r.text = f(r.text)
	r.name = name
	s.words(r, leetspeak)
}

func leetText(t string) string {
	b := []byte(t)
	for i, c := range b {
		b[i] = leet(c)
	}
	return string(b)
}

// reversed reads a text from its last character to its first.
func (s *scan) reversed(r reading) {
	out := reading{name: "reversed", lo: r.lo, hi: r.hi, at: make([]int32, 0, len(r.text))}
	b := make([]byte, 0, len(r.text))
	for i := len(r.text); i > 0; {
		_, n := utf8.DecodeLastRuneInString(r.text[:i])
		i -= n
		b = append(b, r.text[i:i+n]...)
		at := int32(i)
		if r.at != nil {
			at = r.at[i]
		}
		for range n {
			out.at = append(out.at, at)
		}
	}
	out.text = string(b)
	s.words(out, false)
}

// spaced joins rows of single letters: "i g n o r e". Two blanks in a row end a
// word; where there is only one everywhere, the dictionary cuts the words.
func (s *scan) spaced(r reading) {
	s.rewrite(r, "spaced", func(t string, i int) bool {
		return t[i] != '\n' && classes[t[i]&127] != letter && single(t, i-1) && single(t, i+1)
	})
}

// single reports whether the byte at i is a letter that stands alone.
func single(t string, i int) bool {
	if i < 0 || i >= len(t) || t[i] >= utf8.RuneSelf || classes[t[i]] != letter {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(t[:i])
	after, _ := utf8.DecodeRuneInString(t[i+1:])
	return !wordRune(before) && !wordRune(after)
}

// joined takes out signs between letters: "ig-no-re".
func (s *scan) joined(r reading) {
	s.rewrite(r, joinedText, func(t string, i int) bool {
		return strings.IndexByte("-_.*~|^+/\\'`", t[i]) >= 0 && i > 0 && i+1 < len(t) &&
			t[i-1]|0x20 >= 'a' && t[i-1]|0x20 <= 'z' && t[i+1]|0x20 >= 'a' && t[i+1]|0x20 <= 'z'
	})
}

// rewrite reads a text without the bytes that drop names.
func (s *scan) rewrite(r reading, name string, drop func(string, int) bool) {
	out := reading{name: name, lo: r.lo, hi: r.hi, at: make([]int32, 0, len(r.text))}
	b := make([]byte, 0, len(r.text))
	for i := range len(r.text) {
		if r.text[i] < 128 && drop(r.text, i) {
			continue
		}
		b = append(b, r.text[i])
		at := int32(i)
		if r.at != nil {
			at = r.at[i]
		}
		out.at = append(out.at, at)
	}
	out.text = string(b)
	s.words(out, false)
}

// add keeps a sight, once for each rule and place.
func (s *scan) add(n sight) {
	for _, o := range s.out[max(0, len(s.out)-64):] {
		if o.rule == n.rule && o.lo <= n.lo && n.hi <= o.hi && o.quoted == n.quoted {
			return
		}
	}
	s.out = append(s.out, n)
}

// finding is a sight as it is reported.
func (n sight) finding(path, action string) security.Finding {
	return security.Finding{
		Rule: n.rule, Kind: n.kind, Action: action, Path: path,
		Start: n.lo, End: n.hi, Why: n.why, Read: n.read,
	}
}
