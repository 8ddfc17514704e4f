package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/store/storetest"
)

//go:embed sort-documents.yaml
var workflow []byte

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The whole of it: erin publishes, alice runs, and each document of the list has
// its finding, in order.
func TestAListIsMappedByAFunction(t *testing.T) {
	t.Parallel()
	as := start(t)
	w, err := as("erin").Publish(t.Context(), client.Publication{Source: workflow})
	must(t, err)
	submit := func(person, input string) (client.Run, error) {
		return as(person).Submit(t.Context(), client.Submission{Workflow: w.Name, Input: json.RawMessage(input), Wait: 30 * time.Second})
	}
	const list = `{"documents": [
		{"name": "a.txt", "text": "Invoice 12 of 3 May"},
		{"name": "b.txt", "text": "This agreement ends on 1 March"},
		{"name": "c.txt", "text": "Dear all"}]}`
	r, err := submit("alice", list)
	must(t, err)
	out, err := as("alice").Output(t.Context(), r.ID)
	must(t, err)
	if diff := cmp.Diff(`{"contracts":["b.txt"],"words":[5,6,2]}`, string(out)); diff != "" {
		t.Errorf("%s: %s", r.State, diff)
	}
	if _, err := submit("alice", `{"documents": [{"name": "a.txt"}]}`); err == nil {
		t.Error("a document without text was taken")
	}
	if _, err := submit("mallory", list); err == nil {
		t.Error("somebody without the role was served")
	}
}

// A run that was cancelled does not wait for the rest of its list.
func TestSortingStopsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	in := map[string]any{"documents": []any{map[string]any{"name": "a", "text": "b"}}}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := sortDocuments().Run(ctx, in, kinds.FuncCall{}); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := sortDocuments().Run(ctx, in, kinds.FuncCall{}); err == nil {
		t.Error("it went on")
	}
}

// start brings up what main runs, with a provider and a database of its own.
func start(t *testing.T) (as func(person string) *client.Client) {
	t.Helper()
	idp, err := devidp.Start(t.Context(), devidp.Config{Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { _ = idp.Close(context.Background()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	url := "http://" + l.Addr().String()
	cfg := custody.Config{
		DatabaseURL: storetest.URL(t), KeyDir: filepath.Join(t.TempDir(), "keys"), InsecureHTTP: true, URL: url, Drain: time.Second,
		Issuers: []oidc.Issuer{{Issuer: idp.Issuer(), Audience: "custody", Clients: []string{devidp.CLI}}},
		Funcs:   []kinds.Func{sortDocuments()},
	}
	_, err = custody.Migrate(t.Context(), cfg)
	must(t, err)
	c, err := custody.New(t.Context(), cfg)
	must(t, err)
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(person string) *client.Client {
		token, err := idp.Token(devidp.TokenRequest{Person: person})
		must(t, err)
		c, err := client.New(client.Config{URL: url, Token: func(context.Context) (string, error) { return token, nil }})
		must(t, err)
		t.Cleanup(c.Close)
		return c
	}
}
