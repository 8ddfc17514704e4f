package store

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

func drawID(t *rapid.T, label string) security.ID {
	if rapid.Bool().Draw(t, label+"?") {
		return security.ID{}
	}
	return security.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
}

func drawProgress(t *rapid.T) Progress {
	p := Progress{
		Micros: rapid.Int64().Draw(t, "micros"), TokensIn: rapid.Int64().Draw(t, "in"), TokensOut: rapid.Int64().Draw(t, "out"),
		Judged: rapid.IntRange(0, 9).Draw(t, "judged"),
		Steps:  make([]Step, rapid.IntRange(0, 40).Draw(t, "steps")),
	}
	for i := range p.Steps {
		p.Steps[i] = Step{
			Status: workflow.Status(rapid.Byte().Draw(t, "status")), Attempt: rapid.IntRange(0, math.MaxInt32).Draw(t, "attempt"),
			Tries: rapid.IntRange(0, 9).Draw(t, "tries"), DueUS: rapid.Int64().Draw(t, "due"),
			Call: drawID(t, "call"), Judge: drawID(t, "judge"), Payload: drawID(t, "payload"), From: drawID(t, "from"), Ask: drawID(t, "ask"),
		}
	}
	return p
}

func TestProgressIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawProgress(t)
		var got Progress
		if err := got.decode(want.encode(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

func TestProgressThatIsCutOrLongerIsRefused(t *testing.T) {
	t.Parallel()
	p := Progress{Micros: 7, Steps: []Step{{Status: workflow.Running, Attempt: 2, Call: security.NewID(), DueUS: 5, Tries: 1}, {}}}
	whole := p.encode(nil)
	for n := range whole {
		if err := new(Progress).decode(whole[:n]); !errors.Is(err, errUnreadable) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if err := new(Progress).decode(append(whole, 0)); !errors.Is(err, errUnreadable) {
		t.Errorf("one byte more: %v", err)
	}
	if err := new(Progress).decode(whole); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func TestAPendingStepTakesThreeBytes(t *testing.T) {
	t.Parallel()
	empty, ten := Progress{}, Progress{Steps: make([]Step, 10)}
	if n := len(ten.encode(nil)) - len(empty.encode(nil)); n != 30 {
		t.Errorf("ten steps take %d bytes", n)
	}
}

func TestTheStateThatIsPlannedFromHasNothingElse(t *testing.T) {
	t.Parallel()
	p := Progress{Steps: []Step{{Status: workflow.Succeeded, Attempt: 1, Payload: security.NewID()}, {Status: workflow.Running, Attempt: 3}}}
	want := workflow.State{Cancel: true, Steps: []workflow.StepState{{Status: workflow.Succeeded, Attempt: 1}, {Status: workflow.Running, Attempt: 3}}}
	if diff := cmp.Diff(want, p.State(true)); diff != "" {
		t.Error(diff)
	}
	if p.Steps[0].Open() || !p.Steps[1].Open() {
		t.Error("a step is open while it has an intent without an outcome, and only then")
	}
}

// Whatever lies in the column: no panic, no memory beyond it, and what is read
// is written back the same.
func FuzzProgress(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	p := Progress{Micros: -1, Steps: []Step{{Status: workflow.Backoff, Attempt: 2, Call: security.NewID(), From: security.NewID(), DueUS: 5, Tries: 1}, {}}}
	f.Add(p.encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again Progress
		if p.decode(b) != nil {
			if len(p.Steps) > len(b) {
				t.Fatalf("%d bytes made room for %d steps", len(b), len(p.Steps))
			}
			return
		}
		written := p.encode(nil)
		if err := again.decode(written); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written, again.encode(nil)) {
			t.Fatal("it is written differently the second time")
		}
	})
}
