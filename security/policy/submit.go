package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
)

// TokenHolds and StepUpPolicy are named when the token, or how and when its
// person signed in, decided.
const (
	TokenHolds   = "token.expires"
	StepUpPolicy = "step-up"
)

// leeway is what oidc grants on exp; a request that it let in is not turned
// away a moment later.
const leeway = time.Minute

// Submit says whether this caller may submit a workflow that requires this. The
// caller of a rehearsal gets the same answer.
func Submit(p security.Principal, workflow security.Requirement, now time.Time) security.Decision {
	a := asked{what: "run.submit", roles: p.Roles, mfa: p.MFA(), lacks: lacks(p)}
	if anonymous(p) {
		a.miss(TokenHolds, "unauthenticated", "run.submit needs a caller that signed in")
	}
	if now.After(p.Expires.Add(leeway)) {
		a.miss(TokenHolds, "expired", "the token has expired")
	}
	a.workflow(workflow)
	return a.decision()
}

// StepUp says whether this is a person who proved a second factor and signed in
// at most within ago. The reasons are agent, mfa and stale (RFC 9470).
func StepUp(p security.Principal, within time.Duration, now time.Time) security.Decision {
	var a asked
	if p.Kind != security.Human || len(p.Act) > 0 {
		a.miss(StepUpPolicy, "agent", "only a person may do this, by themselves")
	}
	if !p.MFA() {
		a.miss(StepUpPolicy, "mfa", "a second factor is needed: sign in with one")
	}
	if !p.FreshWithin(within, now) {
		a.miss(StepUpPolicy, "stale", fmt.Sprintf("a sign-in within the last %g minutes is needed: sign in again", within.Minutes()))
	}
	a.policies = append(a.policies, StepUpPolicy)
	return a.decision()
}

// anonymous reports whether the principal names nobody, as the zero one does.
func anonymous(p security.Principal) bool {
	return p.ID == "" || p.Tenant == "" || !known(p.Kind)
}

// lacks tells "you do not have the role" from "your token cannot say".
func lacks(p security.Principal) string {
	if len(p.Missing) == 0 {
		return ""
	}
	return " (the token lacks " + strings.Join(p.Missing, ", ") + ")"
}
