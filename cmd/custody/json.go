package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// json writes the result as one document.
func (t terminal) json(v any) error { return t.encode(v, "  ") }

// jsonLine writes one of several documents.
func (t terminal) jsonLine(v any) error { return t.encode(v, "") }

func (t terminal) encode(v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := t.out.Write(visible(b.Bytes()))
	return err
}

// visible writes with escapes what a terminal would obey or not show. The
// document's value stays the same: such characters stand only in strings.
func visible(document []byte) []byte {
	if isASCII(document) {
		return document
	}
	out := make([]byte, 0, len(document)+16)
	for i := 0; i < len(document); {
		r, n := utf8.DecodeRune(document[i:])
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r == utf8.RuneError || !unicode.IsPrint(r):
			out = escaped(out, r)
		default:
			out = append(out, document[i:i+n]...)
		}
		i += n
	}
	return out
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= 0x7f {
			return false
		}
	}
	return true
}

func escaped(out []byte, r rune) []byte {
	if r <= 0xffff {
		return fmt.Appendf(out, `\u%04x`, r)
	}
	high, low := utf16.EncodeRune(r)
	return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
}
