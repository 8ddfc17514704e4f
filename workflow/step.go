package workflow

import (
	"time"

	"github.com/custodyhq/custody/security"
)

// A Step is one piece of work at its place in a Definition.
type Step struct {
	ID   string
	Uses string
	Kind *Kind
	// With is the decoded tree of arguments. Expressions stand in it compiled;
	// Bind gives them values.
	With     any
	If       string               // source of the condition; "" means always
	Needs    []int                // the steps that must have ended before, ascending
	Requires security.Requirement // the workflow's and the step's own, joined
	Retry    Retry
	Timeout  time.Duration // of one attempt; 0 = the engine's default
	Guard    Guards
	Accepts  security.Origins // origins that may steer this effect, as the author declares
	Approval *ApprovalSpec    // only for `uses: approval`

	own       security.Requirement // as the step declares it, for the canonical form
	raw       map[string]any       // with, as written: expressions are strings
	condition *expression
	exprs     []*expression // of with, in the order of their parameters
	params    int
	checks    *schema // of the output; nil if nothing is known about it
	shape     *shape  // of the output
	label     security.Label
}

// Retry says how often a step is tried. The zero Retry declares nothing: a
// model call is tried again within the engine's bound, an effect never.
type Retry struct {
	Attempts int           // the first counts
	Backoff  time.Duration // before the second attempt; doubles after that
}

// The bounds of a wait between attempts.
const (
	firstWait   = time.Second
	longestWait = 5 * time.Minute
)

// Wait is how long to wait after the given attempt (1 is the first) before the
// next one: the back-off, doubled for each attempt before, at most 5 minutes.
func (r Retry) Wait(attempt int) time.Duration {
	wait := r.Backoff
	if wait <= 0 {
		wait = firstWait
	}
	for i := 1; i < attempt && wait < longestWait; i++ {
		wait *= 2
	}
	return min(wait, longestWait)
}

// A Mode says what a guard does with what it finds. The zero Mode is the
// guard's default, which is always on.
type Mode string

// The modes of the guards.
const (
	ModeDefault  Mode = ""
	ModeOn       Mode = "on"
	ModeOff      Mode = "off"
	ModeNote     Mode = "note"
	ModeRedact   Mode = "redact"
	ModeRevise   Mode = "revise"
	ModeReview   Mode = "review"
	ModeWithhold Mode = "withhold"
	ModeBlock    Mode = "block"
)

// Guards are the author's settings of the guards around one step. The zero
// Guards leaves everything at its default. The output's schema is always
// checked, because expressions are typed from it.
type Guards struct {
	InputInjection Mode // block, review, note, off
	InputPII       Mode // block, review, note, off
	InputSecrets   Mode // block, review, note, off

	// withhold, review, revise, redact, note, on, off; what cannot be cut out of
	// a text (leaks, copies) has no redact.
	OutputPII, OutputSecrets, OutputLeak, OutputHidden, OutputHTML   Mode
	OutputLinks, OutputImages, OutputCode, OutputCopies, OutputWords Mode
	OutputSchema                                                     Mode // withhold, revise
	Judge                                                            Mode // on, off

	PIIKinds   []string // further kinds of personal data, or countries
	LinkHosts  []string // hosts that a link may lead to
	ImageHosts []string // hosts that an image may come from
	CodeRules  []string // which unsafe code is looked for

	// Revise is how often the model is asked again when rules with the mode
	// revise object; 0 means 1.
	Revise int
	// OnReview says who decides what only needs a review; nil means that it is
	// refused. Show is nil, and OnReject is OnRejectFail.
	OnReview *ApprovalSpec
}

// An ApprovalSpec says who must agree before a run goes on.
type ApprovalSpec struct {
	Roles    []string      // who may vote: a voter needs every one, as with requires
	Quorum   int           // how many distinct people
	Expires  time.Duration // after which the approval ends as expired
	OnReject string        // OnRejectFail or OnRejectContinue
	Show     any           // what the voters see; Bind gives it values, under "show"
}

// What a rejected or expired approval does to its run.
const (
	OnRejectFail     = "fail"     // the step fails, and the run with it
	OnRejectContinue = "continue" // output.decision tells the steps after it
)

// defaultExpiry is how long an approval waits if its author does not say.
const defaultExpiry = 72 * time.Hour
