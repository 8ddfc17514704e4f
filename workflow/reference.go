package workflow

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/custodyhq/custody/security"
)

// What an expression can read.
const (
	inputRoot  = "input"
	stepsRoot  = "steps"
	outputName = "output"
)

// A reference is a selection that an expression makes from the run's values,
// as far down as it is fixed in the text.
type reference struct {
	root  string // input or steps
	step  string // its id, for steps
	path  []any  // names and indices below the input or the step's output
	exact bool   // a plain selection: nothing optional, not a test for presence
	id    int64  // of CEL's node, for places
	parts []link
}

// A link is one selection of a chain.
type link struct {
	name     any // string or int64
	optional bool
	id       int64
}

// String is the reference as an author writes it.
func (r reference) String() string {
	var b strings.Builder
	b.WriteString(r.root)
	if r.root == stepsRoot && r.step != "" {
		b.WriteString("." + r.step + "." + outputName)
	}
	for _, p := range r.path {
		if s, ok := p.(string); ok {
			b.WriteString("." + s)
			continue
		}
		fmt.Fprintf(&b, "[%v]", p)
	}
	return b.String()
}

// pointer is the JSON Pointer of the place, such as /steps/draft/output/title.
func (r reference) pointer() string {
	p := "/" + r.root
	if r.root == stepsRoot {
		p = join(p, r.step) + "/" + outputName
	}
	for _, e := range r.path {
		if i, ok := e.(int64); ok {
			p += "/" + strconv.FormatInt(i, 10)
			continue
		}
		p = join(p, stringOf(e))
	}
	return p
}

// within reports whether the reference lies at or below the other.
func (r reference) within(o reference) bool {
	if r.root != o.root || r.step != o.step || len(o.path) > len(r.path) {
		return false
	}
	for i, p := range o.path {
		if r.path[i] != p {
			return false
		}
	}
	return true
}

// source is the value that the reference selects from.
func (r reference) source(v Values) (Value, bool) {
	if r.root == inputRoot {
		return v.Input, true
	}
	out, ok := v.Steps[r.step]
	return out, ok
}

// label is the label of what the reference reads. A skipped step has none of
// its own: that it was skipped is the author's condition, which has a label
// where it is evaluated, so it adds nothing here.
func (r reference) label(v Values) security.Label {
	source, ok := r.source(v)
	if !ok {
		return authored()
	}
	return source.Label
}

// follow selects the value; the reason is "" if it is there.
func (r reference) follow(v Values) (out any, reason string) {
	source, ok := r.source(v)
	if !ok {
		return nil, absent
	}
	out = source.V
	for _, p := range r.path {
		switch at := out.(type) {
		case map[string]any:
			if out, ok = at[stringOf(p)]; !ok {
				return nil, absent
			}
		case []any:
			i, isIndex := p.(int64)
			if !isIndex || i < 0 || i >= int64(len(at)) {
				return nil, "reads beyond the end of a list"
			}
			out = at[i]
		default:
			return nil, "meets a value of another type than it expects"
		}
	}
	return out, ""
}

// A finder collects the references of a parsed expression.
type finder struct {
	refs  []reference
	loose []int64 // nodes that use `steps` without naming a step and its output
}

// references lists what an expression reads. The second result is set if the
// expression is nothing but one plain selection.
func references(root ast.Expr) (*finder, *reference) {
	f := &finder{}
	f.walk(root)
	if _, test, ok := chain(root); ok && !test && len(f.refs) == 1 && f.refs[0].exact {
		return f, &f.refs[0]
	}
	return f, nil
}

