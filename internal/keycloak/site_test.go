package keycloak

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/store/storetest"
)

const askWorkflow = `name: ask
input: {type: object, required: [question], properties: {question: {type: string}}}
requires: {roles: [analyst]}
steps:
  - id: legal
    uses: approval
    with: {approvers: {roles: [legal]}, show: "${{ input.question }}", expires: 1h}
`

// A site is a Custody process that trusts the realm.
type site struct {
	url    string
	issuer oidc.Issuer
}

// trust is how a Keycloak realm is trusted, as docs/keycloak.md says.
func (k *realm) trust() oidc.Issuer {
	return oidc.Issuer{
		Issuer: k.issuer, Audience: "custody", Profile: []string{"keycloak"},
		Clients: []string{console, "custody-cli"}, Agents: []string{program},
	}
}

func (k *realm) site() *site { return serving(k.t, listening(k.t), k.trust()) }

func listening(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	return listener
}

// serving is a process on the listener that trusts the issuer.
func serving(t *testing.T, listener net.Listener, trusted oidc.Issuer) *site {
	t.Helper()
	cfg := custody.Config{
		DatabaseURL: storetest.URL(t), Listen: listener.Addr().String(), InsecureHTTP: true, KeyDir: filepath.Join(t.TempDir(), "keys"),
		Issuers: []oidc.Issuer{trusted}, Models: map[string]model.Model{"fast": {Provider: model.Offline}}, Drain: 10 * time.Second,
	}
	_, err := custody.Migrate(t.Context(), cfg)
	must(t, err)
	c, err := custody.New(t.Context(), cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the process did not end in order: %v", err)
		}
	})
	return &site{"http://" + listener.Addr().String(), cfg.Issuers[0]}
}

// with is the API for the holder of a token.
func (s *site) with(t *testing.T, token string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: s.url, Token: func(context.Context) (string, error) { return token, nil }})
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// me is how the server reads the token.
func (s *site) me(t *testing.T, token string) client.Principal {
	t.Helper()
	me, err := s.with(t, token).Me(t.Context())
	must(t, err)
	return me
}

// refused is the problem of a call that must fail.
func refused(t *testing.T, err error) *client.Problem {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("not refused: %v", err)
	}
	return p
}

// asked submits a run that asks Legal, with the token of somebody who may.
func (s *site) asked(t *testing.T, token string) client.Approval {
	t.Helper()
	c := s.with(t, token)
	run, err := c.Submit(t.Context(), client.Submission{Workflow: "ask", Input: json.RawMessage(`{"question": "May we?"}`)})
	must(t, err)
	for range 200 {
		run, err = c.Run(t.Context(), run.ID)
		must(t, err)
		if len(run.WaitingFor) > 0 {
			a, err := c.Approval(t.Context(), run.WaitingFor[0].ID)
			must(t, err)
			return a
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the run never asked")
	return client.Approval{}
}

// vote tries to approve.
func (s *site) vote(t *testing.T, token string, a client.Approval) error {
	t.Helper()
	_, err := s.with(t, token).Vote(t.Context(), client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest})
	return err
}

// claims are those of a token that we were given, unchecked.
func claims(t *testing.T, token string) object {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var out object
	must(t, json.Unmarshal(raw, &out))
	return out
}

// anybody names people for a verifier without a database.
type anybody struct{}

func (anybody) Subject(_ context.Context, _, _, subject string) (string, error) {
	return "subj_" + subject, nil
}
