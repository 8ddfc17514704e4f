package engine

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
)

// A process that stops lets its calls end, commits their outcomes and hands
// its runs over: the other goes on without waiting for anybody's silence.
func TestStopHandsRunsOver(t *testing.T) {
	t.Parallel()
	k, g := newBook(), gate(make(chan struct{}))
	b := served(t, map[string]kind{"m": {model, k.noting(g.run)}, "e": {effect, k.noting(ok)}})
	b.flow("steps:\n  - {id: a, uses: m}\n  - {id: side, uses: m, needs: []}\n  - {id: b, uses: e, needs: [a, side]}\n")
	id := b.run()
	_, p := b.start()
	k.call(t, "a")
	k.call(t, "side")
	b.start() // q
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop(context.Background()) }()
	eventually(t, "p drains", p.draining.Load)
	close(g)
	must(t, <-stopped)
	b.ends(id, store.Succeeded, "")
	all, err := stream(b.pool, id)
	must(t, err)
	for _, l := range all {
		if l.Action == "run.recovered" || l.Outcome == "unknown" {
			t.Errorf("%s %s", l.Action, l.Outcome)
		}
	}
	equal(t, "calls", k.total(), 3)
	equal(t, "epoch", b.row(id).Epoch, int32(2))
}

// A call that hangs is cut off when Config.Drain is over, and its run is not
// lost.
func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	k, g := newBook(), gate(make(chan struct{}))
	defer close(g)
	b := served(t, map[string]kind{"m": {model, k.noting(func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		if c.ID.Attempt == 1 {
			return g.deaf(ctx, c)
		}
		return ok(ctx, c)
	})}})
	b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1ms}}\n")
	id := b.run()
	_, p := b.start(func(_ *store.Config, c *Config, _ *steps.Config) { c.Drain = 200 * time.Millisecond })
	k.call(t, "a")
	begun := time.Now()
	if err := p.Stop(context.Background()); err == nil {
		t.Error("Stop says that all calls had ended")
	}
	if took := time.Since(begun); took > 200*time.Millisecond+stopPatience+time.Second {
		t.Errorf("Stop took %s", took)
	}
	b.start()
	b.ends(id, store.Succeeded, "")
}

// Not parallel: it counts goroutines.
func TestStopLeavesNothingBehind(t *testing.T) {
	k := newBook()
	b := served(t, map[string]kind{"m": {model, k.noting(ok)}})
	b.flow("steps:\n  - {id: a, uses: m}\n")
	b.closed(func() (id [16]byte) {
		_, p := b.start()
		id = b.run()
		b.closed(id)
		must(t, p.Stop(context.Background()))
		return id
	}())
	before := runtime.NumGoroutine()
	for range 3 {
		db, p := b.open()
		must(t, p.Start(context.Background()))
		b.closed(b.run())
		must(t, p.Stop(context.Background()))
		db.Close()
	}
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
