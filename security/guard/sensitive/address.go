package sensitive

import (
	"net/netip"
	"strings"
)

// address finds the Internet address that begins with the word at i. Only those
// count that can belong to somebody: neither private nor local, nor kept for
// documentation or tests.
func (s *scan) address(i, end int) int {
	t := s.t
	if !isHex(t[i:min(end, i+5)]) || end-i > 4 || end >= len(t) || t[end] != '.' && t[end] != ':' || !s.begins(i, 0) {
		return 0
	}
	j := end
	for j < len(t) && j-i < 46 && (isHex(t[j:j+1]) || t[j] == '.' || t[j] == ':') {
		j++
	}
	text := strings.TrimRight(t[i:j], ".:")
	j = i + len(text)
	if t[end] == '.' && strings.Count(text, ".") != 3 || t[end] == ':' && strings.Count(text, ":") < 2 || !s.ends(j) {
		return 0
	}
	if colon := strings.IndexByte(text, ':'); colon > 0 && t[end] == '.' { // with a port
		text, j = text[:colon], i+colon
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !public(a) {
		return 0
	}
	return s.report(kindIP, Shaped, i, j)
}

// public reports whether an address is given to somebody (IANA, special-purpose
// address registries).
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

var notPublic = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2001:2::/48"),
}
