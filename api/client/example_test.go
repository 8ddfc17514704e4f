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
	answers(mux)
	return httptest.NewServer(mux)
}

// answers are what the other examples get.
func answers(mux *http.ServeMux) {
	for pattern, body := range map[string]string{
		"GET /v1/workflows":                         `{"data": [{"name": "contract-review", "digest": "sha256:2"}], "next_cursor": null}`,
		"PUT /v1/workflows/contract-review/current": `{"name": "contract-review", "digest": "sha256:1", "current": true}`,
		"GET /v1/approvals":                         `{"data": [{"id": "apr_1", "step": "legal", "digest": "sha256:9"}], "next_cursor": null}`,
		"POST /v1/approvals/apr_1/votes":            `{"id": "vote_1", "decision": "approve", "state": "pending"}`,
		"DELETE /v1/approvals/apr_1/votes/mine":     `{"receipt": {"stream": "run_1", "seq": 6, "hash": "cd"}}`,
		"GET /v1/audit/entries":                     `{"data": [{"stream": "run_1", "seq": 0, "hash": "ab"}], "next_cursor": null}`,
		"POST /v1/audit/verify":                     `{"verdict": "intact", "tier": "T0", "entries": 652, "findings": []}`,
		"GET /v1/me":                                `{"id": "subj_1", "kind": "human", "roles": ["analyst"], "mfa": true}`,
		"POST /v1/revocations":                      `{"id": "rev_1", "kind": "sub", "value": "subj_1"}`,
		"DELETE /v1/revocations/rev_1":              `{"receipt": {"stream": "ctl-1", "seq": 3, "hash": "ef"}}`,
		"GET /v1/status":                            `{"tier": "T0", "runs": {"running": 3}, "queue": {"oldest_age": 0.2}}`,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && pattern != "POST /v1/audit/verify" {
				w.WriteHeader(http.StatusCreated)
			}
			_, _ = io.WriteString(w, body)
		})
	}
}

// connect makes a client of whoever signed in.
func connect(s *httptest.Server) *client.Client {
	c, err := client.New(client.Config{URL: s.URL, Token: signedIn})
	if err != nil {
		panic(err) // the URL is the test server's
	}
	return c
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

func ExampleClient_Choose() {
	s := server()
	defer s.Close()
	c, ctx := connect(s), context.Background()
	for w, err := range c.Workflows(ctx, "contract") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("current", w.Name, w.Digest)
	}
	w, err := c.Choose(ctx, "contract-review", "sha256:1", "sha256:2") // back to the version before
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("current", w.Name, w.Digest)
	// Output:
	// current contract-review sha256:2
	// current contract-review sha256:1
}

func ExampleClient_Vote() {
	s := server()
	defer s.Close()
	c, ctx := connect(s), context.Background()
	for a, err := range c.Approvals(ctx, client.ApprovalFilter{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		vote, err := c.Vote(ctx, client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(vote.Decision, a.Step, vote.State)
	}
	// Output: approve legal pending
}

func ExampleClient_Withdraw() {
	s := server()
	defer s.Close()
	receipt, err := connect(s).Withdraw(context.Background(), "apr_1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("withdrawn, entry", receipt.Seq, "of", receipt.Stream)
	// Output: withdrawn, entry 6 of run_1
}

func ExampleClient_Entries() {
	s := server()
	defer s.Close()
	for e, err := range connect(s).Entries(context.Background(), client.EntryFilter{Run: "run_1"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Stream, e.Seq, e.Hash)
	}
	// Output: run_1 0 ab
}

func ExampleClient_VerifyServer() {
	s := server()
	defer s.Close()
	report, err := connect(s).VerifyServer(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Verdict, report.Tier, report.Entries)
	// Output: intact T0 652
}

func ExampleClient_Me() {
	s := server()
	defer s.Close()
	me, err := connect(s).Me(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(me.ID, me.Roles, me.MFA)
	// Output: subj_1 [analyst] true
}

func ExampleClient_Revoke() {
	s := server()
	defer s.Close()
	c, ctx := connect(s), context.Background()
	r, err := c.Revoke(ctx, client.NewRevocation{Kind: "sub", Value: "subj_1", Reason: "left the company"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.ID, r.Created)
	receipt, err := c.Lift(ctx, r.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("lifted, entry", receipt.Seq, "of", receipt.Stream)
	// Output:
	// rev_1 true
	// lifted, entry 3 of ctl-1
}

func ExampleClient_Status() {
	s := server()
	defer s.Close()
	status, err := connect(s).Status(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.Tier, status.Runs.Running, status.Queue.OldestAge)
	// Output: T0 3 0.2
}
