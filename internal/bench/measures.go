package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	drainRuns  = 4000
	drainJobs  = 30000
	flightRuns = 3000
	flightJobs = 10000
	callers    = 100
	drivers    = 500 // of both sides
	stepsOfRun = 5
)

// drains compares how fast a ready backlog is worked off.
func drains(ctx context.Context, m *meter, n int) error {
	return compare(ctx, m, n, "drain", rawDrain, ourDrain)
}

// flights compares callers that each submit and wait.
func flights(ctx context.Context, m *meter, n int) error {
	return compare(ctx, m, n, "in flight", rawFlight, ourFlight)
}

// compare measures both sides in turn, n times, and prints their ratio.
func compare(ctx context.Context, m *meter, n int, name string, raw, ours func(context.Context, *meter) (float64, error)) error {
	var ratios []float64
	for range n {
		theirs, err := raw(ctx, m)
		if err != nil {
			return err
		}
		mine, err := ours(ctx, m)
		if err != nil {
			return err
		}
		ratios = append(ratios, mine/theirs)
	}
	fmt.Printf("ratio %s: %.2f\n  %s\n", name, median(ratios), spread(ratios))
	return nil
}

func rawDrain(ctx context.Context, m *meter) (float64, error) {
	return rawSide(ctx, m, func(p *peer) (rate, goMS, pgMS float64, err error) { return p.drain(ctx, m, drainJobs) })
}

func rawFlight(ctx context.Context, m *meter) (float64, error) {
	return rawSide(ctx, m, func(p *peer) (rate, goMS, pgMS float64, err error) { return p.flight(ctx, m, flightJobs, callers) })
}

// rawSide measures raw River in a database of its own.
func rawSide(ctx context.Context, m *meter, measure func(*peer) (rate, goMS, pgMS float64, err error)) (float64, error) {
	url, err := m.database(ctx)
	if err != nil {
		return 0, err
	}
	p, err := newPeer(ctx, url)
	if err != nil {
		return 0, err
	}
	defer p.close(ctx)
	rate, goMS, pgMS, err := measure(p)
	fmt.Printf("  raw River %7.0f jobs/s   CPU ms/job:  Go %.3f PostgreSQL %.3f\n", rate, goMS, pgMS)
	return rate, err
}

func ourDrain(ctx context.Context, m *meter) (float64, error) {
	return ourSide(ctx, m, drainRuns, func(b *bench) (usage, error) {
		watches, err := b.backlog(ctx, drainRuns)
		if err != nil {
			return usage{}, err
		}
		u := m.now()
		if err := b.engine.Start(ctx); err != nil {
			return usage{}, err
		}
		return u, closed(ctx, watches)
	})
}

func ourFlight(ctx context.Context, m *meter) (float64, error) {
	return ourSide(ctx, m, flightRuns, func(b *bench) (usage, error) {
		if err := b.engine.Start(ctx); err != nil {
			return usage{}, err
		}
		u := m.now()
		_, err := b.inFlight(ctx, flightRuns, callers)
		return u, err
	})
}

// ourSide measures Custody in a database of its own, from the moment that
// measure returns, and verifies the ledger.
func ourSide(ctx context.Context, m *meter, runs int, measure func(*bench) (usage, error)) (float64, error) {
	url, err := m.database(ctx)
	if err != nil {
		return 0, err
	}
	b, err := newBench(ctx, url, drivers, 0, fiveSteps())
	if err != nil {
		return 0, err
	}
	defer b.close(ctx)
	u, err := measure(b)
	if err != nil {
		return 0, err
	}
	rate, goMS, pgMS := m.per(u, float64(runs*stepsOfRun))
	f := b.db.Figures()
	fmt.Printf("  Custody   %7.0f steps/s  CPU ms/step: Go %.3f PostgreSQL %.3f  changes per batch %.0f\n", rate, goMS, pgMS, float64(f.Changes)/float64(f.Batches))
	return rate, b.verify(ctx, runs)
}

