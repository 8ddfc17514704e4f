// Command documents is a Custody process whose workflows sort a list of
// documents with a Go function.
//
// It reads the same environment and configuration file as `custody serve`. The
// workflow beside it, sort-documents.yaml, uses the function.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/custodyhq/custody"
)

func main() {
	insecure := flag.Bool("insecure-http", false, "plain HTTP, on loopback only")
	flag.Parse()
	if err := run(*insecure); err != nil {
		fmt.Fprintln(os.Stderr, "documents:", err)
		os.Exit(1)
	}
}

// run serves until somebody asks it to end.
func run(insecure bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := custody.Load(os.Getenv, os.Getenv(custody.EnvConfig))
	if err != nil {
		return err
	}
	cfg.InsecureHTTP = insecure
	cfg.Funcs = append(cfg.Funcs, sortDocuments())
	c, err := custody.New(ctx, cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
