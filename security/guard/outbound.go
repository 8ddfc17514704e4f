package guard

import (
	"github.com/custodyhq/custody/security/guard/detector"
	"github.com/custodyhq/custody/security/guard/egress"
	"github.com/custodyhq/custody/security/guard/sensitive"
)

// outbound reads what comes out of a step.
type outbound struct {
	g      *Guard
	modes  modes
	kinds  sensitive.Set
	leaves *egress.Rules // nil if all that they look for is off
}

// outbound makes the reader of a draft.
func (g *Guard) outbound(out *OutRules, m modes) (*outbound, error) {
	kinds, err := sensitive.Select(out.Kinds...)
	if err != nil {
		return nil, err
	}
	leaves, err := g.leaving(out, &m)
	if err != nil {
		return nil, err
	}
	return &outbound{g: g, modes: m, kinds: kinds, leaves: leaves}, nil
}

// text is every sight in a string of a draft.
func (r *outbound) text(s, key string) []sight {
	var out []sight
	if r.modes.any(personal, secrets) {
		out = r.g.sensitive(out, s, key, r.modes.dataOptions(r.kinds))
	}
	if r.leaves != nil {
		r.leaves.Find(s, func(f egress.Finding) bool {
			out = append(out, leavingSight(f))
			return true
		})
	}
	if r.modes[injection] != Off {
		for _, n := range r.g.injections(s, []detector.Channel{detector.Model}) {
			if !n.review {
				n.rule, n.why = toJudge, "The output gives orders to whoever reads it, and a judge would read it next."
				out = append(out, n)
			}
		}
	}
	return inOrder(out)
}

// toJudge is the rule against drafts that speak to their judge.
const toJudge = "injection.to-judge"

// number is personal data that was written as a number.
func (r *outbound) number(s, key string) []sight {
	if r.modes[personal] == Off {
		return nil
	}
	return personalNumber(s, key, r.kinds)
}
