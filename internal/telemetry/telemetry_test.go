package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixed is a Source.
type fixed struct{ err error }

func (f fixed) Levels(context.Context) (store.Levels, error) {
	return store.Levels{
		Runs: map[store.RunState]int64{store.Queued: 1, store.Running: 2, store.Waiting: 3}, QueueAge: 4 * time.Second,
		Approvals: 3, WaitAge: time.Minute, Expiry: time.Hour, Processes: 2,
	}, f.err
}

func (fixed) PoolLevels() [3]store.PoolLevel {
	return [3]store.PoolLevel{{Name: "read", Used: 1, Idle: 2, Most: 10}, {Name: "beat", Idle: 1, Most: 3}, {Name: "rate", Most: 4}}
}

func (fixed) Figures() store.Figures { return store.Figures{Lost: 1, Halved: 2} }

func fresh(t testing.TB) *Telemetry {
	t.Helper()
	tel, err := New(context.Background(), Config{})
	must(t, err)
	t.Cleanup(func() { must(t, tel.Close(context.Background())) })
	return tel
}

// eventful has seen everything that can happen, once.
func eventful(t *testing.T) *Telemetry {
	t.Helper()
	tel := fresh(t)
	ctx := context.Background()
	must(t, tel.Watch(fixed{}, func() int { return 7 }))
	tel.Answered(ctx, "GET", "/v1/runs/{run}", 200, security.ID{}, time.Millisecond)
	tel.SignedIn("")
	tel.SignedIn("expired")
	for _, a := range audit.Actions() {
		tel.Wrote(store.Written{
			Action: a, Outcome: "blocked", Code: "role", State: "failed", Workflow: "review", Run: security.NewID(),
			Findings: []security.Finding{{Kind: "injection", Action: "block"}},
		})
	}
	tel.Batch(3, time.Millisecond)
	for _, part := range []string{engine.WorkStep, engine.WorkJudge, engine.WorkCommit} {
		tel.End(ctx, engine.Work{Part: part, Uses: "llm", Began: time.Now()}, engine.Outcome{Outcome: "ok"})
	}
	answer := tel.request(ctx, "review")
	answer.part, answer.name, answer.returned = "answer", "fast", true
	answer.end(steps.Use{}, &steps.Error{Code: steps.CodeTimeout, Use: steps.Use{Model: &audit.Model{Provider: "openai", Model: "m", UsageKnown: true, In: 1, Out: 1, Micros: 1}}})
	effect := tel.request(ctx, "review")
	effect.name, effect.method, effect.returned = "dms", "POST", true
	effect.end(steps.Use{Status: 201}, nil)
	tel.spans.to.Add(ctx, 1, tel.spans.by.of(labels{"dropped"}).add...)
	return tel
}

func scrape(t testing.TB, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil)
	must(t, err)
	tel.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

var (
	typeLine = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	aSeries  = regexp.MustCompile(`(?m)^([a-z_A-Z0-9]+)(?:\{(.*)\})? \S+$`)
	aLabel   = regexp.MustCompile(`([a-z_]+)="`)
)

// A family is a metric as Prometheus sees it.
type family struct {
	kind   string
	labels []string // sorted, without le
}

// families reads a scrape.
func families(text string) map[string]family {
	out := map[string]family{}
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		out[m[1]] = family{kind: m[2]}
	}
	for _, m := range aSeries.FindAllStringSubmatch(text, -1) {
		name := m[1]
		if _, ok := out[name]; !ok {
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		}
		f := out[name]
		for _, l := range aLabel.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "le" && !slices.Contains(f.labels, l[1]) {
				f.labels = append(f.labels, l[1])
			}
		}
		slices.Sort(f.labels)
		out[name] = f
	}
	return out
}

func TestWorkflowsBeyondTwoHundredAreOne(t *testing.T) {
	t.Parallel()
	tel := fresh(t)
	for i := range maxNames + 50 {
		tel.Wrote(store.Written{Action: audit.RunSubmitted, Workflow: fmt.Sprintf("flow-%d", i)})
	}
	text := scrape(t, tel)
	if n := strings.Count(text, "custody_runs_submitted_total{"); n != maxNames+1 {
		t.Errorf("%d series", n)
	}
	for _, want := range []string{`{workflow="other"} 50`, `{workflow="flow-0"} 1`} { // the first ones keep their names
		if !strings.Contains(text, "custody_runs_submitted_total"+want) {
			t.Errorf("missing %s", want)
		}
	}
}

func TestAScrapeWithoutADatabaseStillShowsTheProcess(t *testing.T) {
	t.Parallel()
	tel := fresh(t)
	must(t, tel.Watch(fixed{errors.New("away")}, func() int { return 7 }))
	text := scrape(t, tel)
	if !strings.Contains(text, "custody_runs_driven 7") || !strings.Contains(text, "custody_sample_ok 0") || strings.Contains(text, "custody_queue_age") {
		t.Error(text)
	}
}

// asked counts how often it is asked.
type asked struct {
	fixed
	times *int
}

