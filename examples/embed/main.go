// Command embed is a Custody process with a step kind of its own: a Go function
// that workflows use by its name.
//
// It reads the same environment and configuration file as `custody serve`. The
// workflow beside it, measure.yaml, uses the function.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/custodyhq/custody"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run serves until somebody asks it to end.
func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := custody.Load(os.Getenv, os.Getenv(custody.EnvConfig))
	if err != nil {
		return err
	}
	cfg.Funcs = append(cfg.Funcs, wordCount())
	if _, err := custody.Migrate(ctx, cfg); err != nil {
		return err
	}
	c, err := custody.New(ctx, cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
