package steps

import (
	"context"

	"github.com/custodyhq/custody/workflow"
)

// A Runner does the work of one kind of step. Run is called concurrently. It
// sends at most one request, carrying the two names of the CallID; it does not
// try again; it returns soon after ctx is done; its errors are *Error, and its
// drafts come from NewDraft. Package stepstest checks all that.
type Runner interface {
	Run(ctx context.Context, call Call) (Draft, error)
}

// A Call is one attempt at a step.
type Call struct {
	Step     *workflow.Step // for reading
	Workflow string         // name
	Input    Input
	ID       CallID
	// Feedback is what the rules had against the answer before, in fixed
	// sentences without content; nil for the first answer. A kind that asks no
	// model ignores it.
	Feedback []string
	// Canary is a mark to stand in the prompt, where nothing refers to it: an
	// answer that holds it is withheld. "" for a kind that asks no model.
	Canary string
}

// A CallID names what leaves the process, in its headers and in the ledger.
type CallID struct {
	Run     string // run_…
	Key     string // <run>/<step>, with #judge or #revise-1 for inner calls: the same in every attempt
	Call    string // call_…, fresh for every request
	Attempt int    // from 1
}

// The kinds that belong to the language and need no runner from outside.
const (
	setName      = "set"
	approvalName = "approval"
)

// setRunner computes values: its output is its `with`. It does no I/O.
type setRunner struct{}

// Run returns the arguments.
func (setRunner) Run(_ context.Context, call Call) (Draft, error) {
	return NewDraft(call.Input.All(), Use{}), nil
}
