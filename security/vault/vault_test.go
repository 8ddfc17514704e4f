package vault_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/vault"
)

func ring(t testing.TB) *vault.Keyring {
	t.Helper()
	k, err := vault.NewKeyring("k2", map[string][]byte{"k1": bytes.Repeat([]byte{1}, 32), "k2": bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func runKey(t testing.TB, run security.ID) vault.RunKey {
	t.Helper()
	key, _, err := ring(t).NewRunKey("main", run)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyringNeedsWholeKeys(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	for name, c := range map[string]struct {
		active string
		keys   map[string][]byte
		ok     bool
	}{
		"one key":        {"a", map[string][]byte{"a": key}, true},
		"two keys":       {"b", map[string][]byte{"a": key, "b": key}, true},
		"no key":         {"a", nil, false},
		"another active": {"c", map[string][]byte{"a": key}, false},
		"no name":        {"", map[string][]byte{"": key}, false},
		"a short key":    {"a", map[string][]byte{"a": key[:16]}, false},
		"a long key":     {"a", map[string][]byte{"a": append(key, 0)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := vault.NewKeyring(c.active, c.keys)
			if (err == nil) != c.ok {
				t.Fatal(err)
			}
			if c.ok && (k.Active() != c.active || !k.Has(c.active) || k.Has("other")) {
				t.Errorf("active %q", k.Active())
			}
		})
	}
}

func TestARunKeyUnwrapsOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	run := security.NewID()
	key, wrapped, err := ring(t).NewRunKey("main", run)
	if err != nil || wrapped.Key != "k2" {
		t.Fatal(wrapped.Key, err)
	}
	sealed, err := key.Seal("main", run, "input", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(wrapped.Bytes)
	flipped[20] ^= 1
	for name, c := range map[string]struct {
		tenant string
		run    security.ID
		w      vault.Wrapped
		want   error
	}{
		"its place":      {"main", run, wrapped, nil},
		"another tenant": {"other", run, wrapped, vault.ErrAltered},
		"another run":    {"main", security.NewID(), wrapped, vault.ErrAltered},
		"another key":    {"main", run, vault.Wrapped{Key: "k1", Bytes: wrapped.Bytes}, vault.ErrAltered},
		"a lost key":     {"main", run, vault.Wrapped{Key: "k9", Bytes: wrapped.Bytes}, vault.ErrNoKey},
		"a flipped bit":  {"main", run, vault.Wrapped{Key: "k2", Bytes: flipped}, vault.ErrAltered},
		"cut short":      {"main", run, vault.Wrapped{Key: "k2", Bytes: wrapped.Bytes[:8]}, vault.ErrAltered},
		"nothing":        {"main", run, vault.Wrapped{}, vault.ErrNoKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ring(t).Unwrap(c.tenant, c.run, c.w)
			if !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			_, err = got.Open("main", run, sealed.ID, "input", sealed.Cipher)
			if (err == nil) != (c.want == nil) {
				t.Errorf("with what was unwrapped: %v", err)
			}
		})
	}
	if _, _, err := ring(t).NewRunKey("main", security.ID{}); err == nil {
		t.Error("a key for no stream")
	}
}

func TestAPayloadOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	run, content := security.NewID(), []byte("the contract")
	key := runKey(t, run)
	s, err := key.Seal("main", run, "output:draft", content)
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes != len(content) || s.Kind != "output:draft" || s.Run != run || s.Sum != sha256.Sum256(s.Cipher) {
		t.Errorf("sealed as %+v", s)
	}
	cut, flipped := s.Cipher[:len(s.Cipher)-1], slices.Clone(s.Cipher)
	flipped[0] ^= 1
	for name, c := range map[string]struct {
		key    vault.RunKey
		tenant string
		run    security.ID
		id     security.ID
		kind   string
		cipher []byte
		want   error
	}{
		"its place":       {key, "main", run, s.ID, s.Kind, s.Cipher, nil},
		"another tenant":  {key, "other", run, s.ID, s.Kind, s.Cipher, vault.ErrAltered},
		"another run":     {key, "main", security.NewID(), s.ID, s.Kind, s.Cipher, vault.ErrAltered},
		"another payload": {key, "main", run, security.NewID(), s.Kind, s.Cipher, vault.ErrAltered},
		"another kind":    {key, "main", run, s.ID, "input", s.Cipher, vault.ErrAltered},
		"another run key": {runKey(t, run), "main", run, s.ID, s.Kind, s.Cipher, vault.ErrAltered},
		"no run key":      {vault.RunKey{}, "main", run, s.ID, s.Kind, s.Cipher, vault.ErrNoKey},
		"cut short":       {key, "main", run, s.ID, s.Kind, cut, vault.ErrAltered},
		"a flipped bit":   {key, "main", run, s.ID, s.Kind, flipped, vault.ErrAltered},
		"nothing":         {key, "main", run, s.ID, s.Kind, nil, vault.ErrAltered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.key.Open(c.tenant, c.run, c.id, c.kind, c.cipher)
			if !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			if c.want != nil && (got.Content != nil || got.Salt != nil) {
				t.Error("something came out")
			}
			if c.want == nil && (!bytes.Equal(got.Content, content) || got.Commit != s.Commit || got.Commit != vault.Commitment(got.Salt, content)) {
				t.Errorf("%q came out", got.Content)
			}
		})
	}
}

func TestEqualContentLooksDifferent(t *testing.T) {
	t.Parallel()
	run := security.NewID()
	key := runKey(t, run)
	a, errA := key.Seal("main", run, "input", []byte("yes"))
	b, errB := key.Seal("main", run, "input", []byte("yes"))
	if errA != nil || errB != nil || a.Commit == b.Commit || a.Sum == b.Sum || a.ID == b.ID {
		t.Errorf("two payloads can be told equal: %v, %v", errA, errB)
	}
	if a.Commit == sha256.Sum256([]byte("yes")) || bytes.Contains(a.Cipher, []byte("yes")) {
		t.Error("the content can be guessed")
	}
}

func TestTheZeroKeySealsNothing(t *testing.T) {
	t.Parallel()
	if s, err := (vault.RunKey{}).Seal("main", security.NewID(), "input", nil); !errors.Is(err, vault.ErrNoKey) || s.Cipher != nil {
		t.Errorf("%v, %v", s, err)
	}
	if _, _, err := new(vault.Keyring).NewRunKey("main", security.NewID()); !errors.Is(err, vault.ErrNoKey) {
		t.Errorf("the zero ring: %v", err)
	}
}

func TestAKeyNeverPrintsItself(t *testing.T) {
	t.Parallel()
	type row struct{ key vault.RunKey }
	run := security.NewID()
	key, wrapped, err := ring(t).NewRunKey("main", run)
	if err != nil {
		t.Fatal(err)
	}
	raw := unwrap(t, run, wrapped)
	forms := []string{string(raw), hex.EncodeToString(raw), strings.Trim(fmt.Sprint(raw), "[]"), fmt.Sprintf("%#v", raw)[7:50]} //nolint:staticcheck // the bytes as numbers are meant
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%c"} {
		if got := fmt.Sprintf(format, key); got != "vault.RunKey" {
			t.Errorf("%s prints %s", format, got)
		}
		around := fmt.Sprintf(format, row{key}) + fmt.Sprintf(format, &row{key})
		if slices.ContainsFunc(forms, func(f string) bool { return strings.Contains(around, f) }) {
			t.Errorf("%s of a struct around it prints %s", format, around)
		}
	}
	if _, err := json.Marshal(row{key}); err != nil { //nolint:staticcheck // the point: nothing of it is written
		t.Error(err)
	}
}

