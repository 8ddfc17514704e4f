package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store/storetest"
)

// A bed is a store on a database of its own.
type bed struct {
	*DB
	t    testing.TB
	url  string
	key  *vault.Keyring
	made atomic.Int64 // jobs
	past *pgx.Conn    // for count
}

// open gives a store on a fresh database, whose ledger must be intact when the
// test ends.
func open(t testing.TB, cfg Config) *bed {
	t.Helper()
	url := storetest.URL(t)
	b := join(t, url, cfg)
	t.Cleanup(func() { intact(t, url) })
	return b
}

// join is another process on the same database.
func join(t testing.TB, url string, cfg Config) *bed {
	t.Helper()
	b := &bed{t: t, url: url, key: newRing(t)}
	cfg.URL = url
	var err error
	if b.DB, err = Open(t.Context(), cfg, b.jobs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// jobs puts a row into River's table as its client does, through CopyFrom.
func (b *bed) jobs(ctx context.Context, tx pgx.Tx, jobs []Job) error {
	b.made.Add(int64(len(jobs)))
	rows := make([][]any, len(jobs))
	for i, j := range jobs {
		rows[i] = []any{fmt.Sprintf(`{"run": %q, "epoch": %d}`, hexID(j.Run), j.Epoch), "drive", 25}
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"river", "river_job"}, []string{"args", "kind", "max_attempts"}, pgx.CopyFromRows(rows))
	return err
}

func hexID(id security.ID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func intact(t testing.TB, url string) {
	t.Helper()
	r, err := Verify(context.Background(), url)
	if err != nil {
		t.Errorf("verify: %v", err)
		return
	}
	if r.Verdict != audit.Intact && r.Entries > 0 {
		t.Errorf("the ledger is %s: %+v", r.Verdict, r.Findings[:min(5, len(r.Findings))])
	}
}

// submission is the change that makes a run, as the engine writes it.
func (b *bed) submission(key string) Change {
	b.t.Helper()
	log, err := b.LogOf(b.t.Context(), "main")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.submissionIn("main", log, key)
}

func (b *bed) submissionIn(tenant string, log int16, key string) Change {
	id := security.NewID()
	run, wrapped, err := b.key.NewRunKey(tenant, id)
	if err != nil {
		b.t.Fatal(err)
	}
	input, err := run.Seal(tenant, id, "input", []byte(`{"contract":"text"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	r := Run{
		ID: id, Tenant: tenant, Log: log, Workflow: "review", Digest: "sha256:d", Caller: "subj_alice", CreatedUS: time.Now().UnixMicro(),
		State: Queued, Epoch: 1, Version: 1, Progress: Progress{Steps: make([]Step, 3)},
	}
	m := Mandate{Signed: security.Signed{Body: []byte("{}"), Key: "m1", Sig: []byte("s")}, Key: wrapped, Input: input.ID}
	return Change{
		Run: id, New: true, Bytes: 500,
		Key: Key{Scope: tenant + "/subj_alice", Key: key, Body: []byte("body"), Object: id},
		Apply: func(l *Locked) error {
			l.Make(r, m)
			l.Progress.Steps = make([]Step, 3)
			l.Append(audit.Fact{
				Action: audit.RunSubmitted, Outcome: "ok", Actor: "subj_alice", Workflow: "sha256:d",
				Authn:    &audit.Authn{Mandate: m.Signed.Digest()},
				Payloads: []audit.Payload{{ID: input.ID.Name("pay"), Kind: input.Kind, Bytes: input.Bytes, Commit: input.Commit, Sum: input.Sum}},
			})
			l.Seal(input)
			l.Job()
			return nil
		},
	}
}

func (b *bed) submit() security.ID {
	b.t.Helper()
	ch := b.submission(security.NewID().String())
	if err := b.Write(b.t.Context(), ch); err != nil {
		b.t.Fatal(err)
	}
	return ch.Run
}

// step is a change with one entry about step s.
func step(run security.ID, s string) Change {
	return Change{Run: run, Bytes: 300, Apply: func(l *Locked) error {
		l.Append(audit.Fact{Action: audit.StepResult, Outcome: "ok", Step: s, Attempt: 1, Actor: "subj_alice"})
		return nil
	}}
}

// ending closes the run.
func ending(run security.ID) Change {
	return Change{Run: run, Bytes: 300, Apply: func(l *Locked) error {
		l.State, l.Holder, l.Nudged, l.DueUS = Succeeded, security.ID{}, false, 0
		l.Append(audit.Fact{Action: audit.RunClosed, Outcome: "ok", State: string(Succeeded)})
		l.ClosedUS = l.AtUS
		return nil
	}}
}

func (b *bed) write(ch Change) {
	b.t.Helper()
	if err := b.Write(b.t.Context(), ch); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) run(id security.ID) Run {
	b.t.Helper()
	r, err := b.Run(b.t.Context(), "main", id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// together queues changes while the committer is busy with a batch of its own,
// so that they are committed in one batch and in this order, and returns how
// each one went. The committer waits on a run that gate holds.
func (b *bed) together(changes ...Change) []error {
	b.t.Helper()
	inside, open := make(chan struct{}), make(chan struct{})
	gate := b.submission("gate-" + security.NewID().String())
	first := gate.Apply
	gate.Apply = func(l *Locked) error {
		close(inside)
		<-open
		return first(l)
	}
	var wg sync.WaitGroup
	wg.Go(func() { b.write(gate) })
	<-inside
	errs := make([]error, len(changes))
	for i, ch := range changes {
		before := len(b.changes)
		wg.Go(func() { errs[i] = b.Write(b.t.Context(), ch) })
		for len(b.changes) == before {
			time.Sleep(50 * time.Microsecond) // a channel's length cannot be waited for
		}
	}
	close(open)
	wg.Wait()
	return errs
}

// raw is a superuser's connection to the same database.
func (b *bed) raw() *pgx.Conn {
	b.t.Helper()
	cfg, err := pgx.ParseConfig(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.RuntimeParams["search_path"] = "custody"
	conn, err := pgx.ConnectConfig(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (b *bed) exec(sql string, args ...any) {
	b.t.Helper()
	conn := b.raw()
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// count answers a question with a number, past the store.
func (b *bed) count(sql string, args ...any) (n int64) {
	b.t.Helper()
	if b.past == nil {
		b.past = b.raw()
	}
	if err := b.past.QueryRow(b.t.Context(), sql, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// eventually waits for what another goroutine or process does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A cable is the network between a store and its database, to be cut.
type cable struct {
	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	tries atomic.Int64
}

var errCut = errors.New("the cable is cut")

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.tries.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errCut
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if c.conns == nil {
		c.conns = map[net.Conn]bool{}
	}
	c.conns[conn] = true
	return noCancel{conn}, nil
}

// noCancel is a connection through which no request to cancel gets: pgx sends
// one for every connection that breaks, and a network that is down carries none.
type noCancel struct{ net.Conn }

func (c noCancel) Write(b []byte) (int, error) {
	if len(b) == 16 && binary.BigEndian.Uint32(b[4:]) == 80877102 {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

// refuse lets no new connection through; those that are there stay.
func (c *cable) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
}

// set cuts the cable, with all connections, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for conn := range c.conns {
		if cut {
			_ = conn.Close()
		}
		delete(c.conns, conn)
	}
}

// faults gives each of the given faults once, then none.
func faults(list ...Fault) (arm func(), fault func() Fault) {
	var mu sync.Mutex
	var armed bool
	return func() {
			mu.Lock()
			defer mu.Unlock()
			armed = true
		}, func() Fault {
			mu.Lock()
			defer mu.Unlock()
			if !armed || len(list) == 0 {
				return NoFault
			}
			f := list[0]
			list = list[1:]
			return f
		}
}

// asking is a change that adds a pending approval of the run.
func asking(run, ask security.ID, due time.Duration, roles ...string) Change {
	return Change{Run: run, Bytes: 500, Apply: func(l *Locked) error {
		l.Ask(Approval{
			ID: ask, Tenant: l.Tenant, Run: run, Step: "legal", Attempt: 1, Document: "{}", Digest: "sha256:a",
			Roles: roles, Requester: "subj_alice", State: approval.Pending, ExpiresUS: l.NowUS + due.Microseconds(),
		})
		l.Append(audit.Fact{Action: audit.ApprovalRequested, Outcome: "ok", Step: "legal", Attempt: 1})
		l.State, l.DueUS = Waiting, l.NowUS+due.Microseconds()
		return nil
	}}
}

// voting casts one vote; two votes decide.
func voting(run, ask security.ID, voter string, seen *[]string) Change {
	id := security.NewID()
	return Change{Run: run, Ask: ask, Bytes: 500, Apply: func(l *Locked) error {
		if l.Asked == nil {
			return ErrNotFound
		}
		if l.Asked.State != approval.Pending {
			return approval.ErrClosed
		}
		*seen = nil
		for _, v := range l.Asked.Votes {
			*seen = append(*seen, v.Voter)
			if v.Voter == voter {
				return approval.ErrAlreadyVoted
			}
		}
		l.Vote(Vote{ID: id, Approval: ask, Voter: voter, Decision: approval.Approve, Signed: security.Signed{Body: []byte("{}"), Key: "m1", Sig: []byte("s")}, AtUS: l.NowUS})
		l.Append(audit.Fact{
			Action: audit.ApprovalVoted, Outcome: "approve", Step: "legal", Attempt: 1, Actor: voter,
			Approval: &audit.Approval{ID: ask.Name("apr"), Decision: approval.Approve, Vote: id.Name("vote")},
		})
		if len(l.Asked.Votes) == 1 {
			l.Settle(ask, approval.Approved, false)
		}
		return nil
	}}
}

// fill makes a table big enough for its statistics to count: past the store,
// so it is no ledger.
func fill(t testing.TB, b *bed) {
	t.Helper()
	b.exec(`insert into run(id, tenant, log, workflow, digest, caller, created_us, state, epoch, steps, seq, head, at_us, due_us, closed_us)
select gen_random_uuid(), 'main', (select id from log limit 1), 'w', 'd', 'subj_' || i % 500, i, case when i % 100 = 0 then 'waiting' else 'succeeded' end, 1, '\x0100000000', 1,
sha256('x'), i, case when i % 1000 = 0 then i end, case when i % 100 > 0 then i end from generate_series(1, 20000) i`)
	b.exec(`insert into approval(id, tenant, run_id, step, attempt, document, digest, roles, requester, state, expires_us)
select gen_random_uuid(), 'main', gen_random_uuid(), 's', 1, '{}', 'd', '{legal}', 'subj_1', case when i % 100 = 0 then 'pending' else 'approved' end, i from generate_series(1, 20000) i`)
	b.exec(`insert into entry(stream, seq, tenant, control, body, prev, hash, action, outcome, step, actor, workflow, at_us)
select gen_random_uuid(), 0, 'main', true, '{}', sha256('x'), sha256('x'), 'audit.read', 'ok', '', 'subj_' || i % 500, '', i from generate_series(1, 20000) i`)
	b.exec(`analyze run; analyze approval; analyze entry`)
}

func explain(t testing.TB, conn *pgx.Conn, sql string) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "explain (costs off) "+sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

func newRing(t testing.TB) *vault.Keyring {
	t.Helper()
	ring, err := vault.NewKeyring("k1", map[string][]byte{"k1": make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
