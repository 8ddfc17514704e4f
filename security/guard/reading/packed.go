package reading

import (
	"bytes"
	"compress/flate"
	"io"
)

// mostUnpacked bounds what is unpacked of one piece, in bytes: instructions are
// short, and a kilobyte can be unpacked to a megabyte.
const mostUnpacked = 16 << 10

// packed returns where the deflated part of gzip (RFC 1952) or zlib (RFC 1950)
// begins, 0 if b is neither.
func packed(b []byte) int {
	switch {
	case len(b) < 12:
		return 0
	case b[0] == 0x1F && b[1] == 0x8B && b[2] == 8 && b[3]&^8 == 0:
		if b[3] == 0 {
			return 10
		}
		if k := bytes.IndexByte(b[10:], 0); k >= 0 { // the name of a file
			return 10 + k + 1
		}
	case b[0]&0x0F == 8 && b[0] <= 0x78 && b[1]&0x20 == 0 && (int(b[0])<<8|int(b[1]))%31 == 0:
		return 2
	}
	return 0
}

// An unpacker keeps what inflating needs.
type unpacker struct {
	in  bytes.Reader
	out []byte
	z   io.ReadCloser
}

// unpack inflates what a decoder wrote, if it is packed, and writes it in its
// place. All of it came from all of its source.
func (s *Scanner) unpack(f *frame) bool {
	at := packed(f.raw)
	if at == 0 {
		return false
	}
	u := &s.unpacker
	u.in.Reset(f.raw[at:])
	if u.z == nil {
		u.z = flate.NewReader(&u.in)
	} else if err := u.z.(flate.Resetter).Reset(&u.in, nil); err != nil { //nolint:forcetypeassert // so it says
		return false
	}
	if cap(u.out) == 0 {
		u.out = make([]byte, 0, mostUnpacked)
	}
	u.out = u.out[:0]
	most := min(mostUnpacked, max(s.budget-128, 0))
	for len(u.out) < most {
		n, err := u.z.Read(u.out[len(u.out):most])
		u.out = u.out[:len(u.out)+n]
		if err != nil {
			break // the end, or of a cut text what there is
		}
	}
	s.work += 8 * (len(u.out) + len(f.raw))
	if len(u.out) < 4 {
		return false
	}
	lo, hi := f.up.span(0, len(f.raw))
	f.up.reset()
	f.raw = append(f.raw[:0], u.out...)
	f.up.add(0, lo, len(f.raw), max(hi-lo, 1), 1)
	return true
}
