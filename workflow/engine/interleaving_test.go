package engine

import (
	"context"
	"encoding/hex"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// The interleavings of docs/model, by the name of the correction or rule that
// each of them needs. p is the process that something happens to, q another.

// idle makes an engine that serves requests and takes no jobs.
func idle(_ *store.Config, c *Config, _ *steps.Config) { c.Idle = true }

// served makes a bench whose own engine takes no jobs.
func served(t *testing.T, kinds map[string]kind, options ...option) *bench {
	t.Helper()
	b := ready(t, kinds, options...)
	b.db, b.engine = b.start(idle)
	return b
}

// atCommit does something before the next COMMIT, once it is armed.
func atCommit(armed *atomic.Bool, what func()) option {
	return func(s *store.Config, _ *Config, _ *steps.Config) {
		s.Fault = func() store.Fault {
			if armed.CompareAndSwap(true, false) {
				what()
			}
			return store.NoFault
		}
	}
}

// C2, C3, lease_check: p commits an intent and is stopped before it learns so;
// q recovers the run; p wakes. The request must not leave.
func TestC2C3AStoppedProcessSendsNothingWhenItWakes(t *testing.T) {
	t.Parallel()
	for name, stopped := range map[string]bool{"stopped for long": true, "only for a moment": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, l := newBook(), newLink()
			b := served(t, map[string]kind{"e": {effect, k.noting(ok)}})
			b.flow("steps:\n  - {id: a, uses: e}\n")
			var armed atomic.Bool
			deaf := make(chan struct{})
			_, p := b.start(through(l), atCommit(&armed, func() { l.deafen(); close(deaf) }))
			t.Cleanup(l.mend)
			b.ends(b.run(), store.Succeeded, "") // from here on its statements are prepared: a batch is one write
			eventually(t, "p has let go", func() bool { return p.Driving() == 0 })
			armed.Store(true)
			id := b.run()
			<-deaf
			if !stopped {
				l.mend()
				b.ends(id, store.Succeeded, "")
				equal(t, "requests", k.count(id, "a"), 1)
				return
			}
			b.start() // q
			b.ends(id, store.Failed, "error")
			b.trails(id, "run.submitted step.intent/a run.recovered step.unknown/a=unknown run.closed=error")
			l.mend()
			eventually(t, "p gave the run up", func() bool { return p.Driving() == 0 })
			equal(t, "requests", k.count(id, "a"), 0)
		})
	}
}

// epoch: p is stopped while a call is under way; q recovers and finishes the
// run; p wakes with an answer. It commits nothing.
func TestAFencedDriverCommitsNothing(t *testing.T) {
	t.Parallel()
	k, l := newBook(), newLink()
	first := gate(make(chan struct{}))
	b := served(t, map[string]kind{"m": {model, k.noting(func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		if c.ID.Attempt == 1 {
			return first.deaf(ctx, c)
		}
		return ok(ctx, c)
	})}})
	b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1ms}}\n")
	id := b.run()
	_, p := b.start(through(l))
	t.Cleanup(l.mend)
	k.call(t, "a")
	l.cut()
	b.start() // q
	r := b.ends(id, store.Succeeded, "")
	close(first)
	l.mend()
	eventually(t, "p gave the run up", func() bool { return p.Driving() == 0 })
	if after := b.row(id); after.Seq != r.Seq || after.Version != r.Version {
		t.Errorf("the row moved after it was closed: %d, %d", r.Seq, after.Seq)
	}
	b.trails(id, "run.submitted step.intent/a run.recovered step.unknown/a=unknown step.intent/a step.result/a run.closed")
}

// C5, hb_lock: somebody who is alive is not buried, whatever was read before.
func TestC5TheLivingAreNotBuried(t *testing.T) {
	t.Parallel()
	b := served(t, map[string]kind{"e": {effect, ok}})
	b.flow("steps:\n  - {id: a, uses: e}\n")
	db, _ := b.start()
	b.ends(b.run(), store.Succeeded, "")
	err := b.db.Bury(context.Background(), db.Process(), quick.Silent, func([]store.Stranded) bool {
		t.Error("recover was called for a living process")
		return true
	})
	is(t, err, store.ErrAlive)
}

