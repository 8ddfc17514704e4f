package workflow

import (
	"errors"
	"strconv"
)

// stretch is a part of a template field as it is compiled: text, or an
// expression if expr is set.
type stretch struct {
	text string
	expr *expression
}

// If evaluates a step's condition. A step without one may run. An error must
// fail the step: a condition that cannot be evaluated never skips it.
func (d *Definition) If(step int, v Values) (bool, error) {
	c := d.Steps[step].condition
	if c == nil {
		return true, nil
	}
	out, err := c.eval(&scope{values: v})
	if err != nil {
		return false, err
	}
	yes, ok := out.V.(bool)
	if !ok {
		return false, c.fail("yields something else than true or false")
	}
	return yes, nil
}

// Bind evaluates a step's expressions and keeps their values apart from the
// author's text. The same expression gets the same parameter wherever it
// stands in the step.
func (d *Definition) Bind(step int, v Values) (Bound, error) {
	s := &d.Steps[step]
	b := Bound{Params: make([]Param, s.params)}
	at := &scope{values: v}
	for _, e := range s.exprs {
		p := &b.Params[e.param]
		if p.Name == "" {
			value, err := e.eval(at)
			if err != nil {
				return Bound{}, err
			}
			*p = Param{Name: "value-" + strconv.Itoa(e.param+1), Value: value}
			continue
		}
		if e.want != nil && !e.want.holds(p.V) {
			return Bound{}, e.fail("yields something else than its place expects, which is " + e.want.what())
		}
	}
	b.With = bind(s.With)
	return b, nil
}

// bind puts references to parameters where expressions stand.
func bind(with any) any {
	switch w := with.(type) {
	case map[string]any:
		out := make(map[string]any, len(w))
		for k, v := range w {
			out[k] = bind(v)
		}
		return out
	case []any:
		out := make([]any, len(w))
		for i, v := range w {
			out[i] = bind(v)
		}
		return out
	case *expression:
		return Ref{w.param}
	case []stretch:
		return template(w)
	}
	return with
}

func template(parts []stretch) Template {
	out := make(Template, len(parts))
	for i, p := range parts {
		out[i] = Part{Text: p.text, Param: -1}
		if p.expr != nil {
			out[i] = Part{Param: p.expr.param}
		}
	}
	return out
}

// errTemplate is returned by Resolve: text with values in it is a statement
// with parameters, and nobody may glue them together here.
var errTemplate = errors.New("a template has no value of its own")

// Resolve returns With with every Ref replaced by its value, as `set` and
// approvals want it. It is an error if there is a Template in it.
func (b Bound) Resolve() (any, error) { return b.resolve(b.With) }

func (b Bound) resolve(with any) (any, error) {
	switch w := with.(type) {
	case map[string]any:
		out := make(map[string]any, len(w))
		for k, v := range w {
			r, err := b.resolve(v)
			if err != nil {
				return nil, err
			}
			out[k] = r
		}
		return out, nil
	case []any:
		out := make([]any, len(w))
		for i, v := range w {
			r, err := b.resolve(v)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case Ref:
		return b.Params[w.Param].V, nil
	case Template:
		return nil, errTemplate
	}
	return with, nil
}

// EvalOutput evaluates the run's output. Without an output expression it is
// the last step's output, and nothing (a nil V) if that step was skipped.
func (d *Definition) EvalOutput(v Values) (Value, error) {
	if d.output != nil {
		return d.output.eval(&scope{values: v})
	}
	last := d.Steps[len(d.Steps)-1].ID
	out, ok := v.Steps[last]
	if !ok {
		return Value{Label: authored()}, nil
	}
	out.Path = outputPath(last)
	return out, nil
}

// CheckOutput validates what a step returned against its kind's schema. The
// error is FieldErrors and holds no content.
func (d *Definition) CheckOutput(step int, value any) error {
	s := d.Steps[step].checks
	if s == nil {
		return nil
	}
	if errs := s.check(value, ""); len(errs) > 0 {
		return errs
	}
	return nil
}
