// want: cannot use a (variable of struct type steps.Admitted) as steps.Checked value

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/steps"
)

func step(ctx context.Context, p *steps.Pipeline, a steps.Admitted, id steps.CallID) {
	_, _ = p.Execute(ctx, a, id)
}
