package workflow

import (
	"slices"

	"cel.dev/cel-go/cel"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A shape is what expressions know about a value: its type, drawn from a JSON
// Schema. It claims nothing that the schema does not guarantee, so a value that
// passed the schema never surprises an expression.
type shape struct {
	kind   shapeKind
	fixed  bool             // one of a list of scalars
	elem   *shape           // of a list, or of a dict's values
	fields map[string]*part // of an object
	name   string           // of an object, unique within a definition
}

// A part is a field of an object.
type part struct {
	shape *shape
	sure  bool // required, or filled in by a default
}

type shapeKind byte

const (
	anyShape shapeKind = iota
	boolShape
	intShape
	numberShape
	textShape
	listShape
	dictShape // an object whose fields are not named
	objectShape
)

// inert reports whether values of the shape cannot carry instructions.
func (s *shape) inert() bool {
	return s.kind == boolShape || s.kind == intShape || s.kind == numberShape || s.fixed
}

// what names the shape for messages.
func (s *shape) what() string {
	return [...]string{"any value", "a boolean", "an integer", "a number", "a text", "a list", "an object", "an object"}[s.kind]
}

// accepts reports whether a value of the other shape may stand where this one
// is expected. What is not known is checked when the value is there.
func (s *shape) accepts(o *shape) bool {
	switch {
	case s.kind == anyShape || o.kind == anyShape:
		return true
	case s.kind == numberShape:
		return o.kind == numberShape || o.kind == intShape
	case s.kind == dictShape || s.kind == objectShape:
		return o.kind == dictShape || o.kind == objectShape
	}
	return s.kind == o.kind
}

// holds reports whether a value has the shape, as far down as its top.
func (s *shape) holds(v any) bool {
	var ok bool
	switch s.kind {
	case boolShape:
		_, ok = v.(bool)
	case intShape:
		_, ok = v.(int64)
	case numberShape:
		_, ok = v.(float64)
		if !ok {
			_, ok = v.(int64)
		}
	case textShape:
		_, ok = v.(string)
	case listShape:
		_, ok = v.([]any)
	case dictShape, objectShape:
		_, ok = v.(map[string]any)
	default:
		ok = true
	}
	return ok
}

// celType is the shape in CEL's words. A list of lists of itself has no end, so
// deep ones are dynamic.
func (s *shape) celType() *cel.Type { return s.celTypeWithin(8) }

func (s *shape) celTypeWithin(depth int) *cel.Type {
	if depth == 0 {
		return cel.DynType
	}
	switch s.kind {
	case boolShape:
		return cel.BoolType
	case intShape:
		return cel.IntType
	case numberShape:
		return cel.DoubleType
	case textShape:
		return cel.StringType
	case listShape:
		return cel.ListType(s.elem.celTypeWithin(depth - 1))
	case dictShape:
		return cel.MapType(cel.StringType, s.elem.celTypeWithin(depth-1))
	case objectShape:
		return cel.ObjectType(s.name)
	}
	return cel.DynType
}

// at walks down a path of names and indices; nil if the shape knows that there
// is nothing. The unknown stays unknown.
func (s *shape) at(path []any) *shape {
	for _, p := range path {
		switch s.kind {
		case objectShape:
			f, ok := s.fields[stringOf(p)]
			if !ok {
				return nil
			}
			s = f.shape
		case dictShape, listShape:
			s = s.elem
		case anyShape:
			return s
		default:
			return nil
		}
	}
	return s
}

func stringOf(v any) string {
	s, _ := v.(string)
	return s
}

// names lists an object's fields, sorted.
func (s *shape) names() []string {
	var out []string
	for name := range s.fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// A shaper draws shapes from compiled schemas. Schemas may refer to themselves,
// so each is drawn once.
type shaper struct {
	done map[*jsonschema.Schema]*shape
	name func(path string) string // makes an object's name unique
	made func(*shape)             // is told of every object, so that CEL knows it
}

// from draws the shape of a whole schema.
func (r *shaper) from(s *jsonschema.Schema, path string) *shape {
	r.done = map[*jsonschema.Schema]*shape{}
	return r.draw(s, path)
}

// draw returns the shape of a schema. The path is only for the names of types
// in messages.
func (r *shaper) draw(s *jsonschema.Schema, path string) *shape {
	if s == nil {
		return &shape{}
	}
	if known, ok := r.done[s]; ok {
		return known
	}
	out := &shape{}
	r.done[s] = out // also ends a circle of references, as an unknown
	if s.Types == nil && s.Properties == nil && s.Ref != nil {
		r.done[s] = r.draw(s.Ref, path)
		return r.done[s]
	}
	out.kind = kindOf(s)
	out.fixed = fixed(s)
	switch out.kind {
	case listShape:
		out.elem = &shape{}
		if len(s.PrefixItems) == 0 {
			out.elem = r.draw(s.Items2020, path+"[]")
		}
	case dictShape:
		r.dict(out, s, path)
	}
	return out
}

// dict decides whether an object has named fields, and draws them.
func (r *shaper) dict(out *shape, s *jsonschema.Schema, path string) {
	if len(s.Properties) == 0 {
		out.elem = &shape{}
		if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && len(s.PatternProperties) == 0 {
			out.elem = r.draw(more, path+".*")
		}
		return
	}
	out.kind = objectShape
	out.name = r.name(path)
	out.fields = make(map[string]*part, len(s.Properties))
	r.made(out)
	for _, name := range sortedKeys(s.Properties) {
		p := s.Properties[name]
		sure := slices.Contains(s.Required, name) || p.Default != nil
		out.fields[name] = &part{r.draw(p, path+"."+name), sure}
	}
}

// kindOf is the one type that every valid value has, or anyShape.
func kindOf(s *jsonschema.Schema) shapeKind {
	if s.Types == nil {
		return kindOfValues(s)
	}
	switch types := s.Types.ToStrings(); {
	case slices.Equal(types, []string{"boolean"}):
		return boolShape
	case slices.Equal(types, []string{"integer"}):
		return intShape
	case slices.Equal(types, []string{"number"}), slices.Equal(types, []string{"number", "integer"}):
		return numberShape
	case slices.Equal(types, []string{"string"}):
		return textShape
	case slices.Equal(types, []string{"array"}):
		return listShape
	case slices.Equal(types, []string{"object"}):
		return dictShape
	}
	return anyShape
}

// kindOfValues is the kind of a schema that lists its values without a type.
func kindOfValues(s *jsonschema.Schema) shapeKind {
	if s.Enum == nil || len(s.Enum.Values) == 0 {
		return anyShape
	}
	for _, v := range s.Enum.Values {
		if _, ok := v.(string); !ok {
			return anyShape
		}
	}
	return textShape
}

// fixed reports whether the schema lists all its values, and all are scalars.
func fixed(s *jsonschema.Schema) bool {
	var values []any
	switch {
	case s.Enum != nil:
		values = s.Enum.Values
	case s.Const != nil:
		values = []any{*s.Const}
	default:
		return false
	}
	for _, v := range values {
		switch v.(type) {
		case map[string]any, []any:
			return false
		}
	}
	return true
}
