package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/custodyhq/custody"
)

type serveCommand struct {
	Listen       string `placeholder:"ADDRESS" help:"Address of the API; else CUSTODY_LISTEN, else 127.0.0.1:8080."`
	InsecureHTTP bool   `name:"insecure-http" help:"Plain HTTP, on loopback only."`
}

// Help shows an example.
func (serveCommand) Help() string {
	return "Example:\n\n    CUSTODY_DATABASE_URL=postgres://custody@db/custody CUSTODY_CONFIG=custody.yaml custody serve --listen 0.0.0.0:8443\n\nSettings come from flags, then the environment, then the file that CUSTODY_CONFIG names."
}

// Run serves until the program is asked to end.
func (c serveCommand) Run(ctx context.Context, s *session) error {
	cfg, err := c.config(s)
	if err != nil {
		return &exit{code: exitUsage, err: err}
	}
	tuneMemory(s.env, physicalMemory())
	signal.Ignore(syscall.SIGHUP) // others reread their certificates at it; we do so when they change
	err = custody.Serve(ctx, cfg)
	switch {
	case errors.Is(err, custody.ErrSetting):
		return &exit{code: exitUsage, err: fmt.Errorf("%w\nEverything that is wrong with the settings: custody doctor", err)}
	case err != nil:
		return &exit{code: exitFailure, err: err} // being asked to end is no failure; what was cut off is
	}
	return nil
}

func (c serveCommand) config(s *session) (custody.Config, error) {
	cfg, err := custody.Load(s.env, s.env(custody.EnvConfig))
	if err != nil {
		return cfg, err
	}
	if c.Listen != "" {
		cfg.Listen = c.Listen
	}
	cfg.InsecureHTTP = c.InsecureHTTP
	cfg.Version = version()
	cfg.Log, err = logTo(s.err, s.env)
	return cfg, err
}

// tuneMemory lets the collector run a quarter as often, which is the cheapest
// speed there is, as long as memory is plenty: the limit brings it back. What the
// operator set in GOGC or GOMEMLIMIT stands.
func tuneMemory(env func(string) string, memory int64) {
	if env("GOMEMLIMIT") == "" {
		if memory <= 0 {
			return // without a limit a large heap would be a risk
		}
		debug.SetMemoryLimit(memory / 10 * 6)
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// physicalMemory is what this process may use: the container's limit, else the
// machine's memory; 0 where neither can be read.
func physicalMemory() int64 {
	least := int64(math.MaxInt64)
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if raw, err := os.ReadFile(path); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil && n > 0 {
				least = min(least, n)
			}
		}
	}
	if raw, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(raw)); len(f) > 1 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				least = min(least, kib<<10)
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
