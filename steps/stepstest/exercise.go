package stepstest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

// A Subject is a kind of step to be exercised.
type Subject struct {
	Kind *workflow.Kind
	// New makes its runner, which sends what it sends to the given address.
	New func(t *testing.T, base string) steps.Runner
	// With is the step's `with` as JSON, without expressions.
	With string
	// Answer is a reply with which the step succeeds; nil for a kind that sends
	// nothing.
	Answer http.HandlerFunc
}

// Exercise checks the contract of steps.Runner: one request for one call, with
// its two names on it, whatever the other side does; the context obeyed; typed
// errors that say what is unknown; concurrent use.
func Exercise(t *testing.T, s Subject) {
	t.Run("succeeds", func(t *testing.T) { t.Parallel(); s.succeeds(t) })
	t.Run("returns when its context is done", func(t *testing.T) { t.Parallel(); s.obeys(t) })
	if s.Answer == nil {
		return
	}
	for name, answer := range map[string]http.HandlerFunc{
		"503": Fail(503), "429": Fail(429), "409": Fail(409), "200 with rubbish": rubbish,
		"307": redirect(307), "303": redirect(303), "301": redirect(301),
	} {
		t.Run("one request when the reply is "+name, func(t *testing.T) {
			t.Parallel()
			_ = s.once(t, answer) // what came of it is the kind's affair
		})
	}
	t.Run("a cut connection is unknown and not repeated", func(t *testing.T) { t.Parallel(); s.cut(t) })
}

// rubbish is a reply that claims to be JSON and is not.
func rubbish(w http.ResponseWriter, r *http.Request) { Reply(200, `{"a":`)(w, r) }

func redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}
}

// spy keeps what the runner itself returned, before the pipeline mends it.
type spy struct {
	steps.Runner
	err chan error
}

// Run passes the call on.
func (s spy) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	d, err := s.Runner.Run(ctx, call)
	select {
	case s.err <- err:
	default:
	}
	return d, err
}

func (s Subject) rig(t *testing.T, base string) (*Rig, spy) {
	t.Helper()
	watched := spy{s.New(t, base), make(chan error, 1)}
	source := fmt.Sprintf(`{"name": "exercise", "requires": {"roles": ["tester"]},
		"steps": [{"id": "only", "uses": %q, "with": %s}]}`, s.Kind.Name, s.With)
	kinds := workflow.Kinds{ByName: map[string]*workflow.Kind{s.Kind.Name: s.Kind}}
	return NewRig(t, source, kinds, map[string]steps.Runner{s.Kind.Name: watched}, nil), watched
}

func (s Subject) succeeds(t *testing.T) {
	server := NewModel(t, s.Answer)
	rig, _ := s.rig(t, server.URL())
	c := rig.Check(t, 0, rig.Input(nil))
	const n = 8
	done := make(chan error, n)
	for range n {
		go func() {
			id := rig.ID(0, "")
			d, err := rig.Pipeline.Execute(context.Background(), c, id)
			if err == nil {
				_, _, err = rig.Pipeline.Screen(c, d, guard.Pardon{})
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Errorf("a good reply is an error: %v", err)
		}
	}
	if s.Answer == nil {
		return
	}
	calls := map[string]bool{}
	for _, r := range server.Requests() {
		calls[r.Header.Get("Custody-Call")] = true
		if r.Header.Get("Idempotency-Key") != rig.ID(0, "").Key {
			t.Errorf("Idempotency-Key is %q", r.Header.Get("Idempotency-Key"))
		}
	}
	if len(calls) != n || len(server.Requests()) != n {
		t.Errorf("%d requests with %d names for %d calls", len(server.Requests()), len(calls), n)
	}
}

// once runs the step against a reply that is no success, or not one that can be
// read, and counts.
func (s Subject) once(t *testing.T, answer http.HandlerFunc) *steps.Error {
	t.Helper()
	server := NewModel(t, answer)
	rig, watched := s.rig(t, server.URL())
	_, err := rig.Pipeline.Execute(context.Background(), rig.Check(t, 0, rig.Input(nil)), rig.ID(0, ""))
	var e *steps.Error
	if !errors.As(<-watched.err, &e) {
		t.Errorf("the runner's error is not a *steps.Error: %v", err)
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests for one call", n)
	}
	return e
}

func (s Subject) cut(t *testing.T) {
	if e := s.once(t, Cut); e == nil || !e.Unknown {
		t.Errorf("a request that left without a reply is not unknown: %v", e)
	}
}

func (s Subject) obeys(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := NewModel(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		Hang(w, r)
	})
	rig, watched := s.rig(t, server.URL())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		if s.Answer == nil {
			cancel()
			return
		}
		<-arrived
		cancel()
	}()
	start := time.Now()
	_, err := rig.Pipeline.Execute(ctx, rig.Check(t, 0, rig.Input(nil)), rig.ID(0, ""))
	if time.Since(start) > 2*time.Second {
		t.Fatal("the runner did not return when its context was done")
	}
	raw := <-watched.err
	if s.Answer == nil {
		return
	}
	var e *steps.Error
	if !errors.As(raw, &e) || e.Code != steps.CodeCancelled || !e.Unknown {
		t.Errorf("a call given up in the middle is not cancelled and unknown: %v (%v)", raw, err)
	}
}
