package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestJSONShowsNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain <b> & Grüße, 契約":      `"plain <b> & Grüße, 契約"`,
		"\x1b[2J":                    `"\u001b[2J"`,
		"a\u202eb\u009b1m\x7f\u200b": `"a\u202eb\u009b1m\u007f\u200b"`,
		"tag \U000e0041":             `"tag \udb40\udc41"`,
	} {
		term, out := terminalOf(0, nil)
		must(t, term.jsonLine(text))
		if got := strings.TrimSpace(out.String()); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x1b\u202e\xff\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		document, err := json.Marshal(text)
		must(t, err)
		shown := visible(bytes.Clone(document))
		for _, r := range string(shown) {
			if r > 0x7e && !unicode.IsPrint(r) {
				t.Fatalf("%q lets %U through", text, r)
			}
		}
		var back string
		must(t, json.Unmarshal(shown, &back))
		if utf8.ValidString(text) && back != text {
			t.Fatalf("%q became %q", text, back)
		}
	})
}

func TestPlaceOfFindsTheLine(t *testing.T) {
	t.Parallel()
	const document = "{\n  \"a\": {\"b/c\": [1,\n    {\"d\": true}]},\n  \"e\":\n    5\n}\n"
	for pointer, want := range map[string][2]int{
		"": {1, 1}, "/a": {2, 8}, "/a/b~1c": {2, 16}, "/a/b~1c/1": {3, 5}, "/a/b~1c/1/d": {3, 11}, "/e": {5, 5},
		"/a/none": {2, 8}, "/none": {1, 1}, "/e/x": {5, 5}, "/a/b~1c/7": {2, 16},
	} {
		if line, column := placeOf([]byte(document), pointer); [2]int{line, column} != want {
			t.Errorf("%s: %d:%d, want %v", pointer, line, column, want)
		}
	}
}

func FuzzPlaceOf(f *testing.F) {
	f.Add([]byte(`{"a": ["b"]}`), "/a/0")
	f.Add([]byte(`{"a`), "/a")
	f.Add([]byte(``), "/")
	f.Fuzz(func(t *testing.T, document []byte, pointer string) {
		if line, column := placeOf(document, pointer); line < 1 || column < 1 {
			t.Errorf("%d:%d", line, column)
		}
	})
}

func TestASourceIsHarmlessOnATerminalAndExactInAPipe(t *testing.T) {
	t.Parallel()
	const source = "name: x # \x1b[2J\u202e\n"
	for columns, want := range map[int]string{0: source, 80: "name: x # \\u{1b}[2J\\u{202e}\n"} {
		term, out := terminalOf(columns, nil)
		must(t, (&session{terminal: term}).text([]byte(source), nil))
		if out.String() != want {
			t.Errorf("%d: %q", columns, out.String())
		}
	}
}