// fetched makes a run whose River row is running under a process, and which
// nobody has claimed.
func (b *bench) fetched(id security.ID, by security.ID) {
	b.t.Helper()
	b.sql(`update river.river_job set state = 'running', attempt = 1, attempted_at = now() - interval '1 hour', attempted_by = array[$2]
where args->>'run' = $1`, hex.EncodeToString(id[:]), by.String())
}

// C6, row_goes_with_run, unclaimed_rows: a process died between fetching and
// claiming, and its run is locked while somebody recovers it.
func TestC6ARiverRowGoesOnlyWithItsRun(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := served(t, map[string]kind{"e": {effect, ok}})
	b.flow("steps:\n  - {id: a, uses: e}\n")
	id, dead := b.run(), security.NewID()
	b.fetched(id, dead)
	tx, err := b.pool.Begin(ctx)
	must(t, err)
	defer tx.Rollback(ctx)
	_, err = tx.Exec(ctx, `select from custody.run where id = $1 for update`, id)
	must(t, err)
	b.sql(`insert into custody.process(id, at, version) values ($1, now() - interval '1 hour', '')`, dead)
	b.start()
	eventually(t, "somebody buries the dead process", func() (locked bool) {
		must(t, b.pool.QueryRow(ctx, `select not exists (select from custody.process where id = $1 for update skip locked)`, dead).Scan(&locked))
		return locked
	})
	var rows int
	must(t, b.pool.QueryRow(ctx, `select count(*) from river.river_job`).Scan(&rows))
	equal(t, "rows of River", rows, 1)
	must(t, tx.Rollback(ctx))
	b.ends(id, store.Succeeded, "")
	b.trails(id, "run.submitted run.recovered step.intent/a step.result/a run.closed")
}

// C7, self_recovery: River's fetch commits and its answer is lost; the process
// lives and knows nothing of the run.
func TestC7ALostFetchIsFound(t *testing.T) {
	t.Parallel()
	b := served(t, map[string]kind{"e": {effect, ok}})
	b.flow("steps:\n  - {id: a, uses: e}\n")
	id := b.run()
	db, p := b.open()
	b.fetched(id, db.Process())
	must(t, p.Start(context.Background()))
	b.ends(id, store.Succeeded, "")
	b.trails(id, "run.submitted run.recovered step.intent/a step.result/a run.closed")
}

// A tripwire is a log that panics once in the goroutine that writes a message.
type tripwire struct {
	slog.Handler
	message string
	sprung  *atomic.Bool
}

func (h tripwire) Enabled(context.Context, slog.Level) bool { return true }

func (h tripwire) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message && h.sprung.CompareAndSwap(false, true) {
		panic("tripwire")
	}
	return nil
}

// C7: a driver panics while it holds the run.
func TestC7APanickingDriverLeavesItsRunToRecovery(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := setup(t, map[string]kind{"m": {model, k.noting(script(retryable("status", 0)))}}, func(_ *store.Config, c *Config, _ *steps.Config) {
		c.Log = slog.New(tripwire{slog.DiscardHandler, "a call did not succeed", &atomic.Bool{}})
	})
	b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1ms}}\n")
	id := b.run()
	b.ends(id, store.Succeeded, "")
	b.trails(id, "run.submitted step.intent/a run.recovered step.unknown/a=unknown step.intent/a step.result/a run.closed")
	eventually(t, "no driver is left in the list", func() bool { return b.engine.Driving() == 0 })
}

// C7: the database was away when a driver wanted to load a run it had not
// claimed: its job must not be lost.
func TestAJobWhoseDriverCouldNotBeginComesBack(t *testing.T) {
	t.Parallel()
	b := served(t, map[string]kind{"e": {effect, ok}})
	b.flow("steps:\n  - {id: a, uses: e}\n")
	id := b.run()
	b.sql(`alter table custody.mandate rename to hidden`)
	b.start()
	eventually(t, "the job was given back", func() (back bool) {
		must(t, b.pool.QueryRow(context.Background(), `select exists (select from river.river_job where metadata ? 'snoozes')`).Scan(&back))
		return back
	})
	b.sql(`alter table custody.hidden rename to mandate`)
	b.ends(id, store.Succeeded, "")
}

