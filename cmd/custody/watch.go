package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

type runWatchCommand struct {
	ID    string `arg:"" complete:"run" help:"The run, run_…."`
	After int64  `default:"-1" placeholder:"SEQ" help:"Only entries after the one with this number; -1 is from the beginning."`
}

// Help shows an example.
func (runWatchCommand) Help() string {
	return "Example:\n\n    custody --as alice run watch run_…\n\nIt ends with the run: exit 0 if it succeeded, else 6. Ctrl-C ends the watching, not the run. With --json: one entry of the ledger a line."
}

// Run follows the run to its end.
func (c runWatchCommand) Run(ctx context.Context, s *session) error {
	w := &watcher{s: s, run: c.ID, last: c.After, to: s.print, on: s.out}
	if s.JSON {
		w.raw = s.jsonLine
	}
	r, err := w.toEnd(ctx)
	if err != nil {
		return err
	}
	return s.verdict(r)
}

// wait follows a run to its end. The events are the one thing that wakes it.
func (s *session) wait(ctx context.Context, id string) (client.Run, error) {
	w := &watcher{s: s, run: id, last: -1, to: s.say, on: s.err}
	if s.JSON {
		w.raw = func(any) error { return nil }
	}
	return w.toEnd(ctx)
}

// A watcher tells what happens in a run, entry by entry.
type watcher struct {
	s    *session
	c    *client.Client
	run  string
	last int64 // seq of the last entry seen
	to   func(format string, args ...any)
	on   io.Writer       // where that stands
	raw  func(any) error // takes whole entries instead of lines
	line *progress
}

// toEnd follows the run and returns it closed. Whoever interrupts it learns how
// to go on: the run does not end with its watcher.
func (w *watcher) toEnd(ctx context.Context) (client.Run, error) {
	var err error
	if w.c, err = w.s.follower(w.note); err != nil {
		return client.Run{}, err
	}
	defer w.c.Close()
	if w.raw == nil {
		w.line = w.s.progress("waiting for " + w.run)
	}
	err = w.follow(ctx)
	var r client.Run
	if err == nil {
		r, err = patiently(ctx, true, func() (client.Run, error) { return w.c.Run(ctx, w.run) })
	}
	w.line.end()
	if ctx.Err() != nil {
		again := w.s.helper(w.s.As, "run watch "+w.run)
		if w.last >= 0 {
			again += " --after " + number(w.last)
		}
		return r, failed(exitInterrupted, "interrupted; the run goes on. Watch it again with: %s", again)
	}
	return r, err
}

// note tells something beside the entries.
func (w *watcher) note(format string, args ...any) {
	if w.raw == nil {
		w.line.over(func() { w.s.say(format, args...) })
	}
}

func (w *watcher) follow(ctx context.Context) error {
	for e, err := range w.c.Events(ctx, w.run, w.last) {
		if err != nil {
			return err
		}
		w.last = e.Seq
		if w.raw != nil {
			if err := w.raw(e); err != nil {
				return err
			}
			continue
		}
		b, err := bodyOf(e)
		if err != nil {
			return err
		}
		w.tell(ctx, b)
	}
	return nil
}

// bodyOf reads an entry's body.
func bodyOf(e client.Entry) (audit.Body, error) {
	b, err := audit.ParseBody(e.Body)
	if err != nil {
		return b, failed(exitBroken, "entry %d of %s cannot be read: %w", e.Seq, e.Stream, err)
	}
	return b, nil
}

// tell writes the line of one entry and, where somebody must act, the command.
func (w *watcher) tell(ctx context.Context, b audit.Body) {
	said := oneLine(sayBody(b))
	w.write(time.UnixMicro(b.AtUS).Local().Format("15:04:05.000"), stepOf(b), w.s.paint(w.on, colourOf(b), said))
	w.line.set(stepOf(b) + " " + said)
	switch b.Action {
	case audit.ApprovalRequested:
		w.findings(ctx, b)
		w.approval(ctx, b)
	case audit.StepBlocked, audit.StepWithheld:
		w.findings(ctx, b)
	}
}

func (w *watcher) write(at, step, text string) {
	w.line.over(func() { w.to("%s  %s  %s", pad(at, 12), pad(step, 14), text) })
}

// colourOf is that of an entry's line.
func colourOf(b audit.Body) string {
	switch b.Action {
	case audit.StepBlocked, audit.StepWithheld, audit.StepDenied, audit.StepUnknown:
		return "31"
	case audit.ApprovalRequested:
		return "33"
	case audit.RunClosed:
		return stateCell(b.State).colour
	}
	return ""
}

func stepOf(b audit.Body) string {
	if b.Step == "" {
		return "run"
	}
	return b.Step
}

