package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A Submission asks for a run.
type Submission struct {
	Workflow string          // name
	Digest   string          // an older version; empty: the current one
	Input    json.RawMessage // as the workflow's schema says
	Key      string          // Idempotency-Key; empty: none
	Request  string          // Request-Id, for the ledger
	DryRun   bool            // check everything, write nothing
}

// A Submitted run is what a submission made, or had made before.
type Submitted struct {
	Run      store.Run
	Receipt  store.Receipt
	Replayed bool
}

// inputKind names the payload of a run's input.
const inputKind = "input"

// Submit checks that the caller may run the workflow and that the input fits,
// and commits the run with its mandate, its sealed input, its first entry and
// its first job. It may be repeated under the same key.
//
// Its errors are store.ErrNotFound, *Denied, *BadInput, store.ErrMismatch,
// store.ErrFull and ErrKinds; after any other one the same key tells what
// became of it.
func (e *Engine) Submit(ctx context.Context, who security.Principal, s Submission) (Submitted, error) {
	def, _, err := e.defs.get(ctx, who.Tenant, s.Workflow, s.Digest)
	if err != nil {
		return Submitted{}, err
	}
	now := time.Now()
	decision := policy.Submit(who, def.Requires, now)
	if !decision.Allowed() {
		return Submitted{}, &Denied{decision}
	}
	value, faults := def.DecodeInput(s.Input)
	if len(faults) > 0 {
		return Submitted{}, &BadInput{faults}
	}
	content, err := json.Marshal(value)
	if err != nil {
		return Submitted{}, fmt.Errorf("encode input: %w", err)
	}
	n, err := e.newRun(ctx, who, def, content, now)
	if err != nil {
		return Submitted{}, err
	}
	n.fact.Request, n.fact.Decision = s.Request, decided(decision)
	if s.DryRun {
		return Submitted{Run: n.run}, e.revoked(ctx, who)
	}
	return e.make(ctx, who, n, s.Key, digestOf("submit", s.Workflow, s.Digest, string(content)))
}

// revoked refuses a caller who is revoked, where nothing is written. Where
// something is, the same is asked in its batch.
func (e *Engine) revoked(ctx context.Context, who security.Principal) error {
	revoked, err := e.db.Revoked(ctx, who.Tenant, append(who.RevocationKeys(), e.signer()), who.Began())
	switch {
	case err != nil || len(revoked) == 0:
		return err
	case slices.Equal(revoked, []string{e.signer()}):
		return ErrKeyRevoked
	}
	return refused()
}

// signer is the revocation key of the key that signs mandates and votes.
func (e *Engine) signer() string { return security.KeyRevocation(e.cfg.Keys.Active()) }

func refused() error {
	return &Denied{security.Deny([]string{"revocation"}, security.Reason{Code: "revoked", Detail: "the caller, the session or the token was revoked"})}
}

// digestOf is what an idempotency key is bound to.
func digestOf(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}

// A newRun is all that one commit makes of a submission.
type newRun struct {
	run     store.Run
	mandate store.Mandate
	sealed  []vault.Sealed
	fact    audit.Fact
	more    []audit.Fact // of a retry: the steps it takes over
	revoked []string
}

// newRun seals the input and signs the mandate.
func (e *Engine) newRun(ctx context.Context, who security.Principal, def *workflow.Definition, input []byte, now time.Time) (*newRun, error) {
	log, err := e.db.LogOf(ctx, who.Tenant)
	if err != nil {
		return nil, err
	}
	id := security.NewID()
	key, wrapped, err := e.cfg.Vault.NewRunKey(who.Tenant, id)
	if err != nil {
		return nil, fmt.Errorf("make the run's key: %w", err)
	}
	sealed, err := key.Seal(who.Tenant, id, inputKind, input)
	if err != nil {
		return nil, fmt.Errorf("seal the input: %w", err)
	}
	m := security.NewMandate(who, id, def.Digest(), hex.EncodeToString(sealed.Commit[:]), now, now.Add(e.cfg.Mandate))
	signed, err := e.cfg.Keys.SignMandate(m)
	if err != nil {
		return nil, fmt.Errorf("sign the mandate: %w", err)
	}
	e.mandates.put(signed, m)
	return &newRun{
		run: store.Run{
			ID: id, Tenant: who.Tenant, Log: log, Workflow: def.Name, Digest: def.Digest(), Caller: who.ID, CreatedUS: now.UnixMicro(),
			State: store.Queued, Epoch: 1, Version: 1, Progress: store.Progress{Steps: make([]store.Step, len(def.Steps))},
		},
		mandate: store.Mandate{Signed: signed, Key: wrapped, Input: sealed.ID},
		sealed:  []vault.Sealed{sealed},
		revoked: m.RevocationKeys(),
		fact: audit.Fact{
			Action: audit.RunSubmitted, Outcome: "ok", Actor: who.ID, ActorKind: string(who.Kind), Act: who.Act, Client: who.Client,
			Workflow: def.Digest(), Payloads: []audit.Payload{refer(sealed)}, Build: e.cfg.Build,
			Authn: &audit.Authn{ACR: m.ACR, AMR: m.AMR, AuthTime: m.AuthTime, Mandate: signed.Digest(), TokenExp: who.Expires.Unix()},
		},
	}, nil
}

// make commits a new run. Without a key of the caller the run's own id is its
// key: a lost commit is resolved by it.
func (e *Engine) make(ctx context.Context, who security.Principal, n *newRun, key string, body []byte) (Submitted, error) {
	if key == "" {
		key = n.run.Name()
	}
	var out Submitted
	err := e.db.Write(ctx, store.Change{
		Run: n.run.ID, New: true, Revoked: scoped(who.Tenant, append(n.revoked, e.signer())), Bytes: weight(n.sealed),
		Key: store.Key{Scope: who.Tenant + "/" + who.ID, Key: key, Body: body, Object: n.run.ID},
		Apply: func(l *store.Locked) error {
			l.Make(n.run, n.mandate)
			switch {
			case l.IsRevoked(n.revoked, who.Began()):
				return refused()
			case l.IsRevoked([]string{e.signer()}, who.Began()):
				return ErrKeyRevoked
			}
			l.Progress.Steps = append([]store.Step(nil), n.run.Progress.Steps...)
			l.CreatedUS = l.NowUS
			out.Receipt = l.Append(n.fact)
			for _, f := range n.more {
				l.Append(f)
			}
			l.Seal(n.sealed...)
			l.Job()
			out.Run = l.Run
			return nil
		},
	})
	if replay, ok := errorAs[*store.Replayed](err); ok {
		return e.replayed(ctx, who.Tenant, replay.Object)
	}
	return out, err
}

// replayed answers a repeated submission with the run as it is now.
func (e *Engine) replayed(ctx context.Context, tenant string, id security.ID) (Submitted, error) {
	run, err := e.db.Run(ctx, tenant, id)
	if err != nil {
		return Submitted{}, err
	}
	first, _, err := e.db.Entries(ctx, tenant, store.EntryFilter{Stream: id, Limit: 1})
	if err != nil || len(first) == 0 {
		return Submitted{}, fmt.Errorf("read the run's first entry: %w", err)
	}
	return Submitted{Run: run, Replayed: true, Receipt: store.Receipt{Stream: first[0].Stream, Seq: 0, Hash: first[0].Hash}}, nil
}
