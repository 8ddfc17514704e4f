package steps

import "github.com/custodyhq/custody/security/audit"

// A Draft is what a runner made, before anybody looked at it. Only the pipeline
// can look inside; the zero Draft is none.
type Draft struct {
	value any
	use   Use
	// canary stood in the prompt, and must not stand in the value.
	canary string
	ok     bool
}

// NewDraft wraps a runner's result: decoded JSON, that is nil, bool, int64,
// float64, string, []any or map[string]any.
func NewDraft(value any, use Use) Draft { return Draft{value: value, use: use, ok: true} }

// Use says what it cost.
func (d Draft) Use() Use { return d.use }

// Use is what a call cost. It holds no content.
type Use struct {
	Model  *audit.Model // nil if no model was asked
	Status int          // of the HTTP reply; 0 if there was none
	Bytes  int          // of the reply's body
}
