package workflow

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/custodyhq/custody/security"
)

// The limits of an expression. CEL always ends; these bound when, and how much
// it may yield.
const (
	maxExpression = 4 << 10   // bytes of source
	maxCost       = 1_000_000 // CEL's cost units: enough to search 1 MiB several times
	maxResult     = 4 << 20   // bytes of text in one result
	maxRegex      = 1_000
)

// An expression is compiled CEL. It never changes and is safe for concurrent
// use.
type expression struct {
	source  string
	place   string // where it stands, for messages: /body, if, output
	refs    []reference
	plain   *reference // if the expression is exactly one selection
	path    string     // of that selection, as a JSON Pointer
	program cel.Program
	shape   *shape // of its value
	want    *shape // what its place expects; nil if anything
	param   int
	// approved are the approvals without whose `approve` the expression cannot
	// be true: their decision is compared in a term joined to it by &&.
	approved []string
}

// An EvalError is an expression that could not be evaluated. It shows the
// author's text and never a value.
type EvalError struct {
	Place  string // "if", "output", or a JSON Pointer into the step's with
	Source string
	Reason string
}

// Error says which expression failed and why.
func (e *EvalError) Error() string {
	return fmt.Sprintf("%s: ${{ %s }}: %s", e.Place, e.Source, e.Reason)
}

func (e *expression) fail(reason string) *EvalError {
	return &EvalError{Place: e.place, Source: e.source, Reason: reason}
}

// eval gives the expression its value.
func (e *expression) eval(s *scope) (Value, error) {
	out, reason := e.value(s)
	if reason == "" && e.want != nil && !e.want.holds(out) {
		reason = "yields something else than its place expects, which is " + e.want.what()
	}
	if reason != "" {
		return Value{}, e.fail(reason)
	}
	value := Value{V: out, Label: e.label(s.values), Inert: e.shape.inert() && e.shape.holds(out)}
	value.Path = e.path
	return value, nil
}

// value evaluates; the reason is "" if that went well.
func (e *expression) value(s *scope) (out any, reason string) {
	if e.plain != nil {
		return e.plain.follow(s.values)
	}
	result, _, err := e.program.Eval(s.activation())
	if err != nil {
		return nil, reasonFor(err)
	}
	budget := maxResult
	return native(result, &budget, 0)
}

// label joins the labels of everything that the expression reads, whether or
// not it shows in the value: what was left out is information, too.
func (e *expression) label(v Values) security.Label {
	label := authored()
	for i, r := range e.refs {
		if i == 0 {
			label = r.label(v)
			continue
		}
		label = label.Join(r.label(v))
	}
	return label
}

// A scope shows one set of values to the expressions of one step.
type scope struct {
	values Values
	vars   map[string]any
}

// activation is the values in CEL's form, made once for all expressions.
func (s *scope) activation() map[string]any {
	if s.vars == nil {
		steps := make(map[string]any, len(s.values.Steps))
		for id, out := range s.values.Steps {
			steps[id] = map[string]any{"output": out.V}
		}
		s.vars = map[string]any{inputRoot: s.values.Input.V, stepsRoot: steps}
	}
	return s.vars
}

// absent is the reason for the commonest mistake.
const absent = "reads something that is absent, such as the output of a skipped step; write .?name and .orValue(…) where it may be"

// reasonFor says why an evaluation failed. CEL's own messages can hold values,
// so they are only sorted, never shown.
func reasonFor(err error) string {
	text := err.Error()
	for _, known := range []struct{ mark, says string }{
		{"no such key", absent},
		{"no such attribute", absent},
		{"optional.none", absent},
		{"cost limit", "costs too much to evaluate"},
		{"no such overload", "meets a value of another type than it expects"},
		{"division by zero", "divides by zero"},
		{"modulus by zero", "divides by zero"},
		{"overflow", "leaves the range of its numbers"},
		{"out of bounds", "reads beyond the end of a list"},
	} {
		if strings.Contains(text, known.mark) {
			return known.says
		}
	}
	return "cannot be evaluated on these values"
}
