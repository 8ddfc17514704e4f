package audit

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
)

// The zip's comment is the SHA-256 of everything before it. It is no proof:
// whoever changes the file can change the comment. It finds damage where a zip
// has room for bits that mean nothing. A zip packed anew by another tool has no
// comment, and its entries prove as much as before.
const sealPrefix = "custody-bundle/v1 sha256:"

// sealPlaceholder stands where the seal will.
const sealPlaceholder = sealPrefix + "0000000000000000000000000000000000000000000000000000000000000000"

// A sealer passes on what it gets, all but the end, where the seal belongs.
type sealer struct {
	w    io.Writer
	sum  hash.Hash
	kept []byte
}

func newSealer(w io.Writer) *sealer { return &sealer{w: w, sum: sha256.New()} }

// Write implements io.Writer.
func (s *sealer) Write(p []byte) (int, error) {
	s.kept = append(s.kept, p...)
	n := len(s.kept) - len(sealPlaceholder)
	if n <= 0 {
		return len(p), nil
	}
	s.sum.Write(s.kept[:n])
	if _, err := s.w.Write(s.kept[:n]); err != nil {
		return 0, err
	}
	s.kept = append(s.kept[:0], s.kept[n:]...)
	return len(p), nil
}

// close writes the seal in the place of its placeholder.
func (s *sealer) close() error {
	if string(s.kept) != sealPlaceholder {
		return errors.New("the zip does not end in its comment")
	}
	_, err := io.WriteString(s.w, sealPrefix+hex.EncodeToString(s.sum.Sum(nil)))
	return err
}

// sealed says what is wrong with the seal of a zip; nothing when it has none.
func sealed(r io.ReaderAt, size int64, z *zip.Reader) (string, error) {
	if z.Comment == "" {
		return "", nil
	}
	want, ok := strings.CutPrefix(z.Comment, sealPrefix)
	if !ok || len(z.Comment) != len(sealPlaceholder) {
		return "its comment is neither empty nor a seal", nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size-int64(len(sealPlaceholder)))); err != nil {
		return "", err
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return "its bytes are not those that were exported", nil
	}
	return "", nil
}
