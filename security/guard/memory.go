package guard

import (
	"crypto/sha256"
	"sync"

	"github.com/custodyhq/custody/security/guard/detector"
)

// maxClean bounds the memory; 40 bytes each.
const maxClean = 20_000

// memory knows texts in which nothing was seen, by their SHA-256, so that a
// document that five steps of a run are given is read once. What is seen is a
// function of the text alone; a text in which something was seen is read again
// each time, because where it stands is part of what is said about it. It is
// safe for concurrent use.
type memory struct {
	mu    sync.Mutex
	clean map[[sha256.Size]byte]struct{}
}

// textKey names a text together with everything else that decides what is seen
// in it.
func textKey(text, name string, on []detector.Channel, orders, data bool) (sum [sha256.Size]byte) {
	h := sha256.New()
	var flags [3]byte
	if orders {
		flags[0] = 1
		for _, c := range on {
			flags[1] |= 1 << c
		}
	}
	if data {
		flags[2] = 1
	}
	h.Write(flags[:])
	inner := sha256.Sum256([]byte(name))
	h.Write(inner[:])
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

func (m *memory) knows(key [sha256.Size]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.clean[key]
	return ok
}

func (m *memory) keep(key [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clean == nil || len(m.clean) >= maxClean {
		m.clean = make(map[[sha256.Size]byte]struct{}, 64)
	}
	m.clean[key] = struct{}{}
}
