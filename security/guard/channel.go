package guard

import "github.com/custodyhq/custody/security"

// channel is the name of the way on which a value of these origins comes. A
// value of several is treated as what gives the fewest orders among them; one of
// unknown origin as a document.
func channel(o security.Origins) string {
	switch {
	case o&security.Tool != 0:
		return "tool"
	case o&security.Document != 0, o == 0:
		return "document"
	case o&security.Model != 0:
		return "model"
	case o&(security.Caller|security.Person) != 0:
		return "person"
	}
	return "document"
}
