package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
)

type runCommand struct {
	Submit runSubmitCommand `cmd:"" help:"Start a run."`
	Get    runGetCommand    `cmd:"" help:"Where a run stands."`
	List   runListCommand   `cmd:"" help:"Runs, newest first."`
	Watch  runWatchCommand  `cmd:"" help:"What happens in a run, as it happens."`
	Output runOutputCommand `cmd:"" help:"What a run, or one of its steps, returned."`
	Cancel runCancelCommand `cmd:"" help:"Ask a run to end."`
	Retry  runRetryCommand  `cmd:"" help:"A new run from the failed step on."`
}

type runSubmitCommand struct {
	Workflow string `arg:"" help:"Name of a workflow, or FILE with a definition, which is registered first."`
	Input    string `placeholder:"JSON|@FILE" help:"The input; @- is standard input."`
	Key      string `help:"Idempotency key: the same again gives the same run. Made and printed if none is given."`
	Wait     bool   `help:"Wait until the run has ended, and exit 6 if it failed."`
	Digest   string `help:"An older version of the workflow."`
}

// Help shows an example.
func (runSubmitCommand) Help() string {
	return "Example:\n\n    custody --as alice run submit contract-review --input @contract.json --key contract-4711\n\nSubmitting again with the same key and input gives the same run."
}

// submitted is what --json says: the run and the key under which it was made.
type submitted struct {
	client.Run
	Key      string `json:"idempotency_key"`
	Replayed bool   `json:"replayed"`
}

// Run submits.
func (c runSubmitCommand) Run(ctx context.Context, s *session) error {
	input, err := s.input(c.Input)
	if err != nil {
		return err
	}
	name := c.Workflow
	if isFile(name) {
		if name, err = s.applyFirst(ctx, c.Workflow); err != nil {
			return err
		}
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Key == "" {
		c.Key = "cli-" + strings.ToLower(rand.Text())
	}
	r, err := cl.Submit(ctx, client.Submission{Workflow: name, Digest: c.Digest, Input: input, Key: c.Key})
	if err != nil {
		var p *client.Problem
		if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError {
			s.say("What became of it is not known. The same command with --key %s tells: it starts no second run.", c.Key)
		}
		return err
	}
	if !s.JSON {
		s.print("run      %s  %s%s", r.ID, r.State, map[bool]string{true: "  (made by an earlier call with this key)"}[r.Replayed])
		s.print("receipt  %s", receipt(r.Receipt))
		s.print("key      %s", printable(c.Key))
	}
	if c.Wait && !r.Closed() {
		replayed := r.Replayed
		if r, err = s.wait(ctx, cl, r.ID); err != nil {
			return err
		}
		r.Replayed = replayed
	}
	return c.finish(s, r)
}

func (c runSubmitCommand) finish(s *session, r client.Run) error {
	if s.JSON {
		if err := s.terminal.json(submitted{Run: r, Key: c.Key, Replayed: r.Replayed}); err != nil {
			return err
		}
	}
	if c.Wait {
		return s.verdict(r)
	}
	if !s.JSON {
		s.say("Follow it with: %s", s.helper(s.As, "run watch "+r.ID))
	}
	return nil
}

// wait follows a run to its end. The events are the one thing that wakes it.
func (s *session) wait(ctx context.Context, cl *client.Client, id string) (client.Run, error) {
	if s.JSON {
		for _, err := range cl.Events(ctx, id, -1) {
			if err != nil {
				return client.Run{}, err
			}
		}
		return cl.Run(ctx, id)
	}
	w := &watcher{s: s, c: cl, run: id, to: s.say}
	if err := w.follow(ctx, -1); err != nil {
		return client.Run{}, err
	}
	return cl.Run(ctx, id)
}

// verdict ends with 6 for a run that did not succeed.
func (s *session) verdict(r client.Run) error {
	if r.State == "succeeded" {
		if !s.JSON {
			s.print("The run succeeded. Its output: %s", s.helper(s.As, "run output "+r.ID))
		}
		return nil
	}
	if !s.JSON {
		s.print("The run %s%s.", map[string]string{"failed": "failed", "cancelled": "was cancelled"}[r.State], strings.TrimRight(why(r), "."))
	}
	return silently(exitRunFailed)
}

func why(r client.Run) string {
	if r.Reason == nil {
		return ""
	}
	text := ": " + r.Reason.Code
	if r.Reason.Step != "" {
		text += " in step " + r.Reason.Step
	}
	if r.Reason.Detail != "" {
		text += ": " + oneLine(r.Reason.Detail)
	}
	return text
}

// isFile tells a file from a workflow's name, which has no dot and no slash.
func isFile(text string) bool {
	if strings.ContainsAny(text, "./\\") {
		return true
	}
	info, err := os.Stat(text)
	return err == nil && info.Mode().IsRegular()
}

func (s *session) applyFirst(ctx context.Context, file string) (string, error) {
	source, err := s.read(file)
	if err != nil {
		return "", err
	}
	w, err := s.apply(ctx, file, source)
	var p *client.Problem
	if errors.As(err, &p) && p.Kind() == "denied" && !s.JSON {
		s.say("A file is registered before it runs, and that needs the role author. Let an author do it, then submit by name:")
		s.say("    %s", s.helper("erin", "workflow apply "+file))
		s.say("    %s", s.helper(s.As, "run submit NAME"))
	}
	return w.Name, err
}

// input reads --input: JSON, or a file with JSON.
func (s *session) input(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	raw := []byte(text)
	if file, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if raw, err = s.read(file); err != nil {
			return nil, err
		}
	}
	if !json.Valid(raw) {
		return nil, usage("--input is not JSON; write it like this: --input '{\"text\": \"…\"}', or --input @FILE")
	}
	return raw, nil
}

