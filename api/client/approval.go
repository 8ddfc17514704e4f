package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// An Approval is a request for votes.
type Approval struct {
	ID        string `json:"id"` // apr_…
	Run       string `json:"run"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	Kind      string `json:"kind"`     // step, or guard.review: the firewall stopped a text
	State     string `json:"state"`    // pending, approved, rejected, expired, withdrawn
	Document  string `json:"document"` // exactly what was hashed
	Digest    string `json:"digest"`   // sha256:… of Document
	Rule      Rule   `json:"rule"`
	Votes     []Vote `json:"votes"`
	You       You    `json:"you"`
	ExpiresAt Time   `json:"expires_at"`
	UsedAt    *Time  `json:"used_at"`
}

// A Rule says who may vote and how many must agree.
type Rule struct {
	Quorum   int      `json:"quorum"`
	Groups   []string `json:"groups"` // roles; a voter needs every one
	OnReject string   `json:"on_reject"`
}

// A Vote is one person's decision.
type Vote struct {
	ID       string   `json:"id"` // vote_…
	By       string   `json:"by"` // subj_…
	Decision string   `json:"decision"`
	Digest   string   `json:"digest"`
	At       Time     `json:"at"`
	Back     *Time    `json:"withdrawn_at"`      // it was taken back and counts for nothing
	State    string   `json:"state,omitempty"`   // of the approval after it; only in the answer to Vote
	Receipt  *Receipt `json:"receipt,omitempty"` // only in the answer to Vote

	Replayed bool `json:"-"`
}

// You says whether the caller may vote, and if not why.
type You struct {
	MayVote bool     `json:"may_vote"`
	Reasons []string `json:"reasons"`
}

// Shown is one thing that voters see, with what is needed to recompute its
// commitment: HMAC-SHA256 with the salt over the content's bytes.
type Shown struct {
	Name       string `json:"name"`
	Content    string `json:"content"`    // JSON text, exactly what was committed to
	Salt       string `json:"salt"`       // hex
	Commitment string `json:"commitment"` // hex
}

// ErrShown means that what the server shows is not what the digest binds. Do
// not vote on it.
var ErrShown = errors.New("what is shown is not what the digest binds")

// An ApprovalFilter chooses approvals.
type ApprovalFilter struct {
	State string // empty: pending
	For   string // me (default), all
	Run   string
	Limit int // of one page, not of the list
}

// Approvals lists approvals, newest first.
func (c *Client) Approvals(ctx context.Context, f ApprovalFilter) iter.Seq2[Approval, error] {
	return all[Approval](ctx, c, "/v1/approvals", some("state", f.State, "for", f.For, "run", f.Run, "limit", number(f.Limit)))
}

// Approval returns one.
func (c *Client) Approval(ctx context.Context, id string) (Approval, error) {
	var a Approval
	_, err := c.json(ctx, get(path("v1", "approvals", id), nil), &a)
	return a, err
}

// Shown reads what an approval shows. The server records who read it. Verify
// what it returns before believing it.
func (c *Client) Shown(ctx context.Context, id string) ([]Shown, error) {
	var s []Shown
	_, err := c.json(ctx, get(path("v1", "approvals", id, "shown"), nil), &s)
	return s, err
}

// Verify recomputes every commitment and the digest, and says whether what is
// shown is all that the approval is about. It fails with ErrShown.
func (a Approval) Verify(shown []Shown) error {
	sum := sha256.Sum256([]byte(a.Document))
	if "sha256:"+hex.EncodeToString(sum[:]) != a.Digest {
		return fmt.Errorf("%w: the digest is not that of the document", ErrShown)
	}
	var doc struct {
		Approval string `json:"approval"`
		Shown    []struct{ Name, Commit string }
	}
	if json.Unmarshal([]byte(a.Document), &doc) != nil || doc.Approval != a.ID {
		return fmt.Errorf("%w: the document is of another approval", ErrShown)
	}
	if len(doc.Shown) != len(shown) {
		return fmt.Errorf("%w: the document names %d values, %d are shown", ErrShown, len(doc.Shown), len(shown))
	}
	for i, s := range shown {
		if doc.Shown[i].Name != s.Name || doc.Shown[i].Commit != s.commitment() {
			return fmt.Errorf("%w: value %d", ErrShown, i+1)
		}
	}
	return nil
}

// commitment recomputes HMAC-SHA256(salt, content); empty if the salt is none.
func (s Shown) commitment() string {
	salt, err := hex.DecodeString(s.Salt)
	if err != nil || len(salt) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(s.Content))
	return hex.EncodeToString(mac.Sum(nil))
}

// A Ballot is what somebody wants to decide.
type Ballot struct {
	Approval string
	Decision string // approve, reject
	Digest   string // of the document that was looked at
	Comment  string
	Key      string
	DryRun   bool
}

// Vote decides. The server asks for a person with a second factor who signed
// in within five minutes.
func (c *Client) Vote(ctx context.Context, b Ballot) (Vote, error) {
	q, err := post(path("v1", "approvals", b.Approval, "votes"), struct {
		Decision string `json:"decision"`
		Digest   string `json:"digest"`
		Comment  string `json:"comment,omitempty"`
	}{b.Decision, b.Digest, b.Comment}, b.Key, b.DryRun)
	if err != nil {
		return Vote{}, err
	}
	var v Vote
	res, err := c.json(ctx, q, &v)
	if err == nil {
		v.Replayed = replayed(res)
	}
	return v, err
}

// Withdraw takes one's own vote back, as long as the approval is pending. The
// server asks for what it asks of a vote.
func (c *Client) Withdraw(ctx context.Context, approval string) (Receipt, error) {
	return c.remove(ctx, path("v1", "approvals", approval, "votes", "mine"), false)
}

// MayWithdraw asks whether Withdraw would succeed, and withdraws nothing.
func (c *Client) MayWithdraw(ctx context.Context, approval string) error {
	_, err := c.remove(ctx, path("v1", "approvals", approval, "votes", "mine"), true)
	return err
}
