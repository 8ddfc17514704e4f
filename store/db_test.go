package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store/localpg"
	"github.com/custodyhq/custody/store/storetest"
)

func TestAWrongConfigIsNamed(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]Config{
		"URL": {}, "Conns": {URL: "x", Conns: -1}, "Queue": {URL: "x", Queue: -1},
	} {
		if _, err := Open(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestOpenFailsWithoutRepeatingThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://me:hunter2@127.0.0.1:1/db", "postgres://me:hunter2@[host/db", "postgres://me:hunter2@127.0.0.1/db?sslmode=nonsense"} {
		_, err := Open(t.Context(), Config{URL: url}, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("open: %v", err)
		}
		if _, err := Verify(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("verify: %v", err)
		}
	}
}

func TestTheLedgerKeepsItsName(t *testing.T) {
	t.Parallel()
	b := open(t, Config{Origin: "custody.example/one"})
	again := join(t, b.url, Config{Origin: "custody.example/one"})
	if _, err := Open(t.Context(), Config{URL: b.url, Origin: "custody.example/two"}, nil); !errors.Is(err, ErrOrigin) || !strings.Contains(err.Error(), "custody.example/one") {
		t.Errorf("another name: %v", err)
	}
	one, err := b.LogOf(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := again.LogOf(t.Context(), "acme"); err != nil || two != one {
		t.Errorf("two processes: %d and %d, %v", one, two, err)
	}
	var wg sync.WaitGroup
	var ids [8]int16
	for i := range ids {
		wg.Go(func() { ids[i], _ = []*bed{b, again}[i%2].LogOf(t.Context(), "new") })
	}
	wg.Wait()
	for _, id := range ids {
		if id == 0 || id != ids[0] || id == one {
			t.Errorf("got %v beside %d", ids, one)
		}
	}
	if b.logName(one) != "custody.example/one/acme" {
		t.Errorf("the tenant's ledger is %q", b.logName(one))
	}
}

// A run of a tenant whose ledger another process has just made.
func TestALedgerOfAnotherProcessIsLearnt(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	c := join(t, b.url, Config{Conns: 1})
	log, err := b.LogOf(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	ch := b.submissionIn("acme", log, "k")
	b.write(ch)
	list, _, err := join(t, b.url, Config{Conns: 1}).Entries(t.Context(), "acme", EntryFilter{Limit: 10}) // one connection: no second one to ask
	if err != nil || len(list) != 1 || list[0].Log != "localhost/dev/acme" || list[0].Check() != nil {
		t.Errorf("%+v, %v", list, err)
	}
	c.write(step(ch.Run, "x"))
}

func TestWhileTheDatabaseIsAwayWritesWaitAndNewOnesAreTurnedAway(t *testing.T) {
	t.Parallel()
	net := &cable{}
	b := open(t, Config{Dial: net.dial, Queue: 20})
	runs := make([]security.ID, 40)
	for i := range runs {
		runs[i] = b.submit()
	}
	news := make([]Change, 60)
	for i := range news {
		news[i] = b.submission(fmt.Sprint("n", i))
	}
	net.set(true)
	var wg sync.WaitGroup
	write := func(id security.ID) {
		wg.Go(func() {
			if err := b.Write(context.Background(), step(id, "x")); err != nil {
				t.Error(err)
			}
		})
	}
	begun := net.tries.Load()
	write(runs[0]) // while the committer tries this one it takes nothing else
	eventually(t, "the committer tries", func() bool { return net.tries.Load() > begun+2 })
	for _, id := range runs[1:] { // more than the queue holds: the others wait for room
		write(id)
	}
	eventually(t, "the queue is full", func() bool { return len(b.changes) == cap(b.changes) })
	tries := net.tries.Load()
	eventually(t, "it tries again and again", func() bool { return net.tries.Load() > tries+20 })
	for _, ch := range news {
		if err := b.Write(t.Context(), ch); !errors.Is(err, ErrFull) {
			t.Fatalf("a new one: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Write(ctx, step(runs[0], "impatient")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an impatient one: %v", err)
	}
	if err := b.Ping(t.Context()); err == nil {
		t.Error("the database answers")
	}
	net.set(false)
	wg.Wait()
	for _, ch := range news {
		b.write(ch)
	}
	for _, id := range runs {
		if n := b.count(`select count(*) from entry where stream = $1 and step = 'x'`, id); n != 1 {
			t.Errorf("%d entries", n)
		}
	}
	if b.ill.Load() {
		t.Error("the database is still taken for ill")
	}
	eventually(t, "readers and heartbeats come back", func() bool { _, err := b.Beat(t.Context()); return err == nil && b.Ping(t.Context()) == nil })
}

func TestCloseAnswersEverybodyAndLeavesNoGoroutine(t *testing.T) {
	url := storetest.URL(t) // not parallel: it counts goroutines
	before := runtime.NumGoroutine()
	for range 3 {
		closeUnderLoad(t, url)
	}
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	intact(t, url)
}

func closeUnderLoad(t *testing.T, url string) {
	net := &cable{}
	db, err := Open(t.Context(), Config{URL: url, Dial: net.dial}, func(context.Context, pgx.Tx, []Job) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{DB: db, t: t, url: url, key: newRing(t)}
	id := b.submit()
	w := b.Watch(id, 0)
	defer w.Close()
	var wg sync.WaitGroup
	var written, closed atomic.Int64
	for range 50 {
		wg.Go(func() {
			for { // with contexts that never end: only Close can release them
				err := b.Write(context.Background(), step(id, "x"))
				if err == nil {
					written.Add(1)
					continue
				}
				if !errors.Is(err, ErrClosed) {
					t.Errorf("write: %v", err)
				}
				closed.Add(1)
				return
			}
		})
		wg.Go(func() {
			for {
				if _, err := b.Record(context.Background(), audit.Fact{Action: audit.AuditRead, Outcome: "ok", Tenant: "main"}); errors.Is(err, ErrClosed) {
					return
				}
			}
		})
		wg.Go(func() {
			for {
				if _, err := b.Load(context.Background(), id); errors.Is(err, ErrClosed) {
					return
				}
			}
		})
	}
	eventually(t, "some are written", func() bool { return written.Load() > 100 })
	b.Close()
	wg.Wait()
	if err := b.Write(context.Background(), step(id, "x")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if closed.Load() != 50 {
		t.Errorf("%d were answered", closed.Load())
	}
}

// Kill -9 of PostgreSQL, again and again, under load: what was answered as
// committed is there, once; what was not is not, or is there once.
func TestKill9OfPostgreSQLLosesNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	dir, err := os.MkdirTemp("/tmp", "custody-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for the account that runs the server for root
		t.Fatal(err)
	}
	start := func() *localpg.Server {
		s, err := localpg.Open(t.Context(), localpg.Config{Dir: dir, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close(context.Background()) })
		return s
	}
	server := start()
	if err := migrations.Up(t.Context(), server.URL); err != nil {
		t.Fatal(err)
	}
	b := join(t, server.URL, Config{})
	const writers = 30
	runs := make([]security.ID, writers)
	for i := range runs {
		runs[i] = b.submit()
	}
	var answered [writers]atomic.Int64
	var submitted sync.Map
	var news atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := b.Write(context.Background(), step(runs[i], fmt.Sprint("s", n))); err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
				answered[i].Add(1)
			}
		})
	}
	for i := range 5 {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				ch := b.submission(fmt.Sprintf("%d-%d", i, n))
				if err := b.Write(context.Background(), ch); err != nil {
					t.Errorf("submitter %d: %v", i, err)
					return
				}
				submitted.Store(ch.Run, true)
				news.Add(1)
			}
		})
	}
	for range 3 {
		mark := news.Load()
		eventually(t, "work goes on", func() bool { return news.Load() > mark+50 || t.Failed() })
		if err := syscall.Kill(server.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		server = start()
	}
	mark := news.Load()
	eventually(t, "work goes on", func() bool { return news.Load() > mark+50 || t.Failed() })
	stop.Store(true)
	wg.Wait()
	for i, id := range runs { // the writer waits for each answer, so the steps are 0, 1, 2, ... without gap or repetition
		if n := b.count(`select count(*) from entry where stream = $1 and step = 's' || (seq - 1)`, id); n != answered[i].Load() {
			t.Errorf("writer %d: %d answered, %d there", i, answered[i].Load(), n)
		}
		if r := b.count(`select seq from run where id = $1`, id); r != answered[i].Load()+1 {
			t.Errorf("writer %d: %d entries for %d answers", i, r, answered[i].Load())
		}
	}
	if n := b.count(`select count(*) from run`); n != writers+news.Load() {
		t.Errorf("%d runs, %d were answered", n, writers+news.Load())
	}
	t.Logf("%d submissions, %d lost commits", news.Load(), b.Figures().Lost)
	intact(t, server.URL)
}

