package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/workflow"
)

type workflowCommand struct {
	New      workflowNewCommand      `cmd:"" help:"A commented first definition."`
	Validate workflowValidateCommand `cmd:"" help:"Check definitions; needs no server and no token."`
	Schema   workflowSchemaCommand   `cmd:"" help:"The JSON Schema of a definition, for editors."`
	Apply    workflowApplyCommand    `cmd:"" help:"Register a definition and make it current."`
	List     workflowListCommand     `cmd:"" help:"Current workflows."`
	Get      workflowGetCommand      `cmd:"" help:"One workflow."`
}

// maxDefinition bounds a definition's text, as the server does.
const maxDefinition = 1 << 20

type workflowNewCommand struct {
	Name string `arg:"" help:"Name of the workflow."`
}

// Help shows an example.
func (workflowNewCommand) Help() string {
	return "Example:\n\n    custody workflow new triage > triage.yaml"
}

// Run prints the definition.
func (c workflowNewCommand) Run(s *session) error {
	_, err := s.out.Write(workflow.Scaffold(c.Name))
	return err
}

type workflowSchemaCommand struct{}

// Help shows an example.
func (workflowSchemaCommand) Help() string {
	return "Example:\n\n    custody workflow schema > .vscode/custody.schema.json"
}

// Run prints the schema.
func (workflowSchemaCommand) Run(s *session) error {
	_, err := s.out.Write(workflow.Schema())
	return err
}

type workflowValidateCommand struct {
	Files []string `arg:"" name:"file" help:"Definitions; - is standard input."`
}

// Help shows an example.
func (workflowValidateCommand) Help() string {
	return "Example:\n\n    custody workflow validate workflows/*.yaml\n\nModel aliases and connections are the server's: `workflow apply` checks them."
}

// checked is what --json says of one file.
type checked struct {
	File     string            `json:"file"`
	Valid    bool              `json:"valid"`
	Name     string            `json:"name,omitempty"`
	Digest   string            `json:"digest,omitempty"`
	Errors   workflow.Problems `json:"errors"`
	Warnings workflow.Problems `json:"warnings"`
}

// Run checks each file, and all of them.
func (c workflowValidateCommand) Run(s *session) error {
	offline := kinds.Offline()
	results, good := []checked{}, true
	for _, file := range c.Files {
		source, err := s.read(file)
		if err != nil {
			return err
		}
		r := check(file, source, offline)
		good = good && r.Valid
		results = append(results, r)
		if !s.JSON {
			s.checked(r)
		}
	}
	if s.JSON {
		if err := s.terminal.json(map[string]any{"data": results}); err != nil {
			return err
		}
	}
	if !good {
		return silently(exitInvalid)
	}
	return nil
}

func check(file string, source []byte, with workflow.Kinds) checked {
	r := checked{File: file, Errors: workflow.Problems{}, Warnings: workflow.Problems{}}
	def, err := workflow.Parse(source, with)
	var problems workflow.Problems
	switch {
	case errors.As(err, &problems):
		r.Errors = problems
	case err != nil:
		r.Errors = workflow.Problems{{Code: "unreadable", Message: err.Error()}}
	default:
		r.Valid, r.Name, r.Digest = true, def.Name, def.Digest()
		r.Warnings = append(r.Warnings, def.Warnings()...)
	}
	return r
}

func (s *session) checked(r checked) {
	for _, p := range r.Errors {
		s.say("%s:%s%s", r.File, printable(p.String()), excerpt(p.Excerpt))
	}
	for _, p := range r.Warnings {
		s.say("%s:%s (warning)%s", r.File, printable(p.String()), excerpt(p.Excerpt))
	}
	if r.Valid {
		s.print("%s: valid: %s %s", r.File, r.Name, r.Digest)
	}
}

func excerpt(text string) string {
	if text == "" {
		return ""
	}
	return "\n" + strings.TrimRight(printable(text), "\n")
}

// read reads a file, or standard input for "-".
func (s *session) read(file string) ([]byte, error) {
	in := s.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &exit{code: exitUsage, err: err}
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxDefinition+1))
	if err != nil {
		return nil, &exit{code: exitUsage, err: err}
	}
	if len(raw) > maxDefinition {
		return nil, failed(exitInvalid, "%s is larger than 1 MiB, which the server does not take", file)
	}
	return raw, nil
}

