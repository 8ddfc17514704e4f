package workflow

import (
	"encoding/json"

	"github.com/custodyhq/custody/security"
)

// A Kind is what a step can use: a model call, a request, a function. Kinds
// never change once a definition was parsed with them.
type Kind struct {
	Name    string
	Version string // part of every digest; a new version is a new digest
	Effect  bool   // makes an outgoing request that is not a model call
	Model   bool   // makes a model call
	Intent  bool   // needs an intent entry before it runs: llm, http, functions
	// With is the JSON Schema of the step's `with`; nil accepts any object.
	// Where an expression stands, its type is compared instead of its value.
	With json.RawMessage
	// Templates are fields of `with` where expressions may stand inside text.
	// Bind returns them as a Template.
	Templates []string
	// Literals are fields of `with` that must be written out, because they
	// decide what is called and not with what: model, connection, method,
	// output. `${{` means nothing special in them.
	Literals []string
	// Output is the JSON Schema of what the step returns; nil, or a nil schema,
	// means that nothing is known.
	Output func(with map[string]any) (json.RawMessage, error)
	// Check finds what the schema cannot: an unknown alias or connection. A
	// Problem's Pointer is relative to `with`; expressions are seen as written.
	Check func(with map[string]any) []Problem
	// Origins are those of the output; 0 means the joined labels of the inputs.
	Origins security.Origins
}

// origins are those of the output. A kind that calls something and does not say
// where its output is from is taken at its worst.
func (k *Kind) origins() security.Origins {
	switch {
	case k.Origins != 0:
		return k.Origins
	case k.Effect:
		return security.Tool
	case k.Model:
		return security.Model
	}
	return 0
}

// Kinds are what a definition may use, besides the built-in set and approval.
type Kinds struct {
	ByName map[string]*Kind
	Judge  bool // a judge is configured
}

// The kinds that need nothing from outside and so belong to the language.
const (
	setName      = "set"
	approvalName = "approval"
)

// find returns the kind of that name.
func (k Kinds) find(name string) (*Kind, bool) {
	switch name {
	case setName:
		return setKind(), true
	case approvalName:
		return approvalKind(), true
	}
	kind, ok := k.ByName[name]
	return kind, ok && kind != nil
}

// names lists what may stand behind `uses`.
func (k Kinds) names() []string {
	names := []string{approvalName, setName}
	for name := range k.ByName {
		names = append(names, name)
	}
	return names
}

// setKind computes values: its output is its `with`.
func setKind() *Kind { return &Kind{Name: setName, Version: "1"} }

// approvalKind waits for people.
func approvalKind() *Kind {
	return &Kind{
		Name: approvalName, Version: "1", Origins: security.Person,
		With:     json.RawMessage(approvalWith),
		Literals: []string{"approvers", "expires", "on_reject"},
		Output: func(map[string]any) (json.RawMessage, error) {
			return json.RawMessage(approvalOutput), nil
		},
	}
}

const approvalWith = `{
  "type": "object", "additionalProperties": false, "required": ["approvers", "show"],
  "properties": {
    "approvers": {
      "type": "object", "additionalProperties": false, "required": ["roles"],
      "properties": {
        "roles": {"type": "array", "minItems": 1, "maxItems": 20, "uniqueItems": true, "items": {"type": "string", "minLength": 1}},
        "quorum": {"type": "integer", "minimum": 1, "maximum": 20}
      }
    },
    "show": true,
    "expires": {"type": "string"},
    "on_reject": {"enum": ["fail", "continue"]}
  }
}`

const approvalOutput = `{
  "type": "object", "additionalProperties": false, "required": ["decision"],
  "properties": {"decision": {"type": "string", "enum": ["approve", "reject", "expire"]}}
}`
