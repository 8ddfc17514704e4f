package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/custodyhq/custody/security/audit"
)

// object is the reply as one JSON object.
func object(raw []byte) (map[string]json.RawMessage, *Error) {
	if !utf8.Valid(raw) {
		return nil, unreadable("the reply is not UTF-8")
	}
	top, err := members(raw)
	if err != nil {
		return nil, unreadable("the reply is not one JSON object without doubled names")
	}
	return top, nil
}

// wholeText is a content that must be there.
func wholeText(raw json.RawMessage) (string, *Error) {
	var s *string
	if json.Unmarshal(raw, &s) != nil {
		return "", malformed("the content is not a text")
	}
	if s == nil || *s == "" {
		return "", malformed("an empty answer")
	}
	return *s, nil
}

// unreadable is a reply of which nothing is known, not even whether it was an
// answer.
func unreadable(detail string) *Error {
	return &Error{Code: CodeMalformed, Detail: detail, Unknown: true, Retry: true}
}

// malformed is an answer that breaks its format: known, paid, useless.
func malformed(detail string) *Error {
	return &Error{Code: CodeMalformed, Detail: detail, Retry: true}
}

// declined is the model's own refusal.
func declined() *Error {
	return &Error{Code: CodeRefused, Detail: "the model declined to answer"}
}

// cutShort is an answer that met its limit; another try would meet it again.
func cutShort() *Error {
	return &Error{Code: CodeUnfinished, Detail: "the answer was cut at the token limit"}
}

// endless is a reply that does not say that it is whole.
func endless() *Error {
	return &Error{Code: CodeUnfinished, Detail: "the reply does not say that the answer is finished", Retry: true}
}

// toolCall is an answer that wants something done instead.
func toolCall() *Error { return malformed("a tool call, though no tool was offered") }

// members splits a JSON object. Names are compared exactly and must not be
// doubled: readers differ on which of two counts. Nothing may follow.
func members(raw []byte) (map[string]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return nil, errors.New("not one object")
	}
	// From here on the syntax is known to be right, so that looking for the ends
	// of things is enough. The last byte is the object's own brace.
	out := make(map[string]json.RawMessage, 8)
	for at := blank(raw, 1); raw[at] != '}'; {
		end := value(raw, at)
		var name string
		if err := json.Unmarshal(raw[at:end], &name); err != nil {
			return nil, err
		}
		if _, doubled := out[name]; doubled {
			return nil, errors.New("a doubled name")
		}
		at = blank(raw, blank(raw, end)+1) // behind the colon
		end = value(raw, at)
		out[name] = raw[at:end:end]
		if at = blank(raw, end); raw[at] == ',' {
			at = blank(raw, at+1)
		}
	}
	return out, nil
}

// blank is where the blanks that begin at the place end.
func blank(raw []byte, at int) int {
	for raw[at] == ' ' || raw[at] == '\t' || raw[at] == '\n' || raw[at] == '\r' {
		at++
	}
	return at
}

// value is the end of the value that begins at the place, within an object.
func value(raw []byte, at int) int {
	depth := 0
	for ; ; at++ {
		switch raw[at] {
		case '"':
			for at++; raw[at] != '"'; at++ {
				if raw[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // of the object around a number or a word
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
}

// absent reports whether a member says nothing.
func absent(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// readUsage takes the tokens where both counts are whole numbers, also when
// they are written as 3.0.
func readUsage(raw json.RawMessage, nameIn, nameOut string, m *audit.Model) {
	usage, err := members(raw)
	if err != nil {
		return
	}
	in, ok := count(usage[nameIn])
	out, okOut := count(usage[nameOut])
	if ok && okOut {
		m.In, m.Out, m.UsageKnown = in, out, true
	}
}

func count(raw json.RawMessage) (int64, bool) {
	var f *float64
	if json.Unmarshal(raw, &f) != nil || f == nil || *f < 0 || *f > 1e12 || *f != math.Trunc(*f) {
		return 0, false
	}
	return int64(*f), true
}

// maxWord bounds the names that a server gives to things.
const maxWord = 128

// word is a string member that may stand in the ledger: a server must not be
// able to write text into it. Anything but a plain name is left out.
func word(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > maxWord {
		return ""
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '@', c == '+':
		default:
			return ""
		}
	}
	return s
}

// providerCode is the machine-readable part of an error reply: its code, else
// its type. The message is left behind: it may repeat the prompt.
func providerCode(raw []byte) string {
	top, err := members(raw)
	if err != nil {
		return ""
	}
	inner, err := members(top["error"])
	if err != nil {
		return ""
	}
	if code := word(inner["code"]); code != "" {
		return code
	}
	return word(inner["type"])
}
