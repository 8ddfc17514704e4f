package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// noop is a job that does nothing: what River alone can do.
type noop struct {
	N int64 `json:"n"`
}

func (noop) Kind() string { return "noop" }

// peer is raw River.
type peer struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	done   sync.Map // n -> chan struct{}
	count  sync.WaitGroup
}

type peerWorker struct {
	river.WorkerDefaults[noop]
	p *peer
}

func (w *peerWorker) Work(_ context.Context, j *river.Job[noop]) error {
	if c, ok := w.p.done.Load(j.Args.N); ok {
		close(c.(chan struct{}))
		return nil
	}
	w.p.count.Done()
	return nil
}

func newPeer(ctx context.Context, url string) (*peer, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 20
	p := &peer{}
	if p.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &peerWorker{p: p})
	p.client, err = river.NewClient(riverpgxv5.New(p.pool), &river.Config{
		Schema: "river", Workers: workers, Logger: slog.New(slog.DiscardHandler), FetchCooldown: time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: drivers}},
	})
	return p, err
}

func (p *peer) close(ctx context.Context) {
	_ = p.client.Stop(ctx)
	p.pool.Close()
}

// drain works off a backlog and returns jobs per second.
func (p *peer) drain(ctx context.Context, m *meter, jobs int) (rate, goMS, pgMS float64, err error) {
	const page = 5000
	p.count.Add(jobs)
	for i := 0; i < jobs; i += page {
		params := make([]river.InsertManyParams, 0, page)
		for k := i; k < min(i+page, jobs); k++ {
			params = append(params, river.InsertManyParams{Args: noop{int64(k)}})
		}
		if _, err := p.client.InsertManyFast(ctx, params); err != nil {
			return 0, 0, 0, err
		}
	}
	u := m.now()
	if err := p.client.Start(ctx); err != nil {
		return 0, 0, 0, err
	}
	p.count.Wait()
	rate, goMS, pgMS = m.per(u, float64(jobs))
	return rate, goMS, pgMS, nil
}

// flight has callers that each insert a job and wait for it.
func (p *peer) flight(ctx context.Context, m *meter, jobs, callers int) (rate, goMS, pgMS float64, err error) {
	if err := p.client.Start(ctx); err != nil {
		return 0, 0, 0, err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Value
	u := m.now()
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(jobs); n = next.Add(1) {
				done := make(chan struct{})
				p.done.Store(n, done)
				if _, err := p.client.Insert(ctx, noop{n}, nil); err != nil {
					failed.Store(err)
					return
				}
				<-done
				p.done.Delete(n)
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return 0, 0, 0, err
	}
	rate, goMS, pgMS = m.per(u, float64(jobs))
	return rate, goMS, pgMS, nil
}
