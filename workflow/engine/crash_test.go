package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/localpg"
	"github.com/custodyhq/custody/workflow"
)

// The variables that make this test program an engine process.
const (
	envDatabase = "CUSTODY_ENGINE_TEST_DATABASE"
	envReceiver = "CUSTODY_ENGINE_TEST_RECEIVER"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(envDatabase); url != "" {
		os.Exit(serveUntilKilled(url, os.Getenv(envReceiver)))
	}
	os.Exit(m.Run())
}

// serveUntilKilled drives runs until somebody kills this process, or the test
// that started it has ended: then its input does.
func serveUntilKilled(url, receiver string) int {
	t := &testing.B{} // a testing.TB outside of tests: only Fatal is ever used
	b := &bench{t: t, url: url, kinds: workflow.Kinds{ByName: map[string]*workflow.Kind{}}, runners: map[string]steps.Runner{}}
	b.options = []option{judged(judge(outward(receiver).judge))}
	b.equip(crashKinds(outward(receiver)))
	_, _ = b.start()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 3
}

// outward is a receiver's address; its calls are requests with the two names.
type outward string

func (o outward) send(ctx context.Context, id steps.CallID) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(o), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", id.Key)
	req.Header.Set("Custody-Call", id.Call)
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return &steps.Error{Code: steps.CodeConnection, Unknown: true, Err: err}
	}
	return reply.Body.Close()
}

func (o outward) run(ctx context.Context, c steps.Call) (steps.Draft, error) {
	if err := o.send(ctx, c.ID); err != nil {
		return steps.Draft{}, err
	}
	return ok(ctx, c)
}

func (o outward) judge(ctx context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
	return steps.JudgeAnswer{Pass: true}, o.send(ctx, c.ID)
}

func crashKinds(o outward) map[string]kind {
	return map[string]kind{"m": {model, o.run}, "e": {effect, o.run}}
}

const crashFlow = `steps:
  - {id: draft, uses: m, retry: {attempts: 20, backoff: 1ms}}
  - {id: side, uses: m, needs: [], retry: {attempts: 20, backoff: 1ms}}
  - {id: count, uses: set, needs: [draft, side], with: {n: "${{ 1 + 1 }}"}}
  - {id: notify, uses: e, retry: {attempts: 20, backoff: 1ms}}
  - {id: pay, uses: e, needs: []}
`

// A receiver is the world outside: it notes every request.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int // call id -> requests
	keys  map[string][]string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{calls: map[string]int{}, keys: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		r.note(q.Header.Get("Custody-Call"), q.Header.Get("Idempotency-Key"))
		answer := time.NewTimer(time.Duration(rand.IntN(60)) * time.Millisecond) // it is slow, so that crashes find calls under way
		<-answer.C
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) note(call, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[call]++
	r.keys[key] = append(r.keys[key], call)
}

// honest holds what was received against the record: every request has its
// committed intent, none left twice, and of an effect that may not be repeated
// there is one at most.
func (r *receiver) honest(t testing.TB, pool *pgxpool.Pool, runs []security.ID) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	intended := map[string]bool{}
	for _, id := range runs {
		all, err := stream(pool, id)
		must(t, err)
		for _, l := range all {
			if l.Action == "step.intent" || l.Action == "call.intent" {
				intended[l.Call] = true
			}
		}
		if n := len(r.keys[id.Name("run")+"/pay"]); n > 1 {
			t.Errorf("%s paid %d times", id.Name("run"), n)
		}
	}
	for call, n := range r.calls {
		if n != 1 || !intended[call] {
			t.Errorf("call %s left %d times; its intent is committed: %v", call, n, intended[call])
		}
	}
}

// outcomes asserts how the runs ended: well, with an effect of which nobody
// knows whether it happened and which may not be repeated, or with a draft of
// which the judge was asked as often as it may be and died every time.
func (b *bench) outcomes(runs []security.ID) {
	b.t.Helper()
	doubtful, unjudged := 0, 0
	for _, id := range runs {
		r := b.closed(id)
		last := r.Progress.Steps[len(r.Progress.Steps)-1]
		switch {
		case r.State == store.Succeeded:
		case r.State == store.Failed && last.Status == workflow.Unknown:
			doubtful++
		case r.State == store.Failed && b.unanswered(id, r.Reason) == maxJudge:
			unjudged++
		default:
			b.t.Errorf("run %s is %s (%+v): %s", id.Name("run"), r.State, r.Reason, trail(b.pool, id))
		}
	}
	var recovered, unknown int
	must(b.t, b.pool.QueryRow(context.Background(), `select count(*) filter (where action = 'run.recovered'), count(*) filter (where outcome = 'unknown') from custody.entry`).Scan(&recovered, &unknown))
	b.t.Logf("%d runs, recovered %d times, %d calls unknown, %d runs for a person to decide, %d without a verdict", len(runs), recovered, unknown, doubtful, unjudged)
}

