package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/custodyhq/custody/api/client"
)

// server stands in for a Custody server.
func server() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"type": "urn:custody:problem:unauthenticated", "detail": "a bearer token is needed"}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id": "run_1", "state": "queued", "receipt": {"stream": "run_1", "seq": 0, "hash": "ab"}}`)
	})
	mux.HandleFunc("GET /v1/runs/run_1/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, event(0, "run.submitted")+event(1, "run.closed"))
	})
	mux.HandleFunc("GET /v1/runs", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data": [{"id": "run_1", "state": "succeeded"}], "next_cursor": null}`)
	})
	return httptest.NewServer(mux)
}

func signedIn(context.Context) (string, error) { return "an access token", nil }

func ExampleClient_Submit() {
	s := server()
	defer s.Close()
	c, err := client.New(client.Config{URL: s.URL, Token: signedIn})
	if err != nil {
		fmt.Println(err)
		return
	}
	run, err := c.Submit(context.Background(), client.Submission{
		Workflow: "contract-review", Input: json.RawMessage(`{"contract": "..."}`), Key: "contract-4711",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.ID, run.State, run.Receipt.Hash)
	// Output: run_1 queued ab
}

func ExampleClient_Events() {
	s := server()
	defer s.Close()
	c, err := client.New(client.Config{URL: s.URL, Token: signedIn})
	if err != nil {
		fmt.Println(err)
		return
	}
	for entry, err := range c.Events(context.Background(), "run_1", -1) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(entry.Stream, entry.Seq)
	}
	// Output:
	// run_1 0
	// run_1 1
}

func ExampleClient_Runs() {
	s := server()
	defer s.Close()
	c, err := client.New(client.Config{URL: s.URL, Token: signedIn})
	if err != nil {
		fmt.Println(err)
		return
	}
	for run, err := range c.Runs(context.Background(), client.RunFilter{Caller: "me"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(run.ID, run.State)
	}
	// Output: run_1 succeeded
}

func ExampleProblem() {
	s := server()
	defer s.Close()
	c, err := client.New(client.Config{URL: s.URL}) // nobody signed in
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.Submit(context.Background(), client.Submission{Workflow: "contract-review"})
	if p := (*client.Problem)(nil); errors.As(err, &p) {
		fmt.Println(p.Kind(), p.Detail)
	}
	// Output: unauthenticated a bearer token is needed
}
