package engine

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/storetest"
	"github.com/custodyhq/custody/workflow"
)

// quick are the protocol's times, shortened together. The machine that runs the
// tests is busy, so the lease is not shortened as far as the rest.
var quick = Clock{
	Beat: 50 * time.Millisecond, Fresh: time.Second, Silent: 1200 * time.Millisecond, Gap: 700 * time.Millisecond,
	Due: 20 * time.Millisecond, Judge: 20 * time.Millisecond,
}

// patience bounds every wait. It is never waited out by a test that passes.
const patience = 40 * time.Second

// A bench is a database of its own with engines on it.
type bench struct {
	t       testing.TB
	url     string
	pool    *pgxpool.Pool // as the database's owner, who may do everything
	db      *store.DB     // of the first engine
	engine  *Engine
	keys    *security.Keys
	vault   *vault.Keyring
	kinds   workflow.Kinds
	runners map[string]steps.Runner
	options []option
	forged  bool // somebody changes the record: it need not verify
}

// runner is a step kind that a test writes in place.
type runner func(ctx context.Context, call steps.Call) (steps.Draft, error)

func (r runner) Run(ctx context.Context, call steps.Call) (steps.Draft, error) { return r(ctx, call) }

// kind is a kind of step for tests.
type kind struct {
	workflow.Kind
	run runner
}

// judge is a second model that a test writes in place.
type judge func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error)

func (j judge) Judge(ctx context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
	return j(ctx, c)
}

func draft(v any) steps.Draft { return steps.NewDraft(v, steps.Use{}) }

func ok(context.Context, steps.Call) (steps.Draft, error) {
	return draft(map[string]any{"ok": true}), nil
}

// echo returns its arguments.
func echo(_ context.Context, c steps.Call) (steps.Draft, error) { return draft(c.Input.All()), nil }

type option func(*store.Config, *Config, *steps.Config)

// judged gives every model call a judge.
func judged(j judge) option {
	return func(_ *store.Config, _ *Config, p *steps.Config) { p.Judge = j }
}

// setup makes a bench with one engine that runs. When the test is over the
// record is verified and every run's stream is read.
func setup(t testing.TB, kinds map[string]kind, options ...option) *bench {
	t.Helper()
	b := ready(t, kinds, options...)
	b.db, b.engine = b.start()
	return b
}

// ready makes a bench without an engine.
func ready(t testing.TB, kinds map[string]kind, options ...option) *bench {
	t.Helper()
	return benchOn(t, storetest.URL(t), kinds, options...)
}

// benchOn makes a bench on a database that is there.
func benchOn(t testing.TB, url string, kinds map[string]kind, options ...option) *bench {
	t.Helper()
	b := &bench{t: t, url: url, kinds: workflow.Kinds{ByName: map[string]*workflow.Kind{}}, runners: map[string]steps.Runner{}, options: options}
	b.equip(kinds)
	pool, err := pgxpool.New(context.Background(), b.url)
	must(t, err)
	b.pool = pool
	t.Cleanup(func() {
		defer pool.Close()
		if !t.Failed() && !b.forged {
			verify(t, b.url, pool)
		}
	})
	return b
}

// in is the bench for a subtest that shares it.
func (b *bench) in(t testing.TB) *bench {
	c := *b
	c.t = t
	return &c
}

func (b *bench) equip(kinds map[string]kind) {
	b.keys, b.vault = testKeys(b.t)
	for name, k := range kinds {
		kk := k.Kind
		kk.Name, kk.Version, kk.Intent = name, "1", true
		b.kinds.ByName[name] = &kk
		b.runners[name] = k.run
	}
	var pc steps.Config
	for _, o := range b.options {
		o(&store.Config{}, &Config{}, &pc)
	}
	b.kinds.Judge = pc.Judge != nil
}

// testKeys are the same in every process of a test.
func testKeys(t testing.TB) (*security.Keys, *vault.Keyring) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	keys, err := security.NewKeys("m1", private, map[string]ed25519.PublicKey{"m1": private.Public().(ed25519.PublicKey)})
	must(t, err)
	ring, err := vault.NewKeyring("k1", map[string][]byte{"k1": make([]byte, 32)})
	must(t, err)
	return keys, ring
}

// start starts an engine on the bench's database.
func (b *bench) start(options ...option) (*store.DB, *Engine) {
	b.t.Helper()
	db, e := b.open(options...)
	must(b.t, e.Start(context.Background()))
	return db, e
}

