// want: compiles

// Package cheat is compiled by a test; see its first line.
package cheat

import (
	"context"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/workflow"
)

func step(ctx context.Context, p *steps.Pipeline, m security.Mandate, d *workflow.Definition, b workflow.Bound, id steps.CallID) (guard.Released, error) {
	a, _ := p.Admit(m, d, 0, steps.Facts{})
	c, _, err := p.Check(a, b, guard.Pardon{})
	if err != nil {
		return guard.Released{}, err
	}
	draft, err := p.Execute(ctx, c, id)
	if err != nil {
		return guard.Released{}, err
	}
	s, _, err := p.Screen(c, draft, guard.Pardon{})
	if err != nil {
		return guard.Released{}, err
	}
	v, _, err := p.Judge(ctx, c, s, id)
	if err != nil {
		return guard.Released{}, err
	}
	return s.Release(v)
}