// C8, give_back: a process that lacks a kind neither claims the run nor ends
// its job.
func TestC8ARunGoesToAProcessThatHasItsKinds(t *testing.T) {
	t.Parallel()
	b := served(t, map[string]kind{"special": {effect, ok}})
	b.flow("steps:\n  - {id: a, uses: special}\n")
	id := b.run()
	_, p := b.start(func(_ *store.Config, c *Config, p *steps.Config) { c.Kinds, p.Runners = workflow.Kinds{}, nil })
	eventually(t, "the job was given back", func() (back bool) {
		must(t, b.pool.QueryRow(context.Background(), `select exists (select from river.river_job where metadata ? 'snoozes')`).Scan(&back))
		return back
	})
	if r := b.row(id); r.State != store.Queued || !r.Holder.IsZero() {
		t.Errorf("the run is %s, held by %s", r.State, r.Holder)
	}
	b.start()
	must(t, p.Stop(context.Background())) // else chance decides who fetches it next, and again every snooze
	b.ends(id, store.Succeeded, "")
}

// C9, cancel_ends_intents: the driver died with an open intent, somebody has
// recovered the run and nobody drives it yet when it is cancelled.
func TestC9CancellationEndsAnOrphanedIntent(t *testing.T) {
	t.Parallel()
	for name, withJudge := range map[string]bool{"of a step": false, "of a judge": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, l, g := newBook(), newLink(), gate(make(chan struct{}))
			defer close(g)
			run, options, step := runner(g.run), []option(nil), "a"
			if withJudge {
				run, step = ok, "a#judge"
				options = append(options, judged(func(ctx context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
					k.note(c.ID, "a#judge")
					<-ctx.Done()
					return steps.JudgeAnswer{}, ctx.Err()
				}))
			}
			b := served(t, map[string]kind{"m": {model, k.noting(run)}}, options...)
			b.flow("steps:\n  - {id: a, uses: m}\n")
			id := b.run()
			b.start(through(l))
			t.Cleanup(l.mend)
			k.call(t, step)
			l.cut()
			b.until(id, "recovered", func(r store.Run) bool { return r.Holder.IsZero() && r.Epoch == 2 })
			b.cancel(id)
			b.ends(id, store.Cancelled, "")
			inner := ""
			if withJudge {
				inner = " call.intent/a"
			}
			end := " step.unknown/a=unknown run.closed"
			if withJudge {
				end = " call.result/a=unknown" + end
			}
			b.trails(id, "run.submitted step.intent/a"+inner+" run.recovered run.cancel_requested"+end)
		})
	}
}

// A cancellation comes while a driver takes over what a dead one left: the
// orphan ends, and nothing is tried again.
func TestCancellationOfARecoveredRun(t *testing.T) {
	t.Parallel()
	k, l, g := newBook(), newLink(), gate(make(chan struct{}))
	defer close(g)
	b := served(t, map[string]kind{"m": {model, k.noting(g.run)}})
	b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 3, backoff: 1ms}}\n  - {id: b, uses: m, needs: []}\n")
	id := b.run()
	b.start(through(l))
	t.Cleanup(l.mend)
	k.call(t, "a")
	k.call(t, "b")
	l.cut()
	b.start() // q
	k.call(t, "a")
	b.cancel(id)
	b.ends(id, store.Cancelled, "")
}

// A process dies while the judge is asked: the draft is sealed, so only the
// judge is asked again, and what the model was paid for is not paid again.
func TestADraftIsNotPaidTwice(t *testing.T) {
	t.Parallel()
	k, l := newBook(), newLink()
	var first atomic.Bool
	b := served(t, map[string]kind{"m": {model, k.noting(ok)}}, judged(func(ctx context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
		k.note(c.ID, "a#judge")
		if first.CompareAndSwap(false, true) {
			<-ctx.Done()
		}
		return steps.JudgeAnswer{Pass: true}, nil
	}))
	b.flow("steps:\n  - {id: a, uses: m}\n")
	id := b.run()
	b.start(through(l))
	t.Cleanup(l.mend)
	k.call(t, "a#judge")
	l.cut()
	b.start() // q
	b.ends(id, store.Succeeded, "")
	b.trails(id, "run.submitted step.intent/a call.intent/a run.recovered call.result/a=unknown call.intent/a call.result/a step.result/a run.closed")
	equal(t, "model calls", k.count(id, "a"), 1)
	equal(t, "questions to the judge", k.count(id, "a#judge"), 2)
}

