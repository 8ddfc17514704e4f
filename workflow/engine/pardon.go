package engine

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/store"
)

// mark gives the findings in these texts the texts' fingerprints, under which
// people can release them.
func (e *Engine) mark(tenant string, found []security.Finding, texts []guard.Offending) {
	for _, t := range texts {
		print := e.cfg.Vault.Fingerprint(tenant, t.Text)
		for _, i := range t.Findings {
			if i < len(found) {
				found[i].Text = print
			}
		}
	}
}

// marked is a refusal whose findings carry fingerprints, nil if the error is
// none that people could pardon.
func (e *Engine) marked(tenant string, err error) *guard.Refusal {
	r, ok := errorAs[*guard.Refusal](err)
	if !ok {
		return nil
	}
	e.mark(tenant, r.Findings, r.Texts())
	return r
}

// pardon says what lets these texts pass in a run of this caller now: the mode
// of the tenant, and releases. It is asked only when the guard has refused. A
// row is no permission: its signature is verified, the key that made it must not
// be revoked, and the ledger must tell of it and of no lifting.
func (e *Engine) pardon(ctx context.Context, tenant, caller string, texts []guard.Offending) (guard.Pardon, error) {
	p := guard.Pardon{Texts: map[string]string{}}
	if len(texts) == 0 {
		return p, nil
	}
	mode, err := e.Mode(ctx, tenant)
	if err != nil {
		return guard.Pardon{}, err
	}
	p.Observe = mode.name()
	prints, all := map[string][]string{}, []string(nil)
	for _, t := range texts {
		if prints[t.Text] == nil {
			prints[t.Text] = e.cfg.Vault.Fingerprints(tenant, t.Text)
			all = append(all, prints[t.Text]...)
		}
	}
	found, err := e.db.ReleasesOf(ctx, tenant, all)
	if err != nil {
		return guard.Pardon{}, err
	}
	for _, r := range found {
		said, good, err := e.releaseHolds(ctx, tenant, r)
		if err != nil {
			return guard.Pardon{}, err
		}
		for text, under := range prints {
			if good && said.Pardons(under, caller, time.Now()) {
				p.Texts[text] = said.ID
			}
		}
	}
	return p, nil
}

// releaseHolds verifies a release that was found.
func (e *Engine) releaseHolds(ctx context.Context, tenant string, r store.ToldRelease) (said waiver.Release, good bool, err error) {
	said, err = waiver.OpenRelease(e.cfg.Keys, r.Signed, tenant)
	if err != nil || said.ID != r.ID.Name("rel") || r.Lifted || !sameRelease(said, r) {
		e.cfg.Log.WarnContext(ctx, "a release is not used: it is not what the ledger tells of", slog.String("release", r.ID.Name("rel")))
		return said, false, nil //nolint:nilerr // somebody wrote it there: it lets nothing pass
	}
	good, err = e.keyHolds(ctx, tenant, r.Signed, said.AtUS)
	return said, good, err
}

// sameRelease compares a release with the entry that tells of it.
func sameRelease(said waiver.Release, r store.ToldRelease) bool {
	b := r.Told
	return b != nil && b.Tenant == said.Tenant && b.Target == said.ID && b.Actor == said.By && b.Due == said.Until && slices.Equal(b.Texts, said.Texts)
}

// A mercy is what people have said about the texts for which a step's input, or
// its draft, was refused.
type mercy struct {
	guard.Pardon
	ended string // how the review of these texts ended that did not let them pass; "" if none did
	doubt error  // there is a review, and its record does not hold
	uses  []security.ID
}

// mercyOn asks what people have said. What cannot be read now is an error; what
// was read and does not hold is a doubt.
func (d *driver) mercyOn(ctx context.Context, step int, texts []guard.Offending) (mercy, error) {
	p, err := d.e.pardon(ctx, d.run.Tenant, d.mandate.ID, texts)
	if err != nil {
		return mercy{}, err
	}
	m := mercy{Pardon: p}
	if d.def.Steps[step].Guard.OnReview == nil {
		return m, nil
	}
	left := slices.DeleteFunc(slices.Clone(texts), func(t guard.Offending) bool { return p.Texts[t.Text] != "" })
	err = d.reviewed(ctx, step, left, &m)
	return m, err
}

// used are the reviews without which these findings would have stopped the step.
func (m mercy) used(found []security.Finding) []security.ID {
	if slices.ContainsFunc(found, func(f security.Finding) bool { return f.Pardon != "" && f.Pardon == m.Review }) {
		return m.uses
	}
	return nil
}

// spared tries something that a guard may refuse, and if it does, once more with
// what people have said. The error is the refusal, a *Denied if the record of a
// review does not hold, or that of ctx.
func (d *driver) spared(ctx context.Context, step int, try func(guard.Pardon) error) (mercy, error) {
	err := try(guard.Pardon{})
	texts := textsOf(d.e.marked(d.run.Tenant, err))
	if len(texts) == 0 && d.run.Progress.Steps[step].Ask.IsZero() {
		return mercy{}, err
	}
	var said mercy
	unread := d.insist(ctx, func(ctx context.Context) (err error) {
		said, err = d.mercyOn(ctx, step, texts)
		return err
	})
	if unread != nil {
		return said, unread
	}
	if said.doubt != nil {
		return said, &Denied{doubtful(said.doubt)}
	}
	err = try(said.Pardon)
	_ = d.e.marked(d.run.Tenant, err) // for its findings
	return said, err
}

// textsOf are the texts for which a guard refused; none without a refusal.
func textsOf(r *guard.Refusal) []guard.Offending {
	if r == nil {
		return nil
	}
	return r.Texts()
}

// doubtful is the denial of a step whose review's record does not hold.
func doubtful(err error) security.Decision {
	return security.Deny([]string{"review"}, security.Reason{Code: "approval", Detail: "the review of its texts does not hold: " + err.Error()})
}

// ends says that people did not let it pass.
func (d *driver) ends(m *move, state string) *move {
	if m.reason != nil {
		m.reason.Detail = "its review was " + state + ": " + m.reason.Detail
	}
	return m
}

// forgive asks about the steps that plan has put aside, because a guard refused
// their input. Plan does no I/O, and outcomes are committed before anything is
// read.
func (d *driver) forgive(ctx context.Context) error {
	for step, texts := range d.refused {
		m, err := d.mercyOn(ctx, step, texts)
		if err != nil {
			return err
		}
		d.mercies[step] = m
		delete(d.refused, step)
	}
	return nil
}

// again is a pardon for a draft that was just refused. It is asked for by the
// goroutine of a call, which must not lose a paid answer because the database is
// away; so it only ends with its context.
func (e *Engine) again(ctx context.Context, tenant, caller string, texts []guard.Offending) guard.Pardon {
	for {
		p, err := e.pardon(ctx, tenant, caller, texts)
		if err == nil || ctx.Err() != nil {
			return p
		}
		e.cfg.Log.WarnContext(ctx, "what may be released cannot be read; trying again", slog.Any("error", err))
		e.pause(readPause)
		if e.stop.Err() != nil {
			return guard.Pardon{}
		}
	}
}
