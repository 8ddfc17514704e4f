package approval

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// object is a JSON object of strings, int64s, objects, and lists of strings or
// objects. Its keys are ASCII, so sorting bytes is the order of RFC 8785.
type object map[string]any

// appendTo writes the canonical form of RFC 8785. Bytes that are not UTF-8 are
// written as U+FFFD, so the text is always valid.
func (o object) appendTo(buf []byte) []byte {
	buf = append(buf, '{')
	for i, key := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(appendString(buf, key), ':')
		buf = appendValue(buf, o[key])
	}
	return append(buf, '}')
}

func appendValue(buf []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendString(buf, v)
	case int64:
		return strconv.AppendInt(buf, v, 10)
	case object:
		return v.appendTo(buf)
	case []string:
		return appendList(buf, v)
	case []object:
		return appendList(buf, v)
	}
	panic("approval: a value that has no canonical form here")
}

func appendList[T any](buf []byte, list []T) []byte {
	buf = append(buf, '[')
	for i, v := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendValue(buf, v)
	}
	return append(buf, ']')
}

// appendString escapes what RFC 8785 section 3.2.2.2 escapes and nothing else.
func appendString(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r == '\b':
			buf = append(buf, `\b`...)
		case r == '\t':
			buf = append(buf, `\t`...)
		case r == '\n':
			buf = append(buf, `\n`...)
		case r == '\f':
			buf = append(buf, `\f`...)
		case r == '\r':
			buf = append(buf, `\r`...)
		case r < ' ':
			buf = append(buf, `\u00`...)
			buf = append(buf, hex[r>>4], hex[r&15])
		default:
			buf = utf8.AppendRune(buf, r)
		}
	}
	return append(buf, '"')
}