// A driver that takes a run over learns what was decided and computed before
// it, in the order in which one was made from the other.
func TestARecoveredRunKnowsWhatWasDecided(t *testing.T) {
	t.Parallel()
	k, l := newBook(), newLink()
	b := served(t, map[string]kind{"m": {model, k.noting(func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		if c.ID.Attempt == 1 {
			<-ctx.Done()
			return steps.Draft{}, ctx.Err()
		}
		return echo(ctx, c)
	})}})
	b.flow(`steps:
  - {id: facts, uses: set, with: {b: [1, {y: 2, x: 1.5}], a: text}}
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: "${{ steps.facts.output }}", on_reject: continue}}
  - {id: word, uses: set, with: {said: "${{ steps.legal.output.decision }}"}}
  - {id: second, uses: approval, with: {approvers: {roles: [legal]}, show: "${{ steps.word.output }}"}}
  - {id: a, uses: m, retry: {attempts: 2, backoff: 1ms}, with: {said: "${{ steps.word.output.said }}"}}
`)
	id := b.run()
	b.start(through(l))
	t.Cleanup(l.mend)
	b.votes(id, "bob", "reject")
	b.votes(id, "bob", "approve")
	k.call(t, "a")
	l.cut()
	b.start() // q
	b.output(b.ends(id, store.Succeeded, ""), `{"said":"reject"}`)
}

// C10, nudge: a call hangs; somebody votes, here or in another process; what
// waits for the vote must begin all the same.
func TestC10AVoteReachesADriverWhoseCallHangs(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"in this process": false, "in another": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, g := newBook(), gate(make(chan struct{}))
			b := setup(t, map[string]kind{"m": {model, k.noting(g.run)}, "e": {effect, k.noting(ok)}})
			b.flow(`steps:
  - {id: hang, uses: m, needs: []}
  - {id: legal, uses: approval, needs: [], with: {approvers: {roles: [legal]}, show: x}}
  - {id: file, uses: e, needs: [legal]}
`)
			id := b.run()
			k.call(t, "hang")
			if elsewhere {
				driving := b.engine
				b.db, b.engine = b.start(idle)
				b.votes(id, "bob", "approve")
				equal(t, "driven by the other", driving.Driving(), 1)
			} else {
				b.votes(id, "bob", "approve")
			}
			k.call(t, "file")
			equal(t, "recoveries", b.row(id).Epoch, int32(1))
			close(g)
			b.ends(id, store.Succeeded, "")
			equal(t, "model calls", k.count(id, "hang"), 1)
		})
	}
}

// A back-off beside a hanging call ends in time, too.
func TestABackoffEndsBesideAHangingCall(t *testing.T) {
	t.Parallel()
	k, g := newBook(), gate(make(chan struct{}))
	b := setup(t, map[string]kind{"m": {model, k.noting(g.run)}, "flaky": {model, k.noting(script(retryable("status", 0)))}})
	b.flow("steps:\n  - {id: hang, uses: m, needs: []}\n  - {id: a, uses: flaky, needs: [], retry: {attempts: 2, backoff: 10ms}}\n")
	id := b.run()
	k.call(t, "a")
	k.call(t, "a")
	close(g)
	b.ends(id, store.Succeeded, "")
}

