package approval

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
)

// The decisions of a vote. Withdraw takes an earlier vote of the same person
// back; it is kept beside that vote.
const (
	Approve  = "approve"
	Reject   = "reject"
	Withdraw = "withdraw"
)

// A Vote is one person's decision, with the statement that proves it.
type Vote struct {
	ID        string // vote_…
	By        string // subj_…
	Decision  string // Approve, Reject or Withdraw
	Statement security.Signed
	AtUS      int64 // when it was recorded, by the database's clock
}

// A Statement is what a vote signs: this person, by this sign-in, decided this
// about exactly this document.
type Statement struct {
	V        int           `json:"v"`
	Approval string        `json:"approval"` // apr_…
	Digest   string        `json:"digest"`   // sha256:… of the document
	Decision string        `json:"decision"`
	By       string        `json:"by"` // subj_…
	Kind     security.Kind `json:"kind"`
	ACR      string        `json:"acr"`
	AuthTime int64         `json:"auth_time"` // seconds since 1970: when they signed in
	At       int64         `json:"at_us"`     // microseconds since 1970: when they voted
	Vote     string        `json:"vote"`      // vote_…
	// Withdraws is the vote that a withdrawal takes back; of others it is not written.
	Withdraws string `json:"withdraws"`
}

// ErrStatement is returned for a body that is not a canonical statement.
var ErrStatement = errors.New("not a vote's statement in its canonical form")

// Text is the canonical form (RFC 8785), which is signed.
func (s Statement) Text() string {
	o := object{
		"v": int64(s.V), "approval": s.Approval, "digest": s.Digest, "decision": s.Decision,
		"by": s.By, "kind": string(s.Kind), "acr": s.ACR, "auth_time": s.AuthTime,
		"at_us": s.At, "vote": s.Vote,
	}
	if s.Withdraws != "" {
		o["withdraws"] = s.Withdraws
	}
	return string(o.appendTo(make([]byte, 0, 512)))
}

// ParseStatement reads what Text wrote, and nothing else.
func ParseStatement(text string) (Statement, error) {
	var s Statement
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if dec.Decode(&s) != nil || s.V != 1 || s.Text() != text {
		return Statement{}, ErrStatement
	}
	return s, nil
}

// NewVote signs a person's decision on the document with this digest. It does
// not say whether they may vote: Eligible and Decide do.
func NewVote(keys *security.Keys, req Request, who security.Principal, decision, digest string, now time.Time) (Vote, error) {
	if decision != Approve && decision != Reject {
		return Vote{}, fmt.Errorf("%w: the decision must be approve or reject", ErrStatement)
	}
	return sign(keys, who, Statement{Approval: req.Document.ID, Digest: digest, Decision: decision}, now), nil
}

// NewWithdrawal signs that a person takes back their vote. It does not say
// whether they may: Decide does.
func NewWithdrawal(keys *security.Keys, req Request, who security.Principal, vote Vote, now time.Time) Vote {
	return sign(keys, who, Statement{Approval: req.Document.ID, Digest: req.Digest, Decision: Withdraw, Withdraws: vote.ID}, now)
}

// sign completes a statement with who makes it and how they signed in.
func sign(keys *security.Keys, who security.Principal, s Statement, now time.Time) Vote {
	v := Vote{ID: security.NewID().Name("vote"), By: who.ID, Decision: s.Decision, AtUS: now.UnixMicro()}
	s.V, s.By, s.Kind, s.ACR, s.At, s.Vote = 1, who.ID, who.Kind, who.ACR, v.AtUS, v.ID
	if !who.AuthTime.IsZero() {
		s.AuthTime = who.AuthTime.Unix()
	}
	v.Statement = keys.Sign(security.ForVote, []byte(s.Text()))
	return v
}

// Standing is the vote of a person that counts: the one that they have not
// taken back.
func Standing(votes []Vote, by string) (Vote, bool) {
	back := withdrawn(votes)
	for _, v := range votes {
		if v.By == by && v.Decision != Withdraw && !back[v.ID] {
			return v, true
		}
	}
	return Vote{}, false
}

// withdrawn names the votes that were taken back by whoever cast them. Only an
// approval can be: a rejection ends the request at once.
func withdrawn(votes []Vote) map[string]bool {
	var back map[string]bool
	for _, w := range votes {
		if w.Decision != Withdraw {
			continue
		}
		s, err := ParseStatement(string(w.Statement.Body))
		if err != nil {
			continue
		}
		for _, v := range votes {
			if v.ID == s.Withdraws && v.By == w.By && v.Decision == Approve {
				if back == nil {
					back = map[string]bool{}
				}
				back[v.ID] = true
			}
		}
	}
	return back
}
