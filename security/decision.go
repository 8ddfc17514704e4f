package security

import "strings"

// A Decision is the answer to "may they?", with its reasons. The zero
// Decision is a denial.
type Decision struct {
	allowed  bool
	policies []string
	reasons  []Reason
}

// A Reason is one thing that was missing. Code is from a closed list; Detail is
// for people and never holds content, names or tokens.
type Reason struct {
	Code   string // role, mfa, stale, expired, revoked, mandate, approval, agent, requester, ...
	Detail string
}

// Allow is a permission, decided by the named policies. Without a policy that
// decided it there is no permission.
func Allow(policies ...string) Decision {
	return Decision{allowed: len(policies) > 0, policies: policies}
}

// Deny is a denial for the given reasons.
func Deny(policies []string, reasons ...Reason) Decision {
	return Decision{policies: policies, reasons: reasons}
}

// Allowed reports whether the answer is yes.
func (d Decision) Allowed() bool { return d.allowed }

// Policies names what decided.
func (d Decision) Policies() []string { return d.policies }

// Reasons says what was missing; empty when allowed.
func (d Decision) Reasons() []Reason { return d.reasons }

// Code is the first reason's code, or "denied" when there is none.
func (d Decision) Code() string {
	if len(d.reasons) == 0 {
		return "denied"
	}
	return d.reasons[0].Code
}

// String joins the reasons into one sentence for people.
func (d Decision) String() string {
	if d.allowed {
		return "allowed by " + strings.Join(d.policies, ", ")
	}
	if len(d.reasons) == 0 {
		return "denied: nothing allows it"
	}
	parts := make([]string, len(d.reasons))
	for i, r := range d.reasons {
		parts[i] = r.Detail
	}
	return strings.Join(parts, "; ")
}
