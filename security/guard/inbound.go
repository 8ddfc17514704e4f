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
	return r.look(s, key, r.on, orders, data)
}

// look sees orders, personal data and secrets, or what of them is asked for.
func (r *inbound) look(s, key string, on []detector.Channel, orders, data bool) []sight {
	id := textKey(s, key, on, orders, data)
	if r.g.memory.knows(id) {
		return nil
	}
	var out []sight
	if orders {
		out = r.g.injections(s, on)
	}
	if data {
		out = r.g.sensitive(out, s, key, r.modes.dataOptions(sensitive.Set{}))
	}
	if len(out) == 0 {
		r.g.memory.keep(id)
	}
	return inOrder(out)
}

// joins reports whether the texts that are read now are also read together with
// their neighbours.
func (r *inbound) joins() bool {
	return !r.trusted && !r.inert && r.modes[injection] != Off
}

// together is every order in texts that were put together.
func (r *inbound) together(s string, on []detector.Channel) []sight {
	return r.look(s, "", on, true, false)
}

// number is personal data that was written as a number.
func (r *inbound) number(s, key string) []sight {
	if r.trusted || r.modes[personal] == Off {
		return nil
	}
	return personalNumber(s, key, sensitive.Set{})
}