type runGetCommand struct {
	ID string `arg:"" help:"The run, run_…."`
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
	s.print("run       %s  %s%s", r.ID, r.State, why(r))
	s.print("workflow  %s  %s", r.Workflow.Name, r.Workflow.Digest)
	s.print("caller    %s  %s", r.Caller.ID, r.Caller.Kind)
	s.print("created   %s", r.CreatedAt.Format(clock))
	if r.ClosedAt != nil {
		s.print("closed    %s", r.ClosedAt.Format(clock))
	}
	if r.RetryOf != nil {
		s.print("retry of  %s", *r.RetryOf)
	}
	for _, step := range r.Steps {
		s.print("step      %s  %s%s", pad(step.ID, 20), step.State, map[bool]string{true: ", attempt " + number(int64(step.Attempt))}[step.Attempt > 1])
	}
	for _, w := range r.WaitingFor {
		s.print("waits     for %s", waitsFor(w))
	}
	if r.Cost.TokensIn+r.Cost.TokensOut > 0 {
		s.print("cost      %d tokens in, %d out, %d µUSD", r.Cost.TokensIn, r.Cost.TokensOut, r.Cost.MicroUSD)
	}
	s.print("receipt   %s", receipt(r.Receipt))
}

func waitsFor(w client.Wait) string {
	text := w.Kind
	if w.ID != "" {
		text += " " + w.ID
	}
	if w.Until != nil {
		text += ", until " + w.Until.Format(clock)
	}
	return text
}

type runListCommand struct {
	State    string `help:"queued, running, waiting, succeeded, failed or cancelled."`
	Workflow string `help:"Of this workflow."`
	Caller   string `help:"Of this person, subj_… or me."`
	Waiting  string `name:"waiting-for" help:"approval or timer."`
	Limit    int    `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (runListCommand) Help() string {
	return "Example:\n\n    custody --as oscar run list --state failed"
}

// Run lists the runs.
func (c runListCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	runs := cl.Runs(ctx, client.RunFilter{State: c.State, Workflow: c.Workflow, Caller: c.Caller, WaitingFor: c.Waiting, Limit: min(c.Limit, 200)})
	return list(s, runs, c.Limit, func(r client.Run) string {
		return r.ID + "  " + pad(r.State, 9) + "  " + r.CreatedAt.Format(clock) + "  " + r.Workflow.Name + why(r)
	})
}

type runOutputCommand struct {
	ID   string `arg:"" help:"The run, run_…."`
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
	value, err := cl.Output(ctx, c.ID)
	if c.Step != "" {
		value, err = cl.StepOutput(ctx, c.ID, c.Step)
	}
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return failed(exitFailure, "the output is not JSON")
	}
	return s.terminal.json(value)
}

type runCancelCommand struct {
	ID     string `arg:"" help:"The run, run_…."`
	Reason string `required:"" help:"Why; it is kept."`
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
	r, err := cl.Cancel(ctx, client.Cancellation{Run: c.ID, Reason: c.Reason})
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	s.print("run      %s  %s", r.ID, r.State)
	if !r.Closed() {
		s.say("Its calls under way end first. Follow it with: %s", s.helper(s.As, "run watch "+r.ID))
	}
	return nil
}

type runRetryCommand struct {
	ID  string `arg:"" help:"The failed run, run_…."`
	Key string `help:"Idempotency key."`
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
	r, err := cl.Retry(ctx, client.Retry{Run: c.ID, Key: c.Key})
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	s.print("run      %s  %s  (retry of %s)", r.ID, r.State, c.ID)
	s.print("receipt  %s", receipt(r.Receipt))
	s.say("Follow it with: %s", s.helper(s.As, "run watch "+r.ID))
	return nil
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
		s.say("step %s: the outcome of this call is not known: key %s, call %s, %s", b.Step, b.Key, b.Call, time.UnixMicro(b.AtUS).UTC().Format(clock))
	}
	return nil
}
