package client

import (
	"context"
	"iter"
	"net/http"
)

// A Revocation takes a right away at once, also from runs under way.
type Revocation struct {
	ID        string   `json:"id"`    // rev_…
	Kind      string   `json:"kind"`  // sub, sid, jti, client, run, key
	Value     string   `json:"value"` // as it is compared; a sid or a jti as its fingerprint
	Reason    string   `json:"reason"`
	By        string   `json:"by"` // subj_…, or provider for a back-channel logout
	CreatedAt Time     `json:"created_at"`
	Before    *Time    `json:"before"`            // it concerns only sessions that began until then; nil: everything
	LiftedAt  *Time    `json:"lifted_at"`         // nil: it is in force
	Receipt   *Receipt `json:"receipt,omitempty"` // only in the answer to Revoke

	Created  bool `json:"-"` // this call made it; false: it was there
	Replayed bool `json:"-"` // an earlier call with the same key made it
}

// A NewRevocation says what to revoke.
type NewRevocation struct {
	Kind   string // sub, sid, jti, client, run, key
	Value  string // subj_…; the sid or jti, or fp_ and its fingerprint; a client id; run_…; the id of a key
	Reason string
	Key    string // idempotency key
	DryRun bool   // check everything, revoke nothing
}

// Revocations lists what is revoked, newest first; kind may be empty. It needs
// the role security or auditor.
func (c *Client) Revocations(ctx context.Context, kind string) iter.Seq2[Revocation, error] {
	return all[Revocation](ctx, c, "/v1/revocations", some("kind", kind))
}

// Revoke takes a right away. It needs a person with a second factor who signed
// in within five minutes. Everybody may revoke sessions and tokens of their own:
// those of the present call, and those in which they submitted a run; for
// everything else they need the role security. It may be repeated.
func (c *Client) Revoke(ctx context.Context, n NewRevocation) (Revocation, error) {
	q, err := post("/v1/revocations", struct {
		Kind   string `json:"kind"`
		Value  string `json:"value"`
		Reason string `json:"reason"`
	}{n.Kind, n.Value, n.Reason}, n.Key, n.DryRun)
	if err != nil {
		return Revocation{}, err
	}
	var r Revocation
	res, err := c.json(ctx, q, &r)
	if err == nil {
		r.Created, r.Replayed = res.StatusCode == http.StatusCreated, replayed(res)
	}
	return r, err
}

// Lift gives back what a revocation took.
func (c *Client) Lift(ctx context.Context, id string) (Receipt, error) {
	return c.remove(ctx, path("v1", "revocations", id), false)
}

// MayLift asks whether Lift would succeed, and lifts nothing.
func (c *Client) MayLift(ctx context.Context, id string) error {
	_, err := c.remove(ctx, path("v1", "revocations", id), true)
	return err
}

// remove makes a DELETE. The receipt of a rehearsal is zero.
func (c *Client) remove(ctx context.Context, path string, dryRun bool) (Receipt, error) {
	q := call{method: http.MethodDelete, path: path}
	q.changing("", dryRun)
	var out struct {
		Receipt Receipt `json:"receipt"`
	}
	_, err := c.json(ctx, q, &out)
	return out.Receipt, err
}
