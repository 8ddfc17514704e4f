// want: cannot use workflow.Bound{} (value of struct type workflow.Bound) as steps.Checked value

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

func step(ctx context.Context, p *steps.Pipeline, a steps.Admitted, id steps.CallID) {
	_, _ = p.Execute(ctx, workflow.Bound{}, id)
}
