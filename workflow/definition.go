package workflow

import (
	"encoding/json"
	"slices"

	"github.com/custodyhq/custody/security"
)

// A Definition is a workflow as its author wrote it, checked. It never changes
// after Parse or Build, its Digest names it for ever, and it is safe for
// concurrent use. The fields are for reading.
type Definition struct {
	Name        string
	Description string
	Input       json.RawMessage      // JSON Schema (draft 2020-12) of the input, canonical; nil if there is none
	Requires    security.Requirement // of the caller, to submit and at every step; at least one role
	// Sensitivity is what the author declares, for "input" or for a step's
	// output by its id. What is not declared is restricted.
	Sensitivity map[string]security.Sensitivity
	Steps       []Step // in the order of the text; a step needs only steps above it
	Output      string // source of the expression; "" means the last step's output

	canonical []byte
	digest    string
	warnings  []Problem
	input     *schema // nil if there is none
	inputDoc  any     // the input schema, decoded
	output    *expression
}

// Digest is "sha256:" and the hex SHA-256 of Canonical. Two definitions with
// the same digest do the same with the same kinds.
func (d *Definition) Digest() string { return d.digest }

// Canonical is the definition as canonical JSON (RFC 8785), with the versions
// of the kinds that it uses. Parse reads it back to the same digest as long as
// the kinds have those versions.
func (d *Definition) Canonical() []byte { return slices.Clone(d.canonical) }

// Warnings are what the author should know, such as a guard switched off. They
// do not keep the definition from running.
func (d *Definition) Warnings() []Problem { return slices.Clone(d.warnings) }

// Step finds a step by its id; false if there is none.
func (d *Definition) Step(id string) (int, bool) {
	i := slices.IndexFunc(d.Steps, func(s Step) bool { return s.ID == id })
	return i, i >= 0
}
