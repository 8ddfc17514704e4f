package sensitive

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// email finds local@domain around the sign at i (RFC 5321, section 4.5.3.1 for
// the lengths; RFC 6531 for other scripts). The domain must be one that can be
// registered; those that are reserved for examples and tests (RFC 2606, 6761,
// 6762) are nobody's, and git@host: and scheme://user:password@host are no mail.
func (s *scan) email(i int) int {
	if !s.looksFor(Personal) {
		return 0
	}
	t := s.t
	lo := localBefore(t, i)
	hi := i + 1
	for hi < len(t) && hi-i < 254 && (isAlnum(t[hi]) || t[hi] == '-' || t[hi] == '.' || t[hi] >= utf8.RuneSelf) {
		hi++
	}
	for hi < len(t) && !utf8.RuneStart(t[hi]) {
		hi--
	}
	domain := strings.TrimRight(trimPunctuation(t[i+1:hi]), ".-")
	if lo == i || !isDomain(domain) || lo > 0 && (t[lo-1] == ':' || t[lo-1] == '/') && inAuthority(t, lo) {
		return 0
	}
	end := i + 1 + len(domain)
	if t[lo:i] == "git" && end < len(t) && (t[end] == ':' || t[end] == '/') {
		return 0
	}
	return s.report(kindEmail, Shaped, lo, end)
}

// localBefore finds where the local part that ends before i begins.
func localBefore(t string, i int) int {
	lo := i
	for lo > 0 && i-lo < 64 {
		r, n := rune(t[lo-1]), 1
		if r >= utf8.RuneSelf {
			if r, n = utf8.DecodeLastRuneInString(t[:lo]); !joins(r) && !unicode.IsMark(r) {
				break
			}
		} else if !isLocal(t[lo-1]) {
			break
		}
		lo -= n
	}
	for lo < i && strings.IndexByte(".-&'", t[lo]) >= 0 {
		lo++
	}
	return min(lo+escape(t, lo), i)
}

// isLocal leaves out what RFC 5322 allows and nobody uses: there it is the sign
// before an address, as in to=ann@…
func isLocal(c byte) bool { return isAlnum(c) || strings.IndexByte(".+-_'~&", c) >= 0 }

// trimPunctuation ends a domain before a character that is no letter, or that
// comes from a script without blanks and goes on with the text.
func trimPunctuation(d string) string {
	for i, r := range d {
		if r >= utf8.RuneSelf && (!unicode.IsLetter(r) && !unicode.IsMark(r) || i > 0 && isAlnum(d[i-1]) && !joins(r)) {
			return d[:i]
		}
	}
	return d
}

// inAuthority reports whether the place before lo is the user of an address with
// a scheme: scheme://user:password@host.
func inAuthority(t string, lo int) bool {
	from := max(0, lo-80)
	k := strings.LastIndex(t[from:lo], "://")
	return k >= 0 && !strings.ContainsAny(t[from+k+3:lo], " \t\n/\"'<>")
}

// isDomain reports whether somebody can have registered the domain.
func isDomain(d string) bool {
	var b [256]byte
	if len(d) > 253 || len(d) < 4 {
		return false
	}
	label, dots := 0, 0
	for i := range len(d) {
		b[i] = lower(d[i])
		if d[i] != '.' {
			label++
			continue
		}
		if label == 0 || label > 63 || d[i-1] == '-' || i+1 == len(d) || d[i+1] == '-' {
			return false
		}
		label = 0
		dots++
	}
	if dots == 0 || d[0] == '-' || label < 2 || label > 63 {
		return false
	}
	return !reserved(d) && registrable(d, b[:len(d)])
}

// registrable asks the public suffix list. Providers' own suffixes (herokuapp.com)
// are domains like others; an ending without a dot that is not on it is none. An
// ending in another script stands
// there in its ASCII form only, so any such ending counts.
func registrable(d string, small []byte) bool {
	last := d[strings.LastIndexByte(d, '.')+1:]
	if last[0] >= utf8.RuneSelf {
		return true
	}
	for i := range small {
		if d[i] != small[i] {
			d = string(small)
			break
		}
	}
	suffix, icann := publicsuffix.PublicSuffix(d)
	return icann && len(suffix) < len(d) || !icann && strings.IndexByte(suffix, '.') >= 0
}

// reserved reports whether a domain is one of those that belong to nobody.
func reserved(d string) bool {
	for _, r := range [...]string{"example", "invalid", "test", "localhost", "local", "internal", "example.com", "example.org", "example.net"} {
		n := len(d) - len(r)
		if n >= 0 && strings.EqualFold(d[n:], r) && (n == 0 || d[n-1] == '.') {
			return true
		}
	}
	for label := range strings.SplitSeq(d, ".") {
		if strings.EqualFold(label, "example") { // example.de and the like are by custom
			return true
		}
	}
	return false
}
