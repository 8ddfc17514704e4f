package security

import (
	"fmt"
	"strings"
)

// Origins is the set of places that a value comes from.
type Origins uint8

// The origins. Only what Author alone wrote may stand in a statement.
const (
	Author   Origins = 1 << iota // the workflow's own text
	Caller                       // who submitted the run
	Document                     // a document that was retrieved
	Tool                         // a reply of a connection
	Model                        // a language model
	Person                       // an approver
)

var originNames = []string{"author", "caller", "document", "tool", "model", "person"}

// ParseOrigin reads one origin's name.
func ParseOrigin(name string) (Origins, error) {
	for i, n := range originNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("unknown origin %q: one of %s", name, strings.Join(originNames, ", "))
}

// Names lists the origins in the set, in a fixed order.
func (o Origins) Names() []string {
	var out []string
	for i, n := range originNames {
		if o&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// String joins the names with a comma.
func (o Origins) String() string { return strings.Join(o.Names(), ",") }

// Within reports whether every origin of o is in allowed. The empty set is
// unknown, not harmless, so it is within nothing.
func (o Origins) Within(allowed Origins) bool { return o != 0 && o&^allowed == 0 }

// Sensitivity says who may see a value. The zero Sensitivity is Restricted.
type Sensitivity uint8

// The sensitivities, most sensitive first.
const (
	Restricted Sensitivity = iota
	Confidential
	Internal
	Public
)

var sensitivityNames = []string{"restricted", "confidential", "internal", "public"}

// ParseSensitivity reads a sensitivity's name.
func ParseSensitivity(name string) (Sensitivity, error) {
	for i, n := range sensitivityNames {
		if n == name {
			return Sensitivity(i), nil
		}
	}
	return Restricted, fmt.Errorf("unknown sensitivity %q: one of public, internal, confidential, restricted", name)
}

// String is the sensitivity's name; anything unknown is "restricted".
func (s Sensitivity) String() string {
	if int(s) >= len(sensitivityNames) {
		return sensitivityNames[0]
	}
	return sensitivityNames[s]
}

// A Label follows a value through expressions and steps. The zero Label is of
// unknown origin and restricted.
type Label struct {
	Origins     Origins
	Sensitivity Sensitivity
}

// Join is the label of a value made from both: all origins, the stricter
// sensitivity.
func (l Label) Join(m Label) Label {
	return Label{Origins: l.Origins | m.Origins, Sensitivity: min(l.Sensitivity, m.Sensitivity)}
}

// Trusted reports whether the author alone wrote the value.
func (l Label) Trusted() bool { return l.Origins == Author }
