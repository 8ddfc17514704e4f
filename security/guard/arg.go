package guard

import "github.com/custodyhq/custody/security"

// An Arg is one named value on its way into a step.
type Arg struct {
	Name  string
	Value any // decoded JSON: nil, bool, json.Number, float64, int, int64, string, []any, map[string]any
	Label security.Label
	Path  string // JSON Pointer of where it comes from, such as /input/contract, or ""
	Inert bool   // its schema says number, boolean or enum: it cannot carry instructions
}

// at is the pointer under which findings are reported.
func (a Arg) at() string {
	if a.Path != "" || a.Name == "" {
		return a.Path
	}
	return "/" + escape(a.Name)
}
