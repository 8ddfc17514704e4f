package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// Limits are how many requests a minute each principal may make with one
// program at one route. A rehearsal counts like the request itself. Zero is no
// limit.
type Limits struct {
	Submissions int // POST /v1/runs and its retry
	Reads       int // every GET under /v1
	Changes     int // every other POST, PUT and DELETE under /v1
}

// maxLimit keeps a quota within what the database counts.
const maxLimit = 1_000_000

func (l Limits) validate() error {
	for name, n := range map[string]int{"Submissions": l.Submissions, "Reads": l.Reads, "Changes": l.Changes} {
		if n < 0 || n > maxLimit {
			return fmt.Errorf("api config: Limits: %s must be from 0 (no limit) to %d", name, maxLimit)
		}
	}
	return nil
}

// A quota is the limit of one operation.
type quota struct {
	name  string // of its policy, on the wire
	route string
	max   int
}

func (l Limits) quota(op operation) quota {
	q := quota{name: "changes", route: op.method + " " + op.path, max: l.Changes}
	switch {
	case !strings.HasPrefix(op.path, "/v1/") || op.who == whoPublic:
		q.max = 0
	case op.method == http.MethodGet:
		q.name, q.max = "reads", l.Reads
	case q.route == "POST /v1/runs", q.route == "POST /v1/runs/{run}/retry":
		q.name, q.max = "submissions", l.Submissions
	}
	return q
}

// limited are the middlewares that hold an operation to its quota: behind
// authentication and before anything of the request is looked at.
func (a *API) limited(op operation) huma.Middlewares {
	q := a.cfg.Limits.quota(op)
	if q.max == 0 {
		return nil
	}
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		x := exchangeOf(ctx.Context())
		if err := a.admit(ctx.Context(), x, w.Header(), q); err != nil {
			writeProblem(w, r, a.problemOf(ctx.Context(), x, err))
			return
		}
		next(ctx)
	}}
}

// admit counts the request or refuses it. A quota that cannot be looked up
// admits nobody.
func (a *API) admit(ctx context.Context, x *exchange, h http.Header, q quota) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	rate, err := a.gates.admit(ctx, rateKey(x.who, q), func(ctx context.Context, key store.RateKey) (store.Rate, error) {
		return a.cfg.Store.Admit(ctx, key, q.max)
	})
	if err != nil {
		return err
	}
	wait := wholeSeconds(rate.Vacant)
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", q.name, q.max, int(store.RateWindow/time.Second)))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", q.name, rate.Remaining, wait))
	if rate.Admitted {
		return nil
	}
	h.Set("Retry-After", strconv.Itoa(wait))
	return a.overLimit(ctx, x, q, rate, wait)
}

// overLimit is the refusal. The first one in a minute is noted in the ledger, and
// its answer carries the receipt. If that fails the refusal stands, and the next
// one is noted.
func (a *API) overLimit(ctx context.Context, x *exchange, q quota, rate store.Rate, wait int) error {
	p := newProblem(http.StatusTooManyRequests, "rate-limited", fmt.Sprintf(
		"%s are limited to %d a minute for each person, program and route: try again in %d s", q.name, q.max, wait))
	if !rate.Note {
		return p
	}
	receipt, err := a.record(ctx, caller{Principal: x.who, request: x.id}, audit.Fact{
		Action: audit.LimitHit, Outcome: "denied", Target: q.route, Code: q.name, Count: int64(q.max),
	})
	if err != nil {
		a.gates.owe(rateKey(x.who, q))
		return p
	}
	p.Receipt = &receipt
	return p
}

// rateKey names who asks for what: the principal, the program that speaks for
// them, and the route.
func rateKey(p security.Principal, q quota) store.RateKey {
	agent := p.Client
	if len(p.Act) > 0 {
		agent = p.Act[0]
	}
	h := sha256.New()
	for _, part := range []string{p.Tenant, p.ID, agent, q.route} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes all
	}
	return store.RateKey(h.Sum(nil))
}

// wholeSeconds rounds up: who waits that long is not refused.
func wholeSeconds(d time.Duration) int {
	return max(int((d+time.Second-1)/time.Second), 1)
}

// maxGates bounds the memory of what is known about keys. Past it the database
// is asked, which says the same.
const maxGates = 10_000

// Gates stand before the database. A key that was refused is refused here until
// its place is free, and of each key only one request at a time asks: a flood of
// one person's costs the others neither a connection nor the wait for a row. The
// zero value is ready. It is safe for concurrent use.
type gates struct {
	mu    sync.Mutex
	byKey map[store.RateKey]*gate
	swept time.Time
}

// A gate is what this process knows about one key.
type gate struct {
	turn  chan struct{} // held by who asks the database
	users int           // who holds the turn or waits for it
	until time.Time     // refused till then
	owed  bool          // a refusal that should be in the ledger is not
}

// admit asks once it is this request's turn, unless the answer is known.
func (g *gates) admit(ctx context.Context, key store.RateKey, ask func(context.Context, store.RateKey) (store.Rate, error)) (store.Rate, error) {
	one, rate := g.enter(key)
	if one == nil {
		return rate, nil
	}
	defer g.leave(key, one)
	select {
	case one.turn <- struct{}{}:
	case <-ctx.Done():
		return store.Rate{}, ctx.Err()
	}
	defer func() { <-one.turn }()
	if rate, refused := g.known(one); refused { // while this one waited
		return rate, nil
	}
	asked := time.Now() // before the database's clock is read, so a gate never closes for too long
	rate, err := ask(ctx, key)
	if err != nil {
		return store.Rate{}, err
	}
	g.learn(one, &rate, asked)
	return rate, nil
}

// enter returns the key's gate, or no gate and a refusal.
func (g *gates) enter(key store.RateKey) (*gate, store.Rate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.byKey[key]
	if one == nil {
		if g.byKey == nil {
			g.byKey = map[store.RateKey]*gate{}
		}
		one = &gate{turn: make(chan struct{}, 1)}
		g.byKey[key] = one
	}
	if rate, refused := one.refusal(time.Now()); refused {
		return nil, rate
	}
	one.users++
	return one, store.Rate{}
}

// leave forgets a gate that nobody uses and that says nothing any more, or for
// which there is no room.
func (g *gates) leave(key store.RateKey, one *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	one.users--
	if one.idle(now) || one.users == 0 && len(g.byKey) > maxGates {
		delete(g.byKey, key)
	}
	if now.Sub(g.swept) < time.Second {
		return
	}
	g.swept = now
	for k, old := range g.byKey {
		if old.idle(now) {
			delete(g.byKey, k)
		}
	}
}

func (g *gates) known(one *gate) (store.Rate, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return one.refusal(time.Now())
}

// learn remembers a refusal, and hands on one that is owed to the ledger.
func (g *gates) learn(one *gate, rate *store.Rate, asked time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rate.Admitted {
		return
	}
	one.until = asked.Add(rate.Vacant)
	rate.Note = rate.Note || one.owed
	one.owed = false
}

// owe makes the key's next refusal one to be noted.
func (g *gates) owe(key store.RateKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if one := g.byKey[key]; one != nil {
		one.owed = true
	}
}

// refusal is the answer that is known without asking.
func (o *gate) refusal(now time.Time) (store.Rate, bool) {
	wait := o.until.Sub(now)
	if wait <= 0 {
		return store.Rate{}, false
	}
	note := o.owed
	o.owed = false
	return store.Rate{Vacant: wait, Note: note}, true
}

// idle reports whether nothing is lost without this gate.
func (o *gate) idle(now time.Time) bool { return o.users == 0 && !o.until.After(now) && !o.owed }
