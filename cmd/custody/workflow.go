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
	New      workflowNewCommand      `cmd:"" help:"Write a commented first definition."`
	Validate workflowValidateCommand `cmd:"" help:"Check definitions; needs no server and no token."`
	Schema   workflowSchemaCommand   `cmd:"" help:"Print the JSON Schema of a definition, for editors."`
	Apply    workflowApplyCommand    `cmd:"" help:"Register a definition and make it current."`
	List     workflowListCommand     `cmd:"" help:"List current workflows, by name."`
	Get      workflowGetCommand      `cmd:"" help:"Show one workflow."`
	Versions workflowVersionsCommand `cmd:"" help:"List the versions of a workflow, newest first."`
	Use      workflowUseCommand      `cmd:"" help:"Make a registered version the current one."`
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
	Files []string `arg:"" name:"file" complete:"file" help:"Definitions; - is standard input."`
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
		return nil, refused(exitInvalid, "too-large", "%s is larger than 1 MiB, which the server does not take", file)
	}
	return raw, nil
}

type workflowApplyCommand struct {
	File      string `arg:"" complete:"file" help:"Definition; - is standard input."`
	NoCurrent bool   `name:"no-current" help:"Only register it; the current version stays."`
	DryRun    bool   `name:"dry-run" help:"Check it against the server's models and connections; register nothing."`
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
	if c.DryRun {
		return c.rehearse(ctx, s, source)
	}
	w, err := s.apply(ctx, c.File, client.Publication{Source: source, NotCurrent: c.NoCurrent})
	if err != nil || s.JSON {
		return s.result(w, err)
	}
	what := "already registered"
	if w.Created {
		what = "registered"
	}
	if w.Current {
		what += ", now current"
	}
	s.print("%s  %s  %s", w.Name, w.Digest, what)
	if w.Receipt != nil {
		s.print("receipt  %s", receipt(*w.Receipt))
	}
	return nil
}

func (c workflowApplyCommand) rehearse(ctx context.Context, s *session, source []byte) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	v, err := cl.Validate(ctx, source)
	if err != nil {
		return s.inFile(c.File, err)
	}
	s.warn(c.File, v.Warnings)
	if s.JSON {
		return s.terminal.json(v)
	}
	s.print("%s: valid: %s; nothing was registered", c.File, v.Digest)
	return nil
}

// inFile says what is wrong with a definition with file, line and column.
func (s *session) inFile(file string, err error) error {
	var p *client.Problem
	if !errors.As(err, &p) || p.Kind() != "invalid-workflow" || s.JSON {
		return err
	}
	for _, f := range p.Errors {
		s.say("%s:%d:%d: %s%s", file, f.Line, f.Column, printable(sentence(f.Detail, f.Remedy)), excerpt(f.Excerpt))
	}
	return silently(exitInvalid)
}

func (s *session) warn(file string, warnings []client.Fault) {
	for _, f := range warnings {
		if !s.JSON {
			s.say("%s:%d:%d: %s (warning)", file, f.Line, f.Column, printable(sentence(f.Detail, f.Remedy)))
		}
	}
}

