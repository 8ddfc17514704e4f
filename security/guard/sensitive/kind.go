package sensitive

// A Default says when findings of a kind are reported if nobody chose it.
type Default uint8

// The defaults.
const (
	Off       Default = iota // never
	InContext                // beside a word that names the kind
	On                       // in the printed form, or beside such a word
)

// String is "off", "context" or "on".
func (d Default) String() string {
	if d == Off {
		return "off"
	}
	return word(d, "context", "on")
}

// A Kind is something that Find can find.
type Kind struct {
	Name    string // "iban", "us-ssn", "github-token": lower case, stable
	Class   Class
	Title   string // for people, with its article: "a payment card number"
	Default Default
	Country string // as used in the name, "us"; empty when it has none
}

// Kinds lists what Find can find: personal data first, then secrets, each in the
// order of its table.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i := range kinds {
		out[i] = kinds[i].Kind
	}
	return out
}

// A kind is a row of the tables, ready for the scanner.
type kind struct {
	Kind
	why [Context + 1]string // by strength
}

// kinds holds all rows: those of personalRows at the same places, then those of
// secretRows.
var kinds = func() []kind {
	out := make([]kind, 0, len(personalRows)+len(secretRows))
	for i := range personalRows {
		out = append(out, newKind(personalRows[i].Kind))
	}
	for _, r := range secretRows {
		out = append(out, newKind(Kind{Name: r[0], Class: Secret, Title: r[1], Default: On}))
	}
	return out
}()

func newKind(k Kind) kind {
	says := "The text contains " + k.Title
	return kind{k, [...]string{
		Checked: says + "; its check sum or structure is right.",
		Shaped:  says + "; it has the form of one.",
		Context: says + "; the words beside it say so.",
	}}
}

// kindNamed finds a row by its name. The tables are bound with it when the
// program starts, so a wrong name in one of them fails every test.
func kindNamed(name string) int {
	for i := range kinds {
		if kinds[i].Name == name {
			return i
		}
	}
	panic("sensitive: no kind is called " + name)
}
