package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonLimits bound what a text may ask of the reader.
type jsonLimits struct {
	depth  int
	values int
}

// A jsonError says where a text is not the JSON that Custody accepts. Its
// message never repeats the text.
type jsonError struct {
	line, column int
	code         string
	message      string
	remedy       string
}

// DecodeJSON reads one JSON value as the rest of this package expects it: whole
// numbers as int64, other numbers as float64. It is as strict as DecodeInput, and
// its error says where and never what.
func DecodeJSON(raw []byte) (any, error) {
	root, fail := parseJSON(string(raw), jsonLimits{depth: 2 * maxInputDepth, values: maxInputValues})
	if fail != nil {
		return nil, fmt.Errorf("JSON at line %d, column %d: %s", fail.line, fail.column, fail.message)
	}
	return root.plain(), nil
}

// A jsonReader reads strict JSON (RFC 8259, and RFC 7493 where that is
// stricter): no duplicate names, no lone surrogates, no integers that lose
// digits. It keeps places, so a canonical definition gets errors like a YAML
// one.
type jsonReader struct {
	src    string
	pos    int
	line   int
	start  int // of the line, in bytes
	seen   int // up to where the line's characters are counted
	runes  int // how many there are
	values int
	limits jsonLimits
}

// parseJSON reads exactly one value.
func parseJSON(src string, limits jsonLimits) (*node, *jsonError) {
	if !utf8.ValidString(src) {
		return nil, &jsonError{line: 1, column: 1, code: "not_utf8", message: "the text is not UTF-8"}
	}
	r := jsonReader{src: src, line: 1, limits: limits}
	n, err := r.value("", 0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.pos < len(r.src) {
		return nil, r.fail("syntax", "something follows the value")
	}
	return n, nil
}

func (r *jsonReader) fail(code, message string) *jsonError {
	return &jsonError{line: r.line, column: r.column(), code: code, message: message}
}

// column counts characters, each only once: a megabyte may be one line.
func (r *jsonReader) column() int {
	if r.seen < r.start {
		r.seen, r.runes = r.start, 0
	}
	end := min(r.pos, len(r.src))
	r.runes += utf8.RuneCountInString(r.src[r.seen:end])
	r.seen = end
	return r.runes + 1
}

// space skips white space and counts lines.
func (r *jsonReader) space() {
	for ; r.pos < len(r.src); r.pos++ {
		switch r.src[r.pos] {
		case '\n':
			r.line++
			r.start = r.pos + 1
		case ' ', '\t', '\r':
		default:
			return
		}
	}
}

// next is the next byte that is not white space, 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.pos >= len(r.src) {
		return 0
	}
	return r.src[r.pos]
}

func (r *jsonReader) value(pointer string, depth int) (*node, *jsonError) {
	c := r.next()
	if r.values++; depth > r.limits.depth || r.values > r.limits.values {
		return nil, r.fail("too_deep", "nested too deeply, or too many values")
	}
	n := &node{pointer: pointer, line: r.line, column: r.column()}
	switch {
	case c == '{':
		return n, r.object(n, depth)
	case c == '[':
		return n, r.array(n, depth)
	case c == '"':
		s, err := r.string()
		n.scalar, n.quoted = s, true
		return n, err
	case c == '-' || c >= '0' && c <= '9':
		return n, r.number(n)
	}
	return n, r.word(n)
}

// word reads true, false or null.
func (r *jsonReader) word(n *node) *jsonError {
	rest := r.src[r.pos:]
	switch {
	case strings.HasPrefix(rest, "true"):
		n.scalar = true
		r.pos += len("true")
	case strings.HasPrefix(rest, "false"):
		n.scalar = false
		r.pos += len("false")
	case strings.HasPrefix(rest, "null"):
		r.pos += len("null")
	default:
		return r.fail("syntax", "a value was expected")
	}
	return nil
}

