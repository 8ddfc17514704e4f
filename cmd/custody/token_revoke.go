package main

import (
	"context"

	"github.com/custodyhq/custody/api/client"
)

type tokenRevokeCommand struct {
	JTI    string `arg:"" optional:"" name:"jti" help:"The token's jti; without it, the token that this command would send."`
	Reason string `default:"revoked from the command line" placeholder:"TEXT" help:"Why; it stands in the record."`
}

// Help shows an example.
func (tokenRevokeCommand) Help() string {
	return "Example:\n\n    custody token revoke --reason 'left on a shared machine'\n    custody token revoke 3f2c9e1a-7d44-4a58-9a7e-0d6c1f2b8e90\n\nThe token is refused from now on, also in runs under way. It needs a second factor. Your own needs no role; anybody else's needs the role security."
}

// Run revokes one token.
func (c tokenRevokeCommand) Run(ctx context.Context, s *session) error {
	if c.JTI == "" {
		var err error
		if c.JTI, err = s.own(ctx, "jti"); err != nil {
			return err
		}
	}
	api, err := s.client()
	if err != nil {
		return err
	}
	defer api.Close()
	r, err := api.Revoke(ctx, client.NewRevocation{Kind: "jti", Value: c.JTI, Reason: c.Reason})
	if err != nil || s.JSON {
		return s.result(r, err)
	}
	s.print("revoked   %s", oneLine(r.ID))
	return nil
}
