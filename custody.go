// Package custody is the whole of Custody in one value: it puts the parts
// together, for the command of that name and for programs that embed it with
// step kinds of their own.
//
//	cfg, err := custody.Load(os.Getenv, "custody.yaml")
//	c, err := custody.New(ctx, cfg)
//	err = c.Run(ctx)
package custody

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/custodyhq/custody/api"
	"github.com/custodyhq/custody/internal/telemetry"
	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// A Custody is one process of an installation. It is safe for concurrent use.
type Custody struct {
	cfg    Config
	watch  *telemetry.Telemetry
	keys   *Keys
	models *model.Models
	set    *kinds.Set
	db     *store.DB
	engine *engine.Engine
	verify *oidc.Verifier
	api    *api.API
	schema migrations.State // when the process started
	close  sync.Once
}

// New puts a process together and connects it to the database. It waits for a
// database that is away until ctx ends, and refuses one whose schema is not
// this program's, whose ledger has another name, or that uses a key which the
// key directory lacks. It listens nowhere and runs nothing until Run. The
// caller ends it with Run or with Close.
func New(ctx context.Context, cfg Config) (*Custody, error) {
	return build(ctx, cfg, func(*Custody) error { return nil })
}

// build is New. It calls away once if the database cannot be reached.
func build(ctx context.Context, cfg Config, away func(*Custody) error) (*Custody, error) {
	if err := cfg.validate(); err != nil {
		return nil, wrongSetting(err)
	}
	c := &Custody{cfg: cfg}
	if err := c.makeKinds(); err != nil {
		return nil, wrongSetting(err)
	}
	var err error
	if c.keys, err = ReadKeys(cfg.KeyDir); err != nil {
		return nil, err
	}
	if err := c.observe(ctx); err != nil {
		return nil, err
	}
	if c.db, err = c.open(ctx, away); err != nil {
		c.forget()
		return nil, err
	}
	if err := c.assemble(ctx); err != nil {
		c.db.Close()
		c.forget()
		return nil, err
	}
	return c, nil
}

