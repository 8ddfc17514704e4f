package approval

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/custodyhq/custody/security"
)

// A Rule says who may vote on a request and how many approvals it takes. A
// voter needs every role listed, as a caller does with requires: a person with
// only one of two listed roles cannot stand in for the other. The zero Rule
// lets nobody vote.
type Rule struct {
	Quorum   int      `json:"quorum"`    // distinct persons who must approve; one rejection is enough to reject
	Roles    []string `json:"roles"`     // every one is needed
	OnReject string   `json:"on_reject"` // OnRejectFail or OnRejectContinue; empty is OnRejectFail
}

// What a rejected or expired request means for its run.
const (
	OnRejectFail     = "fail"
	OnRejectContinue = "continue"
)

// maxQuorum bounds the votes that Use must verify.
const maxQuorum = 100

// ErrRule is returned for a rule by which nothing could be decided.
var ErrRule = errors.New("the approval's rule does not work")

// Validate names the field that is wrong, if any.
func (r Rule) Validate() error {
	switch {
	case r.Quorum < 1 || r.Quorum > maxQuorum:
		return fmt.Errorf("%w: quorum must be from 1 to %d", ErrRule, maxQuorum)
	case len(r.Roles) == 0 || slices.ContainsFunc(r.Roles, func(s string) bool { return s == "" || !utf8.ValidString(s) }):
		return fmt.Errorf("%w: roles must name at least one role, each in UTF-8 and none empty", ErrRule)
	case r.onReject() != OnRejectFail && r.onReject() != OnRejectContinue:
		return fmt.Errorf("%w: on_reject must be fail or continue", ErrRule)
	}
	return nil
}

// Equal reports whether two rules ask for the same, whatever the order of the
// roles.
func (r Rule) Equal(s Rule) bool {
	return r.Quorum == s.Quorum && r.onReject() == s.onReject() && slices.Equal(r.sorted(), s.sorted())
}

// admits reports whether a principal has every role.
func (r Rule) admits(who security.Principal) bool {
	for _, role := range r.Roles {
		if role == "" || !who.Has(role) {
			return false
		}
	}
	return len(r.Roles) > 0
}

func (r Rule) onReject() string {
	if r.OnReject == "" {
		return OnRejectFail
	}
	return r.OnReject
}

// sorted is the roles as they are written: each once, in order, in UTF-8.
func (r Rule) sorted() []string {
	roles := make([]string, len(r.Roles))
	for i, role := range r.Roles {
		roles[i] = string([]rune(role))
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

func (r Rule) object() object {
	return object{"on_reject": r.onReject(), "quorum": int64(r.Quorum), "roles": r.sorted()}
}
