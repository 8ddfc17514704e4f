package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"unicode/utf8"

	"github.com/custodyhq/custody/security/audit"
)

// readReply reads a chat completion with status 200. It fills in what the ledger
// wants to know first, because an answer that cannot be used was paid all the
// same, and then doubts everything: exactly one choice, no refusal, a finish
// reason that says "stop", and a text.
func readReply(raw []byte, m *audit.Model) (string, *Error) {
	if !utf8.Valid(raw) {
		return "", unreadable("the reply is not UTF-8")
	}
	top, err := members(raw)
	if err != nil {
		return "", unreadable("the reply is not one JSON object without doubled names")
	}
	m.ID, m.ResponseModel = word(top["id"]), word(top["model"])
	readUsage(top["usage"], m)
	if e := top["error"]; !absent(e) {
		return "", malformed("an error under status 200")
	}
	var choices []json.RawMessage
	if json.Unmarshal(top["choices"], &choices) != nil {
		return "", malformed("no list of choices")
	}
	if len(choices) != 1 {
		return "", malformed("not exactly one choice")
	}
	choice, err := members(choices[0])
	if err != nil {
		return "", malformed("the choice is not an object without doubled names")
	}
	m.Finish = word(choice["finish_reason"])
	return readMessage(choice, m.Finish)
}

func readMessage(choice map[string]json.RawMessage, finish string) (string, *Error) {
	msg, err := members(choice["message"])
	if err != nil {
		return "", malformed("the message is not an object without doubled names")
	}
	if !absent(msg["refusal"]) {
		return "", &Error{Code: CodeRefused, Detail: "the model declined to answer"}
	}
	switch finish {
	case "stop":
	case "length":
		return "", &Error{Code: CodeUnfinished, Detail: "the answer was cut at the token limit"}
	case "content_filter":
		return "", &Error{Code: CodeRefused, Detail: "the provider filtered the answer"}
	case "tool_calls", "function_call":
		return "", malformed("a tool call, though no tool was offered")
	default:
		return "", &Error{Code: CodeUnfinished, Detail: "the reply does not say that the answer is finished", Retry: true}
	}
	if !absent(msg["tool_calls"]) || !absent(msg["function_call"]) {
		return "", malformed("a tool call, though no tool was offered")
	}
	var text *string
	if json.Unmarshal(msg["content"], &text) != nil {
		return "", malformed("the content is not a text")
	}
	if text == nil || *text == "" {
		return "", malformed("an empty answer")
	}
	return *text, nil
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
func readUsage(raw json.RawMessage, m *audit.Model) {
	usage, err := members(raw)
	if err != nil {
		return
	}
	in, ok := count(usage["prompt_tokens"])
	out, okOut := count(usage["completion_tokens"])
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

// strict reports whether every object in the schema closes its members and
// requires them all, which is what "strict" servers ask.
func strict(schema json.RawMessage) bool {
	var v any
	return json.Unmarshal(schema, &v) == nil && strictNode(v)
}

func strictNode(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !strictNode(e) {
				return false
			}
		}
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok || v["type"] == "object" {
			required, _ := v["required"].([]any)
			if v["additionalProperties"] != false || len(required) != len(props) {
				return false
			}
		}
		for _, e := range v {
			if !strictNode(e) {
				return false
			}
		}
	}
	return true
}