// apply registers a definition.
func (s *session) apply(ctx context.Context, file string, p client.Publication) (client.Workflow, error) {
	c, err := s.client()
	if err != nil {
		return client.Workflow{}, err
	}
	defer c.Close()
	w, err := c.Publish(ctx, p)
	if err != nil {
		return w, s.inFile(file, err)
	}
	s.warn(file, w.Warnings)
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
	Prefix string `placeholder:"TEXT" help:"Only names that begin so."`
	Limit  int    `default:"0" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (workflowListCommand) Help() string {
	return "Example:\n\n    custody --as alice workflow list --prefix contract"
}

// Run lists the workflows.
func (c workflowListCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return list(s, cl.Workflows(ctx, c.Prefix), c.Limit, []column{{name: "name", firm: true}, {name: "version"}, {name: "registered"}, {name: "description", loose: true}},
		func(w client.Workflow) []cell {
			return cells(w.Name, s.digest(w.Digest), s.when(w.CreatedAt.Time), w.Description)
		})
}

// digest is a digest for a table: on a terminal so much of it as --digest needs.
func (s *session) digest(digest string) string {
	if s.width(s.out) == 0 {
		return digest
	}
	return digest[:min(len(digest), len("sha256:")+12)]
}

type workflowVersionsCommand struct {
	Name  string `arg:"" complete:"workflow" help:"Name of the workflow."`
	Limit int    `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (workflowVersionsCommand) Help() string {
	return "Example:\n\n    custody --as erin workflow versions contract-review"
}

// Run lists the versions.
func (c workflowVersionsCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return list(s, cl.WorkflowVersions(ctx, c.Name), c.Limit, []column{{name: "version", firm: true}, {name: "current"}, {name: "registered"}, {name: "author", isID: true}},
		func(w client.Workflow) []cell {
			return cells(s.digest(w.Digest), map[bool]string{true: "current"}[w.Current], s.when(w.CreatedAt.Time), w.Author)
		})
}

type workflowUseCommand struct {
	Name    string `arg:"" complete:"workflow" help:"Name of the workflow."`
	Digest  string `arg:"" complete:"version" help:"The version, sha256:…, or how its digest begins."`
	IfMatch string `name:"if-match" placeholder:"SHA256" help:"Only if this is the current version now."`
	DryRun  bool   `name:"dry-run" help:"Check everything, change nothing."`
}

// Help shows an example.
func (workflowUseCommand) Help() string {
	return "Example:\n\n    custody --as erin workflow use contract-review sha256:3f5c0a\n\nIt needs the role author. Runs under way keep the version that they began with."
}

// Run chooses the version.
func (c workflowUseCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	digest, err := versionOf(ctx, cl, c.Name, c.Digest)
	if err != nil {
		return err
	}
	if c.IfMatch, err = versionOf(ctx, cl, c.Name, c.IfMatch); err != nil {
		return err
	}
	if c.DryRun {
		w, err := cl.MayChoose(ctx, c.Name, digest, c.IfMatch)
		if err != nil {
			return err
		}
		return s.rehearsed(w, "The version would be made current; nothing was changed.")
	}
	w, err := cl.Choose(ctx, c.Name, digest, c.IfMatch)
	if err != nil || s.JSON {
		return s.result(w, err)
	}
	s.print("%s  %s  now current", w.Name, w.Digest)
	if w.Receipt != nil {
		s.print("receipt  %s", receipt(*w.Receipt))
	}
	return nil
}

const (
	wholeDigest = len("sha256:") + 64
	leastDigest = 6 // hex digits that may stand for a whole digest
)

// versionOf completes a digest of which only the beginning was given.
func versionOf(ctx context.Context, cl *client.Client, name, digest string) (string, error) {
	if digest == "" || len(digest) == wholeDigest {
		return digest, nil
	}
	begin := "sha256:" + strings.TrimPrefix(digest, "sha256:")
	if len(begin) < len("sha256:")+leastDigest {
		return "", usage("a version is sha256: and 64 hex digits, or at least the first %d of them", leastDigest)
	}
	found := ""
	for w, err := range cl.WorkflowVersions(ctx, name) {
		switch {
		case err != nil:
			return "", err
		case !strings.HasPrefix(w.Digest, begin):
		case found != "":
			return "", usage("several versions of %s begin so: give more digits", name)
		default:
			found = w.Digest
		}
	}
	if found == "" {
		return "", failed(exitNotFound, "no version of %s begins so: custody workflow versions %s", name, name)
	}
	return found, nil
}

type workflowGetCommand struct {
	Name   string `arg:"" complete:"workflow" help:"Name of the workflow."`
	Digest string `placeholder:"SHA256" help:"An older version, sha256:…, or how its digest begins; else the current one."`
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
	if c.Digest, err = versionOf(ctx, cl, c.Name, c.Digest); err != nil {
		return err
	}
	if c.Source {
		return s.text(cl.WorkflowSource(ctx, c.Name, c.Digest))
	}
	w, err := cl.Workflow(ctx, c.Name, c.Digest)
	if err != nil || s.JSON {
		return s.result(w, err)
	}
	s.print("name         %s", w.Name)
	s.print("digest       %s%s", w.Digest, map[bool]string{true: "  (current)"}[w.Current])
	s.print("description  %s", oneLine(w.Description))
	s.print("author       %s", w.Author)
	s.print("registered   %s", s.since(w.CreatedAt.Time))
	if w.Requires != nil {
		s.print("requires     %s", cmp.Or(strings.Join(w.Requires.Roles, ", "), "-")+map[bool]string{true: ", second factor"}[w.Requires.MFA])
	}
	for _, step := range w.Steps {
		s.print("step         %s  %s", pad(step.ID, 20), step.Uses)
	}
	return nil
}

// text writes text of others: as it is for programs, harmless on a terminal.
func (s *session) text(text []byte, err error) error {
	if err != nil {
		return err
	}
	if s.width(s.out) > 0 {
		text = []byte(printable(string(text)))
	}
	_, err = s.out.Write(text)
	return err
}