// open makes an engine that does nothing yet.
func (b *bench) open(options ...option) (*store.DB, *Engine) {
	b.t.Helper()
	g, err := guard.New(guard.Config{})
	must(b.t, err)
	sc := store.Config{URL: b.url, Log: logger(b.t)}
	ec := Config{Kinds: b.kinds, Keys: b.keys, Vault: b.vault, Workers: 500, Log: logger(b.t), Clock: quick, Drain: 5 * time.Second}
	pc := steps.Config{Guard: g, Runners: b.runners, Grace: 100 * time.Millisecond}
	for _, o := range append(b.options[:len(b.options):len(b.options)], options...) {
		o(&sc, &ec, &pc)
	}
	jobs, err := Jobs()
	must(b.t, err)
	db, err := store.Open(context.Background(), sc, jobs)
	must(b.t, err)
	ec.Store = db
	ec.Pipeline, err = steps.New(pc)
	must(b.t, err)
	e, err := New(ec)
	must(b.t, err)
	b.t.Cleanup(func() {
		_ = e.Stop(context.Background())
		db.Close()
	})
	return db, e
}

func logger(t testing.TB) *slog.Logger {
	if os.Getenv("CUSTODY_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person signs in now, with a second factor.
func person(name string, roles ...string) security.Principal {
	return security.Principal{
		Tenant: "main", ID: "subj_" + name, Kind: security.Human, Issuer: "https://id.example", Subject: name, Client: "custody-cli",
		Session: "s-" + name, TokenID: "t-" + name, Roles: roles, ACR: "mfa", AuthTime: time.Now(), IssuedAt: time.Now(), Expires: time.Now().Add(10 * time.Minute),
	}
}

func alice() security.Principal { return person("alice", "analyst") }

func (b *bench) define(source string) *workflow.Definition {
	b.t.Helper()
	d, err := workflow.Parse([]byte(source), b.kinds)
	must(b.t, err)
	_, err = b.db.Register(context.Background(), store.Definition{Tenant: "main", Name: d.Name, Digest: d.Digest(), Source: source, Author: "subj_erin"}, true)
	must(b.t, err)
	return d
}

// expires shortens the approvals of w, which the language lets expire after a
// minute at the earliest.
func (b *bench) expires(after time.Duration) {
	b.t.Helper()
	d, _, err := b.engine.defs.get(context.Background(), "main", "w", "")
	must(b.t, err)
	for i := range d.Steps {
		for _, a := range []*workflow.ApprovalSpec{d.Steps[i].Approval, d.Steps[i].Guard.OnReview} {
			if a != nil {
				a.Expires = after
			}
		}
	}
}

// flow defines a workflow of these steps for analysts, named w.
func (b *bench) flow(steps string) { b.define("name: w\nrequires: {roles: [analyst]}\n" + steps) }

func (b *bench) submit(name string, input any) store.Run {
	b.t.Helper()
	body, err := json.Marshal(input)
	must(b.t, err)
	s, err := b.engine.Submit(context.Background(), alice(), Submission{Workflow: name, Input: body})
	must(b.t, err)
	return s.Run
}

// run submits a run of w without input.
func (b *bench) run() security.ID { return b.submit("w", map[string]any{}).ID }

func (b *bench) row(id security.ID) store.Run {
	b.t.Helper()
	r, err := b.db.Run(context.Background(), "main", id)
	must(b.t, err)
	return r
}

// until waits for a run to be in a state that holds.
func (b *bench) until(id security.ID, what string, holds func(store.Run) bool) store.Run {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w := b.db.Watch(id, 0)
	defer w.Close()
	tick := time.NewTicker(25 * time.Millisecond) // what changes without an entry: a holder, a state
	defer tick.Stop()
	for {
		r, err := b.db.Run(ctx, "main", id)
		if err == nil && holds(r) {
			return r
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("run %s never was %s; it is %s (%+v): %s", id.Name("run"), what, r.State, r.Reason, trail(b.pool, id))
		case <-w.Changed:
		case <-tick.C:
		}
	}
}

func (b *bench) closed(id security.ID) store.Run {
	b.t.Helper()
	return b.until(id, "closed", func(r store.Run) bool { return r.State.Closed() })
}

// waiting waits for a run that nobody drives.
func (b *bench) waiting(id security.ID) store.Run {
	b.t.Helper()
	return b.until(id, "waiting", func(r store.Run) bool { return r.State == store.Waiting })
}

// ends asserts how a run ends.
func (b *bench) ends(id security.ID, want store.RunState, code string) store.Run {
	b.t.Helper()
	r := b.closed(id)
	got := ""
	if r.Reason != nil {
		got = r.Reason.Code
	}
	if r.State != want || got != code {
		b.t.Fatalf("the run is %s %q, want %s %q (%+v): %s", r.State, got, want, code, r.Reason, trail(b.pool, id))
	}
	return r
}

// trails asserts a run's entries.
func (b *bench) trails(id security.ID, want string) {
	b.t.Helper()
	if got := trail(b.pool, id); got != want {
		b.t.Errorf("trail:\n got %s\nwant %s", got, want)
	}
}

// output asserts what a run returned.
func (b *bench) output(r store.Run, want string) {
	b.t.Helper()
	c, err := b.engine.Output(context.Background(), r)
	if err != nil || string(c.JSON) != want {
		b.t.Errorf("output %s, %v; want %s", c.JSON, err, want)
	}
}

// asked waits for the run's open approval.
func (b *bench) asked(id security.ID) store.Asked {
	b.t.Helper()
	var out store.Asked
	b.until(id, "asking", func(store.Run) bool {
		all, err := b.db.ApprovalsOf(context.Background(), id)
		for _, a := range all {
			if a.State == approval.Pending {
				out = a
			}
		}
		return err == nil && !out.ID.IsZero()
	})
	return out
}

func (b *bench) vote(who security.Principal, a store.Asked, decision string) error {
	_, err := b.engine.Vote(context.Background(), who, Ballot{Approval: a.ID, Decision: decision, Digest: a.Digest})
	return err
}

// votes votes as a person of Legal.
func (b *bench) votes(id security.ID, name, decision string) {
	b.t.Helper()
	must(b.t, b.vote(person(name, "legal"), b.asked(id), decision))
}

func (b *bench) cancel(id security.ID) {
	b.t.Helper()
	_, err := b.engine.Cancel(context.Background(), alice(), Cancellation{Run: id, Reason: "no longer needed"})
	must(b.t, err)
}

// sql does what only the database's owner can.
func (b *bench) sql(statement string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(context.Background(), statement, args...)
	must(b.t, err)
}

// A book notes the calls that left, by their key.
type book struct {
	mu    sync.Mutex
	calls map[string][]string // key -> call ids
	steps map[string]int      // calls of a step, whatever the run, that nobody has waited for
}

func newBook() *book { return &book{calls: map[string][]string{}, steps: map[string]int{}} }

func (k *book) note(id steps.CallID, step string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls[id.Key] = append(k.calls[id.Key], id.Call)
	k.steps[step]++
}

// count is how many calls left for a step of a run; part is #judge or nothing.
func (k *book) count(run security.ID, step string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.calls[run.Name("run")+"/"+step])
}

// total is how many calls left.
func (k *book) total() (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.calls {
		n += len(c)
	}
	return n
}

// noting is a kind that notes and then does what it does.
func (k *book) noting(what runner) runner {
	return func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		k.note(c.ID, c.Step.ID)
		return what(ctx, c)
	}
}

