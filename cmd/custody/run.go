package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
)

type runCommand struct {
	Submit runSubmitCommand `cmd:"" help:"Start a run."`
	Get    runGetCommand    `cmd:"" help:"Show where a run stands."`
	List   runListCommand   `cmd:"" help:"List runs, newest first."`
	Watch  runWatchCommand  `cmd:"" help:"Follow what happens in a run, as it happens."`
	Input  runInputCommand  `cmd:"" help:"Print what a run was given."`
	Output runOutputCommand `cmd:"" help:"Print what a run, or one of its steps, returned."`
	Cancel runCancelCommand `cmd:"" help:"Ask a run to end."`
	Retry  runRetryCommand  `cmd:"" help:"Start a new run from the failed step on."`
}

type runGetCommand struct {
	ID string `arg:"" complete:"run" help:"The run, run_…."`
}

// Help shows an example.
func (runGetCommand) Help() string { return "Example:\n\n    custody --as alice run get run_…" }

// Run shows the run.
func (c runGetCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Run(ctx, c.ID)
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	s.run(r)
	return nil
}

func (s *session) run(r client.Run) {
	s.print("run       %s  %s%s", r.ID, s.state(r.State), why(r))
	s.print("workflow  %s  %s", r.Workflow.Name, r.Workflow.Digest)
	s.print("caller    %s  %s", r.Caller.ID, strings.Join(append([]string{r.Caller.Kind}, r.Caller.Act...), ", "))
	s.print("created   %s", s.since(r.CreatedAt.Time))
	if r.ClosedAt != nil {
		s.print("closed    %s", s.since(r.ClosedAt.Time))
	}
	if r.RetryOf != nil {
		s.print("retry of  %s", *r.RetryOf)
	}
	for _, step := range r.Steps {
		s.print("step      %s  %s%s", pad(stepName(step), 20), s.state(step.State), map[bool]string{true: ", attempt " + number(int64(step.Attempt))}[step.Attempt > 1])
	}
	for _, w := range r.WaitingFor {
		s.print("waits     for %s", s.waitsFor(w))
		if w.Kind == "approval" {
			s.print("          goes on with: %s", s.helper("NAME", "approve "+w.ID))
		}
	}
	if r.Cost.TokensIn+r.Cost.TokensOut > 0 {
		s.print("cost      %d tokens in, %d out, %d µUSD", r.Cost.TokensIn, r.Cost.TokensOut, r.Cost.MicroUSD)
	}
	s.print("receipt   %s", receipt(r.Receipt))
}

// state is a state in its colour.
func (s *session) state(state string) string {
	c := stateCell(state)
	return s.paint(s.out, c.colour, c.text)
}

func stepName(step client.Step) string {
	if step.Item == nil {
		return step.ID
	}
	return step.ID + "/" + oneLine(*step.Item)
}

func (s *session) waitsFor(w client.Wait) string {
	text := w.Kind
	if w.ID != "" {
		text += " " + w.ID
	}
	if w.Until != nil {
		text += ", until " + s.since(w.Until.Time)
	}
	return text
}

