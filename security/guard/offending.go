package guard

import "log/slog"

// Offending is one text in which something was found. It is content: it is for
// fingerprints and for sealing, never for logs.
type Offending struct {
	Path     string // JSON Pointer of the string
	Channel  string // person, document, tool or model
	Text     string // content
	Findings []int  // which findings are in it, by their place in the list beside it
}

// LogValue keeps the text out of logs.
func (o Offending) LogValue() slog.Value {
	return slog.GroupValue(slog.String("path", o.Path), slog.Int("findings", len(o.Findings)))
}

// String is the place, without the text.
func (o Offending) String() string { return o.Path }
