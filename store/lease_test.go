package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// claim makes the process of b the run's holder.
func (b *bed) claim(id security.ID, nudged bool) {
	b.t.Helper()
	b.write(Change{Run: id, Apply: func(l *Locked) error {
		l.Holder, l.Nudged, l.State = b.Process(), nudged, Running
		l.Touch()
		return nil
	}})
}

// fetched marks River's row of the run as running under the process.
func (b *bed) fetched(id, process security.ID, ago time.Duration) {
	b.t.Helper()
	b.exec(`update river.river_job set state = 'running', attempted_by = array['somebody', $2], attempted_at = clock_timestamp() - $3::interval
where args->>'run' = $1`, hexID(id), process.String(), ago.String())
}

func (b *bed) silence(process security.ID, ago time.Duration) {
	b.t.Helper()
	b.exec(`update process set at = clock_timestamp() - $2::interval where id = $1`, process, ago.String())
}

func TestAHeartbeatReportsNudgesAndKeepsThem(t *testing.T) {
	t.Parallel()
	b := open(t, Config{Version: "1.2.3"})
	other := join(t, b.url, Config{})
	mine, quiet, theirs := b.submit(), b.submit(), b.submit()
	b.claim(mine, true)
	b.claim(quiet, false)
	other.claim(theirs, true)
	for range 2 { // the answer may be lost: the next one says it again
		nudged, err := b.Beat(t.Context())
		if diff := cmp.Diff([]security.ID{mine}, nudged); diff != "" || err != nil {
			t.Errorf("%s%v", diff, err)
		}
	}
	list, err := b.Processes(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != b.Process() || list[0].Version != "1.2.3" || list[0].Age > time.Minute || list[0].Started.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestSilenceIsMeasuredOnTheDatabasesClock(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	dead, fresh := join(t, b.url, Config{}), join(t, b.url, Config{})
	for _, db := range []*bed{b, dead, fresh} {
		if _, err := db.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.silence(dead.Process(), time.Minute)
	b.silence(b.Process(), time.Minute) // one does not bury oneself
	silent, err := b.Silent(t.Context(), 10*time.Second)
	if diff := cmp.Diff([]security.ID{dead.Process()}, silent); diff != "" || err != nil {
		t.Errorf("%s%v", diff, err)
	}
}

func TestStraysAreWhatAProcessHoldsOrHasFetched(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	p := b.Process()
	held, fetched, young, moved, closed, foreign := b.submit(), b.submit(), b.submit(), b.submit(), b.submit(), b.submit()
	b.claim(held, false)
	b.fetched(fetched, p, time.Minute)
	b.fetched(young, p, time.Second)
	b.fetched(moved, p, time.Minute)
	b.write(Change{Run: moved, Apply: func(l *Locked) error { l.Epoch++; l.Touch(); return nil }})
	b.fetched(closed, p, time.Minute)
	b.write(ending(closed))
	b.fetched(foreign, security.NewID(), time.Minute)
	got, err := b.Strays(t.Context(), p, 10*time.Second)
	want := map[Stranded]bool{{held, 1}: true, {fetched, 1}: true}
	if err != nil || len(got) != len(want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range got {
		if !want[s] {
			t.Errorf("%+v", s)
		}
	}
	if got, err = b.Strays(t.Context(), p, 0); err != nil || len(got) != 3 {
		t.Errorf("of any age: %+v, %v", got, err)
	}
}

// recoverRun is what the engine does with a stray.
func (b *bed) recoverRun(s Stranded) error {
	return b.Write(b.t.Context(), Change{Run: s.Run, Apply: func(l *Locked) error {
		l.Append(audit.Fact{Action: audit.RunRecovered, Outcome: "ok"})
		l.Holder, l.State = security.ID{}, Queued
		l.Epoch++
		l.Job()
		return nil
	}})
}

func TestBuryTakesEverythingAndOnlyThenForgetsTheProcess(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	dead := join(t, b.url, Config{})
	if _, err := dead.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	held, fetched, skipped := b.submit(), b.submit(), b.submit()
	dead.claim(held, false)
	for _, id := range []security.ID{held, fetched, skipped} {
		b.fetched(id, dead.Process(), time.Minute)
	}
	rows := func(id security.ID) int64 {
		return b.count(`select count(*) from river.river_job where args->>'run' = $1 and state = 'running'`, hexID(id))
	}
	if err := b.Bury(t.Context(), dead.Process(), 10*time.Second, func([]Stranded) bool { t.Error("a process that lives was buried"); return true }); !errors.Is(err, ErrAlive) {
		t.Errorf("alive: %v", err)
	}
	b.silence(dead.Process(), time.Minute)
	halfway := func(strays []Stranded) bool {
		for _, s := range strays {
			if s.Run != skipped {
				if err := b.recoverRun(s); err != nil {
					t.Error(err)
				}
			}
		}
		return false
	}
	if err := b.Bury(t.Context(), dead.Process(), 10*time.Second, halfway); err != nil {
		t.Fatal(err)
	}
	if rows(held) != 1 || rows(skipped) != 1 || b.count(`select count(*) from process`) != 1 {
		t.Error("something went although not all was recovered")
	}
	var seen []Stranded
	if err := b.Bury(t.Context(), dead.Process(), 10*time.Second, func(strays []Stranded) bool { seen = strays; return true }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Stranded{{skipped, 1}}, seen); diff != "" {
		t.Errorf("the second burial saw (-want +got):\n%s", diff)
	}
	if rows(held) != 0 || rows(fetched) != 0 || b.count(`select count(*) from process`) != 0 {
		t.Errorf("left: %d and %d rows, %d processes", rows(held), rows(fetched), b.count(`select count(*) from process`))
	}
	if rows(skipped) != 1 {
		t.Error("a row went without its run")
	}
	if err := b.Bury(t.Context(), dead.Process(), 0, func([]Stranded) bool { return true }); !errors.Is(err, ErrAlive) {
		t.Errorf("one that is not there: %v", err)
	}
}

// C5: a process that wakes while it is buried must wait for the burial before
// it can renew, and two observers do not bury it twice.
func TestAProcessThatWakesWaitsForItsBurial(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	dead, third := join(t, b.url, Config{}), join(t, b.url, Config{})
	if _, err := dead.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := b.submit()
	dead.claim(id, false)
	b.silence(dead.Process(), time.Minute)
	inside, proceed := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.Bury(t.Context(), dead.Process(), 10*time.Second, func(strays []Stranded) bool {
			close(inside)
			<-proceed
			return len(strays) == 1 && b.recoverRun(strays[0]) == nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	if err := third.Bury(t.Context(), dead.Process(), 10*time.Second, func([]Stranded) bool { t.Error("buried twice"); return true }); !errors.Is(err, ErrAlive) {
		t.Errorf("the other observer: %v", err)
	}
	beat := start(func() error { _, err := dead.Beat(context.Background()); return err })
	eventually(t, "the heartbeat waits", func() bool {
		return b.count(`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'insert into process%'`) == 1
	})
	close(proceed)
	wg.Wait()
	if err := <-beat; err != nil {
		t.Fatal(err)
	}
	if r := b.run(id); r.Epoch != 2 || !r.Holder.IsZero() {
		t.Errorf("the run is in epoch %d", r.Epoch)
	}
}

func TestDueRunsComeOldestFirst(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	var want []security.ID
	for i, ago := range []time.Duration{time.Minute, time.Hour, time.Second, -time.Hour} {
		id := b.submit()
		b.write(Change{Run: id, Apply: func(l *Locked) error { l.State, l.DueUS = Waiting, l.NowUS-ago.Microseconds(); l.Touch(); return nil }})
		if i < 3 {
			want = append(want, id)
		}
	}
	want[0], want[1] = want[1], want[0]
	got, err := b.Due(t.Context(), 10)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s%v", diff, err)
	}
	if got, err = b.Due(t.Context(), 1); err != nil || len(got) != 1 || got[0] != want[0] {
		t.Errorf("%v, %v", got, err)
	}
}
