package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

type auditCommand struct {
	List   auditListCommand   `cmd:"" help:"List entries of the ledger, oldest first."`
	Entry  auditEntryCommand  `cmd:"" help:"Show one entry, and recompute its hash."`
	Export auditExportCommand `cmd:"" help:"Write an evidence bundle."`
	Verify auditVerifyCommand `cmd:"" help:"Say whether evidence holds."`
}

type auditListCommand struct {
	OfRun    string `name:"run" complete:"run" placeholder:"RUN" help:"Of this run."`
	Stream   string `placeholder:"NAME" help:"Of this stream: a run, or ctl-…."`
	Step     string `placeholder:"NAME" help:"About this step."`
	Action   string `placeholder:"KIND" help:"Of this kind, such as approval.voted."`
	Outcome  string `placeholder:"WORD" help:"With this outcome, such as denied."`
	Actor    string `placeholder:"WHO" help:"Of this person, subj_… or me."`
	Workflow string `complete:"workflow" placeholder:"NAME" help:"About this workflow."`
	Key      string `help:"About this piece of work, run_…/step."`
	Call     string `help:"About this request, call_…."`
	From     string `placeholder:"TIME" help:"Not before: RFC 3339, a day, or how long ago, such as 2h."`
	To       string `placeholder:"TIME" help:"Before: RFC 3339, a day, or how long ago."`
	Limit    int    `default:"200" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (auditListCommand) Help() string {
	return "Example:\n\n    custody --as audrey audit list --outcome denied --from 24h"
}

// Run lists entries.
func (c auditListCommand) Run(ctx context.Context, s *session) error {
	from, to, err := span("--from", c.From, "--to", c.To)
	if err != nil {
		return err
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	entries := cl.Entries(ctx, client.EntryFilter{
		Run: c.OfRun, Stream: c.Stream, Step: c.Step, Action: c.Action, Outcome: c.Outcome, Actor: c.Actor,
		Workflow: c.Workflow, Key: c.Key, Call: c.Call, From: from, To: to, Limit: pageOf(c.Limit),
	})
	columns := []column{
		{name: "time", firm: true},
		{name: "action", firm: true},
		{name: "outcome"},
		{name: "step"},
		{name: "actor", isID: true},
		{name: "stream", isID: true},
		{name: "seq", firm: true},
		{name: "hash", loose: true, spare: true},
	}
	return list(s, entries, c.Limit, columns, s.entryRow)
}

// entryRow is an entry in one row. One that cannot be read is shown as such,
// not left out.
func (s *session) entryRow(e client.Entry) []cell {
	b, err := audit.ParseBody(e.Body)
	if err != nil {
		return cells("-", "unreadable", "", "", "", e.Stream, number(e.Seq), e.Hash)
	}
	row := cells(s.when(time.UnixMicro(b.AtUS)), string(b.Action), "", b.Step, b.Actor, e.Stream, number(e.Seq), e.Hash)
	row[2] = stateCell(b.Outcome)
	return row
}

type auditEntryCommand struct {
	Hash string `arg:"" help:"Hash of the entry, 64 hex digits."`
}

// Help shows an example.
func (auditEntryCommand) Help() string {
	return "Example:\n\n    custody --as audrey audit entry 3f5c…"
}

// Run shows the entry, and whether its hash is that of its content.
func (c auditEntryCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	e, err := cl.Entry(ctx, c.Hash)
	if err != nil {
		return err
	}
	if err := recompute(e); err != nil {
		return err
	}
	if s.JSON {
		return s.terminal.json(e)
	}
	s.print("log     %s", e.Log)
	s.print("stream  %s", e.Stream)
	s.print("seq     %d", e.Seq)
	s.print("prev    %s", e.Prev)
	s.print("hash    %s  (recomputed)", e.Hash)
	var body any
	if err := json.Unmarshal([]byte(e.Body), &body); err != nil {
		return failed(exitBroken, "the body is not JSON")
	}
	raw, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return err
	}
	s.print("%s", printable(string(raw)))
	return nil
}

// recompute checks an entry's hash here: the server's word is not proof.
func recompute(e client.Entry) error {
	prev, err := audit.ParseHash(e.Prev)
	hash, err2 := audit.ParseHash(e.Hash)
	if err := errors.Join(err, err2); err != nil {
		return &exit{code: exitBroken, err: err}
	}
	entry := audit.Entry{Log: e.Log, Index: e.Index, Stream: e.Stream, Seq: e.Seq, Prev: prev, Hash: hash, Body: e.Body}
	if err := entry.Check(); err != nil {
		return &exit{code: exitBroken, err: err}
	}
	return nil
}

type auditExportCommand struct {
	OfRun    string `name:"run" complete:"run" placeholder:"RUN" help:"Of this run."`
	Subject  string `help:"Of every run that this person submitted, subj_…."`
	From     string `placeholder:"TIME" help:"Not before; with --to. RFC 3339, a day, or how long ago, such as 24h."`
	To       string `placeholder:"TIME" help:"Before; with --from."`
	All      bool   `help:"The whole ledger."`
	Out      string `required:"" complete:"file" placeholder:"FILE" help:"Where to write the bundle."`
	Payloads bool   `help:"With the content: inputs, outputs and what was shown."`
}

// Help shows an example.
func (auditExportCommand) Help() string {
	return "Example:\n\n    custody --as audrey audit export --run run_… --out evidence.zip --payloads\n    custody audit verify evidence.zip"
}

// Run writes the bundle: whole, or not at all.
func (c auditExportCommand) Run(ctx context.Context, s *session) error {
	scope, err := c.scope()
	if err != nil {
		return err
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	bundle, err := cl.Bundle(ctx, scope)
	if err != nil {
		return err
	}
	defer bundle.Close()
	line := s.progress("writing " + c.Out)
	size, err := writeWhole(c.Out, &counted{r: bundle, line: line, name: c.Out})
	line.end()
	if err != nil {
		return err
	}
	if s.JSON {
		return s.terminal.json(map[string]any{"file": c.Out, "bytes": size})
	}
	s.print("%s  %d bytes", c.Out, size)
	s.say("Verify it anywhere, without a server: custody audit verify %s", c.Out)
	return nil
}

func (c auditExportCommand) scope() (client.BundleScope, error) {
	from, to, err := span("--from", c.From, "--to", c.To)
	if err != nil {
		return client.BundleScope{}, err
	}
	ways := 0
	for _, given := range []bool{c.OfRun != "", c.Subject != "", c.From != "" || c.To != "", c.All} {
		if given {
			ways++
		}
	}
	if ways != 1 || (c.From == "") != (c.To == "") {
		return client.BundleScope{}, usage("say what to export: --run RUN, --subject SUBJECT, --from TIME --to TIME, or --all")
	}
	return client.BundleScope{Run: c.OfRun, Subject: c.Subject, From: from, To: to, All: c.All, Payloads: c.Payloads}, nil
}

// counted shows how much was read.
type counted struct {
	r    io.Reader
	line *progress
	name string
	n    int64
}

// Read reads on.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.line.set(fmt.Sprintf("writing %s, %.1f MiB", c.name, float64(c.n)/(1<<20)))
	return n, err
}

// writeWhole writes to a file beside the wanted one and renames it when it is
// whole. It is for the owner's eyes: a bundle may hold content.
func writeWhole(path string, r io.Reader) (int64, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".custody-bundle-*") // mode 0600
	if err != nil {
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			err = at.Err // its path is that of a file nobody has heard of
		}
		return 0, usage("%s cannot be written: %w", path, err)
	}
	defer os.Remove(f.Name()) // nothing is left of it once it was renamed
	size, err := io.Copy(f, r)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, failed(exitFailure, "the bundle broke off: %w", err)
	}
	return size, os.Rename(f.Name(), path)
}

type auditVerifyCommand struct {
	Bundle      string `arg:"" optional:"" complete:"file" help:"A bundle. Needs no network, no database and no key."`
	DatabaseURL string `name:"database-url" placeholder:"URL" help:"The live record instead, read-only."`
	Trust       string `complete:"file" placeholder:"FILE" help:"Trust policy: the verdict then needs a checkpoint under it."`
}

// Help shows an example.
func (auditVerifyCommand) Help() string {
	return "Example:\n\n    custody audit verify evidence.zip\n\nExit 0 if and only if the verdict is intact, else 7. Tier T0 means: chained, not anchored."
}

// Run verifies.
func (c auditVerifyCommand) Run(ctx context.Context, s *session) error {
	if (c.Bundle == "") == (c.DatabaseURL == "") {
		return usage("say what to verify: a bundle, or --database-url URL")
	}
	r, err := c.report(ctx)
	if err != nil {
		return err
	}
	if c.Trust != "" {
		if r, err = underTrust(r, c.Trust); err != nil {
			return err
		}
	}
	if s.JSON {
		err = s.terminal.json(r)
	} else {
		s.verified(r)
	}
	if err == nil && r.Verdict != audit.Intact {
		return silently(exitBroken)
	}
	return err
}

func (c auditVerifyCommand) report(ctx context.Context) (audit.Report, error) {
	if c.Bundle == "" {
		r, err := store.Verify(ctx, c.DatabaseURL)
		return r, custody.OrAway(err)
	}
	f, err := os.Open(c.Bundle)
	if err != nil {
		return audit.Report{}, &exit{code: exitUsage, err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.VerifyBundle(f, info.Size())
}

// underTrust is the verdict of somebody who asks for a signed checkpoint.
// Without a notary nothing carries one, so nothing can satisfy them.
func underTrust(r audit.Report, file string) (audit.Report, error) {
	if _, err := os.Stat(file); err != nil {
		return r, &exit{code: exitUsage, err: err}
	}
	r.Verdict = audit.Broken
	r.Findings = append(r.Findings, audit.Finding{Kind: "checkpoint.missing", Detail: "there is no checkpoint that the trust policy could be asked about"})
	return r, nil
}

func (s *session) verified(r audit.Report) {
	s.print("verdict   %s", r.Verdict)
	s.print("tier      %s (chained, not anchored)", r.Tier)
	s.print("entries   %d in %d streams", r.Entries, r.Streams)
	s.print("payloads  %d matching, %d erased, %d missing, %d altered", r.Payloads.Matching, r.Payloads.Erased, r.Payloads.Missing, r.Payloads.Altered)
	for _, f := range r.Findings {
		s.print("finding   %s", oneLine(f.String()))
	}
}
