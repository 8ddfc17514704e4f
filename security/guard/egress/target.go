package egress

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// A target is where a link leads, as a browser reads it (WHATWG URL, section
// 4.4).
type target struct {
	scheme string // lower case; "" is relative to where the link stands
	host   string // ASCII, lower case, without a dot at the end; "" if there is none
	port   string // "" is the one of the scheme
	path   string // as written
	query  string // as written: query and fragment
	// plain says that every parser reads the link alike: nothing was trimmed,
	// decoded, repaired or guessed. Only such a link can be allowed.
	plain bool
}

// relative says that the link stays where the reader is.
func (t target) relative() bool { return t.scheme == "" && t.host == "" && t.plain }

// special are the schemes that a browser parses with a host whatever the number
// and kind of slashes.
func special(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}

// resolve parses a link as it stands in an attribute or a destination.
func resolve(raw string) target {
	link := strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	t := target{plain: strings.Trim(raw, " ") == link && utf8.ValidString(raw)}
	if strings.ContainsAny(link, "\t\n\r") {
		t.plain = false
		link = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(link)
	}
	for i := range len(link) {
		if link[i] < ' ' || link[i] == 0x7F {
			t.plain = false
		}
	}
	scheme, rest := cutScheme(link)
	t.scheme = scheme
	switch {
	case special(scheme):
		n := slashes(rest)
		t.plain = t.plain && n == 2 && rest[:2] == "//"
		t.authority(rest[n:])
	case scheme == "mailto":
		t.mail(rest)
	case scheme != "":
		t.path = rest
	case slashes(rest) >= 2:
		// The scheme is that of the page. Where that is no web page, two slashes
		// name a machine in the local network.
		t.scheme = "https"
		t.plain = t.plain && slashes(rest) == 2 && rest[:2] == "//"
		t.authority(rest[slashes(rest):])
	default:
		t.plain = t.plain && !strings.Contains(upToQuery(rest), `\`)
		t.cutQuery(rest)
	}
	return t
}

// cutScheme cuts the scheme off.
func cutScheme(link string) (scheme, rest string) {
	for i := range len(link) {
		switch c := link[i]; {
		case c == ':' && i > 0:
			return strings.ToLower(link[:i]), link[i+1:]
		case letter(c), i > 0 && schemeByte(c):
		default:
			return "", link
		}
	}
	return "", link
}

// slashes counts the slashes at the beginning. Backslashes are slashes to a
// browser.
func slashes(s string) int {
	n := 0
	for n < len(s) && (s[n] == '/' || s[n] == '\\') {
		n++
	}
	return n
}

func upToQuery(s string) string {
	if n := strings.IndexAny(s, "?#"); n >= 0 {
		return s[:n]
	}
	return s
}

func (t *target) cutQuery(s string) {
	t.path = upToQuery(s)
	t.query = s[len(t.path):]
}

// authority parses what follows the slashes.
func (t *target) authority(s string) {
	end := strings.IndexAny(s, `/\?#`)
	if end < 0 {
		end = len(s)
	}
	t.cutQuery(s[end:])
	t.plain = t.plain && !strings.Contains(t.path, `\`)
	host := s[:end]
	// Who reads up to the first @ and who reads up to the last one differ; a name
	// before it is there to be taken for the host.
	if n := strings.LastIndexByte(host, '@'); n >= 0 {
		host, t.plain = host[n+1:], false
	}
	if n := strings.LastIndexByte(host, ':'); n >= 0 && n > strings.LastIndexByte(host, ']') {
		t.port, host = host[n+1:], host[:n]
		if p, err := strconv.ParseUint(t.port, 10, 16); err != nil || strconv.FormatUint(p, 10) != t.port {
			t.plain = false
		}
		if t.port == "80" && t.scheme == "http" || t.port == "443" && t.scheme == "https" {
			t.port = ""
		}
	}
	var plain bool
	t.host, plain = canonical(host)
	t.plain = t.plain && plain
}

// mail takes the domain of an address for the host.
func (t *target) mail(rest string) {
	t.cutQuery(rest)
	name, host, ok := strings.Cut(t.path, "@")
	var plain bool
	t.host, plain = canonical(host)
	t.plain = t.plain && plain && ok && name != "" && !strings.ContainsAny(name, "%,;:<>\"")
}

// profile maps names as browsers do (UTS 46, not transitional, not strict).
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.CheckJoiners(true), idna.BidiRule(), idna.VerifyDNSLength(false))

// canonical is the host that a browser contacts, and whether that is what is
// written. A host that no browser accepts is "".
func canonical(raw string) (host string, plain bool) {
	if strings.HasPrefix(raw, "[") {
		return "", false // addresses of version 6 are never plain enough to compare
	}
	s := raw
	if strings.Contains(s, "%") {
		var err error
		if s, err = url.PathUnescape(s); err != nil {
			return "", false
		}
	}
	if ascii(s) {
		host = strings.ToLower(s)
	} else if host = mapped(s); host == "" {
		return "", false
	}
	whole := host
	host = strings.TrimSuffix(host, ".")
	if host == "" || strings.Contains(host, "..") || host[0] == '.' || strings.ContainsFunc(host, notHost) {
		return "", false
	}
	if number(host[strings.LastIndexByte(host, '.')+1:]) {
		host = address(host)
		return host, host == raw
	}
	return host, whole == host && (host == strings.ToLower(raw) || unmapped(host, raw))
}

// mapped is a name in its ASCII form: "" if it has none.
func mapped(s string) string {
	out, err := profile.ToASCII(s)
	if err != nil || !ascii(out) {
		return ""
	}
	return strings.ToLower(out)
}

// unmapped says whether a name is the Unicode form of a host: mapping changed
// nothing but case.
func unmapped(host, raw string) bool {
	name, err := profile.ToUnicode(host)
	return err == nil && name == strings.ToLower(raw)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// notHost are characters that a name in an allow-list never has.
func notHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// number says whether a browser takes a last label for a number, and the host for
// an address (WHATWG URL, "ends in a number").
func number(label string) bool {
	if strings.HasPrefix(label, "0x") {
		return strings.Trim(label[2:], "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// address is an address of version 4 as four decimal numbers: "" if it is none.
// Browsers accept hexadecimal and octal parts, and a last part for all that is
// missing.
func address(host string) string {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return ""
	}
	var sum uint64
	for i, p := range parts {
		base := 10
		switch {
		case strings.HasPrefix(p, "0x"):
			p, base = p[2:], 16
		case len(p) > 1 && p[0] == '0':
			p, base = p[1:], 8
		}
		if p == "" && base == 16 {
			p = "0"
		}
		v, err := strconv.ParseUint(p, base, 33)
		if err != nil {
			return ""
		}
		if i < len(parts)-1 {
			if v > 255 {
				return ""
			}
			sum |= v << (24 - 8*i)
			continue
		}
		if v >= 1<<(8*(5-len(parts))) {
			return ""
		}
		sum |= v
	}
	var b []byte
	for shift := 24; shift >= 0; shift -= 8 {
		b = strconv.AppendUint(b, sum>>shift&255, 10)
		b = append(b, '.')
	}
	return string(b[:len(b)-1])
}