// unwrap gets at the raw key from the description of the format alone.
func unwrap(t *testing.T, run security.ID, w vault.Wrapped) []byte {
	t.Helper()
	raw, err := seal(t, bytes.Repeat([]byte{2}, 32)).Open(nil, w.Bytes[:12], w.Bytes[12:], fields("custody/run-key/v1", "main", string(run[:])))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The format in doc.go, written a second time from the words alone.
func TestTheFormatIsTheOneDescribed(t *testing.T) {
	t.Parallel()
	run := security.NewID()
	_, wrapped, err := ring(t).NewRunKey("main", run)
	if err != nil {
		t.Fatal(err)
	}
	raw := unwrap(t, run, wrapped)
	key, err := ring(t).Unwrap("main", run, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	s, err := key.Seal("main", run, "input", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, raw) // HKDF-Expand of one block: HMAC(key, info || 0x01)
	mac.Write([]byte("custody/payload/v1" + string(s.ID[:]) + "\x01"))
	aad := fields("custody/payload/v1", "main", string(run[:]), string(s.ID[:]), "input")
	plain, err := seal(t, mac.Sum(nil)).Open(nil, make([]byte, 12), s.Cipher, aad)
	if err != nil || string(plain[32:]) != "hello" {
		t.Fatalf("%q, %v", plain, err)
	}
	mac = hmac.New(sha256.New, plain[:32])
	mac.Write(plain[32:])
	if s.Commit != [32]byte(mac.Sum(nil)) {
		t.Error("the commitment is another one")
	}
}

func seal(t *testing.T, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcm
}

func fields(list ...string) (out []byte) {
	for _, f := range list {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}

// Bytes that were not sealed never open, and those that were come back whole.
func FuzzOpen(f *testing.F) {
	run := security.NewID()
	key := runKey(f, run)
	s, err := key.Seal("main", run, "input", []byte("seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Cipher, "main", "input")
	f.Add([]byte{}, "", "")
	f.Fuzz(func(t *testing.T, text []byte, tenant, kind string) {
		if _, err := key.Open(tenant, run, s.ID, kind, text); err == nil && !bytes.Equal(text, s.Cipher) {
			t.Fatal("bytes that nobody sealed open")
		}
		mine, err := key.Seal(tenant, run, kind, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.Open(tenant, run, mine.ID, kind, mine.Cipher)
		if err != nil || !bytes.Equal(got.Content, text) {
			t.Fatalf("%q came back as %q, %v", text, got.Content, err)
		}
		if _, err := key.Open(tenant+"x", run, mine.ID, kind, mine.Cipher); err == nil {
			t.Fatal("it opens for another tenant")
		}
	})
}

func BenchmarkSeal4KiB(b *testing.B) {
	run := security.NewID()
	key, content := runKey(b, run), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Seal("main", run, "output:draft", content); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleKeyring() {
	keys, err := vault.NewKeyring("2026-11", map[string][]byte{"2026-11": make([]byte, 32)})
	if err != nil {
		fmt.Println(err)
	}
	run := security.NewID()
	_, wrapped, err := keys.NewRunKey("main", run)
	if err != nil {
		fmt.Println(err)
	}
	_, err = keys.Unwrap("main", security.NewID(), wrapped) // of another run
	fmt.Println(wrapped.Key, errors.Is(err, vault.ErrAltered))
	// Output: 2026-11 true
}

func ExampleRunKey_Seal() {
	keys, _ := vault.NewKeyring("k", map[string][]byte{"k": make([]byte, 32)})
	run := security.NewID()
	key, _, _ := keys.NewRunKey("main", run)
	sealed, err := key.Seal("main", run, "input", []byte("a contract"))
	if err != nil {
		fmt.Println(err)
	}
	opened, err := key.Open("main", run, sealed.ID, "input", sealed.Cipher)
	fmt.Println(string(opened.Content), opened.Commit == sealed.Commit, err)
	// Output: a contract true <nil>
}