type runListCommand struct {
	State    string `enum:",queued,running,waiting,succeeded,failed,cancelled" default:"" placeholder:"STATE" help:"queued, running, waiting, succeeded, failed or cancelled."`
	Workflow string `complete:"workflow" placeholder:"NAME" help:"Of this workflow."`
	Digest   string `placeholder:"SHA256" help:"Of this version of a workflow, sha256:…."`
	Caller   string `placeholder:"WHO" help:"Of this person, subj_… or me."`
	Waiting  string `name:"waiting-for" enum:",approval,timer" default:"" placeholder:"KIND" help:"That wait for an approval or a timer."`
	Since    string `placeholder:"TIME" help:"Submitted not before: RFC 3339, a day, or how long ago, such as 2h."`
	Until    string `placeholder:"TIME" help:"Submitted before: RFC 3339, a day, or how long ago."`
	Limit    int    `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (runListCommand) Help() string {
	return "Example:\n\n    custody --as oscar run list --state failed --since 24h"
}

// Run lists the runs.
func (c runListCommand) Run(ctx context.Context, s *session) error {
	since, until, err := span("--since", c.Since, "--until", c.Until)
	if err != nil {
		return err
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	runs := cl.Runs(ctx, client.RunFilter{
		State: c.State, Workflow: c.Workflow, Digest: c.Digest, Caller: c.Caller, WaitingFor: c.Waiting,
		After: since, Before: until, Limit: pageOf(c.Limit),
	})
	return list(s, runs, c.Limit, []column{{name: "run", firm: true}, {name: "state"}, {name: "created"}, {name: "workflow"}, {name: "why", loose: true}},
		func(r client.Run) []cell {
			row := cells(r.ID, "", s.when(r.CreatedAt.Time), r.Workflow.Name, strings.TrimPrefix(why(r), ": "))
			row[1] = stateCell(r.State)
			return row
		})
}

// pageOf is the length of a page for a limit: the server's most is 200.
func pageOf(limit int) int {
	if limit <= 0 {
		return 200
	}
	return min(limit, 200)
}

type runInputCommand struct {
	ID string `arg:"" complete:"run" help:"The run, run_…."`
}

// Help shows an example.
func (runInputCommand) Help() string {
	return "Example:\n\n    custody --as alice run input run_… > input.json\n\nThe server records who reads content."
}

// Run prints the value, as JSON in either case.
func (c runInputCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return s.content(cl.Input(ctx, c.ID))
}

type runOutputCommand struct {
	ID   string `arg:"" complete:"run" help:"The run, run_…."`
	Step string `arg:"" optional:"" help:"One of its steps; else the run's own output."`
}

// Help shows an example.
func (runOutputCommand) Help() string {
	return "Example:\n\n    custody --as alice run output run_… summarise\n\nThe server records who reads content."
}

// Run prints the value, as JSON in either case.
func (c runOutputCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Step != "" {
		return s.content(cl.StepOutput(ctx, c.ID, c.Step))
	}
	return s.content(cl.Output(ctx, c.ID))
}

func (s *session) content(value json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	if !json.Valid(value) {
		return failed(exitFailure, "what the server gave is not JSON: is this the right URL?")
	}
	return s.terminal.json(value)
}

type runCancelCommand struct {
	ID     string `arg:"" complete:"run" help:"The run, run_…."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept."`
	DryRun bool   `name:"dry-run" help:"Check everything, cancel nothing."`
}

// Help shows an example.
func (runCancelCommand) Help() string {
	return "Example:\n\n    custody --as alice run cancel run_… --reason \"wrong contract\""
}

// Run cancels.
func (c runCancelCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Cancel(ctx, client.Cancellation{Run: c.ID, Reason: c.Reason, DryRun: c.DryRun})
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	if c.DryRun {
		return s.rehearsed(r, "The run would be asked to end; nothing was changed.")
	}
	s.print("run      %s  %s", r.ID, s.state(r.State))
	if !r.Closed() {
		s.say("Its calls under way end first. Follow it with: %s", s.helper(s.As, "run watch "+r.ID))
	}
	return nil
}

type runRetryCommand struct {
	ID     string `arg:"" complete:"run" help:"The failed run, run_…."`
	Key    string `help:"Idempotency key: the same again gives the same new run. Made and printed if none is given."`
	Wait   bool   `help:"Wait until the new run has ended, and exit 6 if it failed."`
	DryRun bool   `name:"dry-run" help:"Check everything, start nothing."`
}

// Help shows an example.
func (runRetryCommand) Help() string {
	return "Example:\n\n    custody --as alice run retry run_…\n\nFinished steps are taken over and not paid again. The calls whose outcome nobody knows are shown with their key: look them up at the receiver before you repeat them."
}

// Run retries.
func (c runRetryCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := s.unknownCalls(ctx, cl, c.ID); err != nil {
		return err
	}
	if c.Key == "" && !c.DryRun {
		c.Key = s.newKey()
	}
	r, err := cl.Retry(ctx, client.Retry{Run: c.ID, Key: c.Key, DryRun: c.DryRun})
	if err != nil {
		return err
	}
	if c.DryRun {
		return s.rehearsed(r, "The run would be retried; nothing was started.")
	}
	if !s.JSON {
		s.print("run      %s  %s  (retry of %s)", r.ID, r.State, c.ID)
		s.print("receipt  %s", receipt(r.Receipt))
	}
	if c.Wait && !r.Closed() {
		if r, err = s.wait(ctx, r.ID); err != nil {
			return err
		}
	}
	return runSubmitCommand{Key: c.Key, Wait: c.Wait}.finish(s, r)
}

// unknownCalls shows the calls of a run whose outcome nobody knows.
func (s *session) unknownCalls(ctx context.Context, cl *client.Client, id string) error {
	for e, err := range cl.Entries(ctx, client.EntryFilter{Run: id, Action: "step.unknown"}) {
		if err != nil {
			return err
		}
		b, err := bodyOf(e)
		if err != nil {
			return err
		}
		if s.JSON {
			continue // it stands in the ledger, where programs read it
		}
		s.say("step %s: the outcome of this call is not known: key %s, call %s, %s", b.Step, b.Key, b.Call, time.UnixMicro(b.AtUS).UTC().Format(clock))
	}
	return nil
}
