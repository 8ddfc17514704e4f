package telemetry

import (
	"context"
	"runtime/metrics"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/custodyhq/custody/store"
)

// A Source knows how full everything is. *store.DB is one.
type Source interface {
	Levels(ctx context.Context) (store.Levels, error)
	PoolLevels() [3]store.PoolLevel
	Figures() store.Figures
}

// sampleEvery is how often the database is asked at most, however often
// somebody scrapes.
const sampleEvery = 5 * time.Second

// A sample keeps what the source said last.
type sample struct {
	mu     sync.Mutex
	source Source
	at     time.Time
	last   store.Levels
	ok     bool
}

// levels asks the source, unless it was asked a moment ago. A source that
// fails is asked no sooner than one that answers.
func (s *sample) levels(ctx context.Context) (store.Levels, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= sampleEvery {
		var err error
		s.last, err = s.source.Levels(ctx)
		s.at, s.ok = time.Now(), err == nil
	}
	return s.last, s.ok
}

// gauges are what is looked up when somebody asks.
type gauges struct {
	runs, pool, poolMost                   metric.Int64ObservableGauge
	approvals, processes, sampled, driving metric.Int64ObservableGauge
	goroutines, heap                       metric.Int64ObservableGauge
	queueAge, waitAge, expiry              metric.Float64ObservableGauge
	lost, halved, collections              metric.Int64ObservableCounter
}

func (g *gauges) all() []metric.Observable {
	return []metric.Observable{
		g.runs, g.pool, g.poolMost, g.approvals, g.processes, g.sampled, g.driving, g.goroutines, g.heap,
		g.queueAge, g.waitAge, g.expiry, g.lost, g.halved, g.collections,
	}
}

// Watch looks at the source whenever somebody asks for metrics; driving is the
// number of runs that this process drives.
func (t *Telemetry) Watch(source Source, driving func() int) error {
	g, err := newGauges(t.meter)
	if err != nil {
		return err
	}
	s := &sample{source: source}
	_, err = t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		g.observeProcess(o, source, driving)
		levels, ok := s.levels(ctx)
		if !ok {
			o.ObserveInt64(g.sampled, 0)
			return nil // an error would hide every other metric
		}
		o.ObserveInt64(g.sampled, 1)
		g.observe(o, levels)
		return nil
	}, g.all()...)
	return err
}

func newGauges(m metric.Meter) (*gauges, error) {
	g := &gauges{}
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	whole := func(to *metric.Int64ObservableGauge, name, about, unit string) {
		var err error
		*to, err = m.Int64ObservableGauge(name, metric.WithDescription(about), metric.WithUnit(unit))
		keep(err)
	}
	seconds := func(to *metric.Float64ObservableGauge, name, about string) {
		var err error
		*to, err = m.Float64ObservableGauge(name, metric.WithDescription(about), metric.WithUnit("s"))
		keep(err)
	}
	total := func(to *metric.Int64ObservableCounter, name, about string) {
		var err error
		*to, err = m.Int64ObservableCounter(name, metric.WithDescription(about))
		keep(err)
	}
	whole(&g.runs, "custody.runs.open", "runs that are not closed, in the whole installation; at most 20,000 are looked at", "")
	seconds(&g.queueAge, "custody.queue.age", "how long the oldest queued run has waited for a process")
	whole(&g.approvals, "custody.approvals.waiting", "approvals that wait for votes; at most 20,000 are looked at", "")
	seconds(&g.waitAge, "custody.approvals.age", "how long the oldest of them has waited")
	seconds(&g.expiry, "custody.approvals.next_expiry", "time until the next of them expires; no value if none waits")
	whole(&g.processes, "custody.processes", "processes whose heartbeat is at most 10 s old", "")
	whole(&g.sampled, "custody.sample.ok", "1 if the database answered when it was last asked for the figures above", "")
	whole(&g.driving, "custody.runs.driven", "runs that this process drives", "")
	total(&g.lost, "custody.commits.lost", "commits whose fate had to be looked up")
	total(&g.halved, "custody.commits.halved", "batches that PostgreSQL refused for their data")
	whole(&g.pool, "custody.db.connections", "connections of the pools for reading, for heartbeats and for limits", "")
	whole(&g.poolMost, "custody.db.connections.max", "most connections that a pool may have", "")
	whole(&g.goroutines, "go.goroutine.count", "goroutines", "")
	whole(&g.heap, "go.memory.used", "memory that the Go runtime holds", "By")
	total(&g.collections, "go.gc.cycles", "garbage collections")
	return g, first
}

// observe reports the installation.
func (g *gauges) observe(o metric.Observer, l store.Levels) {
	for state, n := range l.Runs {
		o.ObserveInt64(g.runs, n, label("state", string(state)))
	}
	o.ObserveFloat64(g.queueAge, l.QueueAge.Seconds())
	o.ObserveInt64(g.approvals, l.Approvals)
	o.ObserveFloat64(g.waitAge, l.WaitAge.Seconds())
	if l.Approvals > 0 {
		o.ObserveFloat64(g.expiry, l.Expiry.Seconds())
	}
	o.ObserveInt64(g.processes, l.Processes)
}

// observeProcess reports this process.
func (g *gauges) observeProcess(o metric.Observer, source Source, driving func() int) {
	f := source.Figures()
	o.ObserveInt64(g.lost, f.Lost)
	o.ObserveInt64(g.halved, f.Halved)
	o.ObserveInt64(g.driving, int64(driving()))
	for _, p := range source.PoolLevels() {
		o.ObserveInt64(g.pool, p.Used, label("pool", p.Name), label("state", "used"))
		o.ObserveInt64(g.pool, p.Idle, label("pool", p.Name), label("state", "idle"))
		o.ObserveInt64(g.poolMost, p.Most, label("pool", p.Name))
	}
	from := []metrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(from)
	o.ObserveInt64(g.goroutines, int64(from[0].Value.Uint64()))
	o.ObserveInt64(g.heap, int64(from[1].Value.Uint64()-from[2].Value.Uint64()))
	o.ObserveInt64(g.collections, int64(from[3].Value.Uint64()))
}

func label(name, value string) metric.ObserveOption {
	return metric.WithAttributes(attribute.String(name, value))
}
