package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/storetest"
	"github.com/custodyhq/custody/workflow"
	"github.com/custodyhq/custody/workflow/engine"
)

// A bench is a whole server on a database of its own, with a provider of
// tokens, over real HTTP.
type bench struct {
	t        testing.TB
	idp      *devidp.Server
	db       *store.DB
	engine   *engine.Engine
	api      *API
	url      string
	wire     wire
	handler  atomic.Pointer[API] // what serves
	database string              // its URL
	gate     chan struct{}       // what a step of kind gate waits for
	fail     atomic.Bool         // whether a step of kind fragile fails
}

// The workflows of every bench.
const (
	plain = `
name: plain
description: Says what it was told.
input: {type: object, required: [text], properties: {text: {type: string, maxLength: 200}}}
sensitivity: {input: internal}
requires: {roles: [analyst]}
steps:
  - {id: work, uses: work}
  - {id: say, uses: set, with: {text: "${{ input.text }}"}}
output: ${{ steps.say.output }}
`
	gated = `
name: gated
requires: {roles: [analyst]}
steps:
  - {id: wait, uses: gate}
`
	fragile = `
name: fragile
requires: {roles: [analyst]}
steps:
  - {id: first, uses: work}
  - {id: second, uses: fragile}
`
	asking = `
name: asking
input: {type: object, required: [text], properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: {summary: "${{ input.text }}"}, expires: 1h}}
  - {id: done, uses: set, with: {decision: "${{ steps.legal.output.decision }}"}}
`
)

type runner func(ctx context.Context, call steps.Call) (steps.Draft, error)

func (r runner) Run(ctx context.Context, call steps.Call) (steps.Draft, error) { return r(ctx, call) }

func setup(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, gate: make(chan struct{})}
	var err error
	b.idp, err = devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { must(t, b.idp.Close(context.Background())) })
	b.database = storetest.URL(t)
	jobs, err := engine.Jobs()
	must(t, err)
	b.db, err = store.Open(t.Context(), store.Config{URL: b.database, Version: "test", Dial: b.wire.dial}, jobs)
	must(t, err)
	t.Cleanup(b.db.Close)
	b.engine = b.newEngine()
	b.serve()
	for _, source := range []string{plain, gated, fragile, asking} {
		_, err := b.as("erin").Publish(t.Context(), client.Publication{Source: []byte(source)})
		must(t, err)
	}
	return b
}

func (b *bench) newEngine() *engine.Engine {
	b.t.Helper()
	done := func(context.Context, steps.Call) (steps.Draft, error) {
		return steps.NewDraft(map[string]any{"ok": true}, steps.Use{}), nil
	}
	runners := map[string]steps.Runner{
		"work": runner(done),
		"gate": runner(func(ctx context.Context, call steps.Call) (steps.Draft, error) {
			select {
			case <-b.gate:
				return done(ctx, call)
			case <-ctx.Done():
				return steps.Draft{}, ctx.Err()
			}
		}),
		"fragile": runner(func(ctx context.Context, call steps.Call) (steps.Draft, error) {
			if b.fail.Load() {
				return steps.Draft{}, errors.New("it does not work today")
			}
			return done(ctx, call)
		}),
	}
	kinds := workflow.Kinds{ByName: map[string]*workflow.Kind{}}
	for name := range runners {
		kinds.ByName[name] = &workflow.Kind{Name: name, Version: "1", Intent: true}
	}
	pub, priv, err := ed25519.GenerateKey(nil)
	must(b.t, err)
	keys, err := security.NewKeys("m1", priv, map[string]ed25519.PublicKey{"m1": pub})
	must(b.t, err)
	ring, err := vault.NewKeyring("k1", map[string][]byte{"k1": make([]byte, 32)})
	must(b.t, err)
	g, err := guard.New(guard.Config{})
	must(b.t, err)
	pipeline, err := steps.New(steps.Config{Guard: g, Runners: runners, Grace: 100 * time.Millisecond})
	must(b.t, err)
	e, err := engine.New(engine.Config{
		Store: b.db, Pipeline: pipeline, Kinds: kinds, Keys: keys, Vault: ring, Workers: 100, Drain: 2 * time.Second,
		Clock: engine.Clock{Beat: 50 * time.Millisecond, Fresh: 2 * time.Second, Silent: 3 * time.Second, Gap: time.Second, Due: 20 * time.Millisecond},
	})
	must(b.t, err)
	must(b.t, e.Start(b.t.Context()))
	b.t.Cleanup(func() { _ = e.Stop(context.Background()) })
	return e
}

