package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// An Approval is a request for votes.
type Approval struct {
	ID        string  `json:"id" doc:"apr_…"`
	Run       string  `json:"run"`
	Step      string  `json:"step"`
	Attempt   int     `json:"attempt"`
	Kind      string  `json:"kind" enum:"step,guard.review" doc:"step: a step of the workflow asks; guard.review: the firewall stopped a text"`
	State     string  `json:"state" enum:"pending,approved,rejected,expired,withdrawn"`
	Document  string  `json:"document" doc:"RFC 8785 text, exactly what was hashed"`
	Digest    string  `json:"digest" doc:"sha256:… of document, and the ETag"`
	Rule      Rule    `json:"rule"`
	Votes     []Vote  `json:"votes"`
	You       You     `json:"you"`
	ExpiresAt string  `json:"expires_at" format:"date-time"`
	UsedAt    *string `json:"used_at" format:"date-time"`
}

// A Rule says who may vote and how many must agree.
type Rule struct {
	Quorum   int      `json:"quorum"`
	Groups   []string `json:"groups" doc:"roles; a voter needs every one"`
	OnReject string   `json:"on_reject" enum:"fail,continue"`
}

// A Vote is one person's decision.
type Vote struct {
	ID       string         `json:"id" doc:"vote_…"`
	By       string         `json:"by" doc:"subj_…"`
	Decision string         `json:"decision" enum:"approve,reject"`
	Digest   string         `json:"digest"`
	At       string         `json:"at" format:"date-time"`
	Back     *string        `json:"withdrawn_at" format:"date-time" doc:"when the voter took it back; it counts for nothing then"`
	State    string         `json:"state,omitempty" doc:"of the approval after it; only in the answer to a vote"`
	Receipt  *store.Receipt `json:"receipt,omitempty" doc:"only in the answer to a vote"`
}

// You says whether the caller may vote, and if not why.
type You struct {
	MayVote bool     `json:"may_vote"`
	Reasons []string `json:"reasons" doc:"requester, acting_for_requester, author, not_in_group, already_voted, agent, closed"`
}

// Shown is one thing that voters see.
type Shown struct {
	Name       string `json:"name"`
	Content    string `json:"content" doc:"JSON text, exactly what was committed to"`
	Salt       string `json:"salt" doc:"hex"`
	Commitment string `json:"commitment" doc:"hex of HMAC-SHA256(salt, content)"`
}

func (a *API) approvalRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/approvals", id: "listApprovals", who: action(policy.ApprovalList),
		summary: "Approvals that wait for me, or all that I may see",
	}, a.listApprovals)
	register(a, operation{
		method: http.MethodGet, path: "/v1/approvals/{approval}", id: "getApproval", who: action(policy.ApprovalRead),
		summary: "What is asked, its digest, and whether I may vote",
	}, a.getApproval)
	register(a, operation{
		method: http.MethodGet, path: "/v1/approvals/{approval}/shown", id: "getApprovalShown", who: action(policy.ApprovalView),
		summary: "The content shown",
	}, a.getShown)
	register(a, operation{
		method: http.MethodPost, path: "/v1/approvals/{approval}/votes", id: "vote", who: action(policy.ApprovalVote), status: http.StatusCreated,
		summary: "Decide; people only, with a second factor, signed in within 5 minutes",
	}, a.vote)
	register(a, operation{
		method: http.MethodDelete, path: "/v1/approvals/{approval}/votes/mine", id: "withdrawVote", who: action(policy.ApprovalWithdraw),
		summary: "Take one's own vote back before the quorum",
	}, a.withdraw)
}

// ApprovalPath names an approval in a path. It is exported for huma, which skips
// embedded structs that are not.
type ApprovalPath struct {
	Approval string `path:"approval" doc:"apr_…"`
}

// An asked approval is its row with how it concerns the caller.
type asked struct {
	store.Asked
	request approval.Request
	votes   []approval.Vote
	reasons []string // for which the caller may not vote now
}

func (a *API) asked(row store.Asked, c caller) asked {
	doc, err := approval.ParseDocument(row.Document)
	if err != nil {
		doc = approval.Document{} // altered: nobody may vote on it
	}
	votes := make([]approval.Vote, len(row.Votes))
	for i, v := range row.Votes {
		votes[i] = approval.Vote{ID: v.ID.Name("vote"), By: v.Voter, Decision: v.Decision, Statement: v.Signed, AtUS: v.AtUS}
	}
	x := asked{Asked: row, request: approval.Request{Document: doc, Text: row.Document, Digest: row.Digest, State: row.State}, votes: votes}
	x.reasons = list(approval.Eligible(x.request, votes, c.Principal, time.Now()))
	return x
}

// eligible reports whether the rule lets the caller vote, or did before they
// voted or it closed.
func (x asked) eligible() bool {
	return !slices.ContainsFunc(x.reasons, func(r string) bool { return r != approval.ReasonVoted && r != approval.ReasonClosed })
}

// concerns reports whether the caller is in the group that is asked: they may
// see that they may not vote, and why.
func (x asked) concerns() bool { return !slices.Contains(x.reasons, approval.ReasonGroup) }

