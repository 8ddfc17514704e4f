package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/store/storetest"
)

// limit replaces the API that serves with one that has limits and knows nothing
// yet, as a process that was just started.
func (b *bench) limit(l Limits) {
	b.t.Helper()
	cfg := b.api.cfg
	cfg.Limits = l
	fresh, err := New(cfg)
	must(b.t, err)
	b.handler.Store(fresh)
	b.api = fresh
}

// twin is another process on the same database, with the same limits, and its
// address.
func (b *bench) twin() string {
	b.t.Helper()
	cfg := b.api.cfg
	var err error
	cfg.Store, err = store.Open(b.t.Context(), store.Config{URL: b.database, Version: "twin"}, nil)
	must(b.t, err)
	b.t.Cleanup(cfg.Store.Close)
	other, err := New(cfg)
	must(b.t, err)
	server := httptest.NewServer(other)
	b.t.Cleanup(server.Close)
	return server.URL
}

// age makes what was counted older.
func (b *bench) age(by time.Duration) {
	b.t.Helper()
	_, err := storetest.Pool(b.t, b.database).Exec(b.t.Context(),
		`update custody.rate set ends = array(select e - $1 from unnest(ends) e), hit_us = hit_us - $1`, by.Microseconds())
	must(b.t, err)
}

func TestAThousandRequestsOfOnePersonGetExactlyTheLimitThrough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit(Limits{Reads: 60})
	urls := []string{b.url, b.twin()}
	token := b.token(devidp.TokenRequest{Person: "alice"})
	each := 25
	if testing.Short() {
		each = 5 // of 40 askers; exact it must be all the same
	}
	began := time.Now()
	var mu sync.Mutex
	got, receipts := map[int]int{}, 0
	var group sync.WaitGroup
	for w := range 40 {
		group.Go(func() {
			for i := range each {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, urls[(w+i)%2]+"/v1/me", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				body := read(t, res)
				mu.Lock()
				got[res.StatusCode]++
				if res.StatusCode == http.StatusTooManyRequests && body.problem(t).Receipt != nil {
					receipts++
				}
				mu.Unlock()
				refusedRightly(t, body)
			}
		})
	}
	group.Wait()
	if took := time.Since(began); took >= store.RateWindow {
		t.Skipf("this machine took %s for what one minute's limit is to judge", took)
	}
	if got[200] != 60 || got[429] != 40*each-60 || len(got) != 2 {
		t.Errorf("%v, want 60 of %d through", got, 40*each)
	}
	if hits := b.control(audit.LimitHit); len(hits) != 1 || hits[0].Target != "GET /v1/me" || hits[0].Code != "reads" || hits[0].Count != 60 || receipts != 1 {
		t.Errorf("%d receipts, noted: %+v", receipts, hits)
	}
	other := b.send("bob", "GET", "/v1/me", "")
	if other.StatusCode != 200 || other.Header.Get("RateLimit") != `"reads";r=59;t=60` || other.Header.Get("RateLimit-Policy") != `"reads";q=60;w=60` {
		t.Errorf("another person: %d %q", other.StatusCode, other.Header)
	}
	if elsewhere := b.sendToken(token, "GET", "/v1/runs", ""); elsewhere.StatusCode != 200 {
		t.Errorf("another route: %d", elsewhere.StatusCode)
	}
}

var wholeNumber = regexp.MustCompile(`^[1-9][0-9]?$`)

// refusedRightly checks a refusal's headers.
func refusedRightly(t *testing.T, r reply) {
	t.Helper()
	if r.StatusCode != http.StatusTooManyRequests {
		return
	}
	after := r.Header.Get("Retry-After")
	if n, _ := strconv.Atoi(after); !wholeNumber.MatchString(after) || n > 60 || r.Header.Get("RateLimit") != `"reads";r=0;t=`+after || r.Header.Get("RateLimit-Policy") != `"reads";q=60;w=60` {
		t.Errorf("a refusal with %q", r.Header)
	}
	if p := r.problem(t); p.Kind() != "rate-limited" || !strings.Contains(p.Detail, "try again in "+after+" s") {
		t.Errorf("%+v", p)
	}
}

func read(t *testing.T, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return reply{res, body}
}

func TestWhoWaitsAsLongAsToldIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit(Limits{Reads: 2})
	for range 2 {
		if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	got := b.send("alice", "GET", "/v1/me", "")
	wait, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if got.StatusCode != 429 || err != nil {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	b.age(time.Duration(wait-50) * time.Second)
	b.swap() // a process that knows nothing of the refusal
	if early := b.send("alice", "GET", "/v1/me", ""); early.StatusCode != 429 {
		t.Errorf("too early: %d", early.StatusCode)
	}
	b.age(50 * time.Second)
	b.swap()
	if then := b.send("alice", "GET", "/v1/me", ""); then.StatusCode != 200 {
		t.Errorf("in time: %d %s", then.StatusCode, then.body)
	}
}

func TestEachSortOfRequestHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit(Limits{Submissions: 2, Changes: 1})
	submission := `{"workflow": "plain", "input": {"text": "x"}}`
	for i, want := range []int{202, 200, 429} { // a rehearsal counts
		path := "/v1/runs"
		if i > 0 {
			path += "?dry_run=true"
		}
		got := b.send("alice", "POST", path, submission)
		if got.StatusCode != want || got.Header.Get("RateLimit-Policy") != `"submissions";q=2;w=60` {
			t.Errorf("submission %d: %d %q", i, got.StatusCode, got.Header)
		}
	}
	for range 3 {
		if got := b.send("alice", "GET", "/v1/runs", ""); got.StatusCode != 200 || got.Header.Get("RateLimit") != "" {
			t.Errorf("without a limit: %d %q", got.StatusCode, got.Header)
		}
	}
	if got := b.send("alice", "POST", "/v1/runs/run_nothing/retry", `{}`); got.StatusCode != 404 || got.Header.Get("RateLimit") != `"submissions";r=1;t=60` {
		t.Errorf("another route of the same sort: %d %q", got.StatusCode, got.Header)
	}
	for _, want := range []int{404, 429} { // a request that is refused for another reason counts
		if got := b.send("alice", "POST", "/v1/runs/run_nothing/cancel", `{"reason": "x"}`); got.StatusCode != want || got.Header.Get("RateLimit-Policy") != `"changes";q=1;w=60` {
			t.Errorf("a change: %d %q", got.StatusCode, got.Header)
		}
	}
	acting := b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"act": map[string]any{"sub": devidp.Agent}}})
	if got := b.sendToken(acting, "POST", "/v1/runs?dry_run=true", submission); got.StatusCode == 429 {
		t.Errorf("the same person by way of an agent: %d %s", got.StatusCode, got.body)
	}
	if got := b.send("", "GET", "/livez", ""); got.StatusCode != 200 || got.Header.Get("RateLimit") != "" {
		t.Errorf("health: %d %q", got.StatusCode, got.Header)
	}
}

func TestALimitThatCannotBeLookedUpAdmitsNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit(Limits{Reads: 60})
	if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 200 {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	conn, err := storetest.Pool(t, b.database).Acquire(t.Context())
	must(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), `begin; lock table custody.rate`) // longer than the store waits for a lock
	must(t, err)
	if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	_, err = conn.Exec(t.Context(), `rollback`)
	must(t, err)
	if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 200 {
		t.Errorf("once it can: %d %s", got.StatusCode, got.body)
	}
}

func TestLimitsThatMakeNoSenseKeepTheServerFromStarting(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{Reads: -1}, {Submissions: maxLimit + 1}, {Changes: -1}} {
		if err := l.validate(); err == nil || !strings.Contains(err.Error(), "Limits") {
			t.Errorf("%+v: %v", l, err)
		}
	}
	must(t, Limits{Submissions: 10, Reads: maxLimit}.validate())
}

// An oracle answers in the database's place and counts its questions.
type oracle struct {
	asked  int
	answer store.Rate
	err    error
}

func (o *oracle) ask(context.Context, store.RateKey) (store.Rate, error) {
	o.asked++
	return o.answer, o.err
}

func TestARefusedKeyIsRefusedWithoutTheDatabaseUntilItsPlaceIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gates
		o := &oracle{answer: store.Rate{Vacant: 1500 * time.Millisecond, Note: true}}
		ask := func() store.Rate {
			r, err := g.admit(t.Context(), store.RateKey{1}, o.ask)
			must(t, err)
			return r
		}
		if r := ask(); r.Admitted || !r.Note || o.asked != 1 {
			t.Errorf("%+v after %d questions", r, o.asked)
		}
		time.Sleep(1499 * time.Millisecond) // of the bubble's clock
		if r := ask(); r.Admitted || r.Note || r.Vacant != time.Millisecond || o.asked != 1 {
			t.Errorf("%+v after %d questions", r, o.asked)
		}
		if r, err := g.admit(t.Context(), store.RateKey{2}, o.ask); err != nil || o.asked != 2 {
			t.Errorf("another key: %+v, %v", r, err)
		}
		time.Sleep(time.Millisecond)
		o.answer = store.Rate{Admitted: true}
		if r := ask(); !r.Admitted || o.asked != 3 {
			t.Errorf("%+v after %d questions", r, o.asked)
		}
		if time.Sleep(2 * time.Second); !ask().Admitted || len(g.byKey) != 0 {
			t.Errorf("%d gates are left", len(g.byKey))
		}
	})
}

func TestARefusalThatCouldNotBeNotedIsOwed(t *testing.T) {
	t.Parallel()
	var g gates
	o := &oracle{answer: store.Rate{Vacant: time.Minute}}
	for _, want := range []bool{false, true, false} {
		r, err := g.admit(t.Context(), store.RateKey{1}, o.ask)
		must(t, err)
		if r.Note != want {
			t.Errorf("%+v, want %t", r, want)
		}
		if !want {
			g.owe(store.RateKey{1})
		}
	}
}

