package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A kindSchema is what a kind says about its `with`, compiled once for a
// definition.
type kindSchema struct {
	schema *schema
	shape  *shape
}

// kindSchema compiles a kind's With. A kind whose own schema is wrong can be
// used by nobody.
func (l *loader) kindSchema(k *Kind, n *node) *kindSchema {
	if known, ok := l.with[k]; ok {
		return known
	}
	out := &kindSchema{shape: &shape{}}
	l.with[k] = out
	if k.With == nil {
		return out
	}
	doc, fail := parseJSON(string(k.With), jsonLimits{maxDepth, maxNodes})
	if fail != nil {
		l.fault(n, "kind", fmt.Sprintf("the schema of the kind %s is not JSON", k.Name), "report this to its maker")
		return out
	}
	compiled, bad := compileSchema(doc.plain())
	if bad != nil {
		l.fault(n, "kind", fmt.Sprintf("the schema of the kind %s is wrong at %s: %s", k.Name, bad.pointer, bad.message), "report this to its maker")
		return out
	}
	out.schema = compiled
	names := shaper{name: func(path string) string { return path }, made: func(*shape) {}}
	out.shape = names.from(compiled.compiled, "with")
	return out
}

// A withReader compiles one step's `with`.
type withReader struct {
	*loader
	step   int
	s      *Step
	ks     *kindSchema
	places map[string]bool // pointers of values with expressions in them
	params map[string]int  // by source
}

// arguments reads a step's `with`: expressions are compiled, the rest is held
// against the kind's schema.
func (l *loader) arguments(i int, n *node) {
	s := &l.def.Steps[i]
	with := n.get("with")
	if with == nil {
		with = &node{form: mapForm, pointer: join(n.pointer, "with"), line: n.line, column: n.column}
	}
	if with.form != mapForm {
		l.fault(with, "type", "with is a mapping, and this is "+with.what(), "")
		return
	}
	before := len(l.problems)
	w := &withReader{loader: l, step: i, s: s, ks: l.kindSchema(s.Kind, n.child("uses")), places: map[string]bool{}, params: map[string]int{}}
	s.With = w.fields(with)
	s.params = len(w.params)
	s.raw, _ = with.plain().(map[string]any)
	w.validate(with)
	if len(l.problems) > before {
		return
	}
	if s.Uses == approvalName {
		l.approval(s, with)
	}
	if s.Kind.Check != nil {
		for _, p := range s.Kind.Check(s.raw) {
			at := nearest(with, p.Pointer)
			l.fault(at, p.Code, p.Message, p.Remedy)
		}
	}
}

// fields reads the top of `with`, in the order of the names: parameters are
// numbered in it, and the canonical form has no other order.
func (w *withReader) fields(n *node) any {
	out := make(map[string]any, len(n.fields))
	fields := slices.Clone(n.fields)
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	for _, f := range fields {
		w.fieldName(n, f)
		switch {
		case slices.Contains(w.s.Kind.Literals, f.name):
			out[f.name] = f.value.plain()
		case slices.Contains(w.s.Kind.Templates, f.name):
			out[f.name] = w.template(f.value)
		default:
			out[f.name] = w.value(f.value, []any{f.name})
		}
	}
	return out
}

func (w *withReader) fieldName(n *node, f field) {
	if strings.Contains(f.name, opening) {
		w.faultAt(n, f, "expression", "a field's name cannot be an expression", "make the whole object one expression")
	}
}

// template reads a field in which expressions may stand inside text.
func (w *withReader) template(n *node) any {
	text, ok := n.text()
	if !ok {
		return n.plain() // the schema says what is wrong
	}
	segments, nth, ok := split(text)
	if !ok {
		w.unclosed(n, nth)
		return nil
	}
	out := make([]stretch, 0, len(segments))
	for _, s := range segments {
		if !s.expr {
			out = append(out, stretch{text: s.text})
			continue
		}
		w.places[n.pointer] = true
		if e := w.expression(n, s, nil); e != nil {
			out = append(out, stretch{expr: e})
		}
	}
	return out
}