func (x asked) target(eligible bool) policy.Target {
	return policy.Target{Tenant: x.Tenant, Owner: x.Requester, Eligible: eligible}
}

func (x asked) show() Approval {
	rule := x.request.Document.Rule
	if rule.OnReject == "" {
		rule.OnReject = approval.OnRejectFail
	}
	out := Approval{
		ID: x.ID.Name("apr"), Run: x.Run.Name("run"), Step: x.Step, Attempt: x.Attempt, Kind: cmp.Or(string(x.request.Document.Kind), "step"), State: string(x.State),
		Document: x.Document, Digest: x.Digest, Rule: Rule{Quorum: rule.Quorum, Groups: list(x.Roles), OnReject: rule.OnReject},
		Votes: showVotes(x.Votes), You: You{MayVote: len(x.reasons) == 0, Reasons: x.reasons},
		ExpiresAt: stamp(x.ExpiresUS), UsedAt: stampOf(x.UsedUS),
	}
	return out
}

// showVotes shows each vote once, with when it was taken back.
func showVotes(rows []store.Vote) []Vote {
	back := map[string]*string{}
	for _, v := range rows {
		if s, err := approval.ParseStatement(string(v.Signed.Body)); err == nil && v.Decision == approval.Withdraw {
			back[v.Voter+" "+s.Withdraws] = stampOf(v.AtUS)
		}
	}
	out := make([]Vote, 0, len(rows))
	for _, v := range rows {
		if v.Decision == approval.Withdraw {
			continue
		}
		shown := showVote(v)
		shown.Back = back[v.Voter+" "+shown.ID]
		out = append(out, shown)
	}
	return out
}

func showVote(v store.Vote) Vote {
	out := Vote{ID: v.ID.Name("vote"), By: v.Voter, Decision: v.Decision, At: stamp(v.AtUS)}
	if s, err := approval.ParseStatement(string(v.Signed.Body)); err == nil {
		out.Digest = s.Digest
	}
	return out
}

// find returns an approval that the caller may see.
func (a *API) find(ctx context.Context, c caller, name string) (asked, error) {
	id, err := security.ParseID("apr", name)
	if err != nil {
		return asked{}, store.ErrNotFound
	}
	row, err := a.cfg.Store.Approval(ctx, c.Tenant, id)
	if err != nil {
		return asked{}, err
	}
	x := a.asked(row, c)
	return x, a.see(ctx, c, policy.ApprovalRead, x.target(x.concerns() || x.voted(c)), name)
}

// voted reports whether the caller has a vote here that counts, whatever roles
// they have now.
func (x asked) voted(c caller) bool {
	_, ok := approval.Standing(x.votes, c.ID)
	return ok
}

// approvalOut is one approval. Its ETag names what is asked, not the votes.
type approvalOut struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Approval
}

// getApproval answers 304 only as long as the approval is as it was made:
// whoever has it under its ETag then has seen it so. Afterwards its votes and
// its state change under the same ETag, and it is always sent.
func (a *API) getApproval(ctx context.Context, c caller, in *struct {
	ApprovalPath
	None string `header:"If-None-Match" doc:"304 if the approval is the one named and nothing has happened to it"`
},
) (*approvalOut, error) {
	x, err := a.find(ctx, c, in.Approval)
	if err != nil {
		return nil, err
	}
	out := &approvalOut{Status: http.StatusOK, ETag: quoted(x.Digest)}
	untouched := x.State == approval.Pending && len(x.Votes) == 0 && !slices.Contains(x.reasons, approval.ReasonClosed)
	if in.None != "" && untouched && matches(in.None, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = x.show()
	return out, nil
}

func (a *API) listApprovals(ctx context.Context, c caller, in *struct {
	Paging
	State string `query:"state" enum:"pending,approved,rejected,expired,withdrawn,all" doc:"default pending"`
	For   string `query:"for" enum:"me,all" doc:"me (default): what I may decide; all: what I may see"`
	Run   string `query:"run" maxLength:"80"`
},
) (*output[Approval], error) {
	f := store.ApprovalFilter{State: approval.State(in.State), Roles: list(c.Roles), Limit: in.limit() + 1}
	switch in.State {
	case "":
		f.State = approval.Pending
	case "all":
		f.State = ""
	}
	if in.For == "all" {
		f.Person = c.ID
		if policy.Do(c.Principal, policy.ApprovalRead, policy.Target{Tenant: c.Tenant}).Allowed() {
			f.Roles = nil // an auditor sees all of them
		}
	}
	filter := filterOf("approvals", c.ID, f.State, in.For, in.Run)
	if err := in.place(filter, (*idText)(&f.Cursor)); err != nil {
		return nil, err
	}
	out := &output[Approval]{Body: Page[Approval]{Data: []Approval{}}}
	if in.Run != "" {
		var ok bool
		if f.Run, _, ok = parseStream(in.Run); !ok {
			return out, nil
		}
	}
	rows, err := a.cfg.Store.Approvals(ctx, c.Tenant, f)
	if err != nil {
		return nil, err
	}
	rows, more := paged(rows, in.limit())
	if more {
		out.Body.Next = next(filter, idText(rows[len(rows)-1].ID))
	}
	for _, row := range rows {
		if x := a.asked(row, c); in.For == "all" || x.forMe() {
			out.Body.Data = append(out.Body.Data, x.show())
		}
	}
	return out, nil
}

// forMe reports whether it waits for the caller, or is over and they could
// have decided it.
func (x asked) forMe() bool {
	if x.State == approval.Pending {
		return len(x.reasons) == 0
	}
	return x.eligible()
}

// shownOut is what voters see.
type shownOut struct {
	Cache string `header:"Cache-Control"`
	Body  []Shown
}

// getShown sends what an approval shows. The entry that says so is committed
// first.
func (a *API) getShown(ctx context.Context, c caller, in *ApprovalPath) (*shownOut, error) {
	x, err := a.find(ctx, c, in.Approval)
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, c, policy.ApprovalView, x.target(x.eligible()), in.Approval); err != nil {
		return nil, err
	}
	parts, err := a.cfg.Engine.Shown(ctx, x.Approval)
	if err != nil {
		return nil, err
	}
	if _, err := a.record(ctx, c, audit.Fact{
		Action: audit.ApprovalViewed, Outcome: "ok", Run: x.Run.Name("run"), Step: x.Step, Target: in.Approval,
		Approval: &audit.Approval{ID: in.Approval, Digest: x.Digest},
	}); err != nil {
		return nil, unavailable()
	}
	out := &shownOut{Cache: "no-store", Body: make([]Shown, len(parts))}
	for i, p := range parts {
		out.Body[i] = Shown{Name: p.Name, Content: string(p.JSON), Salt: hex.EncodeToString(p.Salt), Commitment: hex.EncodeToString(p.Commit[:])}
	}
	return out, nil
}

