package security

// A Finding is one thing that a guard saw: which rule, where, and what was done
// about it. It never holds the text itself: Path, Start and End say where to
// look for those who may read the value.
type Finding struct {
	Rule   string `json:"rule"`           // stable name, such as "override.ignore-previous"
	Kind   string `json:"kind"`           // injection, secret, personal, schema, judge
	Action string `json:"action"`         // block, withhold, redact, note
	Path   string `json:"path"`           // JSON Pointer, such as /input/contract or /steps/draft/output
	Start  int    `json:"start"`          // bytes of UTF-8 from the start of the string at Path
	End    int    `json:"end"`            // one past the last byte; 0 when the whole value is meant
	Why    string `json:"why,omitempty"`  // a sentence for people, without content
	Read   string `json:"read,omitempty"` // how the text was read: plain, base64, rot13, ...
}

// The actions of a Finding, strongest first.
const (
	Block    = "block"
	Withhold = "withhold"
	Redact   = "redact"
	Note     = "note"
)
