package engine

import (
	"errors"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
)

// refer is what an entry says of a sealed payload.
func refer(s vault.Sealed) audit.Payload {
	return audit.Payload{ID: s.ID.Name("pay"), Kind: s.Kind, Bytes: s.Bytes, Commit: s.Commit, Sum: s.Sum}
}

// decided is what an entry says of a decision.
func decided(d security.Decision) *audit.Decision {
	out := &audit.Decision{Effect: "deny", Policies: d.Policies()}
	if d.Allowed() {
		out.Effect = "allow"
	}
	for _, r := range d.Reasons() {
		out.Missing = append(out.Missing, r.Code)
	}
	return out
}

// weight is what payloads add to a batch.
func weight(sealed []vault.Sealed) int {
	n := 2048 // entries and the row
	for _, s := range sealed {
		n += len(s.Cipher)
	}
	return n
}

// scoped names revocation keys as the store does.
func scoped(tenant string, keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = tenant + "/" + k
	}
	return out
}

func errorAs[T error](err error) (T, bool) {
	var target T
	ok := errors.As(err, &target)
	return target, ok
}
