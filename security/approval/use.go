package approval

import (
	"fmt"

	"github.com/custodyhq/custody/security"
)

// Use says what came of a request, just before its step goes on. It recomputes
// everything: the digest from the text, the binding to this workflow version,
// run, step and attempt, the rule from the pinned definition, and each vote
// from its signed statement. Only Approved with a nil error is a permission.
//
// A single vote that does not hold makes the whole request ErrEvidence, because
// somebody wrote it there. The stored state can take a permission away, never
// give one: a state that the votes do not support is ErrEvidence, too.
func Use(req Request, votes []Vote, keys *security.Keys, rule Rule, wf string, run, step string, attempt int) (State, error) {
	d, err := ParseDocument(req.Text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrEvidence, err)
	case Digest(req.Text) != req.Digest:
		return "", fmt.Errorf("%w: the digest is not that of the document", ErrEvidence)
	case keys == nil:
		return "", fmt.Errorf("%w: there is no key to check votes with", ErrEvidence)
	case d.Workflow != wf || d.Run != run || d.Step != step || d.Attempt != attempt:
		return "", fmt.Errorf("%w: the document is about another workflow version, run, step or attempt", ErrEvidence)
	case rule.Validate() != nil || !d.Rule.Equal(rule):
		return "", fmt.Errorf("%w: the document's rule is not the workflow's", ErrEvidence)
	}
	if err := d.validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrEvidence, err)
	}
	if err := d.check(req.Digest, votes, keys); err != nil {
		return "", err
	}
	return agree(req.State, tally(d, votes))
}

// check verifies every vote and every withdrawal, that each withdrawal takes
// back one approval of the same person, and that nobody has two votes that
// count.
func (d Document) check(digest string, votes []Vote, keys *security.Keys) error {
	seen, taken, back := make(map[string]bool, len(votes)), make(map[string]bool), withdrawn(votes)
	for _, v := range votes {
		if err := keys.Verify(security.ForVote, v.Statement); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrEvidence, v.ID, err)
		}
		s, err := ParseStatement(string(v.Statement.Body))
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrEvidence, v.ID, err)
		}
		if err := d.binds(digest, v, s); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrEvidence, v.ID, err)
		}
		switch {
		case v.Decision == Withdraw && (!back[s.Withdraws] || taken[s.Withdraws]):
			return fmt.Errorf("%w: %s: %w", ErrEvidence, v.ID, ErrNoVote)
		case v.Decision == Withdraw:
			taken[s.Withdraws] = true
		case back[v.ID]:
		case seen[v.By]:
			return fmt.Errorf("%w: %s: %w", ErrEvidence, v.ID, ErrAlreadyVoted)
		default:
			seen[v.By] = true
		}
	}
	return nil
}

// agree compares the stored state with what the votes say. The store may be
// behind (pending), and it alone knows of expiry and withdrawal, which permit
// nothing.
func agree(stored, counted State) (State, error) {
	switch {
	case stored == counted, stored == Pending:
		return counted, nil
	case counted == Pending && (stored == Expired || stored == Withdrawn):
		return stored, nil
	}
	return "", fmt.Errorf("%w: it is stored as %q, the votes make it %q", ErrEvidence, stored, counted)
}