func (b *bench) serve() {
	b.t.Helper()
	verifier, err := oidc.New(b.t.Context(), oidc.Config{Subjects: b.db, Issuers: []oidc.Issuer{
		{Issuer: b.idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI, devidp.Console}, Agents: []string{devidp.Agent}},
	}})
	must(b.t, err)
	server := httptest.NewUnstartedServer(nil)
	server.Config.MaxHeaderBytes = 64 << 10
	b.url = "http://" + server.Listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("CUSTODY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	figures := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("custody_up 1\n")) })
	b.api, err = New(Config{Engine: b.engine, Store: b.db, Verifier: verifier, URL: b.url, Issuers: []string{b.idp.Issuer()}, Version: "test", Log: log, Metrics: figures})
	must(b.t, err)
	b.handler.Store(b.api)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.handler.Load().ServeHTTP(w, r) })
	server.Start()
	b.t.Cleanup(func() {
		b.handler.Load().Shutdown()
		server.Close()
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// token makes an access token; changes are claims to replace.
func (b *bench) token(q devidp.TokenRequest) string {
	b.t.Helper()
	token, err := b.idp.Token(q)
	must(b.t, err)
	return token
}

// as is a client of a person.
func (b *bench) as(name string) *client.Client {
	b.t.Helper()
	return b.with(b.token(devidp.TokenRequest{Person: name}))
}

func (b *bench) with(token string) *client.Client {
	b.t.Helper()
	c, err := client.New(client.Config{URL: b.url, Token: func(context.Context) (string, error) { return token, nil }})
	must(b.t, err)
	b.t.Cleanup(c.Close)
	return c
}

// A reply is an answer, read to its end.
type reply struct {
	*http.Response
	body []byte
}

func (r reply) problem(t testing.TB) client.Problem {
	t.Helper()
	var p client.Problem
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d with %s, not a problem: %s", r.StatusCode, got, r.body)
	}
	if err := json.Unmarshal(r.body, &p); err != nil || p.Status != r.StatusCode || p.Title == "" || p.RequestID == "" || !strings.HasPrefix(p.Type, client.ProblemPrefix) {
		t.Fatalf("not a whole problem: %d %s", r.StatusCode, r.body)
	}
	return p
}

// kind is the problem's type.
func (r reply) kind(t testing.TB) string {
	t.Helper()
	p := r.problem(t)
	return p.Kind()
}

func (r reply) decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
}

// send makes a request in somebody's name, or in nobody's. Headers are pairs.
func (b *bench) send(person, method, path, body string, headers ...string) reply {
	b.t.Helper()
	token := ""
	if person != "" {
		token = b.token(devidp.TokenRequest{Person: person})
	}
	return b.sendToken(token, method, path, body, headers...)
}

func (b *bench) sendToken(token, method, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	must(b.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(b.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.t, err)
	return reply{res, text}
}

// submit starts a run as alice and waits until it has closed or waits.
func (b *bench) submit(name, input string) client.Run {
	b.t.Helper()
	run, err := b.as("alice").Submit(b.t.Context(), client.Submission{Workflow: name, Input: json.RawMessage(input)})
	must(b.t, err)
	return b.until(run.ID, func(r client.Run) bool { return r.Closed() || r.State == "waiting" })
}

func (b *bench) until(id string, holds func(client.Run) bool) client.Run {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	parsed, err := security.ParseID("run", id)
	must(b.t, err)
	watch := b.db.Watch(parsed, 0)
	defer watch.Close()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		run, err := b.as("alice").Run(ctx, id)
		must(b.t, err)
		if holds(run) {
			return run
		}
		select {
		case <-watch.Changed:
		case <-poll.C:
		case <-ctx.Done():
			b.t.Fatalf("the run never came that far: %+v", run)
		}
	}
}

// approval is the one that a run waits for.
func (b *bench) approval(run client.Run) client.Approval {
	b.t.Helper()
	if len(run.WaitingFor) != 1 || run.WaitingFor[0].Kind != "approval" || run.WaitingFor[0].Until == nil {
		b.t.Fatalf("the run does not wait for an approval: %+v", run)
	}
	a, err := b.as("bob").Approval(b.t.Context(), run.WaitingFor[0].ID)
	must(b.t, err)
	return a
}

// control returns the control streams' entries of an action.
func (b *bench) control(action audit.Action) []audit.Body {
	b.t.Helper()
	entries, _, err := b.db.Entries(b.t.Context(), "main", store.EntryFilter{Action: string(action), Limit: 200})
	must(b.t, err)
	out := make([]audit.Body, len(entries))
	for i, e := range entries {
		out[i], err = audit.ParseBody(e.Body)
		must(b.t, err)
	}
	return out
}

// A wire is the way to the database, which can be cut.
type wire struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, &net.OpError{Op: "dial", Err: errors.New("the wire is cut")}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		w.conns = append(w.conns, conn)
	}
	return conn, err
}

// cut takes the database away, mend gives it back.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// big is a submission whose text has n bytes.
func big(n int) string {
	return fmt.Sprintf(`{"workflow": "plain", "input": {"text": %q}}`, bytes.Repeat([]byte("x"), n))
}

func revocation(key string) store.Revocation {
	return store.Revocation{Key: key, ID: security.NewID(), Tenant: "main", By: "subj_carol", Reason: "test"}
}

func nothing(context.Context, *struct{}) (*struct{}, error) { return &struct{}{}, nil }

// swap puts another API in the place of the one that serves, as another process
// behind the same address would be.
func (b *bench) swap() {
	b.t.Helper()
	b.limit(b.api.cfg.Limits)
}

// tamper changes stored bytes behind everybody's back, as a superuser can.
func (b *bench) tamper(payload security.ID) {
	b.t.Helper()
	_, err := storetest.Pool(b.t, b.database).Exec(b.t.Context(), `set session_replication_role = replica; update custody.payload set cipher = '\x00' where id = '`+uuid(payload)+`'`)
	must(b.t, err)
}

func uuid(id security.ID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// The client's names for what stands on the wire.
type (
	clientRun       = client.Run
	clientPrincipal = client.Principal
	clientApproval  = client.Approval
	clientWorkflow  = client.Workflow
	clientReadiness = client.Readiness
	clientEntry     = client.Entry
)
