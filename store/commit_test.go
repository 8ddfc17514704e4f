package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
)

var errNo = errors.New("this apply says no")

func TestManyRunsAreOneBatch(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	changes := make([]Change, 300)
	for i := range changes {
		changes[i] = b.submission(fmt.Sprint("k", i))
	}
	before := b.Figures()
	for i, err := range b.together(changes...) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	after := b.Figures()
	if after.Batches-before.Batches != 2 || after.Changes-before.Changes != 301 { // the gate's and theirs
		t.Errorf("%d batches of %d changes", after.Batches-before.Batches, after.Changes-before.Changes)
	}
	if n := b.count(`select count(*) from run`); n != 301 {
		t.Errorf("%d runs", n)
	}
	if n := b.count(`select count(*) from river.river_job`); n != 301 || b.made.Load() != 301 {
		t.Errorf("%d jobs", n)
	}
}

func TestAChangeThatPostgreSQLRefusesFailsAlone(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(*Locked){
		"a NUL in a text (class 22)":      func(l *Locked) { l.Workflow = "nul\x00byte" },
		"no UTF-8 (class 22)":             func(l *Locked) { l.Caller = "\xff" },
		"a state that is none (class 23)": func(l *Locked) { l.State = "asleep" },
		"an epoch of zero (class 23)":     func(l *Locked) { l.Epoch = 0 },
		"a closed run with a due date":    func(l *Locked) { l.State, l.ClosedUS, l.DueUS = Failed, l.NowUS, l.NowUS },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, Config{})
			var changes []Change
			for i := range 33 {
				changes = append(changes, b.submission(fmt.Sprint("k", i)))
			}
			good := changes[17].Apply
			changes[17].Apply = func(l *Locked) error {
				err := good(l)
				poison(l)
				return err
			}
			errs := b.together(changes...)
			for i, err := range errs {
				if (err == nil) == (i == 17) {
					t.Errorf("change %d: %v", i, err)
				}
			}
			if !strings.Contains(fmt.Sprint(errs[17]), "the database refused the change") {
				t.Errorf("the culprit hears %v", errs[17])
			}
			if n := b.count(`select count(*) from run`); n != 33 { // 32 and the gate
				t.Errorf("%d runs", n)
			}
			if n := b.count(`select count(*) from idempotency`); n != 33 {
				t.Errorf("%d keys: a refused submission burnt its key", n)
			}
			if b.Figures().Halved == 0 {
				t.Error("nothing was halved")
			}
			changes[17].Apply = good
			b.write(changes[17]) // corrected, under the same key
		})
	}
}