// makeKinds needs no database: what it refuses is found before anything waits.
func (c *Custody) makeKinds() error {
	var err error
	if c.models, err = model.New(model.Config{Models: c.cfg.Models}); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	c.set, err = kinds.New(kinds.Config{
		Models: c.models, Judge: c.cfg.Judge, JudgeTokens: c.cfg.JudgeBudget.MaxTokens, Connections: c.cfg.Connections, Funcs: c.cfg.Funcs,
	})
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// assemble makes everything that stands on the database.
func (c *Custody) assemble(ctx context.Context) error {
	if err := c.keys.use(ctx, c.db, c.cfg.KeyDir); err != nil {
		return err
	}
	g, err := guard.New(guard.Config{Links: c.cfg.Guard.Links, Images: c.cfg.Guard.Images, Words: c.cfg.Guard.Words})
	if err != nil {
		return wrongSetting(err)
	}
	pipeline, err := steps.New(steps.Config{
		Guard: g, Runners: c.watch.Runners(c.set.Runners()), Judge: c.watch.Judge(c.set.Judge(), c.cfg.Judge),
		JudgeTimeout: c.cfg.JudgeBudget.Timeout, JudgeCalls: c.cfg.JudgeBudget.Calls,
		Canary: c.canary,
	})
	if err != nil {
		return err
	}
	c.engine, err = engine.New(engine.Config{
		Store: c.db, Pipeline: pipeline, Kinds: c.set.Kinds(), Keys: c.keys.Mandate, Vault: c.keys.Vault,
		Build: c.cfg.Version, Workers: c.cfg.Workers, Drain: c.cfg.Drain * 5 / 6, Log: c.component("engine"),
		Tracer: c.watch, Observe: c.cfg.Observe,
	})
	if err != nil {
		return err
	}
	if err := c.watch.Watch(c.db, c.engine.Driving); err != nil {
		return err
	}
	if c.verify, err = oidc.New(ctx, oidc.Config{Issuers: c.cfg.Issuers, Subjects: c.db}); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	issuers := make([]string, len(c.cfg.Issuers))
	for i, is := range c.cfg.Issuers {
		issuers[i] = is.Issuer
	}
	c.api, err = api.New(api.Config{
		Observer: c.watch, Metrics: c.watch.Handler(),
		Engine: c.engine, Store: c.db, Verifier: c.verify, URL: c.cfg.URL, Issuers: issuers, Version: c.cfg.Version,
		Ready: c.ready, Log: c.cfg.Log, Limits: c.limits(),
	})
	return err
}

// canary is the mark in the prompt of the call with this key. It comes from the
// key directory, so a process that takes a run over after a crash asks with the
// same one: under one idempotency key goes one question.
func (c *Custody) canary(key string) string {
	_, mark, _ := strings.Cut(c.keys.Vault.Fingerprint("", "canary\n"+key), ":")
	return mark
}

// limits are the configuration's, in the API's words.
func (c *Custody) limits() api.Limits {
	l := c.cfg.Limits
	return api.Limits{Submissions: l.SubmissionsPerMinute, Reads: l.ReadsPerMinute, Changes: l.ChangesPerMinute}
}

// open connects, and tries again for as long as the database is away.
func (c *Custody) open(ctx context.Context, wait func(*Custody) error) (*store.DB, error) {
	pause, told := 100*time.Millisecond, false
	for {
		db, err := c.connect(ctx)
		if err == nil || !away(err) {
			return db, err
		}
		if !told {
			c.cfg.Log.WarnContext(ctx, "the database cannot be reached; trying again until it can")
			told = true
			if err := wait(c); err != nil {
				return nil, err
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", ErrAway, errors.Join(ctx.Err(), err))
		case <-timer.C:
		}
		pause = min(2*pause, 2*time.Second)
	}
}

func (c *Custody) connect(ctx context.Context) (*store.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	state, err := migrations.Status(ctx, c.cfg.DatabaseURL)
	switch {
	case err != nil:
		return nil, err
	case state.Newer:
		return nil, fmt.Errorf("%w: start that release", migrations.ErrNewer)
	case !state.Ready():
		return nil, errors.New("the database's schema is not complete: run `custody migrate up`")
	}
	c.schema = state
	jobs, err := engine.Jobs()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Config{
		URL: c.cfg.DatabaseURL, Origin: c.cfg.Origin, Version: c.cfg.Version, Log: c.component("store"), Meter: c.watch,
	}, jobs)
}

// away reports whether trying again may help: the server is not there, is
// starting, or is full. A refusal of the account or a missing database is an
// answer.
func away(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch code := state.SQLState(); {
		case len(code) != 5:
			return false
		case code[:2] == "08", code[:3] == "57P", code[:2] == "53":
			return true
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// ready are the checks of /readyz that only the whole process can make.
func (c *Custody) ready(ctx context.Context) []api.Check {
	check := func(name string, err error) api.Check {
		if err != nil {
			c.cfg.Log.WarnContext(ctx, "not ready", slog.String("check", name), slog.Any("error", err))
		}
		return api.Check{Name: name, OK: err == nil}
	}
	return []api.Check{
		check("keys", c.keys.covers(ctx, c.db, c.cfg.KeyDir)),
		check("provider", c.verify.Ready(ctx)),
		check("engine", c.engine.Ready()),
	}
}

// Handler is the API, for programs that have a server of their own. They start
// and stop Engine themselves.
func (c *Custody) Handler() http.Handler { return c.api }

// Engine moves the runs.
func (c *Custody) Engine() *engine.Engine { return c.engine }

// Close lets go of the database and of idle connections. Run does it itself.
func (c *Custody) Close() {
	c.close.Do(func() {
		c.db.Close()
		c.set.Close()
		c.models.Close()
		c.forget()
	})
}

// observe makes what counts and traces, before there is anything to count.
func (c *Custody) observe(ctx context.Context) error {
	c.cfg.Log = slog.New(telemetry.LogHandler(c.cfg.Log.Handler()))
	to := c.cfg.Telemetry
	var err error
	c.watch, err = telemetry.New(ctx, telemetry.Config{
		Version: c.cfg.Version, Traces: to.Traces, Metrics: to.Metrics, Sampler: to.Sampler, Ratio: to.Ratio, Log: c.component("telemetry"),
	})
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// lastWords is how long the end of a process waits for a collector.
const lastWords = 3 * time.Second

// forget sends what is left of traces and metrics. Whether they arrive changes
// nothing.
func (c *Custody) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := c.watch.Close(ctx); err != nil {
		c.cfg.Log.WarnContext(ctx, "the last traces and metrics could not be exported")
	}
}

// component is the log of one part of the program.
func (c *Custody) component(name string) *slog.Logger {
	return c.cfg.Log.With(slog.String("component", name))
}
