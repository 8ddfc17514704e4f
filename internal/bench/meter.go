package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/custodyhq/custody/migrations"
	"github.com/custodyhq/custody/store/localpg"
)

// A meter makes databases and reads CPU seconds.
type meter struct {
	pg   *localpg.Server
	dir  string
	made atomic.Int64
}

// database makes a fresh migrated database, so that nothing of an earlier
// measurement is in its tables.
func (m *meter) database(ctx context.Context) (string, error) {
	url, err := m.pg.Database(ctx, fmt.Sprintf("bench_%d_%d", os.Getpid(), m.made.Add(1)))
	if err != nil {
		return "", err
	}
	if err := migrations.Up(ctx, url); err != nil {
		return "", err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	_, err = pool.Exec(ctx, "checkpoint")
	return url, err
}

// usage is CPU used by this process and by PostgreSQL, in seconds.
type usage struct {
	self, pg float64
	at       time.Time
}

func (m *meter) now() usage { return usage{selfCPU(), m.pgCPU(), time.Now()} }

// per returns units per second and CPU milliseconds per unit, since u.
func (m *meter) per(u usage, units float64) (rate, goMS, pgMS float64) {
	v := m.now()
	return units / v.at.Sub(u.at).Seconds(), (v.self - u.self) * 1000 / units, (v.pg - u.pg) * 1000 / units
}

func selfCPU() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return seconds(u.Utime) + seconds(u.Stime)
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// pgCPU sums the postmaster's children that live and, as the postmaster's own
// children time, those that have ended. Linux only; elsewhere it is 0.
func (m *meter) pgCPU() (sum float64) {
	b, err := os.ReadFile(filepath.Join(m.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	postmaster, _, _ := strings.Cut(string(b), "\n")
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b)[strings.LastIndex(string(b), ")")+1:])
		last := 13
		if filepath.Base(filepath.Dir(path)) == postmaster {
			last = 15 // with the children that have ended
		} else if fields[1] != postmaster {
			continue
		}
		for _, f := range fields[11:last] {
			ticks, _ := strconv.ParseFloat(f, 64)
			sum += ticks / 100
		}
	}
	return sum
}
