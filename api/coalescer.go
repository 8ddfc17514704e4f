package api

import (
	"sync"
	"time"
)

// maxCoalesced bounds the memory of a coalescer; past it everything counts as
// new, which writes more entries, never fewer.
const maxCoalesced = 10_000

// A coalescer tells the first of many equal things in a while. It is safe for
// concurrent use.
type coalescer struct {
	every time.Duration
	mu    sync.Mutex
	seen  map[string]time.Time
}

// first reports whether the key was not seen for a while.
func (c *coalescer) first(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if at, ok := c.seen[key]; ok && now.Sub(at) < c.every {
		return false
	}
	if c.seen == nil || len(c.seen) >= maxCoalesced {
		c.seen = map[string]time.Time{}
	}
	c.seen[key] = now
	return true
}

// forget makes the next one the first again.
func (c *coalescer) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, key)
}
