package kinds

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/custodyhq/custody/steps/model"
)

// An AddressError says that a name resolved to an address where requests must
// not go. It does not say which: the answer of a resolver may be a secret of the
// network.
type AddressError struct{ Class string }

// Error names the class of the address.
func (e *AddressError) Error() string {
	return "the address is " + e.Class + ", where this connection may not go"
}

// never are addresses at which no connection may ever arrive.
var never = []struct {
	prefix netip.Prefix
	class  string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local or a metadata service"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "a metadata service"},
	{netip.MustParsePrefix("fd20:ce::254/128"), "a metadata service"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a metadata service"},
	{netip.MustParsePrefix("168.63.129.16/32"), "a metadata service"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a metadata service or reserved"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved or broadcast"},
	{netip.MustParsePrefix("192.0.2.0/24"), "reserved"},
	{netip.MustParsePrefix("198.51.100.0/24"), "reserved"},
	{netip.MustParsePrefix("203.0.113.0/24"), "reserved"},
	{netip.MustParsePrefix("2001:db8::/32"), "reserved"},
	{netip.MustParsePrefix("2001::/32"), "a tunnel"}, // Teredo: holds other addresses
	{netip.MustParsePrefix("2002::/16"), "a tunnel"}, // 6to4: likewise
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a tunnel"},
}

// inside are addresses of one's own network: only connections that say
// `private: true` may go there.
var inside = []struct {
	prefix netip.Prefix
	class  string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "private"}, // shared by a provider or an overlay network
	{netip.MustParsePrefix("198.18.0.0/15"), "private"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fec0::/10"), "private"},
}

// embedded are prefixes under which an IPv6 address carries an IPv4 address in
// its last 4 bytes; that one is what counts.
var embedded = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64 (RFC 6052)
	netip.MustParsePrefix("::/96"),        // IPv4-compatible, deprecated
}

// Allowed reports whether a connection may go to the address, private or not;
// its error is an *AddressError.
func Allowed(ip netip.Addr, private bool) error {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return &AddressError{"not an address"}
	}
	for _, r := range never {
		if r.prefix.Contains(ip) {
			return &AddressError{r.class}
		}
	}
	for _, r := range inside {
		if r.prefix.Contains(ip) {
			if private {
				return nil
			}
			return &AddressError{r.class + "; set private: true if that is meant"}
		}
	}
	for _, p := range embedded {
		if p.Contains(ip) {
			b := ip.As16()
			return Allowed(netip.AddrFrom4([4]byte(b[12:])), private)
		}
	}
	return nil
}

// newPool connects only to allowed addresses. The check runs on the address that
// is dialled, after any resolving, so a name that changes its mind between a
// check and its use gains nothing. No proxy is used: it would resolve the name
// itself, out of our sight.
func newPool(private bool, resolver *net.Resolver) *http.Transport {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second, Resolver: resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %w", &AddressError{"not an address"}, err)
			}
			return Allowed(at.Addr(), private)
		},
	}
	t := model.NewTransport(256, 4*time.Second)
	t.DialContext = dialer.DialContext
	return t
}
