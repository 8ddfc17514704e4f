package kinds

import (
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
)

// Decode and PlainJSON are for fuzzing.
var (
	Decode    = decode
	PlainJSON = plainJSON
	// Question and VerdictSchema are the rubric as it is asked.
	Question      = question
	VerdictSchema = verdictSchema
)

// PathOf writes a path with one value in it.
func PathOf(before, value, after string) (string, string) {
	return pathOf([]steps.Piece{{Text: before}, {Arg: guard.Arg{Value: value}, Bound: true}, {Text: after}})
}
