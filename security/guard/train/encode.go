package main

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
)

// An encoder writes a text so that a model can still read it.
type encoder struct {
	name string
	make func(r *rand.Rand, s string) string
}

// encoders are what derived texts are written in. There is a reading for each.
var encoders = []encoder{
	{"base64", func(_ *rand.Rand, s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64url", func(_ *rand.Rand, s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"base32", func(_ *rand.Rand, s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) }},
	{"hex", func(_ *rand.Rand, s string) string { return hex.EncodeToString([]byte(s)) }},
	{"hex with blanks", func(_ *rand.Rand, s string) string { return fmt.Sprintf("% x", s) }},
	{"url", func(_ *rand.Rand, s string) string { return url.PathEscape(s) }},
	{"url everything", func(_ *rand.Rand, s string) string { return eachByte(s, "%%%02X") }},
	{"html", func(_ *rand.Rand, s string) string { return eachRune(s, "&#%d;") }},
	{"escape", func(_ *rand.Rand, s string) string { return eachRune(s, `\u%04x`) }},
	{"rot13", func(_ *rand.Rand, s string) string { return mapped(s, rot13) }},
	{"leet", leet},
	{"spaced", func(_ *rand.Rand, s string) string { return spaced(s, " ") }},
	{"dashed", func(_ *rand.Rand, s string) string { return spaced(s, "-") }},
	{"reversed", func(_ *rand.Rand, s string) string { return reversed(s) }},
	{"zero width", func(_ *rand.Rand, s string) string { return strings.Join(strings.Split(s, ""), "\u200b") }},
	{"soft hyphens", func(r *rand.Rand, s string) string { return sprinkled(r, s, "\u00ad") }},
	{"full width", func(_ *rand.Rand, s string) string { return mapped(s, fullWidth) }},
	{"mathematical", func(_ *rand.Rand, s string) string { return mapped(s, mathematical) }},
	{"look-alikes", lookalikes},
	{"tags", func(_ *rand.Rand, s string) string { return "Hello! " + mapped(s, tag) }},
}

func eachByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func eachRune(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func mapped(s string, f func(rune) rune) string { return strings.Map(f, s) }

func rot13(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case r >= 'A' && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}

func fullWidth(r rune) rune {
	if r > ' ' && r < 0x7F {
		return r + 0xFEE0
	}
	return r
}

func mathematical(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return 0x1D41A + r - 'a'
	case r >= 'A' && r <= 'Z':
		return 0x1D400 + r - 'A'
	}
	return r
}

func tag(r rune) rune {
	if r >= ' ' && r < 0x7F {
		return 0xE0000 + r
	}
	return -1
}

func leet(r *rand.Rand, s string) string {
	pairs := map[rune]rune{'a': '4', 'e': '3', 'i': '1', 'o': '0', 's': '5', 't': '7'}
	return mapped(s, func(c rune) rune {
		if d, ok := pairs[c]; ok && r.IntN(10) < 8 {
			return d
		}
		return c
	})
}

func lookalikes(r *rand.Rand, s string) string {
	pairs := map[rune]rune{'a': 'а', 'c': 'с', 'e': 'е', 'i': 'і', 'o': 'о', 'p': 'р', 'x': 'х', 'y': 'у'}
	return mapped(s, func(c rune) rune {
		if d, ok := pairs[c]; ok && r.IntN(10) < 5 {
			return d
		}
		return c
	})
}

func spaced(s, between string) string {
	words := strings.Fields(s)
	for i, w := range words {
		words[i] = strings.Join(strings.Split(w, ""), between)
	}
	return strings.Join(words, "  ")
}

func sprinkled(r *rand.Rand, s, mark string) string {
	var b strings.Builder
	for _, c := range s {
		b.WriteRune(c)
		if r.IntN(3) == 0 {
			b.WriteString(mark)
		}
	}
	return b.String()
}

func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}
