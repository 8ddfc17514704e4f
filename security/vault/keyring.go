package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/custodyhq/custody/security"
)

// keySize is the size of every key here, in bytes: AES-256.
const keySize = 32

// A Keyring holds key-encryption keys by id. It comes from the key directory,
// never from the database. It never changes and is safe for concurrent use.
// Random nonces bound how often one key may wrap: 2^32 run keys (NIST SP
// 800-38D, section 8.3), after which another must become the active one.
type Keyring struct {
	active string
	keys   map[string]cipher.AEAD
	marks  map[string]func(tenant, text string) string // fingerprints by key id; see fingerprint.go
}

// NewKeyring makes a Keyring that wraps with the active key and unwraps with
// all of them. Each key is 32 bytes.
func NewKeyring(active string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{active: active, keys: make(map[string]cipher.AEAD, len(keys)), marks: make(map[string]func(string, string) string, len(keys))}
	for id, key := range keys {
		if id == "" || len(key) != keySize {
			return nil, fmt.Errorf("key-encryption key %q: %d bytes and a name are needed, it has %d bytes", id, keySize, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key-encryption key %q: %w", id, err)
		}
		if k.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("key-encryption key %q: %w", id, err)
		}
		if k.marks[id], err = marker(id, key); err != nil {
			return nil, fmt.Errorf("key-encryption key %q: %w", id, err)
		}
	}
	if !k.Has(active) {
		return nil, fmt.Errorf("key-encryption key %q is to be the active one, but is not there", active)
	}
	return k, nil
}

// Active is the id of the key that wraps.
func (k *Keyring) Active() string { return k.active }

// Has reports whether run keys wrapped with the key can be unwrapped.
func (k *Keyring) Has(id string) bool { _, ok := k.keys[id]; return ok }

// A Wrapped is a run's key, readable only with the key-encryption key that it
// names. It may be stored beside the run.
type Wrapped struct {
	Key   string // id of the key-encryption key
	Bytes []byte
}

// NewRunKey makes the key of one stream of one tenant, and its wrapped form.
func (k *Keyring) NewRunKey(tenant string, stream security.ID) (RunKey, Wrapped, error) {
	kek, ok := k.keys[k.active]
	if !ok || stream.IsZero() {
		return RunKey{}, Wrapped{}, fmt.Errorf("new run key: %w", ErrNoKey)
	}
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	w := Wrapped{Key: k.active, Bytes: kek.Seal(nil, nil, key, runKeyAAD(tenant, stream))}
	return newRunKey(key), w, nil
}

// Unwrap returns the key of a stream. It fails with ErrNoKey when the ring lacks
// the key-encryption key, and with ErrAltered when the bytes were changed or
// belong to another tenant or stream.
func (k *Keyring) Unwrap(tenant string, stream security.ID, w Wrapped) (RunKey, error) {
	kek, ok := k.keys[w.Key]
	if !ok {
		return RunKey{}, fmt.Errorf("unwrap run key: key-encryption key %q is not in the key directory: %w", w.Key, ErrNoKey)
	}
	plain, err := kek.Open(nil, nil, w.Bytes, runKeyAAD(tenant, stream))
	if err != nil || len(plain) != keySize {
		return RunKey{}, fmt.Errorf("unwrap run key: %w", ErrAltered)
	}
	return newRunKey(plain), nil
}

func runKeyAAD(tenant string, stream security.ID) []byte {
	aad := appendField(make([]byte, 0, 64), "custody/run-key/v1")
	aad = appendField(aad, tenant)
	return appendField(aad, string(stream[:]))
}

// appendField writes a length before the bytes, so that no two lists of fields
// read the same.
func appendField(buf []byte, field string) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(field)))
	return append(buf, field...)
}
