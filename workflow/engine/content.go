package engine

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// Content is a payload in the clear. Whoever hands it to somebody commits the
// entry that says so first.
type Content struct {
	Payload security.ID
	JSON    []byte
	Salt    []byte
	Commit  [32]byte
}

// Input opens a run's input.
func (e *Engine) Input(ctx context.Context, run store.Run) (Content, error) {
	m, err := e.db.MandateOf(ctx, run.ID)
	if err != nil {
		return Content{}, err
	}
	return e.content(ctx, run.Tenant, run.ID, m.Input, inputKind)
}

// StepOutput opens what a step returned. Drafts and withheld outputs are not
// outputs: for them, as for a step that has not succeeded, it is
// store.ErrNotFound.
func (e *Engine) StepOutput(ctx context.Context, run store.Run, step string) (Content, error) {
	def, _, err := e.defs.get(ctx, run.Tenant, run.Workflow, run.Digest)
	if err != nil {
		return Content{}, err
	}
	i, ok := def.Step(step)
	if !ok || i >= len(run.Progress.Steps) {
		return Content{}, store.ErrNotFound
	}
	s := run.Progress.Steps[i]
	if s.Status != workflow.Succeeded || s.Payload.IsZero() {
		return Content{}, store.ErrNotFound
	}
	owner := run.ID
	if !s.From.IsZero() {
		owner = s.From
	}
	return e.content(ctx, run.Tenant, owner, s.Payload, outputKind(step))
}

// Output opens what a run returned, or store.ErrNotFound if it has not
// succeeded.
func (e *Engine) Output(ctx context.Context, run store.Run) (Content, error) {
	if run.State != store.Succeeded {
		return Content{}, store.ErrNotFound
	}
	last, _, err := e.db.Entries(ctx, run.Tenant, store.EntryFilter{Stream: run.ID, MinSeq: run.Seq - 1, Limit: 1})
	if err != nil {
		return Content{}, err
	}
	for _, entry := range last {
		body, err := audit.ParseBody(entry.Body)
		if err != nil {
			return Content{}, fmt.Errorf("%w: the entry that closed the run", ErrGone)
		}
		for _, p := range body.Payloads {
			if id, err := security.ParseID("pay", p.ID); err == nil && p.Kind == "output" {
				return e.content(ctx, run.Tenant, run.ID, id, p.Kind)
			}
		}
	}
	return Content{}, store.ErrNotFound
}

// Shown is one thing that voters see, with what they need to recompute its
// commitment.
type Shown struct {
	Name string
	Content
}

// Shown opens what an approval shows.
func (e *Engine) Shown(ctx context.Context, a store.Approval) ([]Shown, error) {
	doc, err := approval.ParseDocument(a.Document)
	if err != nil {
		return nil, fmt.Errorf("%w: the approval's document", ErrGone)
	}
	out := make([]Shown, len(doc.Shown))
	for i, s := range doc.Shown {
		id, err := security.ParseID("pay", s.Payload)
		if err != nil {
			return nil, fmt.Errorf("%w: the approval's document", ErrGone)
		}
		c, err := e.content(ctx, a.Tenant, a.Run, id, shownKind(a.Step))
		if err != nil {
			return nil, err
		}
		if hex.EncodeToString(c.Commit[:]) != s.Commit {
			return nil, fmt.Errorf("%w: what was shown", ErrGone)
		}
		out[i] = Shown{Name: s.Name, Content: c}
	}
	return out, nil
}

// Open opens any payload of a run by its id and kind, for verification.
func (e *Engine) Open(ctx context.Context, tenant string, run, id security.ID, kind string) (Content, error) {
	return e.content(ctx, tenant, run, id, kind)
}

func (e *Engine) content(ctx context.Context, tenant string, run, id security.ID, kind string) (Content, error) {
	found, err := e.db.Payloads(ctx, run, id)
	if err != nil {
		return Content{}, err
	}
	p, ok := found[id]
	if !ok {
		return Content{}, fmt.Errorf("%w: payload %s", ErrGone, id.Name("pay"))
	}
	key, err := e.keyOf(ctx, tenant, run)
	if err != nil {
		return Content{}, err
	}
	o, err := key.Open(tenant, run, id, kind, p.Cipher)
	if err != nil {
		return Content{}, fmt.Errorf("%w: payload %s", ErrGone, id.Name("pay"))
	}
	return Content{Payload: id, JSON: o.Content, Salt: o.Salt, Commit: o.Commit}, nil
}
