package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/custodyhq/custody/api/client"
)

type approvalsCommand struct {
	All   bool   `help:"Also those that wait for others, as far as I may see them."`
	State string `enum:"pending,approved,rejected,expired,withdrawn" default:"pending" help:"pending, approved, rejected, expired or withdrawn."`
	OfRun string `name:"run" complete:"run" placeholder:"RUN" help:"Of this run."`
	Limit int    `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (approvalsCommand) Help() string { return "Example:\n\n    custody --as bob approvals" }

// Run lists what waits.
func (c approvalsCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	filter := client.ApprovalFilter{State: c.State, Run: c.OfRun, Limit: pageOf(c.Limit)}
	if c.All {
		filter.For = "all"
	}
	columns := []column{{name: "approval", firm: true}, {name: "step", loose: true}, {name: "run", isID: true}, {name: "ends"}, {name: "you", loose: true}}
	return list(s, cl.Approvals(ctx, filter), c.Limit, columns, func(a client.Approval) []cell {
		you := "may decide"
		if !a.You.MayVote {
			you = "may not: " + strings.Join(a.You.Reasons, ", ")
		}
		return cells(a.ID, a.Step, a.Run, s.when(a.ExpiresAt.Time), you)
	})
}

// ballot is what approve and reject have in common.
type ballot struct {
	ID      string `arg:"" complete:"approval" help:"The approval, apr_…."`
	Comment string `placeholder:"TEXT" help:"Why; it is kept."`
	Digest  string `placeholder:"SHA256" help:"Decide without being asked, if this still is the digest of what is shown."`
	DryRun  bool   `name:"dry-run" help:"Check everything, decide nothing."`
}

type approveCommand struct{ ballot }

// Help shows an example.
func (approveCommand) Help() string {
	return "Example:\n\n    custody --as bob approve apr_… --comment \"checked against the template\"\n\nIt shows the content, recomputes its digest and asks. With --digest it does not ask, and fails if the digest is another; --json asks nobody, so it needs --digest."
}

// Run approves.
func (c approveCommand) Run(ctx context.Context, s *session) error {
	return c.vote(ctx, s, "approve")
}

type rejectCommand struct{ ballot }

// Help shows an example.
func (rejectCommand) Help() string {
	return "Example:\n\n    custody --as bob reject apr_… --comment \"the liability is missing\""
}

// Run rejects.
func (c rejectCommand) Run(ctx context.Context, s *session) error {
	return c.vote(ctx, s, "reject")
}

func (b ballot) vote(ctx context.Context, s *session, decision string) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	a, err := cl.Approval(ctx, b.ID)
	if err != nil {
		return err
	}
	if b.Digest != "" && b.Digest != a.Digest {
		return refused(exitInvalid, "digest-stale", "the digest of %s is %s, not the one given. Look again at what is shown: %s", b.ID, a.Digest, s.helper(s.As, decision+" "+b.ID))
	}
	if err := b.look(ctx, s, cl, a); err != nil {
		return err
	}
	switch {
	case b.Digest != "" || b.DryRun:
	case s.JSON:
		return usage("with --json nobody is asked: name the digest of what was read, --digest %s", a.Digest)
	case !s.ask(decision + " exactly this?"):
		return failed(exitFailure, "not decided. Answer y, or decide without being asked: --digest %s", a.Digest)
	}
	v, err := cl.Vote(ctx, client.Ballot{Approval: b.ID, Decision: decision, Digest: a.Digest, Comment: b.Comment, DryRun: b.DryRun})
	if err != nil || s.JSON {
		return s.result(v, err)
	}
	if b.DryRun {
		return s.rehearsed(v, "The vote would count; nothing was decided.")
	}
	s.print("%s  %s by %s; the approval is %s", v.ID, v.Decision, v.By, v.State)
	if v.Receipt != nil {
		s.print("receipt  %s", receipt(*v.Receipt))
	}
	return nil
}

// look shows what the vote is about, after it has recomputed that it is what
// the digest binds. Whoever may not vote learns so before anything is shown.
func (b ballot) look(ctx context.Context, s *session, cl *client.Client, a client.Approval) error {
	if !a.You.MayVote {
		code, kind := exitRefused, "not-eligible"
		switch {
		case !settled(a.You.Reasons):
		case slices.Contains(a.You.Reasons, "closed"):
			code, kind = exitInvalid, "approval-closed"
		default:
			code, kind = exitInvalid, "already-voted"
		}
		return refused(code, kind, "you may not vote on %s: %s", b.ID, mayNot(a.You.Reasons))
	}
	shown, err := cl.Shown(ctx, b.ID)
	if err != nil {
		return err
	}
	if err := a.Verify(shown); err != nil {
		return err
	}
	if s.JSON {
		return nil
	}
	s.say("step    %s of %s", oneLine(a.Step), oneLine(a.Run))
	s.say("until   %s", a.ExpiresAt.Format(clock))
	s.say("needs   %d of %s; %d voted so far", a.Rule.Quorum, orNone(oneLine(strings.Join(a.Rule.Groups, " and "))), len(a.Votes))
	for _, v := range shown {
		if a.Kind == "guard.review" && s.review(v) {
			continue
		}
		s.say("--- %s ---", oneLine(v.Name))
		s.say("%s", printable(readable(v.Content)))
		s.say("---")
	}
	s.say("digest  %s (recomputed from what is shown)", a.Digest)
	return nil
}

func mayNot(reasons []string) string {
	words := make([]string, len(reasons))
	for i, reason := range reasons {
		words[i] = ineligible(reason)
	}
	return strings.Join(words, ", ")
}

// settled reports whether nothing but what has happened already is in the way:
// a conflict, not a refusal.
func settled(reasons []string) bool {
	return len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r string) bool { return r != "closed" && r != "already_voted" })
}

// readable lays a JSON text out for people. Text stands as it is, so that what
// matters is not hidden behind escapes.
func readable(content string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(content))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return content
	}
	var b strings.Builder
	lay(&b, v, "")
	return strings.Trim(b.String(), "\n")
}

type withdrawCommand struct {
	ID     string `arg:"" complete:"approval" help:"The approval, apr_…."`
	DryRun bool   `name:"dry-run" help:"Check everything, withdraw nothing."`
}

// Help shows an example.
func (withdrawCommand) Help() string {
	return "Example:\n\n    custody --as bob withdraw apr_…\n\nIt works as long as the approval is pending."
}

// Run withdraws the vote.
func (c withdrawCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.DryRun {
		if err := cl.MayWithdraw(ctx, c.ID); err != nil {
			return err
		}
		return s.rehearsed(map[string]string{"approval": c.ID}, "The vote would be withdrawn; nothing was changed.")
	}
	r, err := cl.Withdraw(ctx, c.ID)
	return s.receipted("Your vote on "+c.ID+" is withdrawn.", r, err)
}

// receipted tells what was done, and where that was recorded.
func (s *session) receipted(text string, r client.Receipt, err error) error {
	if err != nil || s.JSON {
		return s.result(map[string]any{"receipt": r}, err)
	}
	s.print("%s", text)
	s.print("receipt  %s", receipt(r))
	return nil
}
