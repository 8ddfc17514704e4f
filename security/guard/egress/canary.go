package egress

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
)

const (
	minCanary  = 8
	whyCanary  = "The output contains a canary, a token that only the system part of the prompt has."
	noPassage  = "[removed]"
	maxCanary  = 256
	shortestOf = 7 // letters and digits of an encoded canary that are enough
)

// A needle is a form in which a canary can leave.
type needle struct {
	text  []byte // letters and digits only
	cased bool   // case matters
	name  string // of the reading
}

// needles are the forms of a canary in a text of which only letters and digits are
// looked at, so that blanks and marks between them hide nothing. A canary is
// random, and its encodings do not read like text that somebody wrote; so they are
// made beforehand, and not left to the decoders.
func needles(canary string) ([]needle, error) {
	plain := squeeze([]byte(strings.ToLower(canary)))
	if len(plain) < minCanary || len(canary) > maxCanary {
		return nil, errors.New("a canary has 8 letters or digits of ASCII at least and 256 bytes at most")
	}
	out := []needle{{text: plain, name: "plain"}, {text: reversed(plain), name: "reversed"}}
	add := func(name string, cased bool, text string) {
		if n := squeeze([]byte(text)); len(n) >= shortestOf {
			out = append(out, needle{text: n, cased: cased, name: name})
		}
	}
	add("rot13", false, rotate(string(plain)))
	add("atbash", false, mirror(string(plain)))
	for _, form := range [...]string{canary, strings.ToLower(canary), strings.ToUpper(canary)} {
		add("hex", false, hex.EncodeToString([]byte(form)))
		add("escape", false, eachByte(form, func(c byte) string { return "x" + hex.EncodeToString([]byte{c}) }))
		add("escape", false, eachByte(form, func(c byte) string { return "u00" + hex.EncodeToString([]byte{c}) }))
		add("codes", false, eachByte(form, func(c byte) string { return strconv.Itoa(int(c)) }))
		for shift := range 3 {
			add("base64", true, aligned(base64.RawStdEncoding.EncodeToString(padded(shift, form)), 6, shift, len(form)))
		}
		for shift := range 5 {
			add("base32", false, strings.ToLower(aligned(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(padded(shift, form)), 5, shift, len(form))))
		}
	}
	var once []needle
	for _, n := range out {
		if !slices.ContainsFunc(once, func(o needle) bool { return bytes.Equal(o.text, n.text) && o.cased == n.cased }) {
			once = append(once, n)
		}
	}
	return once, nil
}

func padded(n int, s string) []byte { return append(make([]byte, n), s...) }

// aligned leaves out the characters at both ends of an encoding that also hold
// bits of what stands before and after.
func aligned(encoded string, bits, before, length int) string {
	lo := (before*8 + bits - 1) / bits
	hi := (before + length) * 8 / bits
	return encoded[lo:min(hi, len(encoded))]
}

func eachByte(s string, show func(byte) string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(show(s[i]))
	}
	return b.String()
}

func reversed(b []byte) []byte {
	out := bytes.Clone(b)
	slices.Reverse(out)
	return out
}

func rotate(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return r
		}
		return 'a' + (r-'a'+13)%26
	}, s)
}

func mirror(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return r
		}
		return 'z' - (r - 'a')
	}, s)
}

// squeeze leaves the letters and digits of ASCII.
func squeeze(b []byte) []byte {
	var out []byte
	for _, c := range b {
		if wordByte(c | 0x20) {
			out = append(out, c)
		}
	}
	return out
}

// canaries looks for canaries in a reading. The other forms than the plain one
// count in the text as it stands, of which the decoders may show nothing.
func (s *search) canaries(text, cased []byte, first bool) {
	s.squeezed, s.squeezedCased = s.squeezed[:0], s.squeezedCased[:0]
	for i, c := range text {
		if wordByte(c) {
			s.squeezed = append(s.squeezed, c)
			if first {
				s.squeezedCased = append(s.squeezedCased, cased[i])
			}
		}
	}
	s.needles(s.guarded.folded, text, s.squeezed, first)
	if first {
		s.needles(s.guarded.cased, text, s.squeezedCased, first)
	}
}

// needles looks for the forms of canaries in the letters and digits of a text.
func (s *search) needles(forms *sieve, text, hay []byte, first bool) {
	at, letters := 0, 0 // letters and digits of the text before at
	for from := 0; !s.full; {
		k, c := forms.next(hay, from)
		if k < 0 {
			return
		}
		n := s.guarded.needles[c.id]
		if !first && n.name != "plain" {
			from = k + 1
			continue
		}
		lo := past(text, at, k-letters)
		hi := past(text, lo, len(n.text)-1) + 1
		from = k + len(n.text)
		at, letters = hi, from
		before := len(s.found)
		s.inReading(LeakCanary, lo, hi, whyCanary, noPassage)
		if n.name != "plain" && len(s.found) > before {
			s.found[before].Read = n.name
		}
	}
}

// past is the place of the letter or digit behind n of them from a place on.
func past(text []byte, at, n int) int {
	for ; at < len(text); at++ {
		if !wordByte(text[at]) {
			continue
		}
		if n == 0 {
			return at
		}
		n--
	}
	return len(text)
}