// call waits until a step's next call has left.
func (k *book) call(t testing.TB, step string) {
	t.Helper()
	eventually(t, "a call of step "+step, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.steps[step] == 0 {
			return false
		}
		k.steps[step]--
		return true
	})
}

// A gate is a kind whose calls wait until it is opened.
type gate chan struct{}

func (g gate) run(ctx context.Context, c steps.Call) (steps.Draft, error) {
	select {
	case <-g:
		return ok(ctx, c)
	case <-ctx.Done():
		return steps.Draft{}, ctx.Err()
	}
}

// deaf is a gate whose calls do not obey their context.
func (g gate) deaf(ctx context.Context, c steps.Call) (steps.Draft, error) {
	<-g
	return ok(ctx, c)
}

// script answers with one error after the other, and then well.
func script(errs ...error) runner {
	var mu sync.Mutex
	n := 0
	return func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n <= len(errs) {
			return steps.Draft{}, errs[n-1]
		}
		return ok(ctx, c)
	}
}

// eventually waits for something that leaves no entry.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("never: %s", what)
		}
	}
}

func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func retryable(code string, after time.Duration) error {
	return &steps.Error{Code: code, Detail: "as the test says", Retry: true, After: after}
}

func lines(n int, line func(int) string) (s string) {
	for i := range n {
		s += fmt.Sprintln(line(i))
	}
	return s
}
