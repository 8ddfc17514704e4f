package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// Config is what an Engine works with.
type Config struct {
	Store    *store.DB
	Pipeline *steps.Pipeline
	Kinds    workflow.Kinds
	Keys     *security.Keys
	Vault    *vault.Keyring
	Build    string        // of this program, in every entry it causes; may be empty
	Mandate  time.Duration // how long a run may act for its caller; default 7 days
	Workers  int           // runs driven at the same time; default 5,000
	Idle     bool          // take no jobs: a process that only serves the API
	Observe  time.Time     // until then the firewall only observes, in every tenant; zero: it enforces
	Drain    time.Duration // how long Stop waits for calls under way; default 25 s
	Log      *slog.Logger
	Tracer   Tracer // told of work while it is done; nil: nobody
	Clock    Clock  // tests only; zero: the protocol's own times
}

// A Clock holds the times of the protocol. They belong together: see DESIGN
// section 4 and docs/model before changing one.
type Clock struct {
	Beat   time.Duration // between heartbeats; 2 s
	Fresh  time.Duration // a lease younger than this may send; 8 s
	Silent time.Duration // a heartbeat older than this is a dead process; 10 s
	Gap    time.Duration // more than this between one's own heartbeats, and one may not judge others; 3 s
	Due    time.Duration // between looks for what is due; 500 ms
	Judge  time.Duration // before a judge that gave no answer is asked again; 2 s
}

func (c *Clock) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Beat, 2*time.Second)
	set(&c.Fresh, 8*time.Second)
	set(&c.Silent, 10*time.Second)
	set(&c.Gap, 3*time.Second)
	set(&c.Due, 500*time.Millisecond)
	set(&c.Judge, 2*time.Second)
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Store", c.Store == nil}, {"Pipeline", c.Pipeline == nil}, {"Keys", c.Keys == nil}, {"Vault", c.Vault == nil},
	} {
		if f.missing {
			return fmt.Errorf("engine config: %s is missing", f.name)
		}
	}
	if c.Observe.After(time.Now().Add(waiver.MaxObserve)) {
		return fmt.Errorf("engine config: Observe is %s, and may lie at most 30 days ahead", c.Observe.Format(time.RFC3339))
	}
	if c.Mandate == 0 {
		c.Mandate = 7 * 24 * time.Hour
	}
	if c.Workers == 0 {
		c.Workers = 5000
	}
	if c.Drain == 0 {
		c.Drain = 25 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tracer == nil {
		c.Tracer = untraced{}
	}
	c.Clock.fill()
	return nil
}

// stopPatience is how long a cut-off stop waits for River.
const stopPatience = 2 * time.Second

// An Engine moves runs. Many processes may share one database; an Engine is
// safe for concurrent use.
type Engine struct {
	cfg    Config
	db     *store.DB
	client *river.Client[pgx.Tx]
	lease  lease
	defs   definitions

	mandates mandates
	callers  callers

	mu      sync.Mutex
	drivers map[security.ID]*driver

	draining atomic.Bool
	stop     context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// New makes an Engine. It does nothing until Start.
func New(cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, db: cfg.Store, drivers: map[security.ID]*driver{}, callers: newCallers()}
	e.defs.engine = e
	e.lease.clock = cfg.Clock
	e.stop, e.cancel = context.WithCancel(context.Background())
	var err error
	if !cfg.Idle {
		e.client, err = newWorker(e)
	}
	return e, err
}

// Start begins to take jobs, renew the lease, watch for what is due and recover
// what dead processes left. It returns when the first heartbeat is written.
func (e *Engine) Start(ctx context.Context) error {
	err := e.beat(ctx)
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // a busy machine, not an answer
		err = e.beat(ctx)
	}
	if err != nil {
		return fmt.Errorf("first heartbeat: %w", err)
	}
	if err := e.observes(ctx); err != nil {
		return fmt.Errorf("record that the firewall only observes: %w", err)
	}
	for _, run := range []func(){e.beating, e.timing, e.recovering} {
		e.wg.Go(run)
	}
	if e.client == nil {
		return nil
	}
	return e.client.Start(e.stop)
}

// Stop takes no more jobs, lets calls under way end for as long as
// Config.Drain, commits their outcomes and hands their runs to other
// processes. A call that takes longer is cut off; whoever drives the run next
// ends it as unknown.
func (e *Engine) Stop(ctx context.Context) error {
	e.draining.Store(true)
	for _, d := range e.all() {
		d.nudge()
	}
	var err error
	if e.client != nil {
		bounded, cancel := context.WithTimeout(ctx, e.cfg.Drain)
		err = e.client.Stop(bounded)
		cancel()
	}
	e.cancel()
	e.wg.Wait()
	if e.client != nil && err != nil {
		e.leave(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("calls were still under way after %s", e.cfg.Drain)
	}
	return err
}

// leave waits, but not for long, until River has noted what became of its jobs
// after the drivers were cut off.
func (e *Engine) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-e.client.Stopped():
	}
}

func (e *Engine) all() []*driver {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*driver, 0, len(e.drivers))
	for _, d := range e.drivers {
		out = append(out, d)
	}
	return out
}

// driver returns the driver of a run in this process, or nil.
func (e *Engine) driver(run security.ID) *driver {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drivers[run]
}

// Driving is the number of runs that this process drives now.
func (e *Engine) Driving() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.drivers)
}

// Ready reports why this process cannot drive runs, or nil.
func (e *Engine) Ready() error {
	if !e.lease.fresh() {
		return errors.New("the lease is not fresh: the database was away")
	}
	return nil
}

// pause waits, or returns early when the engine stops.
func (e *Engine) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-e.stop.Done():
	case <-t.C:
	}
}
