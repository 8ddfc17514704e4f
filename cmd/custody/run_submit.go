package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/custodyhq/custody/api/client"
)

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
