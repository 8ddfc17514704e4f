package engine

import (
	"crypto/sha256"
	"sync"

	"github.com/custodyhq/custody/security"
)

// maxMandates bounds the memory of verified mandates.
const maxMandates = 20_000

// mandates remembers which signatures were verified, by the digest of key,
// signature and text. What can change (expiry, revocation) is not remembered:
// it is asked at every step.
type mandates struct {
	mu    sync.Mutex
	known map[[32]byte]security.Mandate
}

func digestOfSigned(s security.Signed) (sum [32]byte) {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(s.Key), s.Sig, s.Body} {
		h.Write([]byte{byte(len(part) >> 8), byte(len(part))})
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

func (m *mandates) get(s security.Signed) (security.Mandate, bool) {
	key := digestOfSigned(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	out, ok := m.known[key]
	return out, ok
}

func (m *mandates) put(s security.Signed, v security.Mandate) {
	key := digestOfSigned(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMandates {
		m.known = map[[32]byte]security.Mandate{}
	}
	m.known[key] = v
}

// openMandate verifies a mandate, or remembers that it was. That it is of this
// run, tenant and version is compared in any case.
func (e *Engine) openMandate(s security.Signed, tenant string, run security.ID, workflow string) (security.Mandate, error) {
	if m, ok := e.mandates.get(s); ok && m.Tenant == tenant && m.Run == run.Name("run") && m.Workflow == workflow {
		return m, nil
	}
	m, err := e.cfg.Keys.OpenMandate(s, tenant, run, workflow)
	if err == nil {
		e.mandates.put(s, m)
	}
	return m, err
}
