// want: d.value undefined

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/steps"
)

func step(ctx context.Context, p *steps.Pipeline, a steps.Admitted, id steps.CallID) {
	d := steps.NewDraft("x", steps.Use{})
	_ = d.value
}
