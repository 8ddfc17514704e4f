package approval

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
)

// The refusals of Decide and Use.
var (
	ErrClosed       = errors.New("the approval is closed")
	ErrStale        = errors.New("the vote is about another digest than the one that is asked now")
	ErrAlreadyVoted = errors.New("this person has voted already")
	ErrNoVote       = errors.New("this person has no vote to take back")
	ErrNotEligible  = errors.New("this person may not vote here")
	ErrEvidence     = errors.New("the approval's record does not hold")
)

// freshFor is how old a voter's sign-in may be, and skew how far the clocks of
// issuer, process and database may lie apart.
const (
	freshFor = 5 * time.Minute
	skew     = time.Minute
)

// Decide is the one rule for a vote, for the clock and for reading: what state
// the request is in once next, if any, is added to the votes already recorded.
// Any rejection rejects; as many distinct persons as the quorum approve; from
// ExpiresAt on nothing more is counted. Whichever comes first is final.
//
// As long as the request is pending a person may take their approval back with
// a withdrawal, which is a vote like any other to this rule. A vote that was
// taken back counts for nothing, for ever; its voter may vote anew.
//
// A refused vote leaves the state that is returned beside ErrClosed, ErrStale,
// ErrAlreadyVoted, ErrNoVote, ErrNotEligible or ErrEvidence. Votes are given in the order
// in which they were recorded. Decide checks no signature: the votes that it
// counts are checked when they are used.
func Decide(req Request, votes []Vote, next *Vote, nowUS int64) (State, error) {
	state := standing(req, votes, nowUS)
	if next == nil {
		return state, nil
	}
	if state != Pending {
		return state, ErrClosed
	}
	if req.Document.Digest() != req.Digest {
		return state, fmt.Errorf("%w: the digest is not that of the document", ErrEvidence)
	}
	s, err := ParseStatement(string(next.Statement.Body))
	switch {
	case err != nil:
		return state, fmt.Errorf("%w: %w", ErrEvidence, err)
	case s.Digest != req.Digest:
		return state, ErrStale
	case s.Withdraws != "" && !stands(votes, next.By, s.Withdraws):
		return state, ErrNoVote
	case s.Withdraws == "" && voted(votes, next.By):
		return state, ErrAlreadyVoted
	case s.At >= req.Document.ExpiresAt: // this process's clock runs ahead of the database's
		return state, ErrClosed
	}
	if err := req.Document.binds(req.Digest, *next, s); err != nil {
		return state, err
	}
	return tally(req.Document, append(slices.Clip(votes), *next)), nil
}

// standing is the state without another vote. A final state in the store stays
// final; a pending one is recounted.
func standing(req Request, votes []Vote, nowUS int64) State {
	if req.State != Pending {
		return req.State
	}
	if state := tally(req.Document, votes); state != Pending {
		return state
	}
	if nowUS >= req.Document.ExpiresAt {
		return Expired
	}
	return Pending
}

// stands reports whether this is the vote of a person that counts.
func stands(votes []Vote, by, vote string) bool {
	v, ok := Standing(votes, by)
	return ok && v.ID == vote
}

// tally counts votes. A vote whose statement is not about this document, or by
// somebody who may not vote on it, counts for nothing, and so does a withdrawal.
func tally(d Document, votes []Vote) State {
	digest, approvers := d.Digest(), []string{}
	var bound []Vote
	for _, v := range votes {
		if s, err := ParseStatement(string(v.Statement.Body)); err == nil && d.binds(digest, v, s) == nil {
			bound = append(bound, v)
		}
	}
	back := withdrawn(bound)
	for _, v := range bound {
		if v.Decision == Reject {
			return Rejected
		}
		if v.Decision == Approve && !back[v.ID] && !slices.Contains(approvers, v.By) {
			approvers = append(approvers, v.By)
		}
	}
	if d.Rule.Validate() == nil && len(approvers) >= d.Rule.Quorum {
		return Approved
	}
	return Pending
}

// binds says whether a vote and its statement are the same decision, about this
// document, by somebody who could give it, in its time.
func (d Document) binds(digest string, v Vote, s Statement) error {
	switch {
	case s.Approval != d.ID || s.Digest != digest:
		return fmt.Errorf("%w: the vote is about another document", ErrEvidence)
	case s.Vote != v.ID || s.By != v.By || s.Decision != v.Decision || v.ID == "":
		return fmt.Errorf("%w: the vote is not what its statement says", ErrEvidence)
	case s.Decision != Approve && s.Decision != Reject && s.Decision != Withdraw:
		return fmt.Errorf("%w: the vote decides nothing", ErrEvidence)
	case (s.Decision == Withdraw) != (s.Withdraws != ""):
		return fmt.Errorf("%w: only a withdrawal names a vote that it takes back", ErrEvidence)
	case s.By == "" || s.By == d.Requester || s.By == d.Author || slices.Contains(d.Act, s.By):
		return ErrNotEligible
	case s.Kind != security.Human:
		return ErrNotEligible
	case s.At < d.MadeAt-skew.Microseconds() || s.At >= d.ExpiresAt:
		return fmt.Errorf("%w: the vote was not cast while the approval was open", ErrEvidence)
	}
	return s.proven()
}

// proven says whether a statement's sign-in was strong and recent enough.
func (s Statement) proven() error {
	age := time.Duration(s.At/1e6-s.AuthTime) * time.Second
	if s.ACR != "mfa" || s.AuthTime <= 0 || age > freshFor+time.Second || age < -skew {
		return fmt.Errorf("%w: the voter had not just signed in with a second factor", ErrEvidence)
	}
	return nil
}
