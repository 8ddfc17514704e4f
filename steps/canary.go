package steps

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// canaryBytes make a mark that nobody guesses and no text holds by chance.
const canaryBytes = 12

// marks makes the canaries of a process that was given none: of a key that
// nobody else has and that is gone with the process.
func marks() func(key string) string {
	var secret [sha256.Size]byte
	_, _ = rand.Read(secret[:]) // never fails (crypto/rand)
	return func(key string) string {
		mac := hmac.New(sha256.New, secret[:])
		mac.Write([]byte(key))
		return hex.EncodeToString(mac.Sum(nil))
	}
}

// canary is the mark in the prompt of a call. It is the same in every attempt:
// what is asked again must be what was asked before, word for word.
func (p *Pipeline) canary(c Checked, id CallID) string {
	if !c.step().Kind.Model {
		return ""
	}
	mark := p.config.Canary(id.Key)
	return mark[:min(len(mark), 2*canaryBytes)]
}
