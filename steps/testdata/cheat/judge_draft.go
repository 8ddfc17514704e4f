// want: cannot use d (variable of struct type steps.Draft) as guard.Screened value

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/steps"
)

func step(ctx context.Context, p *steps.Pipeline, a steps.Admitted, id steps.CallID) {
	var c steps.Checked
	d := steps.NewDraft("x", steps.Use{})
	_, _, _ = p.Judge(ctx, c, d, id)
}
