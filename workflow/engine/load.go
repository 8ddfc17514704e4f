package engine

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// load reads everything the driver needs. What does not hold (a mandate of
// another run, an altered payload, an approval without its votes) does not
// stop it: it becomes a doubt, and the next step is denied with the reason.
func (d *driver) load(ctx context.Context) error {
	l, err := d.e.db.Load(ctx, d.id)
	if err != nil {
		return fmt.Errorf("load the run: %w", err)
	}
	d.run = l.Run
	if l.Run.State.Closed() || l.Run.Epoch != d.epoch || !l.Run.Holder.IsZero() {
		return ErrFenced
	}
	if d.def, _, err = d.e.defs.get(ctx, l.Run.Tenant, l.Run.Workflow, l.Run.Digest); err != nil {
		return err
	}
	d.results = make(chan result, 4*len(d.def.Steps)+4)
	d.values.Steps = make(map[string]workflow.Value, len(d.def.Steps))
	if len(l.Run.Progress.Steps) != len(d.def.Steps) {
		return fmt.Errorf("the run has %d steps, its definition %d", len(l.Run.Progress.Steps), len(d.def.Steps))
	}
	d.open(l)
	return d.learn(ctx)
}

// open verifies the mandate and opens the input.
func (d *driver) open(l store.Loaded) {
	var err error
	d.digest = l.Mandate.Signed.Digest()
	if d.mandate, err = d.e.openMandate(l.Mandate.Signed, l.Run.Tenant, d.id, l.Run.Digest); err != nil {
		d.doubt(everywhere, "mandate", err.Error())
	}
	d.needs(append(d.mandate.RevocationKeys(), security.KeyRevocation(l.Mandate.Signed.Key))...)
	if d.mandate.ID != l.Run.Caller {
		d.doubt(everywhere, "mandate", "the run's caller is not the mandate's")
	}
	if d.key, err = d.e.cfg.Vault.Unwrap(l.Run.Tenant, d.id, l.Mandate.Key); err != nil {
		d.doubt(everywhere, "vault", "the run's key cannot be unwrapped")
		return
	}
	opened, err := d.key.Open(l.Run.Tenant, d.id, l.Mandate.Input, inputKind, l.Input)
	if err != nil || hex.EncodeToString(opened.Commit[:]) != d.mandate.Input {
		d.doubt(everywhere, "input", "the stored input is not the one that was submitted")
		return
	}
	value, faults := d.def.DecodeInput(opened.Content)
	if len(faults) > 0 {
		d.doubt(everywhere, "input", "the stored input does not fit the workflow")
		return
	}
	d.values.Input = workflow.Value{V: value, Label: d.def.InputLabel(), Path: "/input"}
}

// needs adds revocation keys to those that may not be revoked while the run goes
// on.
func (d *driver) needs(keys ...string) {
	for _, k := range keys {
		if !slices.Contains(d.rights, k) {
			d.rights = append(d.rights, k)
		}
	}
	d.named = scoped(d.run.Tenant, d.rights)
}

func (d *driver) doubt(step int, code, detail string) {
	d.doubts[step] = append(d.doubts[step], security.Reason{Code: code, Detail: detail})
}
