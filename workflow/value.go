package workflow

import (
	"github.com/custodyhq/custody/security"
)

// A Value is a piece of data with its label. V is decoded JSON: nil, bool,
// int64, float64, string, []any or map[string]any.
type Value struct {
	V     any
	Label security.Label
	// Path is the JSON Pointer of where the value stands, such as
	// /input/contract, if it is exactly that; else "".
	Path string
	// Inert says that the schema makes it a number, a boolean or one of a
	// fixed list: it cannot carry instructions. It keeps its label.
	Inert bool
}

// Values are what a run has so far: its input and the released outputs by step
// id. A step that was skipped is absent.
type Values struct {
	Input Value
	Steps map[string]Value
}

// A Bound is a step's `with` and the values of its expressions, kept apart: the
// author's text is the statement, the values are its parameters.
type Bound struct {
	// With is a tree of literals with a Ref where an expression stood, and a
	// Template for every field of Kind.Templates.
	With   any
	Params []Param
}

// A Ref stands for the value of one parameter.
type Ref struct{ Param int }

// A Template is text with parameters in it.
type Template []Part

// A Part of a Template is text, or a parameter if Param is not -1.
type Part struct {
	Text  string
	Param int
}

// A Param is a bound value with the name by which a statement mentions it.
type Param struct {
	Name string // value-1, value-2, ... in the order of the text
	Value
}

// Label is the joined label of the parameters; the author's own and public if
// there are none.
func (b Bound) Label() security.Label {
	label := authored()
	for i, p := range b.Params {
		if i == 0 {
			label = p.Label
			continue
		}
		label = label.Join(p.Label)
	}
	return label
}

// authored is the label of what stands in the definition itself.
func authored() security.Label {
	return security.Label{Origins: security.Author, Sensitivity: security.Public}
}
