package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/store/localpg"
)

//go:embed measure.yaml
var measure []byte

// The whole of it, on a real PostgreSQL and with a real sign-in: erin publishes
// the workflow, alice runs it, and the function's result comes back.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := story(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// measure is registered
	// succeeded: {"words":4}
	// mallory: denied
}

func story(ctx context.Context) (err error) {
	server, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := server.stop(); err == nil {
			err = stopped
		}
	}()
	wf, err := server.as("erin").Publish(ctx, client.Publication{Source: measure})
	if err != nil {
		return err
	}
	fmt.Println(wf.Name, "is registered")

	alice := server.as("alice")
	submission := client.Submission{Workflow: wf.Name, Input: json.RawMessage(`{"text": "a chain of custody"}`), Wait: 30 * time.Second}
	run, err := alice.Submit(ctx, submission)
	if err != nil {
		return err
	}
	output, err := alice.Output(ctx, run.ID)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", run.State, output)

	_, err = server.as("mallory").Submit(ctx, submission)
	var problem *client.Problem
	if errors.As(err, &problem) {
		fmt.Println("mallory:", problem.Kind())
		return nil
	}
	return err
}

// A process is what main runs, with its surroundings.
type process struct {
	url    string
	issuer string
	stop   func() error
}

// start brings up PostgreSQL, the development provider and this program.
func start(ctx context.Context) (*process, error) {
	var stops []func() error
	p := &process{stop: func() (err error) {
		for i := len(stops) - 1; i >= 0; i-- {
			if failed := stops[i](); err == nil {
				err = failed
			}
		}
		return err
	}}
	dir, err := os.MkdirTemp("", "custody-embed-")
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() error { return os.RemoveAll(dir) })
	pg, err := localpg.Open(ctx, localpg.Config{URL: os.Getenv(custody.EnvDatabase), Private: true, Log: io.Discard})
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() error { return pg.Close(context.WithoutCancel(ctx)) })
	idp, err := devidp.Start(ctx, devidp.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() error { return idp.Close(context.WithoutCancel(ctx)) })
	url, err := pg.Database(ctx, "embed")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.url, p.issuer = "http://"+listener.Addr().String(), idp.Issuer()
	cfg := custody.Config{
		DatabaseURL: url, KeyDir: filepath.Join(dir, "keys"), InsecureHTTP: true, URL: p.url, Drain: time.Second,
		Issuers: []oidc.Issuer{{Issuer: p.issuer, Audience: "custody", Clients: []string{"custody-cli"}}},
		Funcs:   []kinds.Func{wordCount()},
	}
	if _, err := custody.Migrate(ctx, cfg); err != nil {
		return nil, err
	}
	c, err := custody.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	serving, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(serving, listener) }()
	stops = append(stops, func() error { end(); return <-ended })
	return p, nil
}

// as is a client that signs in as somebody.
func (p *process) as(person string) *client.Client {
	c, err := client.New(client.Config{URL: p.url, Token: func(ctx context.Context) (string, error) {
		return devidp.SignIn(ctx, p.issuer, person)
	}})
	if err != nil {
		panic(err) // a URL of our own
	}
	return c
}
