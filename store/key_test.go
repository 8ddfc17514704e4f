package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
)

func replayOf(err error) security.ID {
	var r *Replayed
	if errors.As(err, &r) {
		return r.Object
	}
	return security.ID{}
}

func TestAKeyMakesASubmissionHappenOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	first, same, again, later := b.submission("k"), b.submission("k"), b.submission("other key"), b.submission("k")
	mismatch, elsewhere := b.submission("k"), b.submission("k")
	mismatch.Key.Body = []byte("another body")
	elsewhere.Key.Scope = "main/subj_bob"
	errs := b.together(first, same, mismatch, again, elsewhere)
	if errs[0] != nil || replayOf(errs[1]) != first.Run || !errors.Is(errs[2], ErrMismatch) || errs[3] != nil || errs[4] != nil {
		t.Errorf("in one batch: %v", errs)
	}
	if err := b.Write(t.Context(), later); replayOf(err) != first.Run {
		t.Errorf("in a later batch: %v", err)
	}
	if err := b.Write(t.Context(), mismatch); !errors.Is(err, ErrMismatch) {
		t.Errorf("another body in a later batch: %v", err)
	}
	if n := b.count(`select count(*) from run`); n != 4 { // with the gate
		t.Errorf("%d runs", n)
	}
}

func TestTheVeryChangeAgainIsAReplay(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	ch := b.submission("k")
	errs := b.together(ch, ch)
	if errs[0] != nil || replayOf(errs[1]) != ch.Run {
		t.Errorf("in one batch: %v", errs)
	}
	if err := b.Write(t.Context(), ch); replayOf(err) != ch.Run {
		t.Errorf("later: %v", err)
	}
	cancel := step(ch.Run, "x") // what acts on an object that is there names it as its own
	cancel.Key = Key{Scope: "main/subj_alice", Key: "cancel", Body: []byte("b"), Object: ch.Run}
	other := cancel
	other.Key.Key = "cancel too"
	errs = b.together(cancel, other, cancel)
	if errs[0] != nil || errs[1] != nil || replayOf(errs[2]) != ch.Run {
		t.Errorf("two keys, one object: %v", errs)
	}
	if got := b.run(ch.Run).Seq; got != 3 {
		t.Errorf("%d entries", got)
	}
}

func TestARefusedChangeGivesItsKeyBack(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	for name, make := range map[string]func(key string) Change{
		"a submission": b.submission,
		"a vote": func(key string) Change {
			ch := step(id, "x")
			ch.Key = Key{Scope: "main/subj_alice", Key: key, Body: []byte("body"), Object: security.NewID()}
			return ch
		},
	} {
		refused, corrected, neighbour := make(name), make(name), make(name+" beside")
		refused.Apply = func(*Locked) error { return errNo }
		errs := b.together(refused, corrected, neighbour)
		if !errors.Is(errs[0], errNo) || errs[1] != nil || errs[2] != nil {
			t.Errorf("%s, corrected in the same batch: %v", name, errs)
		}
		alone := make(name + " alone")
		good := alone.Apply
		alone.Apply = func(*Locked) error { return errNo }
		if err := b.Write(t.Context(), alone); !errors.Is(err, errNo) {
			t.Errorf("%s: %v", name, err)
		}
		alone.Apply = good
		if err := b.Write(t.Context(), alone); err != nil {
			t.Errorf("%s, corrected later: %v", name, err)
		}
	}
}

func TestTwoProcessesWithOneKeyMakeOneRun(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	c := join(t, b.url, Config{})
	for i := range 30 {
		key := fmt.Sprint("k", i)
		var errs [2]error
		var runs [2]Change
		var wg sync.WaitGroup
		for p, db := range []*bed{b, c} {
			runs[p] = db.submission(key)
			wg.Go(func() { errs[p] = db.Write(t.Context(), runs[p]) })
		}
		wg.Wait()
		switch {
		case errs[0] == nil && replayOf(errs[1]) == runs[0].Run:
		case errs[1] == nil && replayOf(errs[0]) == runs[1].Run:
		default:
			t.Fatalf("got %v", errs)
		}
	}
	if n := b.count(`select count(*) from run`); n != 30 {
		t.Errorf("%d runs", n)
	}
}

// Keys are taken in sorted order: two processes that take the same ones in
// opposite orders wait for each other and never deadlock.
func TestKeysInAnyOrderDoNotDeadlock(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	c := join(t, b.url, Config{})
	before := b.count(`select deadlocks from pg_stat_database where datname = current_database()`)
	const keys = 40
	var made atomic.Int64
	var wg sync.WaitGroup
	for round := range 5 {
		for p, db := range []*bed{b, c} {
			for i := range keys {
				n := i
				if p == 1 {
					n = keys - 1 - i
				}
				ch := db.submission(fmt.Sprintf("%d-%d", round, n))
				wg.Go(func() {
					switch err := db.Write(t.Context(), ch); {
					case err == nil:
						made.Add(1)
					case replayOf(err).IsZero():
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
	}
	if made.Load() != 5*keys || b.count(`select count(*) from run`) != 5*keys {
		t.Errorf("%d made", made.Load())
	}
	b.exec(`select pg_stat_force_next_flush()`)
	if n := b.count(`select deadlocks from pg_stat_database where datname = current_database()`); n != before {
		t.Errorf("%d deadlocks", n-before)
	}
}

func TestKeysInUseAreNamedOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	uses := []KeyUse{{"mandate", "m1"}, {"kek", "k1"}}
	for range 2 {
		if err := b.UseKeys(t.Context(), uses...); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Keys(t.Context())
	if diff := cmp.Diff([]KeyUse{{"kek", "k1"}, {"mandate", "m1"}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := b.UseKeys(t.Context(), KeyUse{"password", "p"}); err == nil {
		t.Error("another kind of key was taken")
	}
}
