package audit

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of fields that this version does not know.
const maxDepth = 8

// A reader reads canonical JSON and nothing else. The first fault makes it
// fail for good; reading on is harmless.
type reader struct {
	text   string
	at     int
	failed bool
}

func (r *reader) fail() { r.failed = true }

// peek is the next byte, 0 at the end or after a fault.
func (r *reader) peek() byte {
	if r.failed || r.at >= len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) want(c byte) {
	if !r.take(c) {
		r.fail()
	}
}

// object calls field for every key, which must read the value. Keys are
// lower-case ASCII in ascending order: there the order of bytes is that of RFC
// 8785, and no key comes twice.
func (r *reader) object(field func(key string)) {
	r.want('{')
	if r.take('}') {
		return
	}
	last := ""
	for !r.failed {
		key := r.key()
		if key <= last {
			r.fail()
			return
		}
		r.want(':')
		field(key)
		last = key
		if r.take('}') {
			return
		}
		r.want(',')
	}
}

func (r *reader) key() string {
	r.want('"')
	for end := r.at; end < len(r.text); end++ {
		c := r.text[end]
		if c == '"' {
			key := r.text[r.at:end]
			r.at = end + 1
			return key
		}
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			r.at = end
			break
		}
	}
	r.fail()
	return ""
}

// array calls element for every element, which must read it.
func (r *reader) array(element func()) {
	r.want('[')
	if r.take(']') {
		return
	}
	for !r.failed {
		element()
		if r.take(']') {
			return
		}
		r.want(',')
	}
}

func (r *reader) texts() []string {
	var list []string
	r.array(func() { list = append(list, r.str()) })
	return list
}

// str reads a string. Without escapes it is a part of the text, not a copy.
func (r *reader) str() string {
	r.want('"')
	start, end := r.at, r.at
	for end < len(r.text) && plain(r.text[end]) {
		end++
	}
	r.at = end
	if r.take('"') {
		return r.text[start : r.at-1]
	}
	return r.escaped(start)
}

// escaped goes on where the plain part ends.
func (r *reader) escaped(start int) string {
	var out []byte
	for !r.failed {
		c := r.peek()
		switch {
		case c == '"':
			out = append(out, r.text[start:r.at]...)
			r.at++
			return string(out)
		case c == '\\':
			out = utf8.AppendRune(append(out, r.text[start:r.at]...), r.escape())
			start = r.at
		case c < ' ':
			r.fail()
		default:
			_, size := utf8.DecodeRuneInString(r.text[r.at:])
			if c >= utf8.RuneSelf && size == 1 {
				r.fail()
				return ""
			}
			r.at += size
		}
	}
	return ""
}

// escape reads the one escape that RFC 8785 allows for a character. NUL has
// none here: the writer never writes it.
func (r *reader) escape() rune {
	rest := r.text[r.at:]
	for c := rune(1); c <= '\\'; c++ {
		if plain(byte(c)) {
			continue
		}
		var buf [8]byte
		if form := appendEscaped(buf[:0], c); strings.HasPrefix(rest, string(form)) {
			r.at += len(form)
			return c
		}
	}
	r.fail()
	return 0
}

// integer reads an integer, or the string of digits that stands for one which
// floating point would change.
func (r *reader) integer() int64 {
	quoted := r.take('"')
	start := r.at
	r.take('-')
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	digits := r.text[start:r.at]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != digits || quoted != (n > maxInt || n < -maxInt) {
		r.fail()
	}
	if quoted {
		r.want('"')
	}
	return n
}

func (r *reader) hash() Hash {
	h, err := ParseHash(r.str())
	if err != nil {
		r.fail()
	}
	return h
}

// skip reads any canonical value.
func (r *reader) skip(depth int) {
	switch c := r.peek(); {
	case depth == 0:
		r.fail()
	case c == '{':
		r.object(func(string) { r.skip(depth - 1) })
	case c == '[':
		r.array(func() { r.skip(depth - 1) })
	case c == '"':
		r.str()
	default:
		r.integer()
	}
}
