package security

import "slices"

// A Requirement is what a step asks of its caller: every role listed, and a
// second factor if MFA is set. The zero Requirement admits nobody.
type Requirement struct {
	Roles []string `json:"roles,omitempty"`
	MFA   bool     `json:"mfa,omitempty"`
}

// And is the requirement that asks for both.
func (r Requirement) And(s Requirement) Requirement {
	roles := slices.Concat(r.Roles, s.Roles)
	slices.Sort(roles)
	return Requirement{Roles: slices.Compact(roles), MFA: r.MFA || s.MFA}
}

// IsZero reports whether nothing is asked, which admits nobody.
func (r Requirement) IsZero() bool { return len(r.Roles) == 0 && !r.MFA }