// fits holds the approval against If-Match, which may be empty.
func (x asked) fits(match string) error {
	if match != "" && !matches(match, quoted(x.Digest)) {
		return newProblem(http.StatusPreconditionFailed, "precondition-failed", "the approval has another digest: look at what is shown again")
	}
	return nil
}

// ballot is the body of a vote.
type ballot struct {
	Decision string `json:"decision" enum:"approve,reject"`
	Digest   string `json:"digest" maxLength:"80" doc:"of the document that was looked at"`
	Comment  string `json:"comment,omitempty" maxLength:"10000" doc:"kept sealed beside the run"`
}

// voteOut is the answer to a vote.
type voteOut struct {
	Once
	Status int
	Body   Vote
}

func (a *API) vote(ctx context.Context, c caller, in *struct {
	Change
	ApprovalPath
	Match string `header:"If-Match" doc:"the approval's ETag"`
	Body  ballot
},
) (*voteOut, error) {
	x, err := a.find(ctx, c, in.Approval)
	if err != nil {
		return nil, err
	}
	exchangeOf(ctx).run = x.Run
	if err := x.fits(in.Match); err != nil {
		return nil, err
	}
	v, err := a.cfg.Engine.Vote(ctx, c.Principal, engine.Ballot{
		Approval: x.ID, Decision: in.Body.Decision, Digest: in.Body.Digest, Comment: in.Body.Comment,
		Key: in.Key, Request: c.request, DryRun: in.DryRun,
	})
	if err != nil {
		return nil, a.refusal(ctx, c, err, in.Approval)
	}
	if in.DryRun {
		out := &voteOut{Status: http.StatusOK, Body: showVote(v.Vote)}
		out.Body.State = string(v.State)
		return out, nil
	}
	out := &voteOut{Once: replayedHeader(v.Replayed), Status: http.StatusCreated, Body: showVote(v.Vote)}
	for _, shown := range showVotes(x.Votes) { // repeated: it may have been taken back since
		if shown.ID == out.Body.ID {
			out.Body = shown
		}
	}
	out.Body.State, out.Body.Receipt = string(v.State), &v.Receipt
	return out, nil
}

// withdraw takes the caller's own vote back. Whoever has none gets 404, also
// when it was withdrawn before.
func (a *API) withdraw(ctx context.Context, c caller, in *struct {
	Rehearsal
	ApprovalPath
	Match string `header:"If-Match" doc:"the approval's ETag"`
},
) (*removedOut, error) {
	x, err := a.find(ctx, c, in.Approval)
	if err != nil {
		return nil, err
	}
	if !x.voted(c) {
		return nil, store.ErrNotFound
	}
	if err := a.allow(ctx, c, policy.ApprovalWithdraw, policy.Target{Tenant: x.Tenant, Owner: c.ID}, in.Approval); err != nil {
		return nil, err
	}
	if err := x.fits(in.Match); err != nil {
		return nil, err
	}
	receipt, err := a.cfg.Engine.Withdraw(ctx, c.Principal, engine.Withdrawal{Approval: x.ID, Request: c.request, DryRun: in.DryRun})
	if err != nil {
		return nil, a.refusal(ctx, c, err, in.Approval)
	}
	if in.DryRun {
		return &removedOut{}, nil
	}
	return &removedOut{Removed{Receipt: &receipt}}, nil
}
