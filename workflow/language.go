package workflow

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// A language is CEL with the types of one definition. It is made while the
// definition is loaded and not changed after.
type language struct {
	env    *cel.Env
	types  *provider
	shaper *shaper
	steps  *shape // of the variable `steps`: grows as steps are loaded
	input  *shape
}

// A provider tells CEL the fields of the objects that schemas describe, and
// how to read them from decoded JSON.
type provider struct {
	*types.Registry
	objects map[string]*shape
}

// newLanguage makes the environment for a definition. If the input's schema is
// wrong, nothing is known about the input, so that one mistake is not many.
func newLanguage(input *schema, broken bool) (*language, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	l := &language{types: &provider{registry, map[string]*shape{}}}
	l.steps = l.object("steps", map[string]*part{})
	l.input = l.object("input", map[string]*part{})
	switch {
	case broken:
		l.input = &shape{}
	case input != nil:
		l.input = l.draw(input, "input")
	}
	l.env, err = cel.NewEnv(
		cel.CustomTypeAdapter(registry), cel.CustomTypeProvider(l.types),
		cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.EnableIdentifierEscapeSyntax(),
		cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(2_000), cel.RegexProgramSizeLimit(maxRegex),
		cel.Variable(inputRoot, l.input.celType()), cel.Variable(stepsRoot, l.steps.celType()),
	)
	return l, err
}

// object makes an object shape that CEL knows by a unique name.
func (l *language) object(path string, fields map[string]*part) *shape {
	s := &shape{kind: objectShape, fields: fields}
	s.name = l.types.unique(path)
	l.types.objects[s.name] = s
	return s
}

// draw makes the shape of a schema.
func (l *language) draw(s *schema, path string) *shape {
	if l.shaper == nil {
		l.shaper = &shaper{name: l.types.unique, made: func(s *shape) { l.types.objects[s.name] = s }}
	}
	return l.shaper.from(s.compiled, path)
}

// addStep makes a step's output visible to the steps below it.
func (l *language) addStep(id string, output *shape) {
	step := l.object("steps."+id, map[string]*part{outputName: {output, true}})
	l.steps.fields[id] = &part{step, false}
}

