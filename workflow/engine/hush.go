package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// hushEvery is how often the same message of River's is written. While the
// database is away its fetcher reports every try, a dozen times a second.
const hushEvery = time.Minute

// A hush passes each message on once in a while. It is safe for concurrent use.
type hush struct {
	slog.Handler
	said *said
}

type said struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newHush(h slog.Handler) hush { return hush{h, &said{last: map[string]time.Time{}}} }

// Handle drops a message that was written a moment ago. River's messages are
// constants, so the list of them stays short.
func (h hush) Handle(ctx context.Context, r slog.Record) error {
	h.said.mu.Lock()
	again := r.Time.Sub(h.said.last[r.Message]) < hushEvery
	if !again {
		h.said.last[r.Message] = r.Time
	}
	h.said.mu.Unlock()
	if again {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps hushing.
func (h hush) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hush{h.Handler.WithAttrs(attrs), h.said}
}

// WithGroup keeps hushing.
func (h hush) WithGroup(name string) slog.Handler { return hush{h.Handler.WithGroup(name), h.said} }
