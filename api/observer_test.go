package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
)

// A notebook is an Observer that writes down what it is told.
type notebook struct {
	mu      sync.Mutex
	answers []string
	signIns []string
	runs    []security.ID
	asked   []string
}

const ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func (n *notebook) Asked(ctx context.Context, _, traceparent string) (under context.Context, trace string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, traceparent)
	return ctx, ours
}

func (n *notebook) Answered(_ context.Context, method, route string, status int, run security.ID, _ time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers, n.runs = append(n.answers, strings.TrimSpace(method+" "+route+" "+strconv.Itoa(status))), append(n.runs, run)
}

func (n *notebook) SignedIn(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.signIns = append(n.signIns, reason)
}

// observed is a bench whose API has a notebook, and metrics.
func observed(t *testing.T) (*bench, *notebook) {
	t.Helper()
	b, n := setup(t), &notebook{}
	cfg := b.api.cfg
	cfg.Observer = n
	cfg.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a_metric 1\n")) })
	a, err := New(cfg)
	must(t, err)
	b.api = a
	b.handler.Store(a)
	return b, n
}

func TestEveryRequestIsToldByItsRouteAndNeverByItsPath(t *testing.T) {
	t.Parallel()
	b, n := observed(t)
	run := b.submit("plain", `{"text": "hello"}`)
	n.answers, n.runs, n.signIns = nil, nil, nil
	b.send("alice", "GET", "/v1/runs/"+run.ID, "")
	b.send("alice", "GET", "/v1/runs?limit=nonsense", "")
	b.send("alice", "GET", "/v1/nothing/secret", "")
	b.send("", "GET", "/v1/runs", "")
	b.sendToken("nonsense", "GET", "/v1/runs", "")
	b.send("alice", "BREW", "/v1/runs", "")
	b.send("", "GET", "/elsewhere", "")
	b.api.handler = b.api.recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("sekret") }))
	b.send("", "GET", "/livez", "")
	n.mu.Lock()
	defer n.mu.Unlock()
	want := []string{"GET /v1/runs/{run} 200", "GET /v1/runs 400", "GET  404", "GET  401", "GET  401", "_OTHER  405", "GET  404", "GET  500"}
	if d := cmp.Diff(want, n.answers); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"", "", "", "no_token", "shape", ""}, n.signIns); d != "" {
		t.Errorf("sign-ins (-want +got):\n%s", d)
	}
	if n.runs[0].Name("run") != run.ID || !n.runs[1].IsZero() {
		t.Errorf("runs: %v", n.runs)
	}
}

func TestAnAnswerCarriesTheTraceOfTheServer(t *testing.T) {
	t.Parallel()
	b, n := observed(t)
	const theirs = "00-11111111111111111111111111111111-2222222222222222-01"
	if got := b.send("", "GET", "/livez", "", "Traceparent", theirs).Header.Get("Traceparent"); got != ours {
		t.Error(got)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.asked, theirs) {
		t.Error(n.asked)
	}
}

func TestMetricsAreForOperators(t *testing.T) {
	t.Parallel()
	b, _ := observed(t)
	for person, want := range map[string]int{"oscar": 200, "alice": 403, "mallory": 403, "": 401} {
		got := b.send(person, "GET", "/metrics", "")
		if got.StatusCode != want || (want == 200) != strings.Contains(string(got.body), "a_metric 1") {
			t.Errorf("%q: %d %s", person, got.StatusCode, got.body)
		}
	}
}