// value reads any other value: an expression is then the whole of it.
func (w *withReader) value(n *node, path []any) any {
	switch n.form {
	case mapForm:
		out := make(map[string]any, len(n.fields))
		fields := slices.Clone(n.fields)
		slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
		for _, f := range fields {
			w.fieldName(n, f)
			out[f.name] = w.value(f.value, append(slices.Clone(path), f.name))
		}
		return out
	case listForm:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = w.value(item, append(slices.Clone(path), int64(i)))
		}
		return out
	}
	text, ok := n.text()
	if !ok || !strings.Contains(text, opening) {
		return n.scalar
	}
	return w.single(n, text, path)
}

// single reads a text that must be exactly one expression.
func (w *withReader) single(n *node, text string, path []any) any {
	segments, nth, ok := split(text)
	if !ok {
		w.unclosed(n, nth)
		return nil
	}
	s, ok := whole(segments)
	if !ok {
		w.fault(n, "mixed_text", "text and expressions cannot be mixed here", mixedRemedy(segments))
		return nil
	}
	w.places[n.pointer] = true
	e := w.expression(n, s, w.ks.shape.at(path))
	if e == nil {
		return nil
	}
	return e
}

// mixedRemedy shows the author's text as one expression.
func mixedRemedy(segments []segment) string {
	var parts []string
	for _, s := range segments {
		if s.expr {
			parts = append(parts, s.text)
		} else {
			parts = append(parts, "'"+strings.ReplaceAll(s.text, "'", `\'`)+"'")
		}
	}
	if joined := strings.Join(parts, " + "); len(joined) < 120 && !strings.Contains(joined, "\n") {
		return "write one expression: ${{ " + joined + " }}"
	}
	return "write one expression, with + between the parts"
}

func (l *loader) unclosed(n *node, nth int) {
	line, column := l.src.locate(n, nth, 0, -len(opening))
	l.record(&l.problems, line, column, n.pointer, "expression", "this expression is not closed", "end it with }}")
}

// expression compiles one expression of `with` and gives it its parameter.
func (w *withReader) expression(n *node, s segment, want *shape) *expression {
	e := w.compile(n, s, w.step)
	if e == nil {
		return nil
	}
	e.place = strings.TrimPrefix(n.pointer, fmt.Sprintf("/steps/%d/with", w.step))
	if want != nil && want.kind != anyShape {
		e.want = want
		if !want.accepts(e.shape) {
			w.expressionFault(n, s, fault{code: "type", message: fmt.Sprintf("this place takes %s, and the expression yields %s", want.what(), e.shape.what())})
		}
	}
	param, ok := w.params[e.source]
	if !ok {
		param = len(w.params)
		w.params[e.source] = param
	}
	e.param = param
	w.s.exprs = append(w.s.exprs, e)
	return e
}

// validate holds `with` against the kind's schema. What is wrong only because
// an expression stands where its value will be is not wrong yet.
func (w *withReader) validate(with *node) {
	if w.ks.schema == nil {
		return
	}
	var invalid *jsonschema.ValidationError
	if err := w.ks.schema.compiled.Validate(with.plain()); errors.As(err, &invalid) {
		w.report(with, invalid)
	}
}

func (w *withReader) report(with *node, v *jsonschema.ValidationError) {
	code, detail := describe(v.ErrorKind)
	choice := isChoice(code)
	if len(v.Causes) > 0 && !choice {
		for _, c := range v.Causes {
			w.report(with, c)
		}
		return
	}
	pointer := with.pointer + pointerOf(v.InstanceLocation, nil)
	for place := range w.places {
		if place == pointer || choice && strings.HasPrefix(place, pointer+"/") {
			return
		}
	}
	at := nearest(with, pointerOf(v.InstanceLocation, nil))
	if more, ok := v.ErrorKind.(*kind.AdditionalProperties); ok {
		w.unknownFields(at, more.Properties, w.ks.shape.at(pathOf(v.InstanceLocation)))
		return
	}
	w.fault(at, code, strings.TrimPrefix(at.pointer, fmt.Sprintf("/steps/%d/", w.step))+": "+detail, "")
}

