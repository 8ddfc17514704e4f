package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"
)

// A Release lets texts pass that the firewall stopped.
type Release struct {
	ID        string   `json:"id"`    // rel_…
	Texts     []string `json:"texts"` // keyed fingerprints
	Run       *string  `json:"run"`   // whose stopped texts they are; nil: the text was handed in
	Step      string   `json:"step,omitempty"`
	Reason    string   `json:"reason"`
	By        string   `json:"by"` // subj_…; in this person's own runs it does nothing
	CreatedAt Time     `json:"created_at"`
	Until     Time     `json:"until"`
	LiftedAt  *Time    `json:"lifted_at"`         // nil: it was not lifted
	Receipt   *Receipt `json:"receipt,omitempty"` // only in the answer to Release

	Replayed bool `json:"-"`
}

// A NewRelease says which texts may pass: Text, or all for which the last
// attempt of a step was blocked or withheld.
type NewRelease struct {
	Text      string
	Run, Step string
	Reason    string
	Until     time.Time // at most a year ahead
	Key       string    // idempotency key
	DryRun    bool      // check everything, release nothing
}

// Releases lists releases, newest first. It needs the role security or auditor.
func (c *Client) Releases(ctx context.Context) iter.Seq2[Release, error] {
	return all[Release](ctx, c, "/v1/guard/releases", nil)
}

// Release lets texts pass. It needs the role security and a person with a second
// factor who signed in within five minutes, and who did not submit the run. It
// may be repeated with a key.
func (c *Client) Release(ctx context.Context, n NewRelease) (Release, error) {
	q, err := post("/v1/guard/releases", struct {
		Text   string `json:"text,omitempty"`
		Run    string `json:"run,omitempty"`
		Step   string `json:"step,omitempty"`
		Reason string `json:"reason"`
		Until  Time   `json:"until"`
	}{n.Text, n.Run, n.Step, n.Reason, Time{n.Until}}, n.Key, n.DryRun)
	if err != nil {
		return Release{}, err
	}
	var r Release
	res, err := c.json(ctx, q, &r)
	if err == nil {
		r.Replayed = replayed(res)
	}
	return r, err
}

// LiftRelease ends a release.
func (c *Client) LiftRelease(ctx context.Context, id string) (Receipt, error) {
	return c.remove(ctx, path("v1", "guard", "releases", id), false)
}

// MayLiftRelease asks whether LiftRelease would succeed, and lifts nothing.
func (c *Client) MayLiftRelease(ctx context.Context, id string) error {
	_, err := c.remove(ctx, path("v1", "guard", "releases", id), true)
	return err
}

// A GuardMode is what the firewall does with what it finds.
type GuardMode struct {
	Mode    string   `json:"mode"`   // enforce, observe
	Until   *Time    `json:"until"`  // it enforces again from then on
	Source  string   `json:"source"` // default, order, config
	Order   *string  `json:"order"`  // mod_…
	By      string   `json:"by,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Since   *Time    `json:"since"`
	Receipt *Receipt `json:"receipt,omitempty"` // only in the answer to SetGuardMode
}

// GuardMode says what the firewall does now.
func (c *Client) GuardMode(ctx context.Context) (GuardMode, error) {
	var m GuardMode
	_, err := c.json(ctx, get("/v1/guard/mode", nil), &m)
	return m, err
}

// A NewGuardMode says what the firewall is to do.
type NewGuardMode struct {
	Mode   string    // enforce, observe
	Until  time.Time // only to observe, at most 30 days ahead
	Reason string
	DryRun bool // check everything, change nothing
}

// SetGuardMode orders it. It needs the role security and a person with a second
// factor who signed in within five minutes.
func (c *Client) SetGuardMode(ctx context.Context, n NewGuardMode) (GuardMode, error) {
	body := struct {
		Mode   string `json:"mode"`
		Until  *Time  `json:"until,omitempty"`
		Reason string `json:"reason"`
	}{Mode: n.Mode, Reason: n.Reason}
	if !n.Until.IsZero() {
		body.Until = &Time{n.Until}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return GuardMode{}, err
	}
	q := call{method: http.MethodPut, path: "/v1/guard/mode", body: text, bodyType: "application/json"}
	q.changing("", n.DryRun)
	var m GuardMode
	_, err = c.json(ctx, q, &m)
	return m, err
}

// GuardLabels is what people decided about stopped texts, one JSON object a
// line. Whoever gets it closes it. It needs what Release needs.
func (c *Client) GuardLabels(ctx context.Context) (io.ReadCloser, error) {
	q := get("/v1/guard/labels", nil)
	q.accept = "application/x-ndjson"
	res, err := c.open(ctx, q)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}
