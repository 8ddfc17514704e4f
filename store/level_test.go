package store

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func TestLevelsAreThoseOfTheWholeInstallation(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	run, _ := b.submit(), b.submit()
	done := b.submit()
	b.write(ending(done))
	if _, err := b.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := b.Levels(t.Context())
	if err != nil || l.Runs[Queued] != 2 || l.Runs[Waiting] != 0 || l.QueueAge <= 0 || l.QueueAge > time.Minute || l.Approvals != 0 || l.Expiry != 0 || l.Processes != 1 {
		t.Fatalf("%+v %v", l, err)
	}
	b.write(asking(run, security.NewID(), time.Hour, "legal"))
	l, err = b.Levels(t.Context())
	if err != nil || l.Runs[Waiting] != 1 || l.Runs[Queued] != 1 || l.Approvals != 1 || l.WaitAge > time.Minute || l.Expiry < 50*time.Minute || l.Expiry > time.Hour {
		t.Errorf("%+v %v", l, err)
	}
	most := int64(ownConns)
	for _, p := range b.PoolLevels() {
		if p.Most == 0 || p.Name == "" {
			t.Errorf("%+v", p)
		}
		most += p.Most
	}
	if most != MostConns {
		t.Errorf("a process takes up to %d connections", most)
	}
}

// A tally counts what it is told.
type tally struct {
	mu      sync.Mutex
	written []Written
	changes int
}

func (y *tally) Wrote(w Written) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.written = append(y.written, w)
}

func (y *tally) Batch(changes int, _ time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.changes += changes
}

// The count of a change is told once, also when the answer to its COMMIT was
// lost and its fate had to be looked up; one that refuses is not told.
func TestTheMeterCountsWhatTheLedgerSays(t *testing.T) {
	t.Parallel()
	y, lost := &tally{}, atomic.Bool{}
	lost.Store(true)
	b := open(t, Config{Meter: y, Fault: func() Fault {
		if lost.CompareAndSwap(true, false) {
			return LoseAnswer
		}
		return NoFault
	}})
	run := b.submit()
	refused := Change{Run: run, Apply: func(l *Locked) error {
		l.Append(audit.Fact{Action: audit.StepDenied, Outcome: "denied"})
		return ErrBusy
	}}
	if err := b.Write(t.Context(), refused); err == nil {
		t.Fatal("it did not refuse")
	}
	b.write(ending(run))
	if _, err := b.Record(t.Context(), audit.Fact{
		Action: audit.AccessDenied, Outcome: "denied", Tenant: "main", Decision: &audit.Decision{Effect: "deny", Missing: []string{"role", "mfa"}},
	}); err != nil {
		t.Fatal(err)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.written) != 3 || y.changes != 3 {
		t.Fatalf("%d changes, %+v", y.changes, y.written)
	}
	first, closed, denied := y.written[0], y.written[1], y.written[2]
	if first.Action != audit.RunSubmitted || first.Workflow != "review" || first.Run != run {
		t.Errorf("%+v", first)
	}
	if closed.State != string(Succeeded) || closed.Age <= 0 || closed.At.IsZero() {
		t.Errorf("%+v", closed)
	}
	if denied.Code != "role" || !denied.Run.IsZero() {
		t.Errorf("%+v", denied)
	}
}