func TestAnApplyThatFailsLeavesItsRowAsItWas(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	spoil := func(l *Locked) {
		l.Progress.Steps[1].Attempt, l.Progress.Micros, l.Epoch, l.Holder, l.State = 99, 99, 99, security.NewID(), Failed
		l.Append(audit.Fact{Action: audit.StepResult, Outcome: "ok", Step: "spoilt"})
		l.Ask(Approval{ID: security.NewID()})
		l.Job()
	}
	for name, bad := range map[string]func(*Locked) error{
		"an error": func(l *Locked) error { spoil(l); return errNo },
		"a panic":  func(l *Locked) error { spoil(l); panic("deliberate") },
	} {
		id := b.submit()
		want := b.run(id)
		set := func(step, attempt int) Change {
			return Change{Run: id, Apply: func(l *Locked) error {
				l.Progress.Steps[step].Attempt = attempt
				l.Touch()
				return nil
			}}
		}
		jobs := b.count(`select count(*) from river.river_job`)
		errs := b.together(set(0, 7), Change{Run: id, Apply: bad}, set(2, 8))
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("%s: its neighbours failed: %v", name, errs)
		}
		if e := fmt.Sprint(errs[1]); !errors.Is(errs[1], errNo) && !strings.Contains(e, "deliberate") {
			t.Errorf("%s: it heard %q", name, e)
		}
		want.Progress.Steps[0].Attempt, want.Progress.Steps[2].Attempt = 7, 8
		want.Version++
		if diff := cmp.Diff(want, b.run(id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := b.count(`select count(*) from river.river_job`); n != jobs+1 { // the gate's
			t.Errorf("%s: %d jobs more", name, n-jobs)
		}
	}
}

func TestChangesOfOneRunInOneBatchSeeEachOtherInOrder(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	var seen [50]int64
	changes := make([]Change, len(seen))
	for i := range changes {
		ch := step(id, fmt.Sprint("s", i))
		changes[i] = Change{Run: id, Apply: func(l *Locked) error {
			seen[i] = l.Seq
			return ch.Apply(l)
		}}
	}
	for _, err := range b.together(changes...) {
		if err != nil {
			t.Error(err)
		}
	}
	for i, seq := range seen {
		if seq != int64(i)+1 {
			t.Fatalf("change %d saw %d entries", i, seq)
		}
	}
	r := b.run(id)
	if r.Seq != 51 || r.Version != 2 {
		t.Errorf("%d entries in version %d: it is one change of the row", r.Seq, r.Version)
	}
}

func TestAChangeIsToldTheVersionThatItMakes(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	var told int64
	b.write(Change{Run: id, Apply: func(l *Locked) error { told = l.Version; l.Touch(); return nil }})
	if got := b.run(id).Version; told != got {
		t.Errorf("the change was told %d, the row has %d", told, got)
	}
}

func TestVotesInOneBatchSeeEachOther(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id, ask := b.submit(), security.NewID()
	b.write(asking(id, ask, time.Hour, "legal"))
	var first, second, again, late []string
	errs := b.together(
		voting(id, ask, "subj_bob", &first),
		voting(id, ask, "subj_bob", &again),
		Change{Run: id, Ask: ask, Apply: func(l *Locked) error { // what a failed change votes counts for nobody
			l.Vote(Vote{ID: security.NewID(), Approval: ask, Voter: "subj_eve", Decision: approval.Approve})
			l.Asked.Votes, l.Asked.State = nil, approval.Rejected
			return errNo
		}},
		voting(id, ask, "subj_carol", &second),
		voting(id, ask, "subj_dave", &late))
	if errs[0] != nil || !errors.Is(errs[1], approval.ErrAlreadyVoted) || !errors.Is(errs[2], errNo) || errs[3] != nil || !errors.Is(errs[4], approval.ErrClosed) {
		t.Errorf("got %v", errs)
	}
	if diff := cmp.Diff([]string{"subj_bob"}, second); diff != "" {
		t.Errorf("the second voter's change saw (-want +got):\n%s", diff)
	}
	a, err := b.Approval(t.Context(), "main", ask)
	if err != nil || a.State != approval.Approved || len(a.Votes) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAWrongChangeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	unkeyed := b.submission("")
	for name, ch := range map[string]Change{
		"no apply":             {Run: id},
		"a new run, no key":    unkeyed,
		"too large by its own": {Run: id, Bytes: maxBatchBytes + 1, Apply: step(id, "x").Apply},
	} {
		if err := b.Write(t.Context(), ch); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
	readOnly, err := Open(t.Context(), Config{URL: b.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	if err := readOnly.Write(t.Context(), step(id, "x")); err == nil || !strings.Contains(err.Error(), "without jobs") {
		t.Errorf("a store without jobs says %v", err)
	}
	if _, err := readOnly.Record(t.Context(), audit.Fact{Action: audit.CtlOpened, Outcome: "ok", Tenant: "main"}); err != nil {
		t.Errorf("a store without jobs may record: %v", err)
	}
}

func TestAChangeLargerThanABatchIsRefusedAlone(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id, other := b.submit(), b.submit()
	large := Change{Run: id, Apply: func(l *Locked) error {
		run, _, err := b.key.NewRunKey("main", id)
		if err != nil {
			return err
		}
		s, err := run.Seal("main", id, "output:x", make([]byte, maxBatchBytes+1))
		l.Seal(s)
		return errors.Join(err, step(id, "x").Apply(l))
	}}
	errs := b.together(large, step(other, "y"))
	if !errors.Is(errs[0], ErrTooLarge) || errs[1] != nil {
		t.Errorf("got %v", errs)
	}
}

// Hostile text in the columns must neither poison the batch nor differ from
// the body, which verify would call a finding.
func TestHostileTextIsStoredAsTheBodyHasIt(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	for _, text := range []string{"nul\x00", "\xff\xfe", strings.Repeat("x", 300), strings.Repeat("ß", 200), "naïve", `quote"back\slash`, "\u2028"} {
		b.write(Change{Run: id, Apply: func(l *Locked) error {
			l.Append(audit.Fact{Action: audit.StepResult, Outcome: text, Step: text, Actor: text})
			return nil
		}})
		if _, err := b.Record(t.Context(), audit.Fact{Action: audit.AccessDenied, Outcome: text, Actor: text, Name: text, Tenant: "main"}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestARunThatSomebodyDamagedFailsAlone(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	steps, reason, whole := b.submit(), b.submit(), b.submit()
	b.exec(`update run set steps = '\x0900' where id = $1`, steps)
	b.exec(`update run set reason = 'no json' where id = $1`, reason)
	errs := b.together(step(steps, "x"), step(reason, "x"), step(whole, "x"))
	if !errors.Is(errs[0], errUnreadable) || !errors.Is(errs[1], errUnreadable) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	var wg sync.WaitGroup
	for id, bad := range map[security.ID]bool{steps: true, reason: true, whole: false} {
		wg.Go(func() {
			if _, err := b.Load(t.Context(), id); errors.Is(err, errUnreadable) != bad {
				t.Errorf("load: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestARunLockedElsewhereIsWaitedForWithoutSpinning(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id, free := b.submit(), b.submit()
	conn := b.raw()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select from run where id = $1 for no key update`, id); err != nil {
		t.Fatal(err)
	}
	before := b.Figures().Batches
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- b.Write(t.Context(), step(id, "waits")) }()
	eventually(t, "the change is tried several times", func() bool { return b.Figures().Batches > before+5 })
	b.write(step(free, "goes on")) // others are not held up
	select {
	case err := <-done:
		t.Fatalf("answered while the run was locked: %v", err)
	default:
	}
	for range 200 { // a while, counted in what others do
		if err := b.pool.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if tries, most := b.Figures().Batches-before, int64(5+time.Since(began)/shortLull); tries > most {
		t.Errorf("%d batches in %v", tries, time.Since(began))
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := b.run(id).Seq; got != 2 {
		t.Errorf("%d entries", got)
	}
}

func TestPatienceWithALockEnds(t *testing.T) {
	t.Parallel()
	b := open(t, Config{patience: 100 * time.Millisecond})
	id := b.submit()
	conn := b.raw()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `select from run where id = $1 for no key update`, id); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), step(id, "x")); !errors.Is(err, ErrBusy) {
		t.Errorf("a locked run: %v", err)
	}
}

func TestARunThatDoesNotExistIsNotFoundAtOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{patience: time.Hour})
	id := b.submit()
	keyed := step(security.NewID(), "x")
	keyed.Key = Key{Scope: "main/subj_alice", Key: "of nothing", Body: []byte("b"), Object: keyed.Run}
	errs := b.together(step(security.NewID(), "x"), step(id, "y"), keyed)
	if !errors.Is(errs[0], ErrNotFound) || errs[1] != nil || !errors.Is(errs[2], ErrNotFound) {
		t.Errorf("got %v", errs)
	}
	if n := b.count(`select count(*) from idempotency where key = 'of nothing'`); n != 0 {
		t.Error("the key is burnt")
	}
}

// C11: a process that is stopped between the two round trips holds its runs'
// locks. The server ends its session, everybody goes on, and when it wakes its
// change is decided anew on the row as it is then.
func TestAStoppedProcessDoesNotHoldItsRunsForEver(t *testing.T) {
	t.Parallel()
	inside, wake := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	stopped := open(t, Config{idle: "300ms", Fault: func() Fault {
		if armed.CompareAndSwap(true, false) {
			close(inside)
			<-wake
		}
		return NoFault
	}})
	other := join(t, stopped.url, Config{})
	id := stopped.submit()
	armed.Store(true)
	var saw []int64
	done := make(chan error, 1)
	go func() {
		done <- stopped.Write(context.Background(), Change{Run: id, Apply: func(l *Locked) error {
			saw = append(saw, l.Seq)
			return step(id, "stopped").Apply(l)
		}})
	}()
	<-inside
	other.write(step(id, "other"))
	close(wake)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1, 2}, saw); diff != "" {
		t.Errorf("its change saw (-want +got):\n%s", diff)
	}
	if got := other.run(id).Seq; got != 3 {
		t.Errorf("%d entries", got)
	}
	if got := other.batchSettings()["idle_in_transaction_session_timeout"]; got != "5s" {
		t.Errorf("in earnest it is %s", got)
	}
}

func TestOneStoppedProcessDoesNotStarveAnother(t *testing.T) {
	t.Parallel()
	b := open(t, Config{patience: time.Minute})
	ids := make([]security.ID, 20)
	for i := range ids {
		ids[i] = b.submit()
	}
	free := b.submit()
	tx, err := b.raw().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select from run where id = any($1) for no key update`, ids); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range maxBatch / len(ids) * 2 { // twice what a batch holds
		for _, id := range ids {
			wg.Go(func() {
				if err := b.Write(t.Context(), step(id, "x")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "all wait", func() bool { return b.Figures().Changes > 2*maxBatch && len(b.changes) == 0 })
	before := b.Figures().Batches
	var others sync.WaitGroup
	for range 200 {
		others.Go(func() { b.write(step(free, "y")) })
	}
	others.Wait()
	if n := b.Figures().Batches - before; n > 100 {
		t.Errorf("%d batches for 200 changes: they got no room beside those that wait", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestManyWritersOnFewRunsKeepEveryChainWhole(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	c := join(t, b.url, Config{})
	runs := []security.ID{b.submit(), b.submit(), b.submit()}
	var wg sync.WaitGroup
	for w := range 40 {
		wg.Go(func() {
			db := []*bed{b, c}[w%2]
			for i := range 10 {
				if err := db.Write(t.Context(), step(runs[(w+i)%len(runs)], "s")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, id := range runs {
		entries, _, err := b.Entries(t.Context(), "main", EntryFilter{Stream: id, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var at int64
		var prev audit.Hash
		for i, e := range entries {
			body, err := audit.ParseBody(e.Body)
			if err != nil || e.Check() != nil || e.Seq != int64(i) || e.Prev != prev || body.AtUS < at {
				t.Fatalf("entry %d does not follow: %+v", i, e)
			}
			prev, at = e.Hash, body.AtUS
		}
		if r := b.run(id); r.Seq != int64(len(entries)) || r.Head != prev || r.AtUS != at {
			t.Errorf("the row says %d entries, there are %d", r.Seq, len(entries))
		}
	}
	if n := b.count(`select count(*) from entry`); n != 3+400 {
		t.Errorf("%d entries", n)
	}
}
