package engine

import (
	"errors"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

// What callers of the engine test for.
var (
	// ErrFenced means that another driver has the run: what this one wanted was
	// not written.
	ErrFenced = errors.New("fenced: the run is in other hands")
	// ErrRunClosed means that the run has ended.
	ErrRunClosed = errors.New("the run has ended")
	// ErrRunNotFailed means that there is nothing to retry.
	ErrRunNotFailed = errors.New("only a failed run can be retried")
	// ErrApprovalClosed means that the approval was decided, expired or withdrawn.
	ErrApprovalClosed = errors.New("the approval is closed")
	// ErrStale means that the vote names another digest than the approval has.
	ErrStale = errors.New("the digest is not the one of this approval")
	// ErrVoted means that this person has voted.
	ErrVoted = errors.New("this person has already voted")
	// ErrKeyRevoked means that this process signs with a key that was revoked: it
	// accepts nothing that it would have to sign until it gets another.
	ErrKeyRevoked = errors.New("the key that signs mandates and votes was revoked")
	// ErrGone means that content is not there or is not what was sealed.
	ErrGone = errors.New("the content is not there or was altered")
)

// A Denied error is a refusal by policy, with its reasons.
type Denied struct{ Decision security.Decision }

// Error gives the decision's reasons, without content.
func (e *Denied) Error() string { return e.Decision.String() }

// A NotEligible error says why somebody may not vote. Reasons are those of
// API.md: requester, acting_for_requester, not_in_group, agent, ...
type NotEligible struct{ Reasons []string }

// Error names the reasons.
func (e *NotEligible) Error() string { return fmt.Sprintf("not eligible to vote: %v", e.Reasons) }

// A BadInput error says where a run's input does not fit the workflow.
type BadInput struct{ Fields []workflow.FieldError }

// Error counts the faults; Fields says which they are.
func (e *BadInput) Error() string { return fmt.Sprintf("the input has %d faults", len(e.Fields)) }