// unanswered is how many of the judge's calls about the draft that ended a run
// had no answer; zero if that draft was not withheld.
func (b *bench) unanswered(id security.ID, why *store.Reason) (n int) {
	b.t.Helper()
	all, err := stream(b.pool, id)
	must(b.t, err)
	asked := map[string]bool{} // about the attempt under way
	for _, l := range all {
		switch {
		case why == nil || l.Step != why.Step:
		case l.Action == "step.intent":
			asked, n = map[string]bool{}, 0
		case l.Action == "call.intent" && strings.HasSuffix(l.Key, judgePart):
			asked[l.Call] = true
		case l.Action == "call.result" && l.Outcome == "unknown" && asked[l.Call]:
			n++
		case l.Action == "step.withheld":
			return n
		}
	}
	return 0
}

// A victim is a process that drives runs.
type victim struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ready chan struct{}
}

func newVictim(t testing.TB, url, receiver string) *victim {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDatabase+"="+url, envReceiver+"="+receiver)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	v := &victim{cmd: cmd, stdin: stdin, ready: make(chan struct{})}
	go func() {
		defer close(v.ready)
		_, _ = bufio.NewReader(stdout).ReadString('\n')
	}()
	return v
}

func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	<-v.ready // its output is read to the end before Wait closes it
	_ = v.cmd.Wait()
	_ = v.stdin.Close()
}

// kill -9 of one of two processes that share the work, again and again.
func TestKillNine(t *testing.T) {
	t.Parallel()
	kills, count := 20, 50
	if testing.Short() {
		kills, count = 5, 20
	}
	world := newReceiver(t)
	b := served(t, crashKinds(outward(world.URL)), judged(judge(outward(world.URL).judge)))
	b.flow(crashFlow)
	rnd := rand.New(rand.NewPCG(9, 9))
	victims := []*victim{newVictim(t, b.url, world.URL), newVictim(t, b.url, world.URL)}
	t.Cleanup(func() {
		for _, v := range victims {
			v.kill()
		}
	})
	var runs []security.ID
	for i := range kills {
		for range count/kills + 1 {
			if len(runs) < count {
				runs = append(runs, b.run())
			}
		}
		v := victims[i%2]
		<-v.ready
		moment := time.NewTimer(time.Duration(rnd.IntN(120)) * time.Millisecond) // at random: this is what is tested
		<-moment.C
		v.kill()
		victims[i%2] = newVictim(t, b.url, world.URL)
	}
	b.outcomes(runs)
	world.honest(t, b.pool, runs)
}

// kill -9 of PostgreSQL itself, under an engine that goes on.
func TestKillNineOfPostgreSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("PostgreSQL recovers several times")
	}
	t.Parallel()
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "custody-engine-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755)) // for the account that runs the server for root
	cfg := localpg.Config{Dir: dir, NoSync: true, Log: io.Discard}
	server, err := localpg.Open(ctx, cfg)
	must(t, err)
	servers := []*localpg.Server{server}
	t.Cleanup(func() {
		for _, s := range servers {
			_ = s.Close(ctx)
		}
	})
	url, err := server.Database(ctx, "custody")
	must(t, err)
	must(t, migrations.Up(ctx, url))
	world := newReceiver(t)
	b := benchOn(t, url, crashKinds(outward(world.URL)), judged(judge(outward(world.URL).judge)))
	b.db, b.engine = b.start()
	b.flow(crashFlow)
	rnd := rand.New(rand.NewPCG(5, 5))
	var runs []security.ID
	for range 5 {
		for range 10 {
			// Connections that have not been used since are found dead one by one.
			eventually(t, "a submission", func() bool {
				s, err := b.engine.Submit(ctx, alice(), Submission{Workflow: "w", Input: []byte(`{}`)})
				if err == nil {
					runs = append(runs, s.Run.ID)
				}
				return err == nil
			})
		}
		moment := time.NewTimer(time.Duration(rnd.IntN(60)) * time.Millisecond) // at random: this is what is tested
		<-moment.C
		must(t, syscall.Kill(servers[len(servers)-1].PID, syscall.SIGKILL))
		server, err := localpg.Open(ctx, cfg)
		must(t, err)
		servers = append(servers, server)
		eventually(t, "the database answers", func() bool { return b.db.Ping(ctx) == nil })
	}
	b.outcomes(runs)
	world.honest(t, b.pool, runs)
}