// C11: somebody who is stopped inside a batch holds the run's lock for longer
// than a commit is tried. The driver's paid answer must survive it. Meanwhile,
// in another database, a driver itself is the one that is stopped.
func TestC11AStopInsideABatchCostsNobodyElse(t *testing.T) {
	if testing.Short() {
		t.Skip("the store is patient for ten seconds")
	}
	t.Parallel()
	ctx := context.Background()
	k, g := newBook(), gate(make(chan struct{}))
	b := setup(t, map[string]kind{"m": {model, k.noting(g.run)}})
	b.flow("steps:\n  - {id: a, uses: m}\n")
	id := b.run()
	k.call(t, "a")
	tx, err := b.pool.Begin(ctx)
	must(t, err)
	defer tx.Rollback(ctx)
	_, err = tx.Exec(ctx, `select from custody.run where id = $1 for update`, id)
	must(t, err)
	close(g)
	locked := time.Now()
	stopsInsideABatch(t) // takes half of that time
	eventually(t, "the store's patience is over", func() bool { return time.Since(locked) > 10500*time.Millisecond })
	must(t, tx.Rollback(ctx))
	b.ends(id, store.Succeeded, "")
	b.trails(id, "run.submitted step.intent/a step.result/a run.closed")
}

// C11, idle_timeout: p is stopped between the two round trips of a batch. After
// five seconds the server ends its session, and q goes on.
func stopsInsideABatch(t *testing.T) {
	t.Helper()
	k, l, g := newBook(), newLink(), gate(make(chan struct{}))
	b := served(t, map[string]kind{"m": {model, k.noting(g.deaf)}})
	b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1ms}}\n")
	id := b.run()
	b.start(through(l))
	t.Cleanup(l.mend)
	k.call(t, "a")
	l.deafen()
	close(g) // p locks the row and never hears of it
	b.start()
	b.ends(id, store.Succeeded, "")
}

// apply: an outcome and the intent that rides with it are in the driver's hands
// when a cancellation or a rejection from another process gets ahead of them
// under the lock. The row decides, not the driver's memory.
func TestAnIntentIsDecidedOnTheLockedRow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first func(*bench, security.ID)
		state store.RunState
		code  string
		calls int
	}{
		"a cancellation is first": {func(b *bench, id security.ID) { b.cancel(id) }, store.Cancelled, "", 0},
		"a rejection is first":    {func(b *bench, id security.ID) { b.votes(id, "bob", "reject") }, store.Failed, "denied", 0},
		"an approval is first":    {func(b *bench, id security.ID) { b.votes(id, "bob", "approve") }, store.Succeeded, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, g := newBook(), gate(make(chan struct{}))
			b := served(t, map[string]kind{"m": {model, k.noting(g.deaf)}, "e": {effect, k.noting(ok)}})
			b.flow("steps:\n  - {id: a, uses: m}\n  - {id: b, uses: e}\n  - {id: c, uses: approval, needs: [], with: {approvers: {roles: [legal]}, show: x}}\n")
			id := b.run()
			b.start(func(_ *store.Config, c *Config, _ *steps.Config) {
				c.Clock.Beat, c.Clock.Fresh = 10*time.Second, time.Minute // no heartbeat tells the driver
			})
			k.call(t, "a")
			c.first(b, id)
			close(g)
			r := b.ends(id, c.state, c.code)
			equal(t, "effects", k.count(id, "b"), c.calls)
			equal(t, "a", r.Progress.Steps[0].Status, workflow.Succeeded) // its answer was paid
		})
	}
}

// resolve after a slow database: what was revoked while a commit was under way
// is seen before the request leaves.
func TestASlowCommitIsAdmittedAgain(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]bool{"revoked meanwhile": true, "not revoked": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			b := served(t, map[string]kind{"e": {effect, k.noting(ok)}})
			b.flow("steps:\n  - {id: a, uses: e}\n")
			var armed atomic.Bool
			armed.Store(true)
			id := b.run()
			b.start(atCommit(&armed, func() {
				if revoke {
					_, err := b.db.Revoke(context.Background(), store.Revocation{Key: "run:" + id.Name("run"), ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "stop"})
					if err != nil {
						t.Error(err)
					}
				}
				late := time.NewTimer(slowBatch + 100*time.Millisecond) // this is the slow database itself
				<-late.C
			}))
			if !revoke {
				b.ends(id, store.Succeeded, "")
				equal(t, "effects", k.total(), 1)
				return
			}
			b.ends(id, store.Failed, "revoked")
			b.trails(id, "run.submitted step.intent/a step.denied/a=denied run.closed=error")
			equal(t, "effects", k.total(), 0)
		})
	}
}
