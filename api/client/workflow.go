package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
)

// A Workflow is one registered version of a workflow.
type Workflow struct {
	Name        string          `json:"name"`
	Digest      string          `json:"digest"` // sha256:…: the version
	Description string          `json:"description,omitempty"`
	Current     bool            `json:"current"`
	Author      string          `json:"author"` // subj_…
	CreatedAt   Time            `json:"created_at"`
	Input       json.RawMessage `json:"input,omitempty"` // JSON Schema; only of a single workflow
	Requires    *Requires       `json:"requires,omitempty"`
	Steps       []WorkflowStep  `json:"steps,omitempty"`
	Warnings    []Fault         `json:"warnings,omitempty"` // of a publication
	Receipt     *Receipt        `json:"receipt,omitempty"`  // of a publication

	Created bool `json:"-"` // this call registered the version
}

// Requires is what the caller of a workflow needs.
type Requires struct {
	Roles []string `json:"roles"`
	MFA   bool     `json:"mfa"`
}

// A WorkflowStep names a step and its kind.
type WorkflowStep struct {
	ID   string `json:"id"`
	Uses string `json:"uses"`
}

// A Validation is what Validate says of a definition that holds.
type Validation struct {
	Digest   string  `json:"digest"`
	Warnings []Fault `json:"warnings"`
}

// A Publication registers a version of a workflow.
type Publication struct {
	Source     []byte // YAML or JSON
	NotCurrent bool   // only register it
	Key        string
}

// Publish registers a version. It may be repeated.
func (c *Client) Publish(ctx context.Context, p Publication) (Workflow, error) {
	q := definition(p.Source)
	q.changing(p.Key, false)
	if p.NotCurrent {
		q.query = url.Values{"current": {"false"}}
	}
	var w Workflow
	res, err := c.json(ctx, q, &w)
	if err == nil {
		w.Created = res.StatusCode == http.StatusCreated
	}
	return w, err
}

// Validate checks a definition against the server's kinds, models and
// connections, and registers nothing.
func (c *Client) Validate(ctx context.Context, source []byte) (Validation, error) {
	q := definition(source)
	q.changing("", true)
	var v Validation
	_, err := c.json(ctx, q, &v)
	return v, err
}

func definition(source []byte) call {
	return call{method: http.MethodPost, path: "/v1/workflows", body: source, bodyType: "application/yaml"}
}

// Workflows lists the current versions, by name.
func (c *Client) Workflows(ctx context.Context, namePrefix string) iter.Seq2[Workflow, error] {
	return all[Workflow](ctx, c, "/v1/workflows", some("name_prefix", namePrefix))
}

// Workflow returns a version; the current one if digest is empty.
func (c *Client) Workflow(ctx context.Context, name, digest string) (Workflow, error) {
	var w Workflow
	_, err := c.json(ctx, get(path("v1", "workflows", name), some("digest", digest)), &w)
	return w, err
}

// WorkflowSource returns a version's text as it was registered.
func (c *Client) WorkflowSource(ctx context.Context, name, digest string) ([]byte, error) {
	q := get(path("v1", "workflows", name), some("digest", digest))
	q.accept = "application/yaml"
	body, _, err := c.answer(ctx, q)
	return body, err
}

// WorkflowVersions lists the versions of a workflow, newest first.
func (c *Client) WorkflowVersions(ctx context.Context, name string) iter.Seq2[Workflow, error] {
	return all[Workflow](ctx, c, path("v1", "workflows", name, "versions"), url.Values{})
}

// Choose makes a registered version the current one. With ifMatch, the digest
// that is thought to be current now, it fails with precondition-failed if
// another one is; empty means whatever it is.
func (c *Client) Choose(ctx context.Context, name, digest, ifMatch string) (Workflow, error) {
	return c.choose(ctx, name, digest, ifMatch, false)
}

// MayChoose asks whether Choose would succeed, and changes nothing.
func (c *Client) MayChoose(ctx context.Context, name, digest, ifMatch string) (Workflow, error) {
	return c.choose(ctx, name, digest, ifMatch, true)
}

func (c *Client) choose(ctx context.Context, name, digest, ifMatch string, dryRun bool) (Workflow, error) {
	q, err := post(path("v1", "workflows", name, "current"), struct {
		Digest string `json:"digest"`
	}{digest}, "", dryRun)
	if err != nil {
		return Workflow{}, err
	}
	q.method = http.MethodPut
	if ifMatch != "" {
		q.header.Set("If-Match", `"`+ifMatch+`"`)
	}
	var w Workflow
	_, err = c.json(ctx, q, &w)
	return w, err
}