func (r *jsonReader) object(n *node, depth int) *jsonError {
	n.form = mapForm
	seen := map[string]bool{}
	for r.pos++; r.next() != '}'; {
		if len(n.fields) > 0 {
			if r.next() != ',' {
				return r.fail("syntax", "a comma or a closing brace was expected")
			}
			r.pos++
		}
		if r.next() != '"' {
			return r.fail("syntax", "a quoted name was expected")
		}
		line, column := r.line, r.column()
		name, err := r.string()
		if err != nil {
			return err
		}
		if seen[name] {
			return &jsonError{line: line, column: column, code: "duplicate_key", message: "a name is written twice in one object", remedy: "keep one of them"}
		}
		seen[name] = true
		if r.next() != ':' {
			return r.fail("syntax", "a colon was expected")
		}
		r.pos++
		v, err := r.value(join(n.pointer, name), depth+1)
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{name, line, column, v})
	}
	r.pos++
	return nil
}

func (r *jsonReader) array(n *node, depth int) *jsonError {
	n.form = listForm
	for r.pos++; r.next() != ']'; {
		if len(n.items) > 0 {
			if r.next() != ',' {
				return r.fail("syntax", "a comma or a closing bracket was expected")
			}
			r.pos++
		}
		v, err := r.value(n.pointer+"/"+strconv.Itoa(len(n.items)), depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
	}
	r.pos++
	return nil
}

func (r *jsonReader) string() (string, *jsonError) {
	end := r.pos + 1
	escaped := false
	for ; end < len(r.src) && r.src[end] != '"'; end++ {
		if r.src[end] < ' ' {
			return "", r.fail("syntax", "a control character stands in a text")
		}
		if r.src[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end >= len(r.src) {
		return "", r.fail("syntax", "a text is not closed")
	}
	raw := r.src[r.pos : end+1]
	out := raw[1 : len(raw)-1]
	if escaped {
		if json.Unmarshal([]byte(raw), &out) != nil {
			return "", r.fail("syntax", "an escape in a text is not JSON")
		}
		if loneSurrogate(raw) {
			return "", r.fail("surrogate", "half of a surrogate pair stands alone in a text")
		}
	}
	r.pos = end + 1
	return out, nil
}

// loneSurrogate reports whether an escaped text holds half of a surrogate
// pair, for which the decoder would silently put U+FFFD.
func loneSurrogate(raw string) bool {
	unit := func(i int) (uint64, bool) { // the code unit of an escape at i
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		u, err := strconv.ParseUint(raw[i+2:i+6], 16, 16)
		return u, err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		u, ok := unit(i)
		switch {
		case !ok:
			i++
		case u >= 0xdc00 && u <= 0xdfff:
			return true
		case u >= 0xd800 && u <= 0xdbff:
			low, ok := unit(i + 6)
			if !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}

func (r *jsonReader) number(n *node) *jsonError {
	end := r.pos
	for end < len(r.src) && strings.IndexByte("+-.0123456789eE", r.src[end]) >= 0 {
		end++
	}
	v, err := parseNumber(r.src[r.pos:end])
	if err != nil {
		err.line, err.column = r.line, r.column()
		return err
	}
	n.scalar = v
	r.pos = end
	return nil
}

// maxInteger is the largest integer that every JSON reader keeps (RFC 7493,
// section 2.2).
const maxInteger = 1<<53 - 1

// parseNumber reads a JSON number: an int64 if it is whole, else a float64.
func parseNumber(s string) (any, *jsonError) {
	if !isNumber(s) {
		return nil, &jsonError{code: "syntax", message: "it is not a JSON number"}
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && i >= -maxInteger && i <= maxInteger {
		return i, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, &jsonError{code: "number_range", message: "the number is too large"}
	}
	return wholeNumber(f, strings.ContainsAny(s, ".eE"))
}

// wholeNumber gives a float that is a whole number the one form that it has in
// JSON: 3.0 and 3 are written alike, so they must be the same value.
func wholeNumber(f float64, fraction bool) (any, *jsonError) {
	switch {
	case f == math.Trunc(f) && math.Abs(f) <= maxInteger:
		return int64(f), nil
	case !fraction:
		return nil, &jsonError{code: "number_range", message: fmt.Sprintf("an integer beyond ±%d loses digits in JSON", int64(maxInteger)), remedy: "send it as a text"}
	}
	return f, nil
}

// isNumber reports whether s is a number in JSON's grammar.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if strings.HasPrefix(s, ".") {
		n := digits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		if s = s[1:]; s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		n := digits(s)
		return n > 0 && n == len(s)
	}
	return s == ""
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
