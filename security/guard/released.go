package guard

import (
	"slices"

	"github.com/custodyhq/custody/security"
)

// Released is output that passed the schema, the rules and the judge. Only
// Screened.Release makes one; the zero Released holds nothing and is not OK.
type Released struct {
	value any
	json  []byte
	label security.Label
	ok    bool
}

// OK reports whether r came from Release.
func (r Released) OK() bool { return r.ok }

// Value is the output as decoded JSON. It is a copy.
func (r Released) Value() any { return clone(r.value) }

// JSON is the output as it was released; nil for the zero Released. It is a
// copy.
func (r Released) JSON() []byte { return slices.Clone(r.json) }

// Label says where the output comes from.
func (r Released) Label() security.Label { return r.label }