// unique is a type's name. It holds a character that no identifier has, so an
// expression cannot mention it.
func (p *provider) unique(path string) string {
	name := "(" + path + ")"
	for n := 2; p.objects[name] != nil; n++ {
		name = fmt.Sprintf("(%s %d)", path, n)
	}
	return name
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if s, ok := p.objects[name]; ok {
		return s.names(), true
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	s, ok := p.objects[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := s.fields[fieldName]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: f.shape.celType(),
		IsSet: func(object any) bool {
			m, ok := object.(map[string]any)
			_, has := m[fieldName]
			return ok && has
		},
		GetFrom: func(object any) (any, error) {
			m, _ := object.(map[string]any)
			v, ok := m[fieldName]
			if !ok {
				return nil, fmt.Errorf("no such key: %s", fieldName)
			}
			return f.shape.coerce(v), nil
		},
	}, true
}

// coerce gives whole numbers the type that the schema says: JSON writes 3.0
// and 3 alike, CEL adds only doubles to doubles.
func (s *shape) coerce(v any) any {
	switch s.kind {
	case numberShape:
		if i, ok := v.(int64); ok {
			return float64(i)
		}
	case intShape:
		if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= maxInteger {
			return int64(f)
		}
	case listShape:
		if l, ok := v.([]any); ok && s.elem.coerces(8) {
			out := make([]any, len(l))
			for i, item := range l {
				out[i] = s.elem.coerce(item)
			}
			return out
		}
	case dictShape:
		if m, ok := v.(map[string]any); ok && s.elem.coerces(8) {
			out := make(map[string]any, len(m))
			for k, item := range m {
				out[k] = s.elem.coerce(item)
			}
			return out
		}
	}
	return v
}

// coerces reports whether values of the shape can hold numbers to coerce. An
// object's fields are coerced when they are read.
func (s *shape) coerces(depth int) bool {
	switch s.kind {
	case numberShape:
		return true
	case listShape, dictShape:
		return depth > 0 && s.elem.coerces(depth-1)
	}
	return false
}

// A fault is a mistake in an expression; line and column count from 0 within it.
type fault struct {
	line, column          int
	code, message, remedy string
	step                  string // the step that was meant, if it is not there
}

// compile parses and checks a source. The faults are for the author.
func (l *language) compile(source string) (*expression, []fault) {
	switch {
	case strings.TrimSpace(source) == "":
		return nil, []fault{{code: "expression", message: "the expression is empty", remedy: "write one, such as ${{ input.name }}"}}
	case len(source) > maxExpression:
		return nil, []fault{{code: "expression", message: "the expression is longer than 4 KiB", remedy: "split it over `uses: set` steps"}}
	}
	parsed, issues := l.env.Parse(source)
	if issues.Err() != nil {
		return nil, l.faults(issues)
	}
	tree := parsed.NativeRep()
	found, plain := references(tree.Expr())
	if faults := l.unresolved(tree, found); len(faults) > 0 {
		return nil, faults
	}
	checked, issues := l.env.Check(parsed)
	if issues.Err() != nil {
		return nil, l.faults(issues)
	}
	out := &expression{source: source, refs: found.refs, plain: plain, shape: l.shapeOf(checked.OutputType()), approved: approved(tree.Expr())}
	if plain != nil {
		out.path = plain.pointer()
		if s := l.shapeAt(*plain); s != nil {
			out.shape = s
		}
	}
	if f, bad := noForm(checked.OutputType()); bad {
		return nil, []fault{f}
	}
	program, err := l.env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []fault{{code: "expression", message: "the expression cannot be planned: a constant in it is not valid", remedy: "check its regular expressions and constants"}}
	}
	out.program = program
	return out, nil
}

// noForm refuses results that JSON cannot hold.
func noForm(t *cel.Type) (fault, bool) {
	switch t.Kind() {
	case types.BoolKind, types.DoubleKind, types.DynKind, types.AnyKind, types.IntKind, types.ListKind,
		types.MapKind, types.NullTypeKind, types.StringKind, types.StructKind, types.TypeParamKind:
		return fault{}, false
	case types.OpaqueKind:
		return fault{code: "may_be_absent", message: "the expression may have no value", remedy: "end it with .orValue(…)"}, true
	}
	return fault{code: "type", message: "the expression yields a value without a JSON form", remedy: "make it a text with string(…)"}, true
}

// shapeOf reads CEL's type back.
func (l *language) shapeOf(t *cel.Type) *shape {
	switch t.Kind() {
	case types.BoolKind:
		return &shape{kind: boolShape}
	case types.IntKind:
		return &shape{kind: intShape}
	case types.DoubleKind:
		return &shape{kind: numberShape}
	case types.StringKind:
		return &shape{kind: textShape}
	case types.ListKind:
		return &shape{kind: listShape, elem: l.shapeOf(t.Parameters()[0])}
	case types.MapKind:
		if t.Parameters()[0].Kind() == types.StringKind {
			return &shape{kind: dictShape, elem: l.shapeOf(t.Parameters()[1])}
		}
	case types.StructKind:
		if s, ok := l.types.objects[t.TypeName()]; ok {
			return s
		}
	}
	return &shape{}
}

// shapeAt is the shape of what a reference reads; nil if there is nothing.
func (l *language) shapeAt(r reference) *shape {
	if r.root == inputRoot {
		return l.input.at(r.path)
	}
	step, ok := l.steps.fields[r.step]
	if !ok {
		return nil
	}
	return step.shape.fields[outputName].shape.at(r.path)
}

