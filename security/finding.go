package security

// A Finding is one thing that a guard saw: which rule, where, and what was done
// about it. It never holds the text itself: Path, Start and End say where to
// look for those who may read the value.
type Finding struct {
	Rule     string     `json:"rule"`               // stable name, such as "injection.override"
	Kind     string     `json:"kind"`               // injection, secret, personal, leak, link, code, word, schema, judge
	Action   string     `json:"action"`             // block, withhold, review, revise, redact, note
	Path     string     `json:"path"`               // JSON Pointer, such as /input/contract or /steps/draft/output
	Start    int        `json:"start"`              // bytes of UTF-8 from the start of the string at Path
	End      int        `json:"end"`                // one past the last byte; 0 when the whole value is meant
	Why      string     `json:"why,omitempty"`      // a sentence for people, without content
	Read     string     `json:"read,omitempty"`     // how the text was read: plain, base64, rot13, ...
	Score    int        `json:"score,omitempty"`    // thousandths; what a detector that weighs evidence came to
	Evidence []Evidence `json:"evidence,omitempty"` // what weighed most, heaviest first
	Text     string     `json:"text,omitempty"`     // keyed fingerprint of the whole text, under which it can be released
	Pardon   string     `json:"pardon,omitempty"`   // what let it pass: a release, a review, or the mode observe
}

// Evidence is one reason for a score. Its name is of our own lexicon, never a
// word of the text.
type Evidence struct {
	Name   string `json:"name"`   // such as "set aside .. what was said before"
	Weight int    `json:"weight"` // thousandths of the score
}

// The actions of a Finding, strongest first.
const (
	Block    = "block"
	Withhold = "withhold"
	Review   = "review" // a person decides
	Revise   = "revise" // the model is asked again
	Redact   = "redact"
	Note     = "note"
)
