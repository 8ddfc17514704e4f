package api

import (
	"context"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security/policy"
)

// A Principal is how Custody reads the caller's token.
type Principal struct {
	Tenant    string   `json:"tenant"`
	ID        string   `json:"id" doc:"subj_…: the caller's name in the ledger"`
	Kind      string   `json:"kind" enum:"human,agent,service"`
	Name      string   `json:"name,omitempty"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Client    string   `json:"client"`
	Roles     []string `json:"roles"`
	Act       []string `json:"act" doc:"clients that act for the caller, nearest first"`
	ACR       string   `json:"acr" doc:"mfa, pwd or empty, as the issuer's configuration maps it"`
	AMR       []string `json:"amr"`
	MFA       bool     `json:"mfa" doc:"a person with a second factor"`
	AuthTime  *string  `json:"auth_time" format:"date-time"`
	AuthAge   *int64   `json:"auth_age" doc:"seconds since the sign-in"`
	IssuedAt  string   `json:"issued_at" format:"date-time"`
	ExpiresAt string   `json:"expires_at" format:"date-time"`
	Missing   []string `json:"missing" doc:"claims that the configuration reads and the token lacks"`
	StepUp    bool     `json:"step_up" doc:"fresh and strong enough to vote now"`
}

func (a *API) principalRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/me", id: "getMe", who: whoAny,
		summary: "How Custody reads my token",
	}, a.getMe)
}

type principalOut struct {
	Cache string `header:"Cache-Control"`
	Body  Principal
}

func (a *API) getMe(_ context.Context, c caller, _ *struct{}) (*principalOut, error) {
	now := time.Now()
	out := Principal{
		Tenant: c.Tenant, ID: c.ID, Kind: string(c.Kind), Name: c.Name, Issuer: c.Issuer, Subject: c.Subject, Client: c.Client,
		Roles: list(c.Roles), Act: list(c.Act), ACR: c.ACR, AMR: list(c.AMR), MFA: c.MFA(),
		IssuedAt: stamp(c.IssuedAt.UnixMicro()), ExpiresAt: stamp(c.Expires.UnixMicro()), Missing: list(c.Missing),
		StepUp: policy.StepUp(c.Principal, stepUpAge, now).Allowed(),
	}
	if !c.AuthTime.IsZero() {
		at, age := stamp(c.AuthTime.UnixMicro()), int64(now.Sub(c.AuthTime)/time.Second)
		out.AuthTime, out.AuthAge = &at, &age
	}
	return &principalOut{Cache: "no-store", Body: out}, nil
}
