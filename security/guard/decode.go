package guard

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The names of the readings.
const (
	plain      = "plain"
	foldedText = "folded"
	joinedText = "joined"
)

// A decoded piece is what stands encoded between two bytes of a text.
type piece struct {
	name   string
	text   string
	lo, hi int
}

// decodings finds what is encoded in a text: base64 (also URL-safe and wrapped),
// base32, hex, percent, HTML entities and backslash escapes. It reads each byte a bounded
// number of times, and stops when the pieces together are as long as the text.
func decodings(text string) []piece {
	d := decoder{text: text, left: len(text) + 64}
	for i := 0; i < len(text) && d.left > 0; {
		switch c := text[i]; {
		case c == '%' || c == '&' || c == '\\' || c == '=':
			i = d.escaped(i)
		case base64Byte[c]:
			i = d.row(i)
		default:
			i++
		}
	}
	return d.out
}

type decoder struct {
	text  string
	left  int // bytes that may still be decoded
	tried int // up to here the text is known not to be hex
	out   []piece
}

var base64Byte = func() (t [256]bool) {
	for c := range 128 {
		t[c] = isWordByte(byte(c)) || c == '+' || c == '/' || c == '-'
	}
	return t
}()

// keep takes a decoding that reads like text.
func (d *decoder) keep(name string, body []byte, lo, hi int) bool {
	if len(body) < 4 || len(body) > d.left || !readable(body) {
		return false
	}
	d.left -= len(body)
	d.out = append(d.out, piece{name, string(body), lo, hi})
	return true
}

// readable reports whether bytes are text that somebody could have written.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	letters, odd, n := 0, 0, 0
	for _, r := range string(b) {
		n++
		switch {
		case unicode.IsLetter(r) || r == ' ':
			letters++
		case r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7F || r == utf8.RuneError:
			odd++
		}
	}
	return odd*20 <= n && letters*2 >= n
}

// row reads a row of base64 or hex, over line ends if the lines are full.
func (d *decoder) row(i int) int {
	j := i
	lines := 0
	for j < len(d.text) {
		if base64Byte[d.text[j]] {
			j++
			continue
		}
		next, ok := wrapped(d.text, i, j)
		if !ok {
			break
		}
		lines++
		j = next
	}
	if j-i < 2 {
		return j
	}
	if end, ok := d.hexRow(i); ok {
		return end
	}
	if j-i < 16 {
		return j
	}
	end := j
	for end < len(d.text) && d.text[end] == '=' && end-j < 6 {
		end++
	}
	body := d.text[i:j]
	if lines > 0 {
		body = strings.Join(strings.Fields(body), "")
	}
	if !d.base64(body, i, end) && !d.base32(body, i, end) && lines > 0 {
		d.lines(i, j)
	}
	return end
}

// lines tries each line by itself where together they made no sense.
func (d *decoder) lines(i, j int) {
	for line := range strings.Lines(d.text[i:j]) {
		body := strings.TrimRight(line, "\r\n")
		if len(body) >= 16 && !d.base64(body, i, i+len(body)) {
			d.base32(body, i, i+len(body))
		}
		i += len(line)
	}
}

// wrapped reports whether a row goes on in the next line: its lines are long, as
// the encoders of MIME (76) and PEM (64) make them.
func wrapped(s string, i, j int) (int, bool) {
	k := j
	if k < len(s) && s[k] == '\r' {
		k++
	}
	if k+1 >= len(s) || s[k] != '\n' || !base64Byte[s[k+1]] {
		return 0, false
	}
	line := strings.LastIndexByte(s[i:j], '\n') + 1
	return k + 1, j-i-line >= 40
}

// base64 decodes either alphabet. A last digit too many is left out: cut texts
// are common.
func (d *decoder) base64(body string, lo, hi int) bool {
	enc := base64.RawStdEncoding
	if strings.ContainsAny(body, "-_") {
		enc = base64.RawURLEncoding
	}
	if len(body)%4 == 1 {
		body = body[:len(body)-1]
	}
	b, err := enc.DecodeString(body)
	return err == nil && d.keep("base64", b, lo, hi)
}

