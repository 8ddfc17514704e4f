package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
)

// What a lost COMMIT may have held: the change succeeds, applied once if it
// persisted, twice if not, and is in the database once.
func TestALostCommitIsFoundOutAbout(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(b *bed, id security.ID) (Change, func() int64){
		"a submission": func(b *bed, _ security.ID) (Change, func() int64) {
			ch := b.submission("k")
			return ch, func() int64 { return b.count(`select count(*) from entry where stream = $1`, ch.Run) }
		},
		"a change with an entry": func(b *bed, id security.ID) (Change, func() int64) {
			return step(id, "x"), func() int64 { return b.run(id).Seq - 1 }
		},
		"a change without an entry": func(b *bed, id security.ID) (Change, func() int64) {
			return Change{Run: id, Apply: func(l *Locked) error {
				l.Epoch++
				l.Job()
				return nil
			}}, func() int64 { return int64(b.run(id).Epoch) - 1 }
		},
		"a vote": func(b *bed, id security.ID) (Change, func() int64) {
			ask := security.NewID()
			b.write(asking(id, ask, time.Hour, "legal"))
			var seen []string
			return voting(id, ask, "subj_bob", &seen), func() int64 { return b.count(`select count(*) from vote where approval = $1`, ask) }
		},
		"an approval that ends": func(b *bed, id security.ID) (Change, func() int64) {
			ask := security.NewID()
			b.write(asking(id, ask, time.Hour, "legal"))
			settle := func(l *Locked) error {
				if l.Asked.State != approval.Pending {
					return approval.ErrClosed
				}
				l.Settle(ask, approval.Approved, true)
				return nil
			}
			used := func() int64 {
				return b.count(`select count(*) from approval where id = $1 and used_us is not null`, ask)
			}
			return Change{Run: id, Ask: ask, Apply: settle}, used
		},
	} {
		for _, fault := range []Fault{LoseRequest, LoseAnswer} {
			t.Run(name+map[Fault]string{LoseRequest: ", before it left", LoseAnswer: ", after it was done"}[fault], func(t *testing.T) {
				t.Parallel()
				arm, next := faults(fault)
				b := open(t, Config{Fault: next})
				ch, times := make(b, b.submit())
				applied, good := 0, ch.Apply
				ch.Apply = func(l *Locked) error { applied++; return good(l) }
				jobs := b.count(`select count(*) from river.river_job`)
				arm()
				if err := b.Write(t.Context(), ch); err != nil {
					t.Fatal(err)
				}
				if want := map[Fault]int{LoseRequest: 2, LoseAnswer: 1}[fault]; applied != want {
					t.Errorf("applied %d times", applied)
				}
				if n := times(); n != 1 {
					t.Errorf("it is there %d times", n)
				}
				if n := b.count(`select count(*) from river.river_job`) - jobs; n > 1 {
					t.Errorf("%d jobs", n)
				}
				if n := b.Figures().Lost; n != 1 {
					t.Errorf("%d lost", n)
				}
			})
		}
	}
}

func TestManyLostCommitsInARowLoseNothing(t *testing.T) {
	t.Parallel()
	arm, next := faults(LoseRequest, LoseRequest, LoseAnswer, NoFault, LoseAnswer, LoseRequest, LoseAnswer)
	b := open(t, Config{Fault: next})
	id := b.submit()
	arm()
	for range 10 {
		b.write(step(id, "x"))
	}
	if got := b.run(id).Seq; got != 11 || b.Figures().Lost != 6 {
		t.Errorf("%d entries, %d lost", got, b.Figures().Lost)
	}
}