type workflowApplyCommand struct {
	File string `arg:"" help:"Definition; - is standard input."`
}

// Help shows an example.
func (workflowApplyCommand) Help() string {
	return "Example:\n\n    custody --as erin workflow apply triage.yaml\n\nIt needs the role author. The same text again changes nothing."
}

// Run registers the definition.
func (c workflowApplyCommand) Run(ctx context.Context, s *session) error {
	source, err := s.read(c.File)
	if err != nil {
		return err
	}
	w, err := s.apply(ctx, c.File, source)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.terminal.json(w)
	}
	what := "already registered, now current"
	if w.Created {
		what = "registered, now current"
	}
	s.print("%s  %s  %s", w.Name, w.Digest, what)
	if w.Receipt != nil {
		s.print("receipt  %s", receipt(*w.Receipt))
	}
	return nil
}

// apply registers a definition. What is wrong with it is said with file, line
// and column.
func (s *session) apply(ctx context.Context, file string, source []byte) (client.Workflow, error) {
	c, err := s.client()
	if err != nil {
		return client.Workflow{}, err
	}
	defer c.Close()
	w, err := c.Publish(ctx, client.Publication{Source: source})
	var p *client.Problem
	if errors.As(err, &p) && p.Kind() == "invalid-workflow" && !s.JSON {
		for _, f := range p.Errors {
			s.say("%s:%d:%d: %s%s", file, f.Line, f.Column, printable(sentence(f.Detail, f.Remedy)), excerpt(f.Excerpt))
		}
		return w, silently(exitInvalid)
	}
	if err != nil {
		return w, err
	}
	for _, f := range w.Warnings {
		s.say("%s:%d:%d: %s (warning)", file, f.Line, f.Column, printable(sentence(f.Detail, f.Remedy)))
	}
	return w, nil
}

func sentence(detail, remedy string) string {
	if remedy == "" || strings.Contains(detail, remedy) {
		return detail
	}
	return detail + "; " + remedy
}

func receipt(r client.Receipt) string {
	return r.Stream + " " + number(r.Seq) + " " + r.Hash
}

type workflowListCommand struct {
	Prefix string `help:"Only names that begin so."`
}

// Help shows an example.
func (workflowListCommand) Help() string { return "Example:\n\n    custody workflow list --json" }

// Run lists the workflows.
func (c workflowListCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return list(s, cl.Workflows(ctx, c.Prefix), 0, func(w client.Workflow) string {
		return pad(w.Name, 28) + "  " + w.Digest[:min(len(w.Digest), 19)] + "  " + oneLine(w.Description)
	})
}

type workflowGetCommand struct {
	Name   string `arg:"" help:"Name of the workflow."`
	Digest string `help:"An older version; else the current one."`
	Source bool   `help:"The text as it was registered."`
}

// Help shows an example.
func (workflowGetCommand) Help() string {
	return "Example:\n\n    custody workflow get contract-review --source > contract-review.yaml"
}

// Run shows the workflow.
func (c workflowGetCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Source {
		text, err := cl.WorkflowSource(ctx, c.Name, c.Digest)
		if err != nil {
			return err
		}
		_, err = s.out.Write(text)
		return err
	}
	w, err := cl.Workflow(ctx, c.Name, c.Digest)
	if err != nil || s.JSON {
		return s.result(w, err)
	}
	s.print("name         %s", w.Name)
	s.print("digest       %s%s", w.Digest, map[bool]string{true: "  (current)"}[w.Current])
	s.print("description  %s", oneLine(w.Description))
	s.print("author       %s", w.Author)
	s.print("created      %s", w.CreatedAt.Format(clock))
	if w.Requires != nil {
		s.print("requires     %s", cmp.Or(strings.Join(w.Requires.Roles, ", "), "-")+map[bool]string{true: ", second factor"}[w.Requires.MFA])
	}
	for _, step := range w.Steps {
		s.print("step         %s  %s", pad(step.ID, 20), step.Uses)
	}
	return nil
}
