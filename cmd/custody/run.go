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
	Get    runGetCommand    `cmd:"" help:"Show where a run stands."`
	List   runListCommand   `cmd:"" help:"List runs, newest first."`
	Watch  runWatchCommand  `cmd:"" help:"Follow what happens in a run, as it happens."`
	Input  runInputCommand  `cmd:"" help:"Print what a run was given."`
	Output runOutputCommand `cmd:"" help:"Print what a run, or one of its steps, returned."`
	Cancel runCancelCommand `cmd:"" help:"Ask a run to end."`
	Retry  runRetryCommand  `cmd:"" help:"Start a new run from the failed step on."`
}

type runSubmitCommand struct {
	Workflow string `arg:"" complete:"workflow" help:"Name of a workflow, or FILE with a definition, which is registered first."`
	Input    string `placeholder:"JSON|@FILE" help:"The input; @- is standard input."`
	Key      string `help:"Idempotency key, 1 to 255 characters: the same again gives the same run. Made and printed if none is given."`
	Wait     bool   `help:"Wait until the run has ended, and exit 6 if it failed. Also waits when there are too many requests."`
	Digest   string `placeholder:"SHA256" help:"An older version of the workflow, sha256:…, or how its digest begins."`
	DryRun   bool   `name:"dry-run" help:"Check everything, start nothing."`
}

// Help shows an example.
func (runSubmitCommand) Help() string {
	return "Example:\n\n    custody --as alice run submit contract-review --input @contract.json --key contract-4711 --wait\n\nSubmitting again with the same key and input gives the same run."
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
	if c.Workflow, err = c.registered(ctx, s); err != nil {
		return err
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Digest, err = versionOf(ctx, cl, c.Workflow, c.Digest); err != nil {
		return err
	}
	made := c.Key == "" && !c.DryRun
	if made {
		c.Key = s.newKey()
	}
	r, err := c.submit(ctx, s, cl, input)
	if err != nil {
		return err
	}
	if c.DryRun {
		return s.rehearsed(r, "The run would be accepted; nothing was started.")
	}
	if !s.JSON {
		s.print("run      %s  %s%s", r.ID, r.State, map[bool]string{true: "  (made by an earlier call with this key)"}[r.Replayed])
		s.print("receipt  %s", receipt(r.Receipt))
		if !made || s.width(s.out) == 0 {
			s.print("key      %s", printable(c.Key))
		}
	}
	if c.Wait && !r.Closed() {
		replayed := r.Replayed
		if r, err = s.wait(ctx, r.ID); err != nil {
			return err
		}
		r.Replayed = replayed
	}
	return c.finish(s, r)
}

// registered is the name of the workflow to run, after a file was registered.
func (c runSubmitCommand) registered(ctx context.Context, s *session) (string, error) {
	if !isFile(c.Workflow) {
		return c.Workflow, nil
	}
	if c.DryRun {
		return "", usage("a FILE is registered before it runs, which a rehearsal must not do: custody workflow apply %s --dry-run", c.Workflow)
	}
	return s.applyFirst(ctx, c.Workflow)
}

// newKey makes a key and tells it before anything is sent: whatever happens
// then, the same command with this key starts no second run.
func (s *session) newKey() string {
	key := "cli-" + strings.ToLower(rand.Text())
	if !s.JSON {
		s.say("key      %s  (made for this call)", key)
	}
	return key
}

func (c runSubmitCommand) submit(ctx context.Context, s *session, cl *client.Client, input json.RawMessage) (client.Run, error) {
	ask := func() (client.Run, error) {
		return cl.Submit(ctx, client.Submission{Workflow: c.Workflow, Digest: c.Digest, Input: input, Key: c.Key, DryRun: c.DryRun})
	}
	r, err := ask()
	var p *client.Problem
	if refused := errors.As(err, &p); c.Wait && refused && p.Temporary() {
		s.say("%s Waiting.", strings.SplitN(s.refusal(p), "\n", 2)[0]+".")
		r, err = patiently(ctx, false, ask)
	}
	if err == nil {
		return r, nil
	}
	p = nil
	if !errors.As(err, &p) || p.Status >= http.StatusInternalServerError {
		return r, s.unknownFate(ctx, err, p, c.Key)
	}
	s.locate(c.Input, input, p)
	return r, err
}

// unknownFate says how to learn whether the server took the call.
func (s *session) unknownFate(ctx context.Context, err error, p *client.Problem, key string) error {
	if s.JSON && p != nil {
		p.Detail = strings.TrimSpace(p.Detail + "; the idempotency key was " + key)
		return err
	}
	return failed(codeOf(ctx, err), "%w\nWhat became of it is not known; the same command with --key %s tells, and starts no second run", err, key)
}

// locate finds the lines of an input file that a refusal is about.
func (s *session) locate(flag string, input []byte, p *client.Problem) {
	file, ok := strings.CutPrefix(flag, "@")
	if !ok || file == "-" {
		return
	}
	s.file = file
	for i, f := range p.Errors {
		if pointer, ok := strings.CutPrefix(f.Pointer, "/input"); ok {
			p.Errors[i].Line, p.Errors[i].Column = placeOf(input, pointer)
		}
	}
}

// rehearsed tells how a rehearsal went.
func (s *session) rehearsed(v any, text string) error {
	if s.JSON {
		return s.terminal.json(v)
	}
	s.print("%s", text)
	return nil
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

// verdict ends with 6 for a run that did not succeed.
func (s *session) verdict(r client.Run) error {
	if r.State == "succeeded" {
		if !s.JSON {
			s.print("%s Its output: %s", s.paint(s.out, "32", "The run succeeded."), s.helper(s.As, "run output "+r.ID))
		}
		return nil
	}
	if !s.JSON {
		ended := "The run " + map[string]string{"failed": "failed", "cancelled": "was cancelled"}[r.State]
		s.print("%s%s.", s.paint(s.out, "31", ended), strings.TrimRight(why(r), "."))
		if r.State == "failed" {
			s.say("A new run from the failed step on: %s", s.helper(s.As, "run retry "+r.ID))
		}
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
	w, err := s.apply(ctx, file, client.Publication{Source: source})
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
