package client

import "context"

// A Principal is how Custody reads one's own token.
type Principal struct {
	Tenant    string   `json:"tenant"`
	ID        string   `json:"id"` // subj_…: one's name in the ledger
	Kind      string   `json:"kind"`
	Name      string   `json:"name,omitempty"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Client    string   `json:"client"`
	Roles     []string `json:"roles"`
	Act       []string `json:"act"`
	ACR       string   `json:"acr"` // mfa, pwd or empty
	AMR       []string `json:"amr"`
	MFA       bool     `json:"mfa"`
	AuthTime  *Time    `json:"auth_time"`
	AuthAge   *int64   `json:"auth_age"` // seconds since the sign-in
	IssuedAt  Time     `json:"issued_at"`
	ExpiresAt Time     `json:"expires_at"`
	Missing   []string `json:"missing"` // claims that the token lacks
	StepUp    bool     `json:"step_up"` // fresh and strong enough to vote now
}

// Me says how Custody reads one's own token.
func (c *Client) Me(ctx context.Context) (Principal, error) {
	var p Principal
	_, err := c.json(ctx, get("/v1/me", nil), &p)
	return p, err
}
