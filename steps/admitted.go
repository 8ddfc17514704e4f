package steps

import (
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/workflow"
)

// Admitted says that the run's caller may take this step now. Only Admit makes
// one; the zero Admitted admits nothing.
type Admitted struct {
	def     *workflow.Definition
	index   int
	run     string
	expires int64
	ok      bool
}

// OK reports whether a came from Admit.
func (a Admitted) OK() bool { return a.ok }

// step is only asked of an Admitted that is OK.
func (a Admitted) step() *workflow.Step { return &a.def.Steps[a.index] }

// Facts are what Admit cannot know by itself and the engine hands in as
// values.
type Facts struct {
	Now time.Time // on the database's clock; zero admits nobody
	// Doubts are reasons against the step that the engine found: a revocation,
	// an approval above the step that does not verify. One is enough to deny.
	Doubts []security.Reason
}

// Admit asks whether the mandate covers the step now: it is of this workflow
// version, has not expired, and has every role and factor that workflow and
// step require, and nothing speaks against it. It reads nothing but its
// arguments, and collects all reasons.
func (p *Pipeline) Admit(m security.Mandate, d *workflow.Definition, step int, f Facts) (Admitted, security.Decision) {
	if d == nil || step < 0 || step >= len(d.Steps) {
		return Admitted{}, security.Deny(nil, security.Reason{Code: "mandate", Detail: "there is no such step"})
	}
	decision := policy.Step(m, d.Requires, d.Steps[step].Requires, f.Now)
	reasons := distinct(doubtful(m, d, f), decision.Reasons(), f.Doubts)
	if len(reasons) > 0 || !decision.Allowed() {
		return Admitted{}, security.Deny(decision.Policies(), reasons...)
	}
	return Admitted{def: d, index: step, run: m.Run, expires: m.Expires, ok: true}, decision
}

// distinct joins the reasons and says each once: what the workflow requires is
// required by each of its steps again.
func distinct(lists ...[]security.Reason) []security.Reason {
	var out []security.Reason
	for _, r := range slices.Concat(lists...) {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// doubtful finds what is wrong before any policy is asked.
func doubtful(m security.Mandate, d *workflow.Definition, f Facts) []security.Reason {
	var out []security.Reason
	if f.Now.IsZero() {
		out = append(out, security.Reason{Code: "expired", Detail: "the time is not known, so the mandate may have expired"})
	}
	if m.Run == "" {
		out = append(out, security.Reason{Code: "mandate", Detail: "the mandate is of no run"})
	}
	if m.Workflow == "" || m.Workflow != d.Digest() {
		out = append(out, security.Reason{Code: "mandate", Detail: "the mandate is of another workflow version"})
	}
	return out
}
