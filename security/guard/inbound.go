package guard

import (
	"github.com/custodyhq/custody/security/guard/detector"
	"github.com/custodyhq/custody/security/guard/sensitive"
)

// inbound reads what goes into a step.
type inbound struct {
	g       *Guard
	modes   modes
	on      []detector.Channel // on which the value comes that is read now
	trusted bool               // the author alone wrote it
	inert   bool               // it cannot carry instructions
}

// text is every sight in a string that the author did not write.
func (r *inbound) text(s, key string) []sight {
	orders := r.modes[injection] != Off && !r.inert
	data := r.modes.any(personal, secrets)
	if r.trusted || !orders && !data {
		return nil
	}
	id := textKey(s, key, r.on, orders, data)
	if r.g.memory.knows(id) {
		return nil
	}
	var out []sight
	if orders {
		out = r.g.injections(s, r.on)
	}
	if data {
		out = r.g.sensitive(out, s, key, r.modes.dataOptions(sensitive.Set{}))
	}
	if len(out) == 0 {
		r.g.memory.keep(id)
	}
	return inOrder(out)
}

// number is personal data that was written as a number.
func (r *inbound) number(s, key string) []sight {
	if r.trusted || r.modes[personal] == Off {
		return nil
	}
	return personalNumber(s, key, sensitive.Set{})
}
