// Package vault seals what people wrote and models answered, so that the ledger
// can speak about it without holding it. It is cryptography only: no I/O, no
// clock but the one inside a new identifier.
//
// Three layers, from the outside in:
//
//   - a key-encryption key (KEK) from the key directory wraps run keys;
//   - a run key, one for each stream, is random and stored wrapped;
//   - a payload key is derived from the run key for one payload and used once.
//
// Destroying a wrapped run key destroys all content of that run together with
// the salts of its commitments: what stays in the ledger then proves that
// something of that size was there, and can no longer be tested against
// guesses.
//
// The format of a sealed payload, byte for byte:
//
//	key    = HKDF-Expand(SHA-256, run key, "custody/payload/v1" || payload id, 32)
//	salt   = 32 random bytes
//	aad    = field("custody/payload/v1") field(tenant) field(run) field(payload id) field(kind)
//	cipher = AES-256-GCM(key, nonce = 12 zero bytes, salt || content, aad)
//	commit = HMAC-SHA256(salt, content)
//	sum    = SHA-256(cipher)
//
// where field(x) is the length of x as 4 bytes, most significant first, then x,
// and run and payload id are their 16 bytes. A wrapped run key is
//
//	nonce(12, random) || AES-256-GCM(KEK, nonce, run key, field("custody/run-key/v1") field(tenant) field(stream))
package vault