func (a asked) Levels(ctx context.Context) (store.Levels, error) {
	*a.times++
	return a.fixed.Levels(ctx)
}

func TestScrapesTogetherAskTheDatabaseOnce(t *testing.T) {
	t.Parallel()
	tel, times := fresh(t), 0
	must(t, tel.Watch(asked{times: &times}, func() int { return 0 }))
	for range 5 {
		scrape(t, tel)
	}
	if times != 1 {
		t.Errorf("asked %d times", times)
	}
}

func TestAShareOfRunsIsTracedAndEveryProcessPicksTheSame(t *testing.T) {
	t.Parallel()
	s, err := newSampler("parentbased_traceidratio", "0.25")
	must(t, err)
	again, err := newSampler("traceidratio", "0.25")
	must(t, err)
	taken, byTheSDK := 0, 0
	for range 4000 {
		id := security.NewID()
		if s.takes(id) {
			taken++
		}
		if s.takes(id) != again.takes(id) {
			t.Fatal("two processes disagree")
		}
		if sdktrace.TraceIDRatioBased(0.25).ShouldSample(sdktrace.SamplingParameters{TraceID: trace.TraceID(id)}).Decision == sdktrace.RecordAndSample {
			byTheSDK++
		}
	}
	if taken < 800 || taken > 1200 {
		t.Errorf("%d of 4000", taken)
	}
	if byTheSDK != 0 {
		t.Log("the SDK's ratio has learnt to read a UUIDv7: our own is not needed any more")
	}
	for _, bad := range [][2]string{{"sometimes", ""}, {"traceidratio", "2"}, {"traceidratio", "NaN"}} {
		if _, err := newSampler(bad[0], bad[1]); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

// stuck is a collector that takes nothing until it is let go.
type stuck struct {
	*tracetest.NoopExporter
	free chan struct{}
}

func (s stuck) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	<-s.free
	return errors.New("gone")
}

func TestACollectorThatHangsSlowsNobodyAndIsCounted(t *testing.T) {
	t.Parallel()
	tel := fresh(t)
	exporter := stuck{tracetest.NewNoopExporter(), make(chan struct{})}
	v := newValve(exporter, tel.instruments, slog.New(slog.DiscardHandler))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(v))
	tracer := provider.Tracer(scope)
	began := time.Now()
	total := int(v.room) + 100
	for range total {
		_, span := tracer.Start(context.Background(), "x")
		span.End()
	}
	if took := time.Since(began); took > 5*time.Second { // the exporter's own limit is 30 s
		t.Errorf("%d spans took %s", total, took)
	}
	if text := scrape(t, tel); !strings.Contains(text, `custody_telemetry_spans_total{outcome="dropped"} 100`) {
		t.Error(text)
	}
	close(exporter.free)
	must(t, provider.Shutdown(context.Background()))
	if text := scrape(t, tel); !strings.Contains(text, fmt.Sprintf(`{outcome="failed"} %d`, v.room)) {
		t.Error(text)
	}
}

func TestWithoutTracesWatchingAStepAllocatesNothing(t *testing.T) {
	tel := fresh(t)
	watch := watching(tel)
	watch()
	if n := testing.AllocsPerRun(200, watch); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// watching is all that one step of a run causes: the step, its commits, two
// entries and a batch.
func watching(tel *Telemetry) func() {
	ctx := context.Background()
	step := engine.Work{Part: engine.WorkStep, Workflow: "review", Step: "a", Uses: "llm", Began: time.Now()}
	commit := engine.Work{Part: engine.WorkCommit, Workflow: "review", Began: time.Now()}
	entry := store.Written{Action: audit.StepResult, Outcome: "ok", Workflow: "review"}
	return func() {
		under := tel.Begin(ctx, commit)
		tel.End(under, commit, engine.Outcome{Outcome: "ok"})
		under = tel.Begin(ctx, step)
		tel.End(under, step, engine.Outcome{Outcome: "ok"})
		tel.Wrote(entry)
		tel.Wrote(entry)
		tel.Batch(1, time.Millisecond)
	}
}

func BenchmarkWatchingAStep(b *testing.B) {
	watch := watching(fresh(b))
	b.ReportAllocs()
	for b.Loop() {
		watch()
	}
}

func TestWordsOfTheOtherSideAreNotContent(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "gpt-5.2-mini": "gpt-5.2-mini", "org/model:7b": "org/model:7b",
		"the contract says: pay": other, "a\nb": other, strings.Repeat("x", 81): other,
	} {
		if got := word(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestALineUnderASpanNamesItsTrace(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(LogHandler(slog.NewTextHandler(&b, nil))).With(slog.String("component", "x"))
	log.Info("outside")
	if strings.Contains(b.String(), "trace_id") {
		t.Error(b.String())
	}
	id := security.NewID()
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(id), SpanID: rootOf(id)}))
	log.InfoContext(ctx, "inside")
	if !strings.Contains(b.String(), fmt.Sprintf("trace_id=%x", id[:])) {
		t.Error(b.String())
	}
}
