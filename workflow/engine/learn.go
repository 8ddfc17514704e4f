package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A shelf is what learn has read and not yet believed.
type shelf struct {
	payloads map[security.ID]store.Payload
	keys     map[security.ID]vault.RunKey // of runs that this one goes on from
	asked    map[security.ID]store.Asked
	told     map[string]bool // votes that the run's stream tells of
}

// learn opens the outputs of steps that have succeeded and that memory does not
// know: those of an earlier driver, and approvals that were decided meanwhile.
// What cannot be read now is an error, and nothing is learnt; what was read and
// does not hold is a doubt. Steps need only steps above them, so one pass in
// order has everything that an approval's content is bound from.
func (d *driver) learn(ctx context.Context) error {
	outputs, asks := d.unknown()
	if len(outputs) == 0 && len(asks) == 0 {
		return nil
	}
	found := shelf{payloads: map[security.ID]store.Payload{}, keys: map[security.ID]vault.RunKey{}, asked: map[security.ID]store.Asked{}, told: map[string]bool{}}
	if err := d.readOutputs(ctx, outputs, found); err != nil {
		return fmt.Errorf("read outputs: %w", err)
	}
	if err := d.readApprovals(ctx, asks, found); err != nil {
		return fmt.Errorf("read approvals: %w", err)
	}
	for i := range d.run.Progress.Steps {
		switch {
		case !d.wants(i):
		case d.def.Steps[i].Approval != nil:
			d.learnApproval(i, found)
		default:
			d.learnOutput(i, found)
		}
	}
	return nil
}

// wants reports whether a step has succeeded and memory knows nothing of it.
func (d *driver) wants(step int) bool {
	if d.run.Progress.Steps[step].Status != workflow.Succeeded || len(d.doubts[step]) > 0 {
		return false
	}
	_, known := d.values.Steps[d.def.Steps[step].ID]
	return !known
}

// unknown lists what is to be read: payloads by the run that owns them, and
// approvals.
func (d *driver) unknown() (outputs map[security.ID][]security.ID, asks map[security.ID]bool) {
	for i := range d.run.Progress.Steps {
		if !d.wants(i) {
			continue
		}
		if outputs == nil {
			outputs, asks = map[security.ID][]security.ID{}, map[security.ID]bool{}
		}
		s := &d.run.Progress.Steps[i]
		if d.def.Steps[i].Approval != nil {
			asks[s.Ask] = true
		} else {
			outputs[d.owner(s)] = append(outputs[d.owner(s)], s.Payload)
		}
	}
	return outputs, asks
}

// owner is the run whose payloads hold a step's output: this one, or an earlier
// one that a retry goes on from.
func (d *driver) owner(s *store.Step) security.ID {
	if s.From.IsZero() {
		return d.id
	}
	return s.From
}

func (d *driver) readOutputs(ctx context.Context, wanted map[security.ID][]security.ID, into shelf) error {
	for run, ids := range wanted {
		some, err := d.e.db.Payloads(ctx, run, ids...)
		if err != nil {
			return err
		}
		maps.Copy(into.payloads, some)
		if run == d.id {
			continue
		}
		key, err := d.adoptedKey(ctx, run)
		if err != nil {
			return err
		}
		into.keys[run] = key
	}
	return nil
}

// adoptedKey is the key of a run that this one goes on from. A run that does
// not go on from any, or one of another workflow version, gets the zero key,
// which opens nothing.
func (d *driver) adoptedKey(ctx context.Context, from security.ID) (vault.RunKey, error) {
	if d.run.RetryOf.IsZero() {
		return vault.RunKey{}, nil
	}
	m, err := d.e.db.MandateOf(ctx, from)
	if errors.Is(err, store.ErrNotFound) {
		return vault.RunKey{}, nil
	}
	if err != nil {
		return vault.RunKey{}, err
	}
	return d.unlock(from, m), nil
}

// unlock is the key of another run whose mandate is of this workflow version,
// else the zero key.
func (d *driver) unlock(run security.ID, m store.Mandate) vault.RunKey {
	if _, err := d.e.openMandate(m.Signed, d.run.Tenant, run, d.run.Digest); err != nil {
		return vault.RunKey{}
	}
	key, err := d.e.cfg.Vault.Unwrap(d.run.Tenant, run, m.Key)
	if err != nil {
		return vault.RunKey{}
	}
	return key
}

func (d *driver) readApprovals(ctx context.Context, wanted map[security.ID]bool, into shelf) error {
	if len(wanted) == 0 {
		return nil
	}
	all, err := d.e.db.ApprovalsOf(ctx, d.id)
	if err != nil {
		return err
	}
	if err := d.readVotes(ctx, into); err != nil {
		return err
	}
	var shown []security.ID
	for _, a := range all {
		if !wanted[a.ID] {
			continue
		}
		into.asked[a.ID] = a
		doc, err := approval.ParseDocument(a.Document)
		if err != nil {
			continue // use will say so
		}
		for _, s := range doc.Shown {
			if id, err := payloadID(s); err == nil {
				shown = append(shown, id)
			}
		}
	}
	some, err := d.e.db.Payloads(ctx, d.id, shown...)
	maps.Copy(into.payloads, some)
	return err
}

// readVotes collects what the run's stream tells of votes. A vote's row can be
// taken out of its table by whoever owns the database; a withdrawal that is
// missing would make the vote count again that it took back.
func (d *driver) readVotes(ctx context.Context, into shelf) error {
	f := store.EntryFilter{Stream: d.id, Action: string(audit.ApprovalVoted), Limit: 1000}
	for {
		entries, last, err := d.e.db.Entries(ctx, d.run.Tenant, f)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if body, err := audit.ParseBody(e.Body); err == nil && body.Approval != nil {
				into.told[body.Approval.ID+" "+body.Approval.Vote] = true
			}
		}
		if len(entries) < f.Limit {
			return nil
		}
		f.Cursor = last
	}
}

func (d *driver) learnOutput(step int, found shelf) {
	s, id := &d.run.Progress.Steps[step], d.def.Steps[step].ID
	key, owner := d.key, d.owner(s)
	if owner != d.id {
		key = found.keys[owner]
	}
	opened, err := key.Open(d.run.Tenant, owner, s.Payload, outputKind(id), found.payloads[s.Payload].Cipher)
	var v any
	if err == nil {
		v, err = decode(opened.Content)
	}
	if err != nil {
		d.doubt(step, "output", "the stored output of step "+id+" is not what was released")
		return
	}
	d.keep(step, v)
}

func (d *driver) learnApproval(step int, found shelf) {
	decision, err := d.use(step, found)
	if err != nil {
		d.doubt(step, "approval", "the approval of step "+d.def.Steps[step].ID+" does not hold: "+err.Error())
		return
	}
	d.keep(step, map[string]any{"decision": decision})
}

func outputKind(step string) string { return "output:" + step }

// keyOf unwraps the key of another run's payloads.
func (e *Engine) keyOf(ctx context.Context, tenant string, run security.ID) (vault.RunKey, error) {
	m, err := e.db.MandateOf(ctx, run)
	if err != nil {
		return vault.RunKey{}, err
	}
	return e.cfg.Vault.Unwrap(tenant, run, m.Key)
}
