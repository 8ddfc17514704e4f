package sensitive

// A Class says whose harm it is when a finding leaves.
type Class uint8

// The classes.
const (
	Personal Class = iota + 1 // data about a person
	Secret                    // what opens something
)

// String is "personal" or "secret".
func (c Class) String() string { return word(c, "personal", "secret") }

// A Strength says what a finding rests on.
type Strength uint8

// The strengths, the surest first.
const (
	Checked Strength = iota + 1 // a check sum, or a structure that was decoded
	Shaped                      // a form that hardly anything else has
	Context                     // a plain form, and a word beside it that says what it is
)

// String is "checked", "shaped" or "context".
func (s Strength) String() string { return word(s, "checked", "shaped", "context") }

// A Finding is one place of a text.
type Finding struct {
	Kind       string // a name of Kinds
	Class      Class
	Strength   Strength
	Start, End int    // bytes of the text that was given; both on the border of a character
	Why        string // for people: what it is and what says so; never a part of the text
}

// word names the values of an enumeration that begins with 1.
func word[T ~uint8](v T, names ...string) string {
	if v == 0 || int(v) > len(names) {
		return "none"
	}
	return names[v-1]
}