func TestAFailureOfTheDatabaseClosesNoGate(t *testing.T) {
	t.Parallel()
	var g gates
	o := &oracle{err: errors.New("away")}
	if _, err := g.admit(t.Context(), store.RateKey{1}, o.ask); err == nil {
		t.Error("admitted")
	}
	o.err, o.answer = nil, store.Rate{Admitted: true}
	if r, err := g.admit(t.Context(), store.RateKey{1}, o.ask); err != nil || !r.Admitted || len(g.byKey) != 0 {
		t.Errorf("%+v, %v, %d gates are left", r, err, len(g.byKey))
	}
}

func TestManyRefusedKeysTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	var g gates
	o := &oracle{answer: store.Rate{Vacant: time.Minute}}
	for i := range maxGates + 100 {
		if r, err := g.admit(t.Context(), store.RateKey{byte(i), byte(i >> 8)}, o.ask); err != nil || r.Admitted {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if len(g.byKey) > maxGates {
		t.Errorf("%d gates", len(g.byKey))
	}
}

func TestAKeyTellsWhoByWhatAndWhereApart(t *testing.T) {
	t.Parallel()
	seen := map[store.RateKey]int{}
	for i, k := range []struct {
		p security.Principal
		q quota
	}{
		{security.Principal{Tenant: "main", ID: "subj_a", Client: "cli"}, quota{route: "GET /v1/me"}},
		{security.Principal{Tenant: "other", ID: "subj_a", Client: "cli"}, quota{route: "GET /v1/me"}},
		{security.Principal{Tenant: "main", ID: "subj_b", Client: "cli"}, quota{route: "GET /v1/me"}},
		{security.Principal{Tenant: "main", ID: "subj_a", Client: "console"}, quota{route: "GET /v1/me"}},
		{security.Principal{Tenant: "main", ID: "subj_a", Client: "cli", Act: []string{"agent"}}, quota{route: "GET /v1/me"}},
		{security.Principal{Tenant: "main", ID: "subj_a", Client: "cli"}, quota{route: "GET /v1/runs"}},
		{security.Principal{Tenant: "main", ID: "subj_", Client: "acli"}, quota{route: "GET /v1/me"}},
	} {
		key := rateKey(k.p, k.q)
		if before, twice := seen[key]; twice {
			t.Errorf("%d and %d are the same", before, i)
		}
		seen[key] = i
	}
}

// However a request over the limit is dressed up, it is not served.
func TestNoDisguiseGetsPastALimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limit(Limits{Reads: 1})
	token := func(person, jti string) string {
		return b.token(devidp.TokenRequest{Person: person, Claims: map[string]any{"jti": jti, "sid": jti}})
	}
	if got := b.sendToken(token("alice", "1"), "GET", "/v1/runs", ""); got.StatusCode != 200 {
		t.Fatalf("the first: %d", got.StatusCode)
	}
	for name, c := range map[string]struct {
		method, path string
		headers      []string
		want         int
	}{
		"another token of another session": {"GET", "/v1/runs", nil, 429},
		"a query":                          {"GET", "/v1/runs?limit=1", nil, 429},
		"an unknown query":                 {"GET", "/v1/runs?x=1", nil, 429},
		"a forwarded address":              {"GET", "/v1/runs", []string{"X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1", "Forwarded", "for=192.0.2.1"}, 429},
		"another method in a header":       {"GET", "/v1/runs", []string{"X-Http-Method-Override", "POST"}, 429},
		"a path in a header":               {"GET", "/v1/runs", []string{"X-Original-Url", "/v1/me", "X-Rewrite-Url", "/v1/me"}, 429},
		"another program in a header":      {"GET", "/v1/runs", []string{"X-Client-Id", "console", "User-Agent", "x"}, 429},
		"capitals":                         {"GET", "/V1/runs", nil, 404},
		"capitals behind":                  {"GET", "/v1/Runs", nil, 404},
		"a slash at the end":               {"GET", "/v1/runs/", nil, 404},
		"two slashes":                      {"GET", "/v1//runs", nil, 404},
		"a dot":                            {"GET", "/v1/./runs", nil, 404},
		"a way back":                       {"GET", "/v1/me/../runs", nil, 404},
		"a way back, encoded":              {"GET", "/v1/me/%2e%2e/runs", nil, 404},
		"an encoded letter":                {"GET", "/v1/%72uns", nil, 404},
		"an encoded slash":                 {"GET", "/v1%2Fruns", nil, 404},
		"a parameter of the path":          {"GET", "/v1/runs;x=1", nil, 404},
		"HEAD":                             {"HEAD", "/v1/runs", nil, 405},
		"OPTIONS":                          {"OPTIONS", "/v1/runs", nil, 405},
		"PATCH":                            {"PATCH", "/v1/runs", nil, 405},
		"small letters":                    {"get", "/v1/runs", nil, 405},
		"TRACE":                            {"TRACE", "/v1/runs", nil, 405},
	} {
		if got := b.sendToken(token("alice", name), c.method, c.path, "", c.headers...); got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, c.want)
		}
	}
	if got := b.sendToken(token("bob", "1"), "GET", "/v1/runs", ""); got.StatusCode != 200 {
		t.Errorf("the harmless twin: %d", got.StatusCode)
	}
}
