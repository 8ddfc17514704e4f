package detector

import "strings"

// A Sign is a hard sign: something exact that speaks against a text whatever
// its words are.
type Sign uint8

// The signs.
const (
	NoSign       Sign = iota
	ControlMarks      // control marks of chat formats: the text plays another role
	TagMessage        // a message in tag characters, which nobody sees
	Invisible         // many invisible characters: text hidden between letters
	Exfiltration      // an image or link whose address is to be filled in with data
	Unread            // too much work: a part of the text was not read
	PlainOrder        // a row of concepts that nothing harmless is worded like
)

var signNames = [...]string{"", "control marks of a chat format", "a message in invisible tag characters", "text hidden by invisible characters", "an address to be filled in with data", "too many layers or pieces to read them all", "a plain order to a model to leave its rules"}

// String says in words what was found.
func (s Sign) String() string {
	if int(s) < len(signNames) {
		return signNames[s]
	}
	return ""
}

// plainScore is the least score of a text with a PlainOrder.
const plainScore = 0.95

const (
	tagMessage     = 8  // tag characters that make a message
	invisibleShare = 20 // one invisible character in so many bytes hides something
	invisibleLeast = 24
)

// signs holds the hard signs against the text. The levels are weighed on the
// harmless texts of the development set, where documentation shows control
// marks.
func (s *scan) signs() {
	n := &s.result.Signs
	if n.Tags >= tagMessage {
		s.hit(TagMessage, Block, "tags", 0, len(s.text))
	}
	if n.Invisible >= invisibleLeast && n.Invisible*invisibleShare >= len(s.text) {
		s.hit(Invisible, Review, "folded", 0, len(s.text))
	}
	if n.Truncated {
		s.hit(Unread, Review, "plain", 0, len(s.text))
	}
	if lo, hi := filledIn(s.text); hi > lo {
		s.hit(Exfiltration, Review, "plain", lo, hi)
	}
	for _, t := range n.Tokens {
		if t.Kind == "control" {
			s.hit(ControlMarks, Review, t.Reading, t.Start, t.End)
			break
		}
	}
}

// filledIn finds the address of a Markdown image or link with a query that is to
// be filled in: a bracket or a brace where a value should stand.
func filledIn(text string) (lo, hi int) {
	for at := 0; ; {
		i := strings.Index(text[at:], "](http")
		if i < 0 {
			return 0, 0
		}
		lo = at + i + len("](")
		hi = lo
		query := false
		for ; hi < len(text) && hi-lo < maxAddress && text[hi] > ' ' && text[hi] != ')'; hi++ {
			switch text[hi] {
			case '?':
				query = true
			case '[', '{', '<':
				if query && text[hi-1] == '=' {
					return lo, hi + 1
				}
			}
		}
		at = hi
	}
}

// maxAddress is how far an address is read, in bytes.
const maxAddress = 512