func (w *withReader) unknownFields(at *node, names []string, s *shape) {
	var known []string
	if s != nil {
		known = s.names()
	}
	for _, f := range at.fields {
		if slices.Contains(names, f.name) {
			w.faultAt(at, f, "unknown_field", fmt.Sprintf("unknown field %s in the with of uses: %s", quote(f.name), w.s.Uses), didYouMean(f.name, known))
		}
	}
}

func pathOf(location []string) []any {
	out := make([]any, len(location))
	for i, p := range location {
		out[i] = p
	}
	return out
}

// approval reads what the schema of `uses: approval` has already checked, and
// writes the defaults out for the canonical form.
func (l *loader) approval(s *Step, with *node) {
	who := with.get("approvers")
	spec := &ApprovalSpec{Roles: l.words(who.get("roles"), "roles"), Quorum: 1, Expires: defaultExpiry, OnReject: OnRejectFail}
	slices.Sort(spec.Roles)
	if q, ok := who.child("quorum").scalar.(int64); ok {
		spec.Quorum = int(q)
	}
	if n := with.get("expires"); n != nil {
		spec.Expires = l.duration(n, "expires", time.Minute, maxExpiry)
	}
	if n := with.get("on_reject"); n != nil {
		spec.OnReject = l.word(n, "on_reject")
	}
	if m, ok := s.With.(map[string]any); ok {
		spec.Show = m["show"]
		s.With = map[string]any{"show": spec.Show}
	}
	s.Approval = spec
	s.raw = map[string]any{
		"approvers": map[string]any{"roles": anyList(spec.Roles), "quorum": int64(spec.Quorum)},
		"expires":   spec.Expires.String(), "on_reject": spec.OnReject, "show": s.raw["show"],
	}
}

// result finds the shape of a step's output, and its schema.
func (l *loader) result(i int, n *node) *shape {
	s := &l.def.Steps[i]
	switch {
	case s.Kind == nil || s.raw == nil:
		return &shape{} // its problems are known; do not add to them
	case s.Uses == setName:
		return l.computed(s.With, "steps."+s.ID+".output")
	case s.Kind.Output == nil:
		return &shape{}
	}
	raw, err := s.Kind.Output(s.raw)
	if err != nil {
		l.fault(nearest(n, "/with/output"), "schema", "the schema of this step's output is wrong: "+err.Error(), "")
		return &shape{}
	}
	if raw == nil {
		return &shape{}
	}
	compiled, fail := compileRaw(raw)
	if fail != nil {
		l.schemaFault(nearest(n, "/with/output"), fail)
		return &shape{}
	}
	s.checks = compiled
	return l.lang.draw(compiled, "steps."+s.ID+".output")
}

// compileRaw compiles a schema from its JSON.
func compileRaw(raw json.RawMessage) (*schema, *schemaError) {
	doc, fail := parseJSON(string(raw), jsonLimits{maxDepth, maxNodes})
	if fail != nil {
		return nil, &schemaError{message: "the schema is not JSON: " + fail.message}
	}
	return compileSchema(doc.plain())
}

// computed is the shape of what `set` makes: that of its expressions.
func (l *loader) computed(with any, path string) *shape {
	switch w := with.(type) {
	case map[string]any:
		s := l.lang.object(path, map[string]*part{})
		for name, v := range w {
			s.fields[name] = &part{l.computed(v, path+"."+name), true}
		}
		return s
	case []any:
		if len(w) == 1 {
			return &shape{kind: listShape, elem: l.computed(w[0], path+"[]")}
		}
		return &shape{kind: listShape, elem: &shape{}}
	case *expression:
		return w.shape
	case string:
		return &shape{kind: textShape}
	case bool:
		return &shape{kind: boolShape}
	case int64:
		return &shape{kind: intShape}
	case float64:
		return &shape{kind: numberShape}
	}
	return &shape{}
}
