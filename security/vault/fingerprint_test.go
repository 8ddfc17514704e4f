package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/vault"
)

// A text is found again under a key that is not the active one any more, and
// nobody finds it without the key, or in another tenant.
func TestAFingerprintOutlivesItsKey(t *testing.T) {
	t.Parallel()
	ring := func(active string, seeds map[string]string) *vault.Keyring {
		t.Helper()
		keys := map[string][]byte{}
		for id, seed := range seeds {
			keys[id] = []byte(strings.Repeat(seed, 32))
		}
		k, err := vault.NewKeyring(active, keys)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	old := ring("k1", map[string]string{"k1": "a"})
	rotated := ring("k2", map[string]string{"k1": "a", "k2": "b"})
	stranger := ring("k1", map[string]string{"k1": "x"})
	named := old.Fingerprint("main", "a text")
	if !strings.HasPrefix(named, "k1:") || len(named) != len("k1:")+64 || old.Fingerprint("main", "a text") != named {
		t.Errorf("fingerprint %q", named)
	}
	all := rotated.Fingerprints("main", "a text")
	if len(all) != 2 || all[0] != rotated.Fingerprint("main", "a text") || !slices.Contains(all, named) {
		t.Errorf("after the key was exchanged: %v", all)
	}
	for name, other := range map[string]string{
		"another text":                           old.Fingerprint("main", "a text "),
		"another tenant":                         old.Fingerprint("other", "a text"),
		"a tenant that takes a part of the text": old.Fingerprint("maina", " text"),
		"another key":                            stranger.Fingerprint("main", "a text"),
	} {
		if other == named {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
	if said := fmt.Sprintf("%+v %#v", *old, *old); strings.Contains(said, strings.Repeat("a", 8)) || strings.Contains(said, "97, 97, 97, 97") {
		t.Error("a printed keyring shows a key")
	}
}
