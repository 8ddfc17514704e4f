package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/custodyhq/custody/security"
)

// ErrAltered is returned for bytes that are not what was sealed under this key
// for this tenant, run, payload and kind. Nothing of them is returned.
var ErrAltered = errors.New("the sealed bytes are not what was sealed for this place")

// ErrNoKey is returned when there is no key to seal or open with.
var ErrNoKey = errors.New("no key")

// payloadLabel separates payload keys from everything else that may ever be
// derived from a run key.
const payloadLabel = "custody/payload/v1"

// A RunKey seals and opens the payloads of one run. The zero RunKey seals
// nothing. It is safe for concurrent use and never prints itself.
type RunKey struct {
	// derive holds the key. Of a function fmt can print no more than its
	// address, also when somebody prints a struct around this one.
	derive func(payload security.ID) (cipher.AEAD, error)
}

func newRunKey(key []byte) RunKey {
	return RunKey{derive: func(payload security.ID) (cipher.AEAD, error) { return payloadCipher(key, payload) }}
}

// Format keeps the key out of every log and message, whatever the verb.
func (k RunKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("vault.RunKey")) }

// A Sealed is a payload as it is stored, and what the ledger says about it.
type Sealed struct {
	ID, Run security.ID
	Kind    string   // input, output:STEP, draft:STEP#ATTEMPT, shown:STEP, ...
	Bytes   int      // of the content, in the clear
	Commit  [32]byte // HMAC-SHA256(salt, content)
	Sum     [32]byte // SHA-256(Cipher)
	Cipher  []byte
}

// Seal seals content as a new payload of a run.
//
// The nonce is fixed, which is safe because no key is used twice: the payload's
// id is drawn here, 74 random bits and the millisecond, so no caller can ask
// for a second message under one derived key.
func (k RunKey) Seal(tenant string, run security.ID, kind string, content []byte) (Sealed, error) {
	s := Sealed{ID: security.NewID(), Run: run, Kind: kind, Bytes: len(content)}
	gcm, err := k.payload(s.ID)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal payload: %w", err)
	}
	plain := make([]byte, keySize, keySize+len(content)+gcm.Overhead())
	_, _ = rand.Read(plain) // never fails: crypto/rand ends the program instead
	s.Commit = Commitment(plain, content)
	plain = append(plain, content...)
	s.Cipher = gcm.Seal(plain[:0], make([]byte, gcm.NonceSize()), plain, payloadAAD(tenant, run, s.ID, kind))
	s.Sum = sha256.Sum256(s.Cipher)
	return s, nil
}

// An Opened payload is its content with the salt of its commitment. Disclosing
// both proves this one payload and says nothing about any other.
type Opened struct {
	Content, Salt []byte
	Commit        [32]byte
}

// Open returns the content of a payload. It fails with ErrAltered unless the
// bytes are those that were sealed for this tenant, run, payload and kind. The
// caller compares Commit with the ledger's.
func (k RunKey) Open(tenant string, run, id security.ID, kind string, cipher []byte) (Opened, error) {
	gcm, err := k.payload(id)
	if err != nil {
		return Opened{}, fmt.Errorf("open payload: %w", err)
	}
	plain, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), cipher, payloadAAD(tenant, run, id, kind))
	if err != nil || len(plain) < keySize {
		return Opened{}, fmt.Errorf("open payload %s: %w", id.Name("pay"), ErrAltered)
	}
	salt, content := plain[:keySize:keySize], plain[keySize:]
	return Opened{Content: content, Salt: salt, Commit: Commitment(salt, content)}, nil
}

// Commitment is HMAC-SHA256(salt, content): it fixes the content and tells
// nothing about it to who lacks the salt.
func Commitment(salt, content []byte) [32]byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write(content)
	return [32]byte(mac.Sum(nil))
}

func (k RunKey) payload(id security.ID) (cipher.AEAD, error) {
	if k.derive == nil {
		return nil, ErrNoKey
	}
	return k.derive(id)
}

// payloadCipher derives the cipher of one payload. Expanding without extracting
// first is right for a key that is random already (RFC 5869, section 3.3).
func payloadCipher(runKey []byte, id security.ID) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, runKey, payloadLabel+string(id[:]), keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func payloadAAD(tenant string, run, id security.ID, kind string) []byte {
	aad := appendField(make([]byte, 0, 128), payloadLabel)
	aad = appendField(aad, tenant)
	aad = appendField(aad, string(run[:]))
	aad = appendField(aad, string(id[:]))
	return appendField(aad, kind)
}
