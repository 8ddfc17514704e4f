package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
)

// orphans ends what the row calls open and nobody here has under way: calls of
// an earlier driver, whose requests may have left and whose outcomes nobody
// will learn, and a judge that was not asked because the caller was revoked. A
// draft that waits for the judge is not paid again: only the judge is asked.
func (d *driver) orphans(ctx context.Context, moves []*move) ([]*move, error) {
	for i := range d.run.Progress.Steps {
		s := d.run.Progress.Steps[i]
		ours := d.calls[i] != nil || slices.ContainsFunc(moves, func(m *move) bool { return m.step == i })
		if !s.Open() || ours {
			continue
		}
		m, err := d.orphan(ctx, i, s)
		if err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// orphan ends one open attempt, or takes it up at its validation.
func (d *driver) orphan(ctx context.Context, step int, s store.Step) (*move, error) {
	m := &move{step: step, ends: s.Call, next: s}
	if !s.Judge.IsZero() {
		f := d.innerFact(m, innerPart(&s), s.Judge, audit.CallResult, "unknown")
		f.Code = steps.CodeConnection
		m.facts = append(m.facts, f)
	}
	if d.revoked {
		_, decision := d.admit(step)
		m = d.denies(m, decision)
		m.facts[len(m.facts)-1].Call = s.Call.Name("call")
		return m, nil
	}
	if s.Payload.IsZero() || d.run.CancelUS != 0 {
		return d.failed(m, s.Call, &steps.Error{Code: steps.CodeConnection, Detail: "the process that made the call is gone", Unknown: true}), nil
	}
	return d.rejudge(ctx, m, s)
}

// rejudge resumes a step at its validation.
func (d *driver) rejudge(ctx context.Context, m *move, s store.Step) (*move, error) {
	var found map[security.ID]store.Payload
	err := d.insist(ctx, func(ctx context.Context) (err error) {
		found, err = d.e.db.Payloads(ctx, d.id, s.Payload)
		return err
	})
	if err != nil {
		return nil, err
	}
	said, c, err := d.reopen(ctx, m.step, s, found[s.Payload].Cipher)
	switch denied, ok := errorAs[*Denied](err); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case ok:
		m = d.denies(m, denied.Decision)
		m.facts[len(m.facts)-1].Call = s.Call.Name("call")
		return m, nil
	case said.ended != "":
		return d.ends(d.withholds(m, err, steps.Use{}, s.Call.Name("call")), said.ended), nil
	case err != nil:
		return d.withholds(m, err, steps.Use{}, s.Call.Name("call")), nil
	}
	m.uses = said.used(c.judging.found)
	switch {
	case s.Tries >= maxJudge:
		return d.releases(m, c, guard.Verdict{}, c.judging.screened, c.judging.found, c.judging.use), nil
	case !d.e.cfg.Pipeline.NeedsJudge(c.checked):
		return d.releases(m, c, guard.NoJudge(), c.judging.screened, c.judging.found, c.judging.use), nil
	}
	return d.judges(m, c), nil
}

// reopen admits and checks the step again and opens its sealed draft. Beside it
// stands what people have said about the draft.
func (d *driver) reopen(ctx context.Context, step int, s store.Step, cipher []byte) (said mercy, c *call, err error) {
	admitted, decision := d.admit(step)
	if !decision.Allowed() {
		return said, nil, &Denied{decision}
	}
	bound, err := d.def.Bind(step, d.values)
	if err != nil {
		return said, nil, err
	}
	var checked steps.Checked
	if _, err := d.spared(ctx, step, func(p guard.Pardon) (err error) {
		checked, _, err = d.e.cfg.Pipeline.Check(admitted, bound, p)
		return err
	}); err != nil {
		return said, nil, err
	}
	opened, err := d.key.Open(d.run.Tenant, d.id, s.Payload, draftKind(d.def.Steps[step].ID), cipher)
	if err != nil {
		return said, nil, errUnreadable
	}
	var draft sealedDraft
	if err := json.Unmarshal(opened.Content, &draft); err != nil {
		return said, nil, errors.Join(errUnreadable, err)
	}
	var screened guard.Screened
	var seen []security.Finding
	said, err = d.spared(ctx, step, func(p guard.Pardon) (err error) {
		screened, seen, err = d.e.cfg.Pipeline.Reopen(checked, draft.Draft, p)
		return err
	})
	if err != nil || said.ended != "" {
		return said, nil, err
	}
	d.e.mark(d.run.Tenant, seen, screened.Noted())
	return said, &call{
		step: step, id: s.Call, attempt: s.Attempt, checked: checked,
		judging: &judging{screened: screened, found: seen, use: draft.Use, tries: s.Tries},
	}, nil
}
