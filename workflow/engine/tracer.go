package engine

import (
	"context"
	"errors"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

// A Tracer is told of work while it is done, for traces and for how long it
// took. Begin and End are called on the path of every step by many goroutines,
// so they must be quick and must not fail. They get names, ids and codes, and
// never content.
type Tracer interface {
	// Begin is called before a piece of work. The work runs under the context
	// that it returns, and so does the Begin of whatever is a part of it.
	Begin(ctx context.Context, w Work) context.Context
	// End is called once, with Begin's context and the same Work.
	End(ctx context.Context, w Work, o Outcome)
}

// The parts of Work.
const (
	WorkDrive  = "drive"  // a run, from when this process takes it up until it lets go
	WorkStep   = "step"   // one attempt at a step, from when its request may leave
	WorkJudge  = "judge"  // one question to the judge about its draft
	WorkCommit = "commit" // a driver waits until what it wants to write is written
)

// Work is a piece of a run.
type Work struct {
	Part     string
	Run      security.ID
	Epoch    int32
	Workflow string // name
	Step     string // id; of steps and judges
	Uses     string // kind of the step
	Attempt  int
	Call     security.ID
	Began    time.Time
}

// An Outcome is how Work ended.
type Outcome struct {
	Outcome string   // ok, error, unknown, withheld, denied; of a drive also the run's state
	Code    string   // reason code; empty if it is ok
	Waits   []string // of a drive: ids of the steps that wait for votes
}

// untraced is the Tracer of an engine that has none.
type untraced struct{}

// Begin returns ctx.
func (untraced) Begin(ctx context.Context, _ Work) context.Context { return ctx }

// End does nothing.
func (untraced) End(context.Context, Work, Outcome) {}

// work is a piece of this driver's run.
func (d *driver) work(part string) Work {
	return Work{Part: part, Run: d.id, Epoch: d.epoch, Workflow: d.run.Workflow, Began: time.Now()}
}

// driven says how a drive ended.
func (d *driver) driven(err error) Outcome {
	o := Outcome{Outcome: string(d.run.State)}
	if err != nil {
		return Outcome{Outcome: "error", Code: codeOf(err)}
	}
	if d.run.Reason != nil {
		o.Code = d.run.Reason.Code
	}
	for i := range d.run.Progress.Steps {
		if s := &d.run.Progress.Steps[i]; s.Status == workflow.Waiting && d.def != nil {
			o.Waits = append(o.Waits, d.def.Steps[i].ID)
		}
	}
	return o
}

// codeOf is a word for an error whose text may say too much.
func codeOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrFenced):
		return "fenced"
	case errors.Is(err, ErrKinds):
		return "kinds"
	case errors.Is(err, context.Canceled):
		return "stopped"
	}
	return "database"
}

// ended says how a call ended.
func (r *result) ended() Outcome {
	if r.err == nil {
		return Outcome{Outcome: "ok"}
	}
	if _, ok := errorAs[*guard.Refusal](r.err); ok {
		return Outcome{Outcome: "withheld", Code: "guard"}
	}
	o := Outcome{Outcome: "error", Code: steps.CodeError}
	if e, ok := errorAs[*steps.Error](r.err); ok {
		o.Code = e.Code
		if e.Unknown {
			o.Outcome = "unknown"
		}
	}
	return o
}
