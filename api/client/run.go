package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// A Run is a run's state. It carries no content.
type Run struct {
	ID                string      `json:"id"`
	Workflow          WorkflowRef `json:"workflow"`
	RetryOf           *string     `json:"retry_of"`
	State             string      `json:"state"` // queued, running, waiting, succeeded, failed, cancelled
	Reason            *Reason     `json:"reason"`
	Caller            Caller      `json:"caller"`
	WaitingFor        []Wait      `json:"waiting_for"`
	Steps             []Step      `json:"steps"`
	Cost              Cost        `json:"cost"`
	Version           int64       `json:"version"`
	CreatedAt         Time        `json:"created_at"`
	UpdatedAt         Time        `json:"updated_at"`
	CancelRequestedAt *Time       `json:"cancel_requested_at"`
	ClosedAt          *Time       `json:"closed_at"`
	Receipt           Receipt     `json:"receipt"` // the last entry of the run's stream

	Replayed bool `json:"-"` // an earlier call with the same key made it
}

// Closed reports whether the run has ended, for ever.
func (r Run) Closed() bool {
	return r.State == "succeeded" || r.State == "failed" || r.State == "cancelled"
}

// A WorkflowRef names one version of a workflow.
type WorkflowRef struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// A Reason says why a run ended without success.
type Reason struct {
	Code    string   `json:"code"` // denied, blocked, withheld, error, timeout, revoked
	Step    string   `json:"step,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Receipt *Receipt `json:"receipt"` // the entry that recorded it
}

// A Caller is in whose name a run acts.
type Caller struct {
	ID   string   `json:"id"`   // subj_…
	Kind string   `json:"kind"` // human, agent, service
	Act  []string `json:"act"`  // client ids that act for the caller, nearest first
}

// A Wait is one thing that a run waits for.
type Wait struct {
	Kind  string `json:"kind"` // approval, timer, event, reauth
	ID    string `json:"id,omitempty"`
	Step  string `json:"step,omitempty"`
	Until *Time  `json:"until"`
}

// A Step is where one step stands.
type Step struct {
	ID      string  `json:"id"`
	Item    *string `json:"item"` // in a foreach
	State   string  `json:"state"`
	Attempt int     `json:"attempt"`
}

// Cost is what a run's model calls have cost so far.
type Cost struct {
	MicroUSD  int64 `json:"microusd"`
	TokensIn  int64 `json:"tokens_in"`
	TokensOut int64 `json:"tokens_out"`
}

// A Submission asks for a run.
type Submission struct {
	Workflow string
	Digest   string          // an older version; empty: the current one
	Input    json.RawMessage // as the workflow's schema says; nil: none
	Key      string          // idempotency key
	DryRun   bool            // check everything, start nothing
	Wait     time.Duration   // how long the server may hold the answer until the run has closed
}

// Submit starts a run. With Wait the run may have closed when it returns.
func (c *Client) Submit(ctx context.Context, s Submission) (Run, error) {
	q, err := post("/v1/runs", struct {
		Workflow string          `json:"workflow"`
		Digest   string          `json:"digest,omitempty"`
		Input    json.RawMessage `json:"input,omitempty"`
	}{s.Workflow, s.Digest, s.Input}, s.Key, s.DryRun)
	if err != nil {
		return Run{}, err
	}
	if s.Wait > 0 {
		q.wait = s.Wait
		q.header.Set("Prefer", fmt.Sprintf("wait=%d", int64((s.Wait+time.Second-1)/time.Second)))
	}
	return c.run(ctx, q)
}

func (c *Client) run(ctx context.Context, q call) (Run, error) {
	var r Run
	res, err := c.json(ctx, q, &r)
	if err == nil {
		r.Replayed = replayed(res)
	}
	return r, err
}

// Run returns a run.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return c.run(ctx, get(path("v1", "runs", id), nil))
}

// A RunFilter chooses runs. Empty fields choose all that one may see.
type RunFilter struct {
	State, Workflow, Digest string
	Caller                  string // subj_…, or me
	WaitingFor              string // approval, timer
	After, Before           time.Time
	Limit                   int // of one page, not of the list
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) iter.Seq2[Run, error] {
	return all[Run](ctx, c, "/v1/runs", some("state", f.State, "workflow", f.Workflow, "digest", f.Digest, "caller", f.Caller,
		"waiting_for", f.WaitingFor, "created_after", stamp(f.After), "created_before", stamp(f.Before), "limit", number(f.Limit)))
}

// A Cancellation asks a run to end.
type Cancellation struct {
	Run, Reason string
	Key         string
	DryRun      bool
}

// Cancel asks a run to end. The answer says when it was asked; the run closes
// once its calls under way have an outcome.
func (c *Client) Cancel(ctx context.Context, x Cancellation) (Run, error) {
	q, err := post(path("v1", "runs", x.Run, "cancel"), struct {
		Reason string `json:"reason,omitempty"`
	}{x.Reason}, x.Key, x.DryRun)
	if err != nil {
		return Run{}, err
	}
	return c.run(ctx, q)
}

// A Retry asks for a new run that goes on where a failed one ended.
type Retry struct {
	Run    string
	Key    string
	DryRun bool
}

// Retry starts it.
func (c *Client) Retry(ctx context.Context, x Retry) (Run, error) {
	q, err := post(path("v1", "runs", x.Run, "retry"), struct{}{}, x.Key, x.DryRun)
	if err != nil {
		return Run{}, err
	}
	return c.run(ctx, q)
}

// Input reads what a run was given. The server records who read it.
func (c *Client) Input(ctx context.Context, run string) (json.RawMessage, error) {
	return c.content(ctx, path("v1", "runs", run, "input"))
}

// Output reads what a run returned. The server records who read it.
func (c *Client) Output(ctx context.Context, run string) (json.RawMessage, error) {
	return c.content(ctx, path("v1", "runs", run, "output"))
}

// StepOutput reads what a step returned. The server records who read it.
func (c *Client) StepOutput(ctx context.Context, run, step string) (json.RawMessage, error) {
	return c.content(ctx, path("v1", "runs", run, "steps", step, "output"))
}

func (c *Client) content(ctx context.Context, path string) (json.RawMessage, error) {
	body, _, err := c.answer(ctx, call{method: http.MethodGet, path: path})
	return body, err
}
