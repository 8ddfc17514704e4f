// want: cannot use security.Mandate{} (value of struct type security.Mandate) as steps.Admitted value

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

func step(ctx context.Context, p *steps.Pipeline, a steps.Admitted, id steps.CallID) {
	_, _, _ = p.Check(security.Mandate{}, workflow.Bound{}, guard.Pardon{})
}
