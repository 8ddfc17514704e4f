package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// widthOf is how many columns of a terminal a text takes (Unicode Annex 11).
// The text must be printable: control characters have no width.
func widthOf(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x7f:
		return 1
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		return 0 // drawn upon the one before
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// pad fills a column with spaces.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-widthOf(text)))
}

// short cuts a text at a number of columns.
func short(text string, columns int) string {
	if widthOf(text) <= columns {
		return text
	}
	n := 0
	for i, r := range text {
		if n += runeWidth(r); n > columns-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// shortID cuts an id behind its prefix: run_…5e9k2m.
func shortID(id string, columns int) string {
	if len(id) <= columns {
		return id
	}
	prefix, _, found := strings.Cut(id, "_")
	tail := columns - len(prefix) - len("_") - 1
	if !found || tail < 4 || !isASCII([]byte(id)) {
		return short(id, columns)
	}
	return prefix + "_…" + id[len(id)-tail:]
}
