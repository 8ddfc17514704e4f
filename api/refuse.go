package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// stepUp is what a step-up asks for (RFC 9470, section 3).
const stepUp = `, error="insufficient_user_authentication", error_description="sign in again with a second factor", acr_values="mfa", max_age=300`

// allow asks policy, and records a denial. target names what it is about.
func (a *API) allow(ctx context.Context, c caller, act policy.Action, t policy.Target, target string) error {
	d := policy.Do(c.Principal, act, t)
	if d.Allowed() {
		return nil
	}
	return a.denied(ctx, c, d, target)
}

// see is allow for a thing that does not exist for whoever may not see it. The
// denial is recorded all the same; its receipt would tell.
func (a *API) see(ctx context.Context, c caller, act policy.Action, t policy.Target, target string) error {
	d := policy.Do(c.Principal, act, t)
	if d.Allowed() {
		return nil
	}
	if _, err := a.record(ctx, c, audit.Fact{Action: audit.AccessDenied, Outcome: "denied", Target: target, Decision: decisionOf(d)}); err != nil {
		return unavailable()
	}
	return store.ErrNotFound
}

// denied records a denial and makes the problem with its receipt. A denial
// that cannot be recorded is a 503: it stays a refusal.
func (a *API) denied(ctx context.Context, c caller, d security.Decision, target string) error {
	receipt, err := a.record(ctx, c, audit.Fact{Action: audit.AccessDenied, Outcome: "denied", Target: target, Decision: decisionOf(d)})
	if err != nil {
		return unavailable()
	}
	p := newProblem(http.StatusForbidden, "denied", d.String())
	if improves(d) {
		p = newProblem(http.StatusUnauthorized, "step-up-required", d.String())
		p.headers = a.challenge(stepUp)
	}
	p.Receipt = &receipt
	return p
}

// improves reports whether signing in again, with a second factor, is all that
// is missing.
func improves(d security.Decision) bool {
	return len(d.Reasons()) > 0 && !slices.ContainsFunc(d.Reasons(), func(r security.Reason) bool {
		return r.Code != "mfa" && r.Code != "stale"
	})
}

// notEligible records that somebody may not vote.
func (a *API) notEligible(ctx context.Context, c caller, reasons []string, target string) error {
	receipt, err := a.record(ctx, c, audit.Fact{
		Action: audit.AccessDenied, Outcome: "denied", Target: target,
		Decision: &audit.Decision{Effect: "deny", Policies: []string{"action." + string(policy.ApprovalVote)}, Missing: reasons},
	})
	if err != nil {
		return unavailable()
	}
	p := newProblem(http.StatusForbidden, "not-eligible", "you may not vote on this approval: "+strings.Join(sentences(reasons), "; "))
	p.Reason, p.Reasons, p.Receipt = reasons[0], reasons, &receipt
	return p
}

// sentences say the reasons for people.
func sentences(reasons []string) []string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		switch r {
		case approval.ReasonRequester:
			out[i] = "you asked for it"
		case approval.ReasonActing:
			out[i] = "you act for whoever asked for it"
		case approval.ReasonAuthor:
			out[i] = "you wrote the workflow"
		case approval.ReasonGroup:
			out[i] = "you lack a role that its rule names"
		case approval.ReasonVoted:
			out[i] = "you have voted"
		case approval.ReasonAgent:
			out[i] = "only a person may vote, by themselves"
		case approval.ReasonClosed:
			out[i] = "it is closed"
		default:
			out[i] = r
		}
	}
	return out
}

// refusal records the engine's refusals; other errors pass through.
func (a *API) refusal(ctx context.Context, c caller, err error, target string) error {
	var by *engine.Denied
	var voter *engine.NotEligible
	switch {
	case errors.As(err, &by):
		return a.denied(ctx, c, by.Decision, target)
	case errors.As(err, &voter):
		return a.notEligible(ctx, c, voter.Reasons, target)
	}
	return err
}

// record writes a fact about what this caller did to the control stream.
func (a *API) record(ctx context.Context, c caller, f audit.Fact) (store.Receipt, error) {
	return a.cfg.Store.Record(ctx, a.fact(c, f))
}

// fact says who did it.
func (a *API) fact(c caller, f audit.Fact) audit.Fact {
	f.Tenant, f.Actor, f.ActorKind, f.Act, f.Client, f.Request = c.Tenant, c.ID, string(c.Kind), c.Act, c.Client, c.request
	return f
}

// stepUp asks for a person with a second factor who signed in within five
// minutes, and records a denial.
func (a *API) stepUp(ctx context.Context, c caller, target string) error {
	d := policy.StepUp(c.Principal, stepUpAge, time.Now())
	if d.Allowed() {
		return nil
	}
	return a.denied(ctx, c, d, target)
}

// decisionOf is what an entry says of a decision.
func decisionOf(d security.Decision) *audit.Decision {
	out := &audit.Decision{Effect: "deny", Policies: d.Policies()}
	if d.Allowed() {
		out.Effect = "allow"
	}
	for _, r := range d.Reasons() {
		out.Missing = append(out.Missing, r.Code)
	}
	return out
}
