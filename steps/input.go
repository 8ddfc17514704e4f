package steps

import (
	"slices"

	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// Input is the checked `with` of a step as its runner sees it. What it returns
// are copies. The zero Input is empty.
type Input struct {
	with map[string]any
	args []guard.Arg
}

// Fields lists the members, sorted.
func (in Input) Fields() []string {
	out := make([]string, 0, len(in.with))
	for name := range in.with {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Value is a member as decoded JSON, with values in place of expressions; false
// if there is none. A text with values in it is not a value: it is false, too,
// and read with Template, because joining the two is what a runner must not do
// by accident.
func (in Input) Value(field string) (any, bool) {
	tree, ok := in.with[field]
	if !ok {
		return nil, false
	}
	return in.resolve(tree)
}

// String is a member that is a text, or "".
func (in Input) String(field string) string {
	v, _ := in.Value(field)
	s, _ := v.(string)
	return s
}

// All is every member that Value gives.
func (in Input) All() map[string]any {
	out := make(map[string]any, len(in.with))
	for name := range in.with {
		if v, ok := in.Value(name); ok {
			out[name] = v
		}
	}
	return out
}

// A Piece of a template is text that the author wrote or, if Bound, a value.
type Piece struct {
	Text  string
	Arg   guard.Arg
	Bound bool
}

// Template is a member that is text with values in it, piece by piece; nil if
// there is none.
func (in Input) Template(field string) []Piece {
	switch t := in.with[field].(type) {
	case string:
		return []Piece{{Text: t}}
	case workflow.Ref:
		return []Piece{{Arg: in.args[t.Param], Bound: true}}
	case workflow.Template:
		out := make([]Piece, len(t))
		for i, part := range t {
			if part.Param == -1 {
				out[i] = Piece{Text: part.Text}
			} else {
				out[i] = Piece{Arg: in.args[part.Param], Bound: true}
			}
		}
		return out
	}
	return nil
}

func (in Input) resolve(tree any) (any, bool) {
	switch t := tree.(type) {
	case workflow.Ref:
		return in.args[t.Param].Value, true
	case workflow.Template:
		text := ""
		for _, part := range t {
			if part.Param != -1 {
				return nil, false
			}
			text += part.Text
		}
		return text, true
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			v, ok := in.resolve(e)
			if !ok {
				return nil, false
			}
			out[i] = v
		}
		return out, true
	case map[string]any:
		out := make(map[string]any, len(t))
		for name, e := range t {
			v, ok := in.resolve(e)
			if !ok {
				return nil, false
			}
			out[name] = v
		}
		return out, true
	}
	return tree, true
}
