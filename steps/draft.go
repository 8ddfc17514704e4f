package steps

import (
	"encoding/json"
	"errors"

	"github.com/custodyhq/custody/security/audit"
)

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

// Bytes is the draft as JSON, for sealing before people are asked about it;
// Pipeline.Reopen reads it. It is content that nobody has released.
func (d Draft) Bytes() ([]byte, error) {
	if !d.ok {
		return nil, errors.New("there is no draft")
	}
	body, err := json.Marshal(d.value)
	if err != nil {
		return nil, errors.New("the draft is not JSON") // the error may repeat a value
	}
	return body, nil
}

// Use says what it cost.
func (d Draft) Use() Use { return d.use }

// Use is what a call cost. It holds no content.
type Use struct {
	Model  *audit.Model // nil if no model was asked
	Status int          // of the HTTP reply; 0 if there was none
	Bytes  int          // of the reply's body
}