func (d *decoder) base32(body string, lo, hi int) bool {
	out := make([]byte, 0, len(body)*5/8)
	var acc, n uint
	for k := range len(body) {
		c := body[k]
		switch {
		case 'A' <= c && c <= 'Z':
			acc = acc<<5 | uint(c-'A')
		case '2' <= c && c <= '7':
			acc = acc<<5 | uint(c-'2'+26)
		default:
			return false
		}
		if n += 5; n >= 8 {
			n -= 8
			out = append(out, byte(acc>>n))
		}
	}
	return d.keep("base32", out, lo, hi)
}

// hexRow reads pairs of hex digits, with or without one blank, comma, colon or
// "0x" between them.
func (d *decoder) hexRow(i int) (int, bool) {
	if i < d.tried {
		return 0, false
	}
	var digits []byte
	j := i
	for j+1 < len(d.text) {
		k := j
		if len(digits) > 0 && strings.IndexByte(" ,:-\n", d.text[k]) >= 0 {
			k++
		}
		if strings.HasPrefix(d.text[k:], "0x") || strings.HasPrefix(d.text[k:], "\\x") {
			k += 2
		}
		if k+1 >= len(d.text) || !hexByte(d.text[k]) || !hexByte(d.text[k+1]) {
			break
		}
		digits = append(digits, d.text[k], d.text[k+1])
		j = k + 2
	}
	d.tried = j
	if len(digits) < 16 || j < len(d.text) && isWordByte(d.text[j]) {
		return 0, false
	}
	b, err := hex.DecodeString(string(digits))
	if err != nil || !d.keep("hex", b, i, j) {
		return 0, false
	}
	return j, true
}

func hexByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// escaped reads text in which characters are written as escapes, up to the
// first stretch without one. It decodes the plain letters between escapes, too,
// since "%69gnore" hides one letter of seven.
func (d *decoder) escaped(i int) int {
	name, _, n := escape1(d.text[i:])
	if n == 0 {
		return i + 1
	}
	lo := i
	for lo > 0 && i-lo < 32 && isWordByte(d.text[lo-1]) {
		lo--
	}
	out := []byte(d.text[lo:i])
	count, quiet, end := 0, 0, i
	for i < len(d.text) && quiet < 64 {
		kind, s, n := escape1(d.text[i:])
		if n > 0 && kind == name {
			out = append(out, s...)
			i += n
			count++
			quiet, end = 0, i
			continue
		}
		out = append(out, d.text[i])
		i++
		quiet++
	}
	if count >= 3 {
		d.keep(name, out, lo, end)
	}
	return max(end, lo+1)
}

// escape1 reads one escape at the beginning of s: what kind, what it stands
// for, and how long it is.
func escape1(s string) (string, string, int) {
	switch {
	case s[0] == '%' && len(s) >= 3 && hexByte(s[1]) && hexByte(s[2]):
		return "percent", byteOf(s[1:3]), 3
	case s[0] == '=' && len(s) >= 3 && hexByte(s[1]) && hexByte(s[2]):
		return "quoted-printable", byteOf(s[1:3]), 3
	case s[0] == '&':
		end := strings.IndexByte(s[:min(len(s), 12)], ';')
		if end < 2 {
			return "", "", 0
		}
		if t := html.UnescapeString(s[:end+1]); t != s[:end+1] {
			return "entities", t, end + 1
		}
	case strings.HasPrefix(s, "\\u") && len(s) >= 6:
		if r, err := strconv.ParseUint(s[2:6], 16, 32); err == nil {
			return "escapes", string(rune(r)), 6
		}
	case strings.HasPrefix(s, "\\x") && len(s) >= 4 && hexByte(s[2]) && hexByte(s[3]):
		return "escapes", byteOf(s[2:4]), 4
	}
	return "", "", 0
}

func byteOf(digits string) string {
	n, err := strconv.ParseUint(digits, 16, 8)
	if err != nil {
		return ""
	}
	return string([]byte{byte(n)})
}