// inFlight has callers that each submit a run and wait for its end.
func (b *bench) inFlight(ctx context.Context, runs, callers int) ([]time.Duration, error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Value
	var mu sync.Mutex
	var took []time.Duration
	for range callers {
		wg.Go(func() {
			for next.Add(1) <= int64(runs) {
				begun := time.Now()
				id, err := b.submit(ctx)
				if err == nil {
					err = b.wait(ctx, id)
				}
				if err != nil {
					failed.Store(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	err, _ := failed.Load().(error)
	slices.Sort(took)
	return took, err
}

// lones measures one run alone, from submission to its end.
func lones(ctx context.Context, m *meter, n int) error {
	var p50, p99 []float64
	for range n {
		url, err := m.database(ctx)
		if err != nil {
			return err
		}
		b, err := newBench(ctx, url, drivers, 0, fiveSteps())
		if err != nil {
			return err
		}
		if err := b.engine.Start(ctx); err != nil {
			return err
		}
		took, err := b.inFlight(ctx, 200, 1)
		b.close(ctx)
		if err != nil {
			return err
		}
		p50 = append(p50, took[len(took)/2].Seconds()*1000)
		p99 = append(p99, took[len(took)*99/100].Seconds()*1000)
	}
	fmt.Printf("lone 5-step run, ms: p50 %s p99 %s\n", spread(p50), spread(p99))
	return nil
}

// calls measures 2,000 model calls of two seconds in flight at once, beside the
// ideal of no overhead at all.
func calls(ctx context.Context, m *meter, n int) error {
	const runs, length = 2000, 2 * time.Second
	var shares []float64
	for range min(n, 2) {
		url, err := m.database(ctx)
		if err != nil {
			return err
		}
		b, err := newBench(ctx, url, runs+500, length, fiveSteps())
		if err != nil {
			return err
		}
		watches, err := b.backlog(ctx, runs)
		if err != nil {
			return err
		}
		u := m.now()
		if err := b.engine.Start(ctx); err != nil {
			return err
		}
		err = closed(ctx, watches)
		took := time.Since(u.at)
		_, goMS, pgMS := m.per(u, runs*stepsOfRun)
		if err == nil {
			err = b.verify(ctx, runs)
		}
		b.close(ctx)
		if err != nil {
			return err
		}
		shares = append(shares, (stepsOfRun*length).Seconds()/took.Seconds())
		fmt.Printf("  %d calls of %s in flight, 5 steps: %.2f s, CPU ms/step: Go %.3f PostgreSQL %.3f\n", runs, length, took.Seconds(), goMS, pgMS)
	}
	fmt.Printf("in-flight calls, share of the ideal: %s\n", spread(shares))
	return nil
}

// waits parks 5,000 runs on an approval and counts what they cost.
func waits(ctx context.Context, m *meter, _ int) error {
	const runs = 5000
	url, err := m.database(ctx)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, url, drivers, 0, "name: waiting\ninput: {type: object, properties: {contract: {type: string}}}\nrequires: {roles: [analyst]}\nsteps:\n"+
		"  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: \"${{ input.contract }}\"}}\n")
	if err != nil {
		return err
	}
	defer b.close(ctx)
	if err := b.engine.Start(ctx); err != nil {
		return err
	}
	goroutines, memory := runtime.NumGoroutine(), rss()
	watches, err := b.backlog(ctx, runs)
	if err != nil {
		return err
	}
	for _, w := range watches {
		w.Close()
	}
	for n, jobs := 0, 1; n < runs || jobs > 0; {
		err := b.db.Pool().QueryRow(ctx, `select (select count(*) from run where state = 'waiting'),
(select count(*) from river.river_job where state not in ('completed'))`).Scan(&n, &jobs)
		if err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	runtime.GC()
	fmt.Printf("%d waiting runs: goroutines %+d, jobs 0, drivers %d, memory %+.1f MB\n", runs, runtime.NumGoroutine()-goroutines, b.engine.Driving(), rss()-memory)
	return nil
}

// rss is this process's memory in MB. Linux only; elsewhere it is 0.
func rss() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
