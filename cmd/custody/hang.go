package main

import (
	"strings"
	"sync"
)

// hangs is the switch that makes the model hang in the second call of a run.
type hangs struct {
	mu    sync.Mutex
	armed bool
	held  chan string // keys of calls that hang
}

func newHangs() *hangs { return &hangs{held: make(chan string, 16)} }

func (h *hangs) arm(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = on
}

// hold reports whether this call shall hang.
func (h *hangs) hold(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.armed || !strings.HasSuffix(key, "#judge") {
		return false
	}
	select {
	case h.held <- key:
	default: // nobody counts more than a few
	}
	return true
}
