package audit

import (
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// The longest strings that are written, in bytes, and the largest integer that
// every reader of JSON reads exactly (RFC 8785, appendix D).
const (
	maxText = 256
	maxKey  = 1024
	maxInt  = 1<<53 - 1
)

// A writer appends canonical JSON (RFC 8785). Its callers name the keys in
// order; a test holds them to it. Every value ends with a comma, which end
// takes back.
type writer struct{ buf []byte }

func (w *writer) open(bracket byte) { w.buf = append(w.buf, bracket) }

func (w *writer) begin(key string, bracket byte) {
	w.name(key)
	w.open(bracket)
}

func (w *writer) end(bracket byte) *writer {
	if last := len(w.buf) - 1; w.buf[last] == ',' {
		w.buf = w.buf[:last]
	}
	w.buf = append(w.buf, bracket)
	return w
}

func (w *writer) next() { w.buf = append(w.buf, ',') }

func (w *writer) name(key string) {
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) text(key, value string) {
	w.name(key)
	w.buf = append(appendString(w.buf, clip(value, maxText)), ',')
}

func (w *writer) long(key, value string) {
	w.name(key)
	w.buf = append(appendString(w.buf, clip(value, maxKey)), ',')
}

func (w *writer) some(key, value string) {
	if value != "" {
		w.text(key, value)
	}
}

func (w *writer) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	w.begin(key, '[')
	for _, v := range values {
		w.buf = append(appendString(w.buf, clip(v, maxText)), ',')
	}
	w.end(']').next()
}

// number writes an integer; one that a reader with floating point would change
// is written as a string of digits.
func (w *writer) number(key string, n int64) {
	w.name(key)
	if n > maxInt || n < -maxInt {
		w.buf = append(strconv.AppendInt(append(w.buf, '"'), n, 10), '"', ',')
		return
	}
	w.buf = append(strconv.AppendInt(w.buf, n, 10), ',')
}

func (w *writer) count(key string, n int64) {
	if n != 0 {
		w.number(key, n)
	}
}

func (w *writer) hash(key string, h Hash) {
	w.name(key)
	w.buf = append(hex.AppendEncode(append(w.buf, '"'), h[:]), '"', ',')
}

// clip cuts a string that would be longer than limit bytes when written, at a
// character's end. A cut one ends in an ellipsis, so that nobody takes it for
// the whole.
func clip(s string, limit int) string {
	if len(s)*utf8.RuneLen(utf8.RuneError) <= limit { // fits whatever is in it
		return s
	}
	const ellipsis = "…"
	total, cut := 0, 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == 0 {
			r = utf8.RuneError // as it is written
		}
		i += size
		if total += utf8.RuneLen(r); total <= limit-len(ellipsis) {
			cut = i
		}
		if total > limit {
			return s[:cut] + ellipsis
		}
	}
	return s
}

// plain says which bytes stand for themselves in a string.
func plain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// appendString writes a string with the escapes of RFC 8785, section 3.2.2.2.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		if plain(s[i]) {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		buf = appendEscaped(append(buf, s[start:i]...), r)
		i += size
		start = i
	}
	return append(append(buf, s[start:]...), '"')
}

func appendEscaped(buf []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(buf, '\\', byte(r))
	case '\b':
		return append(buf, '\\', 'b')
	case '\t':
		return append(buf, '\\', 't')
	case '\n':
		return append(buf, '\\', 'n')
	case '\f':
		return append(buf, '\\', 'f')
	case '\r':
		return append(buf, '\\', 'r')
	case 0, utf8.RuneError:
		return utf8.AppendRune(buf, utf8.RuneError)
	}
	return append(buf, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
}
