package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
	"github.com/custodyhq/custody/workflow/engine"
)

// bench is a Custody process with everything on, and a step that does nothing.
type bench struct {
	db     *store.DB
	engine *engine.Engine
	cfg    engine.Config
	def    *workflow.Definition
	sleep  time.Duration
	next   atomic.Int64
}

// input is what a run is given, a quarter of a kilobyte of contract, another one
// for each run: the guard remembers texts that it has read.
const input = `{"contract":"Contract %d. This agreement is made between Example Ltd and the Supplier. The Supplier delivers within 30 days. Liability is limited to the annual fee. Either party may terminate with three months notice. Governing law is that of the Netherlands."}`

// fiveSteps is a run of five steps, each of which is given the input and
// returns an object that is checked against its schema.
func fiveSteps() string {
	s := "name: five\ninput: {type: object, properties: {contract: {type: string, maxLength: 20000}}}\nrequires: {roles: [analyst]}\nsteps:\n"
	for i := range 5 {
		s += fmt.Sprintf("  - {id: s%d, uses: noop, with: {text: \"${{ input.contract }}\"}}\n", i)
	}
	return s
}

func newBench(ctx context.Context, url string, workers int, sleep time.Duration, source string) (*bench, error) {
	b := &bench{sleep: sleep}
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	keys, err := security.NewKeys("m1", priv, map[string]ed25519.PublicKey{"m1": pub})
	if err != nil {
		return nil, err
	}
	ring, err := vault.NewKeyring("k1", map[string][]byte{"k1": make([]byte, 32)})
	if err != nil {
		return nil, err
	}
	g, err := guard.New(guard.Config{})
	if err != nil {
		return nil, err
	}
	pipeline, err := steps.New(steps.Config{Guard: g, Runners: map[string]steps.Runner{"noop": b}})
	if err != nil {
		return nil, err
	}
	schema := json.RawMessage(`{"type":"object","required":["bullets"],"properties":{"bullets":{"type":"array","items":{"type":"string"}}}}`)
	kinds := workflow.Kinds{ByName: map[string]*workflow.Kind{"noop": {
		Name: "noop", Version: "1", Intent: true, Output: func(map[string]any) (json.RawMessage, error) { return schema, nil },
	}}}
	jobs, err := engine.Jobs()
	if err != nil {
		return nil, err
	}
	if b.db, err = store.Open(ctx, store.Config{URL: url}, jobs); err != nil {
		return nil, err
	}
	b.cfg = engine.Config{Store: b.db, Pipeline: pipeline, Kinds: kinds, Keys: keys, Vault: ring, Workers: workers}
	if b.engine, err = engine.New(b.cfg); err != nil {
		return nil, err
	}
	if b.def, err = workflow.Parse([]byte(source), kinds); err != nil {
		return nil, err
	}
	_, err = b.db.Register(ctx, store.Definition{Tenant: "main", Name: b.def.Name, Digest: b.def.Digest(), Source: source, Author: "subj_erin"}, true)
	return b, err
}

// Run is the step: a call that takes as long as it is told.
func (b *bench) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	if b.sleep > 0 {
		t := time.NewTimer(b.sleep)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return steps.Draft{}, ctx.Err()
		}
	}
	return steps.NewDraft(map[string]any{"bullets": []any{"Between Example Ltd and the Supplier, call " + call.ID.Call, "Delivery within 30 days", "Liability capped at the annual fee"}}, steps.Use{}), nil
}

func (b *bench) close(ctx context.Context) {
	_ = b.engine.Stop(ctx)
	b.db.Close()
}

func alice() security.Principal {
	now := time.Now()
	return security.Principal{
		Tenant: "main", ID: "subj_alice", Kind: security.Human, Issuer: "https://id.example", Subject: "alice", Client: "custody-cli",
		Session: "s", TokenID: "t", Roles: []string{"analyst"}, ACR: "mfa", AuthTime: now, IssuedAt: now, Expires: now.Add(time.Hour),
	}
}

func (b *bench) submit(ctx context.Context) (security.ID, error) {
	s, err := b.engine.Submit(ctx, alice(), engine.Submission{Workflow: b.def.Name, Input: fmt.Appendf(nil, input, b.next.Add(1))})
	return s.Run.ID, err
}

// wait returns when the run has closed. It watches as the API's waiting
// requests do: first the watch, then one look, then nothing until the end.
func (b *bench) wait(ctx context.Context, id security.ID) error {
	w := b.db.Watch(id, 0)
	defer w.Close()
	r, err := b.db.Run(ctx, "main", id)
	if err != nil || r.State.Closed() {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.Closed:
		return nil
	}
}

// backlog submits runs before the engine takes any, and watches each of them.
func (b *bench) backlog(ctx context.Context, runs int) ([]*store.Watch, error) {
	watches := make([]*store.Watch, runs)
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Value
	for range 200 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(runs); n = next.Add(1) {
				id, err := b.submit(ctx)
				if err != nil {
					failed.Store(err)
					return
				}
				watches[n-1] = b.db.Watch(id, 0)
			}
		})
	}
	wg.Wait()
	err, _ := failed.Load().(error)
	return watches, err
}

// closed waits until all watched runs have closed. It asks nobody: like the
// peer, it is told in this process.
func closed(ctx context.Context, watches []*store.Watch) error {
	for _, w := range watches {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.Closed:
		}
	}
	for _, w := range watches {
		w.Close()
	}
	return nil
}

// verify recomputes every chain and counts what must be there.
func (b *bench) verify(ctx context.Context, runs int) error {
	r, err := b.db.Verify(ctx)
	if err != nil {
		return err
	}
	var ok int
	if err := b.db.Pool().QueryRow(ctx, `select count(*) from run where state = 'succeeded'`).Scan(&ok); err != nil {
		return err
	}
	if r.Verdict != "intact" || ok != runs {
		return fmt.Errorf("%d of %d runs succeeded; the ledger is %s: %+v", ok, runs, r.Verdict, r.Findings[:min(3, len(r.Findings))])
	}
	return nil
}
