package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Hash is the SHA-256 of an entry. The zero Hash is what comes before the
// first entry of a stream.
type Hash [32]byte

// ErrHash is returned for a text that is not 64 lower-case hex digits.
var ErrHash = errors.New("not a hash: 64 lower-case hex digits are needed")

// ParseHash reads what String wrote, and nothing else.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) || strings.ToLower(s) != s {
		return Hash{}, ErrHash
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, ErrHash
	}
	return h, nil
}

// String is the hash as 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the hash before a stream's first entry.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText writes hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// An Entry is a fact at its place in a stream, the same in the API, in bundles
// and in proofs (API.md section 6.1).
type Entry struct {
	Log    string `json:"log"`    // the ledger's name
	Index  *int64 `json:"index"`  // place in the log, once a notary has given it one
	Stream string `json:"stream"` // a run's id, or ctl-…
	Seq    int64  `json:"seq"`    // place in the stream, from 0
	Prev   Hash   `json:"prev"`
	Hash   Hash   `json:"hash"`
	Body   string `json:"body"` // canonical JSON, exactly what was hashed
}

// ErrAltered is returned for an entry whose hash is not that of its content.
var ErrAltered = errors.New("the entry is not what was hashed")

// Check recomputes the hash. It fails with ErrAltered.
func (e Entry) Check() error {
	_, err := e.check(nil)
	return err
}

// check is Check with a buffer to reuse.
func (e Entry) check(buf []byte) ([]byte, error) {
	if e.Seq < 0 || strings.ContainsAny(e.Log, "\n\r") || strings.ContainsAny(e.Stream, "\n\r") {
		return buf, fmt.Errorf("%w: its place cannot be written down", ErrAltered)
	}
	hash, buf := appendLeaf(buf, e.Log, e.Stream, e.Seq, e.Prev, e.Body)
	if hash != e.Hash {
		return buf, fmt.Errorf("%w: %s is stored, %s is computed", ErrAltered, e.Hash, hash)
	}
	return buf, nil
}

// leafPrefix is RFC 6962's mark of a leaf and the name of this format.
const leafPrefix = "\x00custody-entry/v1\n"

// AppendLeaf computes the hash of an entry. The buffer is overwritten and
// returned to be used again. Log and stream must hold no line break.
func AppendLeaf(buf []byte, log, stream string, seq int64, prev Hash, body []byte) (Hash, []byte) {
	return appendLeaf(buf, log, stream, seq, prev, body)
}

func appendLeaf[T string | []byte](buf []byte, log, stream string, seq int64, prev Hash, body T) (Hash, []byte) {
	buf = append(append(buf[:0], leafPrefix...), log...)
	buf = append(append(buf, '\n'), stream...)
	buf = strconv.AppendInt(append(buf, '\n'), seq, 10)
	buf = hex.AppendEncode(append(buf, '\n'), prev[:])
	buf = append(append(buf, '\n'), body...)
	return sha256.Sum256(buf), buf
}
