// Bench measures Custody's engine beside raw River on the same PostgreSQL, in
// the same run, interleaved. It prints ratios, because rates depend on the
// machine and on what else it does. After every measurement the whole ledger is
// verified: a figure from a broken record would be none.
//
//	go run ./internal/bench [-n 5] [-only drain,flight,lone,waiting,calls]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/custodyhq/custody/store/localpg"
)

func main() {
	n := flag.Int("n", 5, "repetitions; the median and the spread are printed")
	only := flag.String("only", "drain,flight,lone,calls,waiting", "what to measure")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as `custody serve` does; it holds for both sides
	}
	if err := profiled(*profile, func() error { return measure(context.Background(), *n, strings.Split(*only, ",")) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// profiled writes a CPU profile of f to a file, if one is named.
func profiled(name string, f func() error) error {
	if name == "" {
		return f()
	}
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

func measure(ctx context.Context, n int, only []string) error {
	dir, err := os.MkdirTemp("", "custody-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec: PostgreSQL runs as another account; its data folder is 0700
		return err
	}
	// fsync stays on: what is measured is durable.
	pg, err := localpg.Open(ctx, localpg.Config{URL: os.Getenv("CUSTODY_DATABASE_URL"), Dir: dir})
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	m := &meter{pg: pg, dir: dir}
	fmt.Printf("PostgreSQL %s\n", pg.Version)
	for _, part := range []struct {
		name string
		run  func(context.Context, *meter, int) error
	}{{"drain", drains}, {"flight", flights}, {"lone", lones}, {"calls", calls}, {"waiting", waits}} {
		if !slices.Contains(only, part.name) {
			continue
		}
		if err := part.run(ctx, m, n); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// spread is a median with its minimum and maximum.
func spread(v []float64) string {
	m := median(v)
	return fmt.Sprintf("%.2f (%.2f-%.2f, n=%d)", m, v[0], v[len(v)-1], len(v))
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
