package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/store"
)

// What callers test for when they make a waiver.
var (
	// ErrUntil means that a release or an order would end too late, or has ended.
	ErrUntil = errors.New("the end must lie in the future and not too far")
	// ErrNothingStopped means that the guard stopped no text of this step, or that
	// what it stopped cannot be released.
	ErrNothingStopped = errors.New("the guard stopped no text of this step that could be released")
)

// A NewRelease says which texts may pass from now on: one that is handed in, or
// all that the guard stopped in the last attempt of a step.
type NewRelease struct {
	Text    string // content: it is sealed; empty: Run and Step are meant
	Run     security.ID
	Step    string
	Reason  string
	Until   time.Time
	Key     string // Idempotency-Key; empty: none
	Request string // Request-Id
	DryRun  bool
}

// A Released text is what came of it.
type Released struct {
	Release  store.Release
	Receipt  store.Receipt
	Replayed bool
}

// Release lets texts pass that the firewall stopped, until an end. It is a
// signed statement with an entry in the ledger; whoever uses it verifies both.
// Nobody releases the texts of a run that they submitted themselves, and a
// release never counts in a run of the person who made it.
//
// Its errors are store.ErrNotFound, *Denied (step-up needed, or revoked),
// *NotEligible (one's own run), ErrNothingStopped, ErrUntil, ErrKeyRevoked and
// store.ErrMismatch.
func (e *Engine) Release(ctx context.Context, who security.Principal, n NewRelease) (Released, error) {
	now, id := time.Now(), security.NewID()
	key := store.Key{
		Scope: who.Tenant + "/" + who.ID, Key: n.Key, Object: id,
		Body: digestOf("release", n.Text, n.Run.String(), n.Step, n.Reason, n.Until.UTC().Format(time.RFC3339Nano)),
	}
	err := e.mayWaive(ctx, who, now, n.Until, waiver.MaxRelease)
	if (err == nil || errors.Is(err, ErrUntil)) && !n.DryRun {
		// Before its end is looked at: what was released once is answered with
		// what it is now, also when it has ended.
		if done, ok := errorAs[*store.Replayed](e.db.Done(ctx, key)); ok {
			return e.releasedBefore(ctx, who, done)
		}
	}
	if err != nil {
		return Released{}, err
	}
	row := store.Release{
		ID: id, Tenant: who.Tenant, Run: n.Run, Step: n.Step, By: who.ID, Reason: n.Reason,
		AtUS: now.UnixMicro(), UntilUS: n.Until.UnixMicro(),
	}
	if n.Text != "" {
		err = e.handedIn(&row, n.Text)
	} else {
		row.Texts, err = e.stopped(ctx, who, n.Run, n.Step)
	}
	if err != nil {
		return Released{}, err
	}
	said := waiver.Release{ID: id.Name("rel"), Tenant: who.Tenant, Texts: row.Texts, By: who.ID, AtUS: row.AtUS, Until: row.UntilUS}
	if row.Signed, err = said.Sign(e.cfg.Keys); err != nil || n.DryRun {
		return Released{Release: row}, err
	}
	receipt, err := e.db.Release(ctx, row, key, e.saidBy(who, n.Request))
	if done, ok := errorAs[*store.Replayed](err); ok {
		return e.releasedBefore(ctx, who, done)
	}
	return Released{Release: row, Receipt: receipt}, err
}

// releasedBefore is a release that was made before under the same key, as it is now.
func (e *Engine) releasedBefore(ctx context.Context, who security.Principal, done *store.Replayed) (Released, error) {
	row, err := e.db.ReleaseByID(ctx, who.Tenant, done.Object)
	return Released{Release: row, Replayed: true}, err
}

// mayWaive checks how somebody signed in, that they are not revoked, and the
// end of what they want.
func (e *Engine) mayWaive(ctx context.Context, who security.Principal, now, until time.Time, longest time.Duration) error {
	if d := policy.StepUp(who, stepUp, now); !d.Allowed() {
		return &Denied{d}
	}
	if err := e.revoked(ctx, who); err != nil {
		return err
	}
	if !until.After(now) || until.After(now.Add(longest)) {
		return ErrUntil
	}
	return nil
}