// sayBody is what an entry says, in words.
func sayBody(b audit.Body) string {
	switch b.Action {
	case audit.RunSubmitted:
		return "submitted by " + b.Actor
	case audit.StepIntent:
		return "begins" + attempt(b)
	case audit.CallIntent:
		if revised(b) {
			return "the rules refused its draft; asks the model again" + modelOf(b)
		}
		return "asks the second model"
	case audit.CallResult:
		if revised(b) {
			return "the model answered again: " + b.Outcome + modelOf(b)
		}
		return "the second model answered: " + b.Outcome + modelOf(b)
	case audit.StepResult:
		return strings.TrimSpace("ended: "+b.Outcome+" "+b.Code) + modelOf(b) + again(b)
	case audit.StepBlocked:
		return "BLOCKED: its input carries instructions; nothing was sent"
	case audit.StepWithheld:
		return strings.TrimSpace("WITHHELD: its output was not let out "+b.Code) + modelOf(b) + again(b)
	case audit.StepDenied:
		return "DENIED: " + missingOf(b)
	case audit.StepUnknown:
		return "its outcome is not known: " + b.Code + again(b)
	case audit.StepSkipped:
		return "skipped: its condition does not hold"
	case audit.ApprovalRequested:
		if len(b.Findings) > 0 {
			return "STOPPED: waits for review " + approvalOf(b) + until(b) + modelOf(b)
		}
		return "waits for approval " + approvalOf(b) + until(b)
	case audit.ApprovalVoted:
		return b.Actor + " voted: " + b.Outcome
	case audit.ApprovalClosed:
		return "approval closed: " + b.Outcome
	case audit.RunRecovered:
		return "recovered: its process had died"
	case audit.RunCancelRequested:
		return b.Actor + " asked it to end"
	case audit.RunClosed:
		return "closed: " + strings.TrimSpace(b.State+" "+b.Reason)
	}
	return string(b.Action) + " " + b.Outcome
}

// revised reports whether an inner call is one for another draft.
func revised(b audit.Body) bool { return strings.Contains(b.Key, "#revise-") }

func attempt(b audit.Body) string {
	if b.Attempt > 1 {
		return ", attempt " + strconv.Itoa(b.Attempt)
	}
	return ""
}

func again(b audit.Body) string {
	if b.Due == 0 {
		return ""
	}
	return "; tried again at " + time.UnixMicro(b.Due).Local().Format("15:04:05")
}

func until(b audit.Body) string {
	if b.Due == 0 {
		return ""
	}
	return ", at most until " + time.UnixMicro(b.Due).UTC().Format(clock)
}

func modelOf(b audit.Body) string {
	if b.Model == nil {
		return ""
	}
	name := b.Model.ResponseModel
	if name == "" {
		name = b.Model.Model
	}
	text := " (" + name
	if b.Model.UsageKnown {
		text += fmt.Sprintf(", %d tokens in, %d out", b.Model.In, b.Model.Out)
	}
	return text + ")"
}

func missingOf(b audit.Body) string {
	if b.Decision == nil || len(b.Decision.Missing) == 0 {
		return b.Code
	}
	return strings.Join(b.Decision.Missing, ", ")
}

func approvalOf(b audit.Body) string {
	if b.Approval == nil {
		return ""
	}
	return b.Approval.ID
}

// approval says who can continue the run and how.
func (w *watcher) approval(ctx context.Context, b audit.Body) {
	id := approvalOf(b)
	person, who := "", "an approver"
	if a, err := w.c.Approval(ctx, id); err == nil {
		if a.State != "pending" {
			return
		}
		if len(a.Rule.Groups) > 0 {
			who = strings.Join(a.Rule.Groups, " and ")
		}
		person = approver(a.Rule.Groups)
	}
	w.write("", "", fmt.Sprintf("goes on when %s decides: %s", who, w.s.helper(person, "approve "+id)))
	w.line.set("waiting for " + who)
}

// approver is somebody of the development provider with all these roles.
func approver(groups []string) string {
	for _, p := range devidp.People() {
		if len(groups) > 0 && !slices.ContainsFunc(groups, func(g string) bool { return !slices.Contains(p.Roles, g) }) {
			return p.Name
		}
	}
	return "NAME"
}

// findings shows what stopped a step, and the phrase to those who may read it.
func (w *watcher) findings(ctx context.Context, b audit.Body) {
	for _, f := range b.Findings {
		if f.Action == security.Note || f.Action == security.Redact {
			continue
		}
		line := fmt.Sprintf("rule %s at %s", f.Rule, f.Path)
		if f.End > 0 {
			line += fmt.Sprintf(", bytes %d to %d", f.Start, f.End)
		}
		line += readAs(f)
		if len(f.Evidence) > 0 {
			line += ", because of " + evidenceOf(f)
		}
		if phrase, ok := w.phrase(ctx, f); ok {
			line += ": “" + short(oneLine(phrase), 160) + "”"
		}
		w.write("", "", oneLine(line))
	}
}

// phrase cuts the text that a finding is about out of the run's input. Only
// those who may read the input get it; outputs that were withheld are served to
// nobody.
func (w *watcher) phrase(ctx context.Context, f security.Finding) (string, bool) {
	pointer, ok := strings.CutPrefix(f.Path, "/input")
	if !ok || f.End <= f.Start {
		return "", false
	}
	input, err := w.c.Input(ctx, w.run)
	if err != nil {
		return "", false
	}
	text, err := textAt(input, pointer)
	if err != nil || f.Start < 0 || f.End > len(text) {
		return "", false
	}
	return text[f.Start:f.End], true
}

var errPointer = errors.New("there is no text at this place")

// textAt returns the string at a JSON Pointer (RFC 6901).
func textAt(document []byte, pointer string) (string, error) {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return "", errPointer
	}
	if pointer != "" {
		if !strings.HasPrefix(pointer, "/") {
			return "", errPointer
		}
		for part := range strings.SplitSeq(pointer[1:], "/") {
			part = unescaped(part)
			switch at := v.(type) {
			case map[string]any:
				v = at[part]
			case []any:
				i, err := strconv.Atoi(part)
				if err != nil || i < 0 || i >= len(at) {
					return "", errPointer
				}
				v = at[i]
			default:
				return "", errPointer
			}
		}
	}
	text, ok := v.(string)
	if !ok {
		return "", errPointer
	}
	return text, nil
}
