package workflow

import "slices"

// A Status says where a step is. The zero Status is Pending.
type Status uint8

// The statuses of a step. Waiting is for people, Backoff for the next attempt.
const (
	Pending Status = iota
	Running
	Waiting
	Backoff
	Succeeded
	Skipped
	Failed
	Denied
	Blocked
	Withheld
	Unknown
	Cancelled
)

// String is the status as the API shows it; Backoff shows as "waiting".
func (s Status) String() string {
	names := [...]string{
		"pending", "running", "waiting", "waiting", "succeeded", "skipped",
		"failed", "denied", "blocked", "withheld", "unknown", "cancelled",
	}
	if int(s) >= len(names) {
		return names[Unknown]
	}
	return names[s]
}

// Ended reports whether the step will not move again by itself. A status that
// is not known is an end.
func (s Status) Ended() bool { return s >= Succeeded }

// Failing reports whether the status makes the run fail. A status that is not
// known does.
func (s Status) Failing() bool { return s >= Failed && s != Cancelled }

// passed reports whether steps that need this one may run.
func (s Status) passed() bool { return s == Succeeded || s == Skipped }

// A StepState is all that the plan knows about a step.
type StepState struct {
	Status  Status
	Attempt int // attempts begun
}

// A State is all that the plan knows about a run: one StepState for each step
// of the definition, in its order.
type State struct {
	Steps  []StepState
	Cancel bool // somebody asked for it
}

// An Outcome is how a run ended; "" while it has not.
type Outcome string

// The outcomes of a run.
const (
	OutcomeSucceeded Outcome = "succeeded"
	OutcomeFailed    Outcome = "failed"
	OutcomeCancelled Outcome = "cancelled"
)

// A Plan is what may happen to a run now.
type Plan struct {
	Ready   []int   // steps to start, in the order of the text; the engine may start them together
	Close   Outcome // how to close the run now; "" if it goes on
	Waiting bool    // nothing runs and nothing can start: people or a timer must act first
}

// Next says what may happen now. It is a pure function of the definition and
// the state. After a failure or a cancellation nothing new starts, running
// steps finish, and waiting ones do not keep the run open: whoever closes the
// run withdraws them. A state that does not fit the definition fails the run.
func Next(d *Definition, s State) Plan {
	if len(s.Steps) != len(d.Steps) {
		return Plan{Close: OutcomeFailed}
	}
	var running, waiting, pending, failing bool
	for _, st := range s.Steps {
		running = running || st.Status == Running
		waiting = waiting || st.Status == Waiting || st.Status == Backoff
		pending = pending || st.Status == Pending
		failing = failing || st.Status.Failing()
	}
	stopped := failing || s.Cancel || slices.ContainsFunc(s.Steps, func(st StepState) bool { return st.Status == Cancelled })
	switch {
	case stopped && running:
		return Plan{}
	case stopped || !running && !waiting && !pending:
		return Plan{Close: outcome(s.Cancel, stopped)}
	}
	ready := ready(d, s)
	return Plan{Ready: ready, Waiting: waiting && !running && len(ready) == 0}
}

// outcome names the end of a run in which nothing runs any more.
func outcome(cancel, stopped bool) Outcome {
	switch {
	case cancel:
		return OutcomeCancelled
	case stopped:
		return OutcomeFailed
	}
	return OutcomeSucceeded
}

// ready lists the pending steps whose needs have all passed.
func ready(d *Definition, s State) []int {
	var out []int
	for i := range d.Steps {
		if s.Steps[i].Status != Pending {
			continue
		}
		if !slices.ContainsFunc(d.Steps[i].Needs, func(n int) bool { return !s.Steps[n].Status.passed() }) {
			out = append(out, i)
		}
	}
	return out
}
