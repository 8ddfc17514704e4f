package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
)

// fingerprintLabel separates the keys of fingerprints from everything else that
// is derived from a key-encryption key (RFC 5869).
const fingerprintLabel = "custody/fingerprint/v1"

// Fingerprint names a text without telling anything about it to who lacks the
// key: the id of the active key, a colon, and HMAC-SHA256 of tenant and text in
// hex. The same text has another fingerprint in another tenant.
func (k *Keyring) Fingerprint(tenant, text string) string { return k.marks[k.active](tenant, text) }

// Fingerprints are those of a text under every key of the ring, that of the
// active one first: what was named before a key was exchanged is still found.
func (k *Keyring) Fingerprints(tenant, text string) []string {
	out := []string{k.Fingerprint(tenant, text)}
	for _, id := range slices.Sorted(maps.Keys(k.marks)) {
		if id != k.active {
			out = append(out, k.marks[id](tenant, text))
		}
	}
	return out
}

// marker makes fingerprints under one key. Of a function fmt can print no more
// than its address.
func marker(id string, kek []byte) (func(tenant, text string) string, error) {
	key, err := hkdf.Key(sha256.New, kek, nil, fingerprintLabel, keySize)
	if err != nil {
		return nil, err
	}
	return func(tenant, text string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write(appendField(nil, tenant))
		mac.Write([]byte(text))
		return id + ":" + hex.EncodeToString(mac.Sum(nil))
	}, nil
}