func (f *finder) walk(e ast.Expr) {
	if parts, test, ok := chain(e); ok {
		f.add(e, parts, test)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		f.walk(e.AsSelect().Operand())
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			f.walk(e.AsCall().Target())
		}
		for _, a := range e.AsCall().Args() {
			f.walk(a)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			f.walk(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			f.walk(entry.AsMapEntry().Key())
			f.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, entry := range e.AsStruct().Fields() {
			f.walk(entry.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		for _, part := range []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			f.walk(part)
		}
	}
}

// add records a chain. An iteration variable may be called `input`, too: it is
// then taken for the input, which only makes the label stricter.
func (f *finder) add(e ast.Expr, parts []link, test bool) {
	r := reference{root: stringOf(parts[0].name), exact: !test, id: e.ID(), parts: parts}
	for _, p := range parts {
		r.exact = r.exact && !p.optional
	}
	rest := parts[1:]
	if r.root == stepsRoot {
		if len(rest) < 2 || rest[1].name != outputName {
			if len(rest) == 0 || len(rest) > 1 || !test && !rest[0].optional {
				f.loose = append(f.loose, e.ID())
				return
			}
		}
		r.step = stringOf(rest[0].name)
		rest = rest[min(2, len(rest)):]
	}
	for _, p := range rest {
		r.path = append(r.path, p.name)
	}
	f.refs = append(f.refs, r)
}

// chain reads an expression as a chain of selections that begins at the input
// or the steps; false if it is something else. test is set under has().
func chain(e ast.Expr) (parts []link, test, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		return []link{{name: name, id: e.ID()}}, false, name == inputRoot || name == stepsRoot
	case ast.SelectKind:
		s := e.AsSelect()
		parts, test, ok = chain(s.Operand())
		return append(parts, link{name: s.FieldName(), id: e.ID()}), test || s.IsTestOnly(), ok
	case ast.CallKind:
		return callChain(e)
	}
	return nil, false, false
}

// callChain reads a[0], a["x"], a.?x and a[?x] with a fixed index.
func callChain(e ast.Expr) (parts []link, test, ok bool) {
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return nil, false, false
	}
	args := call.Args()
	if len(args) != 2 || args[1].Kind() != ast.LiteralKind {
		return nil, false, false
	}
	l := link{id: e.ID(), optional: call.FunctionName() != operators.Index}
	switch v := args[1].AsLiteral().(type) {
	case types.String:
		l.name = string(v)
	case types.Int:
		l.name = int64(v)
	default:
		return nil, false, false
	}
	parts, test, ok = chain(args[0])
	return append(parts, l), test, ok
}

// approved lists the steps whose output.decision must be 'approve' for the
// expression to be true: the comparison itself, or a side of an &&.
func approved(e ast.Expr) []string {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return nil
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd:
		return append(approved(args[0]), approved(args[1])...)
	case operators.Equals:
		for i, side := range args {
			other := args[1-i]
			if id, ok := decision(side); ok && other.Kind() == ast.LiteralKind && other.AsLiteral() == types.String("approve") {
				return []string{id}
			}
		}
	}
	return nil
}

// decision reads steps.<id>.output.decision, also where the approval may be
// skipped: steps.?<id>.output.decision.orValue('x'), if x is not a yes.
func decision(e ast.Expr) (id string, ok bool) {
	e, otherwise := unlessAbsent(e)
	parts, test, ok := chain(e)
	if !ok || test || len(parts) != 4 || parts[0].name != stepsRoot || parts[2].name != outputName || parts[3].name != "decision" {
		return "", false
	}
	for _, p := range parts {
		if p.optional && !otherwise {
			return "", false
		}
	}
	return stringOf(parts[1].name), true
}

// unlessAbsent takes orValue('x') off an expression, unless x is 'approve':
// then nobody need have said so.
func unlessAbsent(e ast.Expr) (ast.Expr, bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "orValue" || !e.AsCall().IsMemberFunction() || len(e.AsCall().Args()) != 1 {
		return e, false
	}
	instead := e.AsCall().Args()[0]
	if instead.Kind() != ast.LiteralKind {
		return e, false
	}
	if text, ok := instead.AsLiteral().(types.String); !ok || text == "approve" {
		return e, false
	}
	return e.AsCall().Target(), true
}
