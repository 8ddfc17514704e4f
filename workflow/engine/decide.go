package engine

import (
	"context"
	"errors"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// stepUp is how fresh a sign-in must be to vote.
const stepUp = 5 * time.Minute

// A Ballot is what somebody wants to decide.
type Ballot struct {
	Approval security.ID
	Decision string // approve, reject
	Digest   string // of the document that was shown
	Comment  string // content: it is sealed
	Key      string // Idempotency-Key; empty: none
	Request  string // Request-Id
	DryRun   bool
}

// A Voted ballot is what came of it.
type Voted struct {
	Vote     store.Vote
	State    approval.State
	Receipt  store.Receipt
	Replayed bool
}

// Vote decides an approval. There is one rule for every way to vote
// (approval.Decide), applied on the locked row to the votes that are there, on
// the database's clock. The vote is stored as a signed statement: using the
// approval later verifies it.
//
// Its errors are store.ErrNotFound, *Denied (step-up needed, or revoked
// meanwhile), *NotEligible, ErrStale, ErrApprovalClosed, ErrVoted, ErrKeyRevoked
// and store.ErrMismatch.
func (e *Engine) Vote(ctx context.Context, who security.Principal, b Ballot) (Voted, error) {
	asked, err := e.db.Approval(ctx, who.Tenant, b.Approval)
	if err != nil {
		return Voted{}, err
	}
	now := time.Now()
	req, votes := request(asked)
	if err := mayVote(req, votes, who, now, b); err != nil && !e.voted(err, b) {
		return Voted{}, err
	}
	vote, err := approval.NewVote(e.cfg.Keys, req, who, b.Decision, b.Digest, now)
	if err != nil {
		return Voted{}, err
	}
	comment, err := e.sealComment(ctx, who.Tenant, asked.Run, b.Comment)
	if err != nil {
		return Voted{}, err
	}
	if b.DryRun {
		return e.rehearse(ctx, who, asked, vote, now)
	}
	return e.cast(ctx, who, b, asked, vote, comment)
}

// rehearse decides as cast does, and keeps nothing of it: there is no receipt.
func (e *Engine) rehearse(ctx context.Context, who security.Principal, asked store.Asked, vote approval.Vote, now time.Time) (Voted, error) {
	id, err := security.ParseID("vote", vote.ID)
	if err != nil {
		return Voted{}, err
	}
	req, votes := request(asked)
	state, err := approval.Decide(req, votes, &vote, now.UnixMicro())
	if err != nil {
		return Voted{}, refusal(err)
	}
	return Voted{State: state, Vote: rowOf(id, asked.ID, vote)}, e.revoked(ctx, who)
}

// voted reports whether the refusal may be a repetition of the same request,
// which its key will tell.
func (e *Engine) voted(err error, b Ballot) bool {
	return b.Key != "" && (errors.Is(err, ErrVoted) || errors.Is(err, ErrApprovalClosed))
}

// mayVote checks who votes and on what, before anything is written.
func mayVote(req approval.Request, votes []approval.Vote, who security.Principal, now time.Time, b Ballot) error {
	reasons := approval.Eligible(req, votes, who, now)
	for _, r := range reasons {
		if r != approval.ReasonClosed && r != approval.ReasonVoted {
			return &NotEligible{reasons}
		}
	}
	if d := policy.StepUp(who, stepUp, now); !d.Allowed() {
		return &Denied{d}
	}
	for _, r := range reasons {
		if r == approval.ReasonVoted {
			return ErrVoted
		}
	}
	if len(reasons) > 0 {
		return ErrApprovalClosed
	}
	if b.Digest != req.Digest {
		return ErrStale
	}
	return nil
}

func (e *Engine) sealComment(ctx context.Context, tenant string, run security.ID, text string) ([]vault.Sealed, error) {
	if text == "" {
		return nil, nil
	}
	key, err := e.keyOf(ctx, tenant, run)
	if err != nil {
		return nil, err
	}
	sealed, err := key.Seal(tenant, run, "comment", []byte(text))
	return []vault.Sealed{sealed}, err
}

// cast commits the vote, and with it what it decides.
func (e *Engine) cast(ctx context.Context, who security.Principal, b Ballot, asked store.Asked, vote approval.Vote, comment []vault.Sealed) (Voted, error) {
	id, err := security.ParseID("vote", vote.ID)
	if err != nil {
		return Voted{}, err
	}
	var out Voted
	ch := store.Change{
		Run: asked.Run, Ask: asked.ID, Bytes: weight(comment), Revoked: e.voterKeys(who),
		Key: store.Key{Scope: who.Tenant + "/" + who.ID, Key: b.Key, Body: digestOf("vote", asked.ID.String(), b.Decision, b.Digest, b.Comment), Object: id},
		Apply: func(l *store.Locked) error {
			v, state, err := e.weigh(l, who, vote)
			if err != nil {
				return err
			}
			out.State, out.Vote = state, rowOf(id, asked.ID, v)
			out.Receipt = e.record(l, who, b.Request, v, comment)
			if len(comment) > 0 {
				out.Vote.Comment = comment[0].ID
			}
			l.Seal(comment...)
			l.Vote(out.Vote)
			conclude(l, &l.Asked.Approval, state, audit.Fact{Actor: who.ID, ActorKind: string(who.Kind), Build: e.cfg.Build})
			return nil
		},
	}
	err = e.db.Write(ctx, ch)
	if replay, ok := errorAs[*store.Replayed](err); ok {
		return e.votedBefore(ctx, who.Tenant, asked.ID, replay.Object)
	}
	if err == nil {
		e.nudge(asked.Run)
	}
	return out, err
}

// voterKeys are what must not be revoked when a vote is committed: the token,
// the session, the person, and the key that signed the vote.
func (e *Engine) voterKeys(who security.Principal) []string {
	return scoped(who.Tenant, append(who.RevocationKeys(), e.signer()))
}

// mayStill is asked on the locked row: the voter or the key may have been
// revoked since the request came, and the run may have ended.
func (e *Engine) mayStill(l *store.Locked, who security.Principal) error {
	switch {
	case l.IsRevoked(who.RevocationKeys(), who.Began()):
		return refused()
	case l.IsRevoked([]string{e.signer()}, who.Began()):
		return ErrKeyRevoked
	case l.State.Closed():
		return ErrApprovalClosed
	}
	return nil
}

// weigh decides on the locked row whether a vote or a withdrawal counts, and
// what it makes of the request. It comes back with the time at which it counts.
func (e *Engine) weigh(l *store.Locked, who security.Principal, v approval.Vote) (approval.Vote, approval.State, error) {
	if l.Asked == nil {
		return v, "", store.ErrNotFound
	}
	if err := e.mayStill(l, who); err != nil {
		return v, "", err
	}
	req, votes := request(*l.Asked)
	v.AtUS = max(l.NowUS, l.AtUS)
	state, err := approval.Decide(req, votes, &v, l.NowUS)
	return v, state, refusal(err)
}

// rowOf is the row of a vote or a withdrawal.
func rowOf(id, asked security.ID, v approval.Vote) store.Vote {
	return store.Vote{ID: id, Approval: asked, Voter: v.By, Decision: v.Decision, Signed: v.Statement, AtUS: v.AtUS}
}

// record writes the entry of one vote or withdrawal.
func (e *Engine) record(l *store.Locked, who security.Principal, requestID string, v approval.Vote, comment []vault.Sealed) store.Receipt {
	f := audit.Fact{
		Action: audit.ApprovalVoted, Outcome: v.Decision, Step: l.Asked.Step, Attempt: l.Asked.Attempt, Actor: who.ID, ActorKind: string(who.Kind),
		Client: who.Client, Request: requestID, Build: e.cfg.Build,
		Approval: &audit.Approval{ID: l.Asked.ID.Name("apr"), Digest: l.Asked.Digest, Decision: v.Decision, Vote: v.ID},
		Authn:    &audit.Authn{ACR: who.ACR, AMR: who.AMR, AuthTime: who.AuthTime.Unix(), TokenExp: who.Expires.Unix()},
	}
	for _, c := range comment {
		f.Payloads = append(f.Payloads, refer(c))
	}
	return l.Append(f)
}

// conclude ends an approval that is decided, wakes the run and reports that it
// did. It is the same for a vote and for the clock.
func conclude(l *store.Locked, a *store.Approval, state approval.State, f audit.Fact) bool {
	if state == approval.Pending {
		return false
	}
	at := -1
	for i := range l.Progress.Steps {
		if l.Progress.Steps[i].Ask == a.ID && l.Progress.Steps[i].Status == workflow.Waiting {
			at = i
		}
	}
	if at < 0 {
		return false // withdrawn with its step
	}
	s := &l.Progress.Steps[at]
	l.Settle(a.ID, state, false)
	f.Action, f.Outcome, f.Step, f.Attempt = audit.ApprovalClosed, outcomeOf(state), a.Step, a.Attempt
	f.Approval = &audit.Approval{ID: a.ID.Name("apr"), Digest: a.Digest, Decision: string(state)}
	r := l.Append(f)
	s.DueUS = 0
	s.Status = workflow.Succeeded
	if doc, err := approval.ParseDocument(a.Document); err == nil && doc.Kind == approval.Review {
		resume(s)
	} else if state != approval.Approved && (err != nil || doc.Rule.OnReject != workflow.OnRejectContinue) {
		s.Status = workflow.Failed
		if l.Reason == nil {
			l.Reason = closedReason(a.Step, state, r.Seq)
		}
	}
	setDue(l)
	wake(l)
	return true
}

func outcomeOf(s approval.State) string {
	switch s {
	case approval.Approved:
		return approval.Approve
	case approval.Rejected:
		return approval.Reject
	case approval.Expired:
		return "expire"
	}
	return string(s)
}

func closedReason(step string, state approval.State, seq int64) *store.Reason {
	if state == approval.Expired {
		return &store.Reason{Code: "timeout", Step: step, Detail: "nobody decided the approval in time", Seq: seq}
	}
	return &store.Reason{Code: "denied", Step: step, Detail: "the approval was rejected", Seq: seq}
}

// wake makes sure that a driver sees what has just changed: the holder's if
// there is one, and it is never fenced for it; otherwise a new one.
func wake(l *store.Locked) {
	l.Touch()
	if !l.Holder.IsZero() {
		l.Nudged = true
		return
	}
	l.Epoch++
	l.State = store.Queued
	l.Job()
}

// refusal maps the rule's refusals to the engine's.
func refusal(err error) error {
	switch {
	case errors.Is(err, approval.ErrClosed):
		return ErrApprovalClosed
	case errors.Is(err, approval.ErrStale):
		return ErrStale
	case errors.Is(err, approval.ErrAlreadyVoted):
		return ErrVoted
	case errors.Is(err, approval.ErrNoVote):
		return store.ErrNotFound
	case errors.Is(err, approval.ErrNotEligible):
		return &NotEligible{[]string{approval.ReasonGroup}}
	}
	return err
}

// votedBefore answers a repeated vote.
func (e *Engine) votedBefore(ctx context.Context, tenant string, id, vote security.ID) (Voted, error) {
	asked, err := e.db.Approval(ctx, tenant, id)
	if err != nil {
		return Voted{}, err
	}
	for _, v := range asked.Votes {
		if v.ID != vote {
			continue
		}
		entries, _, err := e.db.Entries(ctx, tenant, store.EntryFilter{Stream: asked.Run, Action: string(audit.ApprovalVoted), Limit: 200})
		if err != nil {
			return Voted{}, err
		}
		out := Voted{Vote: v, State: asked.State, Replayed: true}
		for _, entry := range entries {
			if body, err := audit.ParseBody(entry.Body); err == nil && body.Approval != nil && body.Approval.Vote == vote.Name("vote") {
				out.Receipt = store.Receipt{Stream: entry.Stream, Seq: entry.Seq, Hash: entry.Hash}
			}
		}
		return out, nil
	}
	return Voted{}, store.ErrNotFound
}
