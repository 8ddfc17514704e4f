package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// A Readiness says whether a process can do its work.
type Readiness struct {
	Status string  `json:"status"` // ok, unavailable
	Checks []Check `json:"checks"`
}

// A Check is one thing that a process needs.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong
}

// Ready asks a process whether it can do its work. A process that cannot is an
// answer, not an error.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var r Readiness
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL()+"/readyz", nil)
	if err != nil {
		return r, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return r, fmt.Errorf("GET /readyz: %w", unwrapURL(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return r, readProblem(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&r); err != nil || r.Status == "" {
		return r, errors.New("GET /readyz: the answer is not Custody's: is this the right URL?")
	}
	return r, nil
}

// A Status is what an operator wants to know.
type Status struct {
	Version   string    `json:"version"`
	Process   string    `json:"process"` // that answers
	Tier      string    `json:"tier"`    // T0: chained, not anchored
	Driving   int       `json:"driving"` // runs that this process drives now
	Processes []Process `json:"processes"`
	Runs      RunCounts `json:"runs"`
	Queue     Queue     `json:"queue"`
	Ledger    Ledger    `json:"ledger"`
	Notary    *Notary   `json:"notary"` // nil: there is none
	Figures   Figures   `json:"figures"`
}

// RunCounts says how many runs there are in each state.
type RunCounts struct {
	Queued    int64 `json:"queued"`
	Running   int64 `json:"running"`
	Waiting   int64 `json:"waiting"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
}

// A Queue is what is to be done.
type Queue struct {
	OldestAge float64 `json:"oldest_age"` // seconds since the oldest queued run was submitted; 0: none is queued
	Due       int64   `json:"due"`        // runs whose time has come and that no process has looked at yet
	Later     int64   `json:"later"`      // runs that wait for a time to come
}

// A Ledger is how large the record is.
type Ledger struct {
	Entries int64 `json:"entries"`
	Streams int64 `json:"streams"`
	Bytes   int64 `json:"bytes"` // on disk, with indexes
}

// A Notary is who signs the ledger's checkpoints.
type Notary struct {
	Lag float64 `json:"lag"` // seconds
}

// A Process is a Custody process that shares the database.
type Process struct {
	ID           string  `json:"id"`
	Version      string  `json:"version"`
	StartedAt    Time    `json:"started_at"`
	HeartbeatAge float64 `json:"heartbeat_age"` // seconds
}

// Figures are counts of the process that answers, since it started.
type Figures struct {
	Batches int64 `json:"batches"`
	Changes int64 `json:"changes"`
	Lost    int64 `json:"lost"`
	Halved  int64 `json:"halved"`
}

// Status asks for it. It needs the role operator.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	_, err := c.json(ctx, get("/v1/status", nil), &s)
	return s, err
}

// A Resource is what a server says about itself as a protected resource (RFC
// 9728).
type Resource struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
	Methods  []string `json:"bearer_methods_supported"`
	Name     string   `json:"resource_name,omitempty"`
}

// Resource asks where one can sign in. It needs no token.
func (c *Client) Resource(ctx context.Context) (Resource, error) {
	var r Resource
	_, err := c.json(ctx, get("/.well-known/oauth-protected-resource", nil), &r)
	return r, err
}