// The connection is lost while the server is still at work on the batch: it
// holds the locks, and will commit. Whoever looks must wait for it.
func TestALostCommitThatIsStillUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(b *bed, id security.ID) Change{
		"a submission":           func(b *bed, _ security.ID) Change { return b.submission("k") },
		"a change with an entry": func(_ *bed, id security.ID) Change { return step(id, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net := &cable{}
			b := open(t, Config{Dial: net.dial})
			ch, applied, want := make(b, b.submit()), 0, int64(2)
			if ch.New {
				want = 1
			}
			good := ch.Apply
			ch.Apply = func(l *Locked) error { applied++; return good(l) }
			block, err := b.raw().Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := block.Exec(t.Context(), `lock table entry in exclusive mode`); err != nil {
				t.Fatal(err)
			}
			watch := b.raw()
			done := start(func() error { return b.Write(context.Background(), ch) })
			waiting := func(sql string) func() bool {
				return func() (found bool) {
					err := watch.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike $1)`, sql).Scan(&found)
					return err == nil && found
				}
			}
			eventually(t, "the batch waits inside its second half", waiting(`insert into entry%`))
			net.set(true)
			net.set(false)
			eventually(t, "the look waits for the batch", func() bool {
				return waiting(`insert into idempotency%`)() || waiting(`select id from run%for no key update`)()
			})
			if err := block.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if n := b.count(`select count(*) from entry where stream = $1`, ch.Run); n != want || applied != 1 {
				t.Errorf("%d entries, applied %d times", n, applied)
			}
		})
	}
}

func start(f func() error) chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// If somebody has changed the run between a lost batch without entries and the
// look, its changes decide anew: on the row as it is now.
func TestABatchWithoutEntriesIsKnownByItsWholeRow(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	r := b.run(id)
	changed := func(f func(*Run)) *writes {
		l := &Locked{Run: r.Clone()}
		f(&l.Run)
		return &writes{changed: []*Locked{l}}
	}
	for name, c := range map[string]struct {
		w    *writes
		want bool
	}{
		"the row as it stands": {changed(func(*Run) {}), true},
		"another version":      {changed(func(r *Run) { r.Version++ }), false},
		"another epoch":        {changed(func(r *Run) { r.Epoch++ }), false},
		"other steps":          {changed(func(r *Run) { r.Progress.Steps[0].Attempt++ }), false},
		"another run":          {changed(func(r *Run) { r.ID = security.NewID() }), false},
		"a run that was made":  {&writes{made: []*Locked{{Run: r}}}, true},
		"one that was not":     {&writes{made: []*Locked{{Run: Run{ID: security.NewID()}}}}, false},
		"nothing":              {&writes{}, false},
	} {
		err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			got, err := c.w.persisted(t.Context(), tx)
			if got != c.want {
				t.Errorf("%s: %v", name, got)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error that ends the session does not say that COMMIT was skipped.
func TestABackendThatIsEndedInsideABatchIsALostCommit(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	block, err := b.raw().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := block.Exec(t.Context(), `lock table entry in exclusive mode`); err != nil {
		t.Fatal(err)
	}
	done := start(func() error { return b.Write(context.Background(), step(id, "x")) })
	killer := b.raw()
	eventually(t, "the batch waits", func() bool {
		var n int
		err := killer.QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike 'insert into entry%'`).Scan(&n)
		return err == nil && n > 0
	})
	if err := block.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := b.run(id).Seq; got != 2 || b.Figures().Lost != 1 {
		t.Errorf("%d entries, %d lost", got, b.Figures().Lost)
	}
}

func TestALookThatFailsIsTriedAgainUntilItSucceeds(t *testing.T) {
	t.Parallel()
	arm, next := faults(LoseAnswer)
	net := &cable{}
	b := open(t, Config{Dial: net.dial, Fault: func() Fault {
		f := next()
		if f != NoFault {
			net.refuse()
		}
		return f
	}})
	id := b.submit()
	arm()
	done := start(func() error { return b.Write(context.Background(), step(id, "x")) })
	eventually(t, "no connection gets through", func() bool { net.mu.Lock(); defer net.mu.Unlock(); return net.cut })
	eventually(t, "it keeps trying", func() bool { return net.tries.Load() > 20 })
	select {
	case err := <-done:
		t.Fatalf("answered without knowing: %v", err)
	default:
	}
	net.set(false)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(int64(2), b.run(id).Seq); diff != "" {
		t.Error(diff)
	}
}