func TestNotificationsReachRiverAndTheOthers(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	conn := b.raw()
	if _, err := conn.Exec(t.Context(), `listen custody_commit; listen "river.river_insert"`); err != nil {
		t.Fatal(err)
	}
	b.submit()
	got := map[string]string{}
	for len(got) < 2 {
		n, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got[n.Channel] = n.Payload
	}
	want := map[string]string{"custody_commit": b.Process().String(), "river.river_insert": `{"queue": "default"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The statements of a batch must use the primary keys whatever the statistics
// of a young table say.
func TestTheBatchIsPlannedWithIndexes(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	conn, err := b.dial(t.Context(), b.batchSettings())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for name, sql := range map[string]string{
		"lock": sqlLock, "wait": sqlWait, "keys": sqlReadKeys, "revoked": sqlRevoked, "runs": sqlRuns, "drop keys": sqlDropKeys, "load": sqlLoad,
		"asked": sqlAsked, "votes": sqlVotesOf,
	} {
		if _, err := conn.Prepare(t.Context(), name, sql); err != nil {
			t.Fatal(err)
		}
		desc, err := conn.Prepare(t.Context(), name, sql)
		if err != nil {
			t.Fatal(err)
		}
		plan := explain(t, conn, fmt.Sprintf("execute %q(%s)", name, strings.TrimSuffix(strings.Repeat("null,", len(desc.ParamOIDs)), ",")))
		for _, bad := range []string{"Seq Scan", "Hash Join", "Merge Join"} {
			if strings.Contains(plan, bad) {
				t.Errorf("%s:\n%s", name, plan)
			}
		}
	}
}

func TestOtherReadsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	b := join(t, storetest.URL(t), Config{})
	fill(t, b)
	conn, err := b.dial(t.Context(), readSettings())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for want, sql := range map[string]string{
		"run_due":          `select id from run where due_us <= (extract(epoch from clock_timestamp()) * 1000000)::bigint order by due_us limit 100`,
		"run_nudged":       `select id from run where nudged and holder = '` + hexID(b.process) + `'`,
		"run_open":         `select id from run where tenant = 'main' and state = 'waiting' and closed_us is null order by id desc limit 50`,
		"run_caller":       `select id from run where tenant = 'main' and caller = 'subj_1' order by id desc limit 50`,
		"run_pkey":         `select id from run where tenant = 'main' order by id desc limit 50`,
		"approval_pending": `select id from approval where tenant = 'main' and state = 'pending' order by id desc limit 50`,
		"entry_pkey":       `select body from entry where stream = '` + hexID(b.process) + `' and tenant = 'main' order by seq limit 50`,
		"entry_actor":      `select body from entry where tenant = 'main' and actor = 'subj_1' order by at_us, stream, seq limit 50`,
	} {
		if plan := explain(t, conn, sql); !strings.Contains(plan, want) {
			t.Errorf("%s is not used:\n%s", want, plan)
		}
	}
}