// unresolved finds selections of what is not there, with what was meant.
func (l *language) unresolved(tree *ast.AST, found *finder) []fault {
	var out []fault
	for _, id := range found.loose {
		f := fault{code: "reference", message: "`steps` is read through a step and its output", remedy: "write steps.<id>.output"}
		f.line, f.column = position(tree, id)
		out = append(out, f)
	}
	for _, r := range found.refs {
		at := l.input
		if r.root == stepsRoot {
			at = l.steps
		}
		if f, bad := unresolvedLink(tree, r, at); bad {
			out = append(out, f)
		}
	}
	return out
}

// unresolvedLink walks one chain to its first selection of nothing.
func unresolvedLink(tree *ast.AST, r reference, at *shape) (fault, bool) {
	said := r.root
	for _, p := range r.parts[1:] {
		next := at.at([]any{p.name})
		if next == nil {
			f := fault{code: "reference", message: fmt.Sprintf("%s has no %s", said, quote(fmt.Sprint(p.name))), remedy: didYouMean(fmt.Sprint(p.name), at.names())}
			if at.kind != objectShape {
				f.message, f.remedy = fmt.Sprintf("%s is %s and has no fields", said, at.what()), ""
			} else if len(at.fields) == 0 {
				f.remedy = nothingThere(at)
			}
			f.line, f.column = position(tree, p.id)
			f.column++ // a selection stands at its dot
			if said == stepsRoot {
				f.step = stringOf(p.name)
			}
			return f, true
		}
		said += fmt.Sprintf(".%v", p.name)
		at = next
	}
	return fault{}, false
}

// nothingThere says why there is nothing to select.
func nothingThere(at *shape) string {
	switch at.name {
	case "(" + stepsRoot + ")":
		return "no step stands above this one"
	case "(" + inputRoot + ")":
		return "declare it under `input: {properties: …}`"
	}
	return ""
}

// position is where a node of the tree stands in the source.
func position(tree *ast.AST, id int64) (line, column int) {
	at := tree.SourceInfo().GetStartLocation(id)
	return max(at.Line()-1, 0), max(at.Column(), 0)
}

// faults translates CEL's complaints. The first is enough: the others mostly
// follow from it.
func (l *language) faults(issues *cel.Issues) []fault {
	for _, e := range issues.Errors() {
		message, remedy := translate(e.Message)
		return []fault{{line: max(e.Location.Line()-1, 0), column: max(e.Location.Column(), 0), code: "expression", message: message, remedy: remedy}}
	}
	return []fault{{code: "expression", message: "the expression is not CEL"}}
}

// translate puts a message of CEL into this page's words.
func translate(message string) (text, remedy string) {
	message, _, _ = strings.Cut(message, "\n")
	if rest, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		rest, _, _ = strings.Cut(rest, " expecting")
		return "the expression is not CEL: " + rest, ""
	}
	if rest, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name, _, _ := strings.Cut(rest, "'")
		return quote(name) + " is not known", undeclared(name)
	}
	if rest, ok := strings.CutPrefix(message, "found no matching overload for '"); ok {
		name, types, _ := strings.Cut(rest, "' applied to '")
		types = objectName.ReplaceAllString(strings.TrimSuffix(types, "'"), "object")
		return fmt.Sprintf("%s cannot be applied to %s", strings.Trim(name, "_"), types), "compare or convert values of one type, with int(…), double(…) or string(…)"
	}
	return message, ""
}

// objectName is a name that unique made.
var objectName = regexp.MustCompile(`\((input|steps)[a-z0-9_.*\[\] ]*\)`)

// undeclared proposes what was meant by a bare name.
func undeclared(name string) string {
	known := []string{inputRoot, stepsRoot, "size", "has", "string", "int", "double", "true", "false", "null"}
	if i := slices.Index([]string{"github", "inputs", "env", "secrets", "vars", "needs", "context"}, name); i >= 0 {
		return "an expression reads input.<name> and steps.<id>.output"
	}
	if hint := didYouMean(name, known); strings.HasPrefix(hint, "did") {
		return hint
	}
	return "an expression reads input.<name> and steps.<id>.output; quote a text: '" + name + "'"
}
