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
	OfRun string `name:"run" help:"Of this run."`
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
	filter := client.ApprovalFilter{State: "pending", Run: c.OfRun}
	if c.All {
		filter.For = "all"
	}
	return list(s, cl.Approvals(ctx, filter), 0, func(a client.Approval) string {
		line := a.ID + "  " + pad(a.Step, 16) + "  " + a.Run + "  until " + a.ExpiresAt.Format(clock)
		if !a.You.MayVote {
			line += "  not by you: " + strings.Join(a.You.Reasons, ", ")
		}
		return line
	})
}

// ballot is what approve and reject have in common.
type ballot struct {
	ID      string `arg:"" help:"The approval, apr_…."`
	Comment string `help:"Why; it is kept."`
	Digest  string `help:"Decide without being asked, if this still is the digest of what is shown."`
}

type approveCommand struct{ ballot }

// Help shows an example.
func (approveCommand) Help() string {
	return "Example:\n\n    custody --as bob approve apr_… --comment \"checked against the template\"\n\nIt shows the content, recomputes its digest and asks. With --digest it does not ask, and fails if the digest is another."
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
		return failed(exitInvalid, "the digest of %s is %s, not the one given: look again at what is shown", b.ID, a.Digest)
	}
	if err := b.look(ctx, s, cl, a); err != nil {
		return err
	}
	if b.Digest == "" && !s.ask(decision+" exactly this?") {
		return failed(exitFailure, "not decided")
	}
	v, err := cl.Vote(ctx, client.Ballot{Approval: b.ID, Decision: decision, Digest: a.Digest, Comment: b.Comment})
	if err != nil || s.JSON {
		return s.result(v, err)
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
		code := exitRefused
		if settled(a.You.Reasons) {
			code = exitInvalid
		}
		return failed(code, "you may not vote on %s: %s", b.ID, strings.Join(a.You.Reasons, ", "))
	}
	shown, err := cl.Shown(ctx, b.ID)
	if err != nil {
		return err
	}
	if err := a.Verify(shown); err != nil {
		return err
	}
	if s.JSON && b.Digest != "" {
		return nil
	}
	s.say("step    %s of %s", a.Step, a.Run)
	s.say("until   %s", a.ExpiresAt.Format(clock))
	for _, v := range shown {
		s.say("--- %s ---", oneLine(v.Name))
		s.say("%s", printable(readable(v.Content)))
		s.say("---")
	}
	s.say("digest  %s (recomputed from what is shown)", a.Digest)
	return nil
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
