package policy

import (
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
)

// The policies that Step and Submit name as having decided.
const (
	MandateHolds     = "mandate.expires"
	WorkflowRequires = "workflow.requires"
	StepRequires     = "step.requires"
)

// Step says whether a run's caller may take this step now. The mandate must
// hold at that moment, and its person must have every role and, where asked, a
// second factor, by the workflow's requirement and by the step's. A workflow
// that requires nothing admits nobody; a step that requires nothing adds
// nothing.
func Step(m security.Mandate, workflow, step security.Requirement, now time.Time) security.Decision {
	a := asked{what: "the step", roles: m.Roles, mfa: m.Kind == security.Human && m.ACR == "mfa"}
	if m.ID == "" || m.Tenant == "" || !known(m.Kind) {
		a.miss(MandateHolds, "mandate", "the mandate names nobody")
	}
	if now.Unix() >= m.Expires {
		a.miss(MandateHolds, "expired", "the mandate has expired")
	}
	a.workflow(workflow)
	if !step.IsZero() {
		a.require(StepRequires, step)
	}
	return a.decision()
}

// asked collects what decided and what was missing.
type asked struct {
	what     string // begins each sentence
	roles    []string
	mfa      bool
	lacks    string // said where a role is missing and the token lacks a claim
	policies []string
	failed   []string
	reasons  []security.Reason
}

func (a *asked) miss(policy, code, detail string) {
	if !slices.Contains(a.failed, policy) {
		a.failed = append(a.failed, policy)
	}
	a.reasons = append(a.reasons, security.Reason{Code: code, Detail: detail})
}

func (a *asked) workflow(r security.Requirement) {
	if r.IsZero() {
		a.miss(WorkflowRequires, "role", a.what+" is of a workflow that admits nobody: it requires nothing")
		return
	}
	a.require(WorkflowRequires, r)
}

func (a *asked) require(policy string, r security.Requirement) {
	a.policies = append(a.policies, policy)
	for _, role := range r.Roles {
		if role == "" || !slices.Contains(a.roles, role) {
			a.miss(policy, "role", a.what+" needs the role "+role+a.lacks)
		}
	}
	if r.MFA && !a.mfa {
		a.miss(policy, "mfa", a.what+" needs a person who signed in with a second factor")
	}
}

// decision allows only when nothing was missing; then every policy that was
// asked decided, else those that said no.
func (a *asked) decision() security.Decision {
	if len(a.reasons) > 0 {
		return security.Deny(a.failed, a.reasons...)
	}
	return security.Allow(a.policies...)
}

func known(k security.Kind) bool {
	return k == security.Human || k == security.Agent || k == security.Service
}
