package kinds_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/stepstest"
)

// connect sends a request to an address and says how it ended.
func connect(t *testing.T, base string, private bool, resolver *net.Resolver) *steps.Error {
	t.Helper()
	set, err := kinds.New(kinds.Config{
		Connections: map[string]kinds.Connection{"dms": {BaseURL: base, Private: private}}, Resolver: resolver,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	r := stepstest.NewRig(t, fmt.Sprintf(filing, `{connection: dms, method: GET, path: /a}`), set.Kinds(), set.Runners(), nil)
	_, err = r.Pipeline.Execute(context.Background(), r.Check(t, 0, r.Input(nil)), r.ID(0, ""))
	var e *steps.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return e
}

func TestAddressesThatAreNeverReached(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"169.254.169.254", "169.254.0.1", "[fe80::1]", "[fd00:ec2::254]", "[fd20:ce::254]", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"0.0.0.0", "0.1.2.3", "[::]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "240.0.0.1", "192.0.2.1", "[2001:db8::1]",
		"[::ffff:169.254.169.254]", "[::ffff:0.0.0.0]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2001:0:a9fe:a9fe::1]", "[::a9fe:a9fe]",
	} {
		e := connect(t, "http://"+address+":9", true, nil) // private does not help
		var class *kinds.AddressError
		if e == nil || e.Code != steps.CodeRefused || e.Unknown || e.Retry || !errors.As(e, &class) || strings.Contains(e.Error(), "169.254") {
			t.Errorf("%s: %v", address, e)
		}
	}
}

func TestPrivateAddressesNeedTheWord(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `{}`))
	at := netip.MustParseAddrPort(strings.TrimPrefix(server.URL(), "http://"))
	mapped := fmt.Sprintf("http://[::ffff:127.0.0.1]:%d", at.Port())
	for _, base := range []string{server.URL(), fmt.Sprintf("http://localhost:%d", at.Port()), mapped} {
		if e := connect(t, base, false, nil); e == nil || e.Code != steps.CodeRefused || !strings.Contains(e.Detail, "private: true") {
			t.Errorf("%s: %v", base, e)
		}
		if e := connect(t, base, true, nil); e != nil {
			t.Errorf("%s with private: true: %v", base, e)
		}
	}
	if n := len(server.Requests()); n != 3 {
		t.Errorf("%d requests arrived", n)
	}
	for _, address := range []string{"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd12::1]", "[::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[::7f00:1]", "[fec0::1]"} {
		if e := connect(t, "http://"+address+":9", false, nil); e == nil || e.Code != steps.CodeRefused {
			t.Errorf("%s: %v", address, e)
		}
	}
}

// A name that resolves to something harmless when somebody checks it and to a
// metadata service when it is dialled.
func TestNameThatChangesItsMindIsCheckedWhereItIsDialled(t *testing.T) {
	t.Parallel()
	server := stepstest.NewModel(t, stepstest.Reply(200, `{}`))
	port := netip.MustParseAddrPort(strings.TrimPrefix(server.URL(), "http://")).Port()
	base := fmt.Sprintf("http://rebind.test:%d", port)

	resolver, asked := nameserver(t, "127.0.0.1")
	if e := connect(t, base, false, resolver); e == nil || e.Code != steps.CodeRefused || asked() == 0 {
		t.Errorf("loopback behind a name: %v, asked %d times", e, asked())
	}
	resolver, _ = nameserver(t, "169.254.169.254")
	if e := connect(t, base, true, resolver); e == nil || e.Code != steps.CodeRefused {
		t.Errorf("metadata behind a name: %v", e)
	}
	// The second connection meets another address under the same name.
	resolver, _ = nameserver(t, "127.0.0.1", "169.254.169.254")
	if e := connect(t, base, true, resolver); e != nil {
		t.Errorf("the twin: %v", e)
	}
	if e := connect(t, base, true, resolver); e == nil || e.Code != steps.CodeRefused {
		t.Errorf("after the change: %v", e)
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}

// nameserver answers A questions with the addresses in turn, the last for ever.
func nameserver(t *testing.T, addresses ...string) (*net.Resolver, func() int) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			reply, isA := dnsReply(buf[:n], addresses[min(int(asked.Load()), len(addresses)-1)])
			if isA {
				asked.Add(1)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}, func() int { return int(asked.Load()) }
}

// dnsReply answers one question (RFC 1035, section 4): an A record, or nothing
// for any other type.
func dnsReply(query []byte, address string) ([]byte, bool) {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	isA := binary.BigEndian.Uint16(query[end-4:]) == 1
	reply := append([]byte(nil), query[:end]...)
	reply[2], reply[3] = 0x81, 0x80
	binary.BigEndian.PutUint16(reply[6:], 0)
	binary.BigEndian.PutUint16(reply[8:], 0)
	binary.BigEndian.PutUint16(reply[10:], 0)
	if isA {
		binary.BigEndian.PutUint16(reply[6:], 1)
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, netip.MustParseAddr(address).AsSlice()...)
	}
	return reply, isA
}

func FuzzDecodeReply(f *testing.F) {
	f.Add(`{"a":[1,2.5,"x",null,true],"b":{}}`)
	f.Add(`{"a":1,"a":2}`)
	f.Add(`12345678901234567890`)
	f.Add(`56789012345E7`)
	f.Add(`[1e20, 1e21, -1e20, 9007199254740993.0, 0.1e1]`)
	f.Add(strings.Repeat("[", 100))
	f.Fuzz(func(t *testing.T, body string) {
		v, err := kinds.Decode([]byte(body))
		if err != nil {
			return
		}
		raw, err := kinds.PlainJSON(v)
		if err != nil {
			t.Fatalf("decoded and not encodable: %v", err)
		}
		again, err := kinds.Decode(raw)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		second, err := kinds.PlainJSON(again)
		if err != nil || string(second) != string(raw) {
			t.Errorf("%s became %s", raw, second)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"a", "..", "a/b", "%2e", "\\", "é", "a/../b", "?x#y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		path, bad := kinds.PathOf("/c/", value, "/x")
		if bad != "" {
			return
		}
		if strings.Count(path, "/") != 3 || strings.ContainsAny(path, "?#\\ \n\r\x00") || strings.Contains(path, "/../") || strings.Contains(path, "/./") {
			t.Errorf("%q became %q", value, path)
		}
	})
}