// saidBy is what an entry says of who did something that concerns no run.
func (e *Engine) saidBy(who security.Principal, request string) audit.Fact {
	return audit.Fact{
		Actor: who.ID, ActorKind: string(who.Kind), Act: who.Act, Client: who.Client, Request: request, Build: e.cfg.Build,
		Authn: &audit.Authn{ACR: who.ACR, AMR: who.AMR, AuthTime: who.AuthTime.Unix(), TokenExp: who.Expires.Unix()},
	}
}

// releasedKind names the sealed text of a release.
const releasedKind = "released"

// handedIn names the text by its fingerprint and seals it under a key of its
// own, so that what people decided about it can be learnt from.
func (e *Engine) handedIn(r *store.Release, text string) error {
	r.Texts = []string{e.cfg.Vault.Fingerprint(r.Tenant, text)}
	key, wrapped, err := e.cfg.Vault.NewRunKey(r.Tenant, r.ID)
	if err != nil {
		return fmt.Errorf("make the text's key: %w", err)
	}
	sealed, err := key.Seal(r.Tenant, r.ID, releasedKind, []byte(text))
	if err != nil {
		return fmt.Errorf("seal the text: %w", err)
	}
	r.Text = store.SealedText{Key: wrapped, Payload: sealed.ID, Cipher: sealed.Cipher}
	return nil
}

// stopped are the fingerprints of the texts for which the last attempt of a
// step ended as blocked or withheld. One that was stopped for a secret is not
// among them: nothing pardons that, and a release would promise it.
func (e *Engine) stopped(ctx context.Context, who security.Principal, id security.ID, step string) ([]string, error) {
	run, err := e.db.Run(ctx, who.Tenant, id)
	if err != nil {
		return nil, err
	}
	if run.Caller == who.ID {
		return nil, &NotEligible{[]string{approval.ReasonRequester}}
	}
	body, err := e.lastRefusal(ctx, run, step)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range body.Findings {
		if f.Text != "" && stops(f) && !slices.Contains(out, f.Text) {
			out = append(out, f.Text)
		}
	}
	out = slices.DeleteFunc(out, func(text string) bool {
		return slices.ContainsFunc(body.Findings, func(f security.Finding) bool { return f.Text == text && f.Kind == "secret" && stops(f) })
	})
	if len(out) == 0 || len(out) > waiver.MaxTexts {
		return nil, ErrNothingStopped
	}
	return out, nil
}

// stops reports whether a finding is one for which a text did not pass.
func stops(f security.Finding) bool {
	return f.Pardon == "" && slices.Contains([]string{security.Block, security.Withhold, security.Review, security.Revise}, f.Action)
}

// lastRefusal is the newest entry by which the guard ended an attempt of a step.
func (e *Engine) lastRefusal(ctx context.Context, run store.Run, step string) (audit.Body, error) {
	var last audit.Body
	for _, action := range []audit.Action{audit.StepBlocked, audit.StepWithheld} {
		all, _, err := e.db.Entries(ctx, run.Tenant, store.EntryFilter{Stream: run.ID, Step: step, Action: string(action), Limit: 1000})
		if err != nil {
			return audit.Body{}, err
		}
		for _, entry := range all {
			if b, err := audit.ParseBody(entry.Body); err == nil && b.AtUS >= last.AtUS {
				last = b
			}
		}
	}
	if last.V == 0 {
		return audit.Body{}, ErrNothingStopped
	}
	return last, nil
}

// A Lifting takes a release back.
type Lifting struct {
	Release security.ID
	Request string // Request-Id
	DryRun  bool
}

// LiftRelease ends a release at once. Steps that it has let begin are not ended.
// Its errors are store.ErrNotFound (there is none, or none any more) and *Denied.
func (e *Engine) LiftRelease(ctx context.Context, who security.Principal, l Lifting) (store.Receipt, error) {
	if d := policy.StepUp(who, stepUp, time.Now()); !d.Allowed() {
		return store.Receipt{}, &Denied{d}
	}
	if err := e.revoked(ctx, who); err != nil {
		return store.Receipt{}, err
	}
	if !l.DryRun {
		return e.db.LiftRelease(ctx, who.Tenant, l.Release, e.saidBy(who, l.Request))
	}
	r, err := e.db.ReleaseByID(ctx, who.Tenant, l.Release)
	if err == nil && r.LiftedUS != 0 {
		err = store.ErrNotFound
	}
	return store.Receipt{}, err
}
