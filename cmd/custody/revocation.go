package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/custodyhq/custody/api/client"
)

type revocationsCommand struct {
	Kind  string `enum:",sub,sid,jti,client,run,key" default:"" placeholder:"KIND" help:"sub, sid, jti, client, run or key."`
	Limit int    `default:"50" help:"At most so many; 0 is all."`
}

// Help shows an example.
func (revocationsCommand) Help() string {
	return "Example:\n\n    custody --as carol revocations --kind client\n\nIt needs the role security or auditor."
}

// Run lists the revocations.
func (c revocationsCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	columns := []column{{name: "revocation", firm: true}, {name: "kind"}, {name: "value", isID: true}, {name: "made"}, {name: "state"}, {name: "by", isID: true}, {name: "reason", loose: true}}
	return list(s, cl.Revocations(ctx, c.Kind), c.Limit, columns, func(r client.Revocation) []cell {
		state := "in force"
		if r.LiftedAt != nil {
			state = "lifted"
		}
		return cells(r.ID, r.Kind, r.Value, s.when(r.CreatedAt.Time), state, r.By, r.Reason)
	})
}

type revokeCommand struct {
	Kind   string `arg:"" enum:"sub,sid,jti,client,run,key" help:"What is revoked: sub (a person), sid (a session), jti (a token), client (a program), run or key (a mandate key)."`
	Value  string `arg:"" optional:"" help:"Which one. Left out with sid and jti: those of the token in use."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; it is kept."`
	Key    string `help:"Idempotency key."`
	DryRun bool   `name:"dry-run" help:"Check everything, revoke nothing."`
}

// Help shows an example.
func (revokeCommand) Help() string {
	return "Example:\n\n    custody --as carol revoke client summariser --reason \"its key leaked\"\n\nEverybody may revoke the session and the token in use; all else needs the role security, and a second factor. Runs under way fail with the reason revoked."
}

// Run revokes.
func (c revokeCommand) Run(ctx context.Context, s *session) error {
	if c.Value == "" && c.Kind != "sid" && c.Kind != "jti" {
		return usage("say which %s: custody revoke %s VALUE --reason TEXT", c.Kind, c.Kind)
	}
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.Value == "" {
		if c.Value, err = s.own(ctx, c.Kind); err != nil {
			return err
		}
	}
	r, err := cl.Revoke(ctx, client.NewRevocation{Kind: c.Kind, Value: c.Value, Reason: c.Reason, Key: c.Key, DryRun: c.DryRun})
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	if c.DryRun {
		return s.rehearsed(r, "It would be revoked; nothing was changed.")
	}
	s.print("%s  %s revoked%s", r.ID, r.Kind, map[bool]string{false: " (it was already)"}[r.Created])
	if r.Receipt != nil {
		s.print("receipt  %s", receipt(*r.Receipt))
	}
	s.say("Give it back with: %s", s.helper(s.As, "lift "+r.ID))
	return nil
}

// own is a claim of the token in use.
func (s *session) own(ctx context.Context, claim string) (string, error) {
	token, err := s.bearer(ctx)
	if err != nil {
		return "", err
	}
	value := claimOf(token, claim)
	if value == "" {
		return "", usage("the token has no %s that could be revoked: say which %s", claim, claim)
	}
	return value, nil
}

// claimOf is a claim of a token, empty if there is none that can be read. Nobody
// has checked it: whoever revokes what is not theirs needs the right to.
func claimOf(token, name string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return ""
	}
	value, _ := claims[name].(string)
	return value
}

type liftCommand struct {
	ID     string `arg:"" complete:"revocation" help:"The revocation, rev_…."`
	DryRun bool   `name:"dry-run" help:"Check everything, lift nothing."`
}

// Help shows an example.
func (liftCommand) Help() string {
	return "Example:\n\n    custody --as carol lift rev_…\n\nIt needs the role security, and a second factor. Runs that have failed meanwhile stay failed."
}

// Run lifts the revocation.
func (c liftCommand) Run(ctx context.Context, s *session) error {
	cl, err := s.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	if c.DryRun {
		if err := cl.MayLift(ctx, c.ID); err != nil {
			return err
		}
		return s.rehearsed(map[string]string{"id": c.ID}, "The revocation would be lifted; nothing was changed.")
	}
	r, err := cl.Lift(ctx, c.ID)
	return s.receipted(c.ID+" is lifted.", r, err)
}
