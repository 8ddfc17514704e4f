package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// request is an approval as the rule sees it.
func request(a store.Asked) (approval.Request, []approval.Vote) {
	doc, err := approval.ParseDocument(a.Document)
	if err != nil {
		doc = approval.Document{} // nobody may vote on it, and no vote of it holds
	}
	votes := make([]approval.Vote, len(a.Votes))
	for i, v := range a.Votes {
		votes[i] = approval.Vote{ID: v.ID.Name("vote"), By: v.Voter, Decision: v.Decision, Statement: v.Signed, AtUS: v.AtUS}
	}
	return approval.Request{Document: doc, Text: a.Document, Digest: a.Digest, State: a.State}, votes
}

// rule is the approval's rule as the definition has it.
func rule(s *workflow.ApprovalSpec) approval.Rule {
	return approval.Rule{Quorum: s.Quorum, Roles: s.Roles, OnReject: s.OnReject}
}

// use returns what an approval decided: approve, reject or expire. The row is
// not believed: what counts are the signed votes, the rule of the pinned
// definition, and that what was shown is what the steps below would use.
func (d *driver) use(step int, found shelf) (string, error) {
	s, spec := &d.run.Progress.Steps[step], d.def.Steps[step].Approval
	a, ok := found.asked[s.Ask]
	if !ok {
		return "", errors.New("it is not there")
	}
	req, votes := request(a)
	state, err := approval.Use(req, votes, d.e.cfg.Keys, rule(spec), d.run.Digest, d.id.Name("run"), d.def.Steps[step].ID, s.Attempt)
	if err != nil {
		return "", err
	}
	if err := sameVotes(a, found.told); err != nil {
		return "", err
	}
	for _, v := range a.Votes {
		d.needs(security.KeyRevocation(v.Signed.Key))
	}
	doc, err := approval.ParseDocument(a.Document)
	if err != nil {
		return "", err
	}
	if doc.Kind != "" || doc.Requester != d.mandate.ID || doc.ID != a.ID.Name("apr") {
		return "", errors.New("it was asked in somebody else's name")
	}
	if err := d.sameShown(step, doc, found); err != nil {
		return "", err
	}
	if state != approval.Approved && spec.OnReject != workflow.OnRejectContinue {
		return "", fmt.Errorf("it is %s", state)
	}
	switch state {
	case approval.Approved, approval.Rejected, approval.Expired:
		return outcomeOf(state), nil
	}
	return "", fmt.Errorf("it is %s", state)
}

// sameVotes compares the votes that are there with those that the run's stream
// tells of.
func sameVotes(a store.Asked, told map[string]bool) error {
	name, n := a.ID.Name("apr")+" ", 0
	for of := range told {
		if strings.HasPrefix(of, name) {
			n++
		}
	}
	for _, v := range a.Votes {
		if !told[name+v.ID.Name("vote")] {
			return fmt.Errorf("%w: a vote is not in the ledger", approval.ErrEvidence)
		}
	}
	if n != len(a.Votes) {
		return fmt.Errorf("%w: a vote that is in the ledger is missing", approval.ErrEvidence)
	}
	return nil
}

// payloadID is the payload that holds what an approval shows.
func payloadID(s approval.Shown) (security.ID, error) { return security.ParseID("pay", s.Payload) }
