package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a definition, or a warning about
// it. Line and Column count from 1; both are 0 where a definition was built in
// Go and has no text. Message says what is wrong, Remedy what to do.
type Problem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Pointer string `json:"pointer"` // JSON Pointer into the definition, such as /steps/0/uses
	Code    string `json:"code"`    // stable, such as unknown_field
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Excerpt string `json:"excerpt,omitempty"` // the lines around it, with a caret
}

// String is "line:column: message; remedy", ready to stand behind a file name.
// A problem without a place in a text shows its pointer instead.
func (p Problem) String() string {
	place := fmt.Sprintf("%d:%d", p.Line, p.Column)
	if p.Line == 0 {
		place = p.Pointer
		if place == "" {
			place = "/"
		}
	}
	if p.Remedy == "" {
		return place + ": " + p.Message
	}
	return place + ": " + p.Message + "; " + p.Remedy
}

// Problems is everything that is wrong with a definition, in the order of the
// text. It is the error that Parse and Build return.
type Problems []Problem

// Error joins the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts the problems in the order of the text and drops repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Pointer == b.Pointer && a.Message == b.Message
	})
}
