package security

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// An ID names a run, a payload, an approval or a process for ever. It is a
// UUIDv7 (RFC 9562), so IDs made later sort later. The zero ID names nothing.
type ID [16]byte

// alphabet is Crockford's base32 in lower case: no i, l, o or u to misread.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// ErrID is returned for a text that is not an ID of the expected kind.
var ErrID = errors.New("not an identifier of this kind")

// NewID makes an ID from the wall clock and 74 random bits. It is safe for
// concurrent use.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[6:]) // never fails: crypto/rand ends the program instead
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(time.Now().UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 26 characters of Crockford base32 without a prefix.
func (id ID) String() string {
	var out [26]byte
	hi := binary.BigEndian.Uint64(id[:8])
	lo := binary.BigEndian.Uint64(id[8:])
	for i := 25; i >= 0; i-- {
		out[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// Name returns the ID as people see it, for example Name("run") is "run_…".
func (id ID) Name(prefix string) string { return prefix + "_" + id.String() }

// ParseID reads what Name(prefix) wrote, and nothing else.
func ParseID(prefix, s string) (ID, error) {
	var id ID
	rest, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(rest) != 26 || rest[0] > '7' { // 26 digits hold 130 bits, an ID has 128
		return id, ErrID
	}
	var hi, lo uint64
	for i := range len(rest) {
		v := strings.IndexByte(alphabet, rest[i])
		if v < 0 {
			return ID{}, ErrID
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}
