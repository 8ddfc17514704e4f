package engine

import (
	"context"
	"time"
)

// callerIdle is how long a goroutine waits for the next call.
const callerIdle = time.Second

// callers are the goroutines that make calls. One that has made a call waits a
// moment for another: its stack has grown by then, and growing a new one for
// every call costs a tenth of all that the engine does for a step.
type callers struct{ next chan func() }

func newCallers() callers { return callers{next: make(chan func())} }

// run calls f on a goroutine that waits, or on a new one.
func (c callers) run(stop context.Context, f func()) {
	select {
	case c.next <- f:
	default:
		go c.work(stop, f)
	}
}

func (c callers) work(stop context.Context, f func()) {
	idle := time.NewTimer(callerIdle)
	defer idle.Stop()
	for {
		f()
		idle.Reset(callerIdle)
		select {
		case f = <-c.next:
		case <-idle.C:
			return
		case <-stop.Done():
			return
		}
	}
}
