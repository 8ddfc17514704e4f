package model

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/custodyhq/custody/security/audit"
)

// A Prompt is one question to a model.
type Prompt struct {
	System string // the statement: the author's text and ours
	User   string // the bound values as a JSON object; "{}" if empty
	// Schema, if any, is the JSON Schema of the answer, sent with its members in
	// this order, because models write their answer in the order of the schema.
	Schema      json.RawMessage
	SchemaName  string // "output" if empty
	MaxTokens   int    // 0 means the provider's own limit
	Temperature *float64
	Key         string // Idempotency-Key
	Call        string // Custody-Call
}

// An Answer is a whole answer that its model finished.
type Answer struct {
	Text   string
	Model  audit.Model
	Status int
	Bytes  int
}

// Generate asks the model behind the alias, with one request. An error is an
// *Error. It is safe for concurrent use.
func (m *Models) Generate(ctx context.Context, alias string, p Prompt) (Answer, error) {
	if !m.Has(alias) {
		return Answer{}, &Error{Code: CodeInvalid, Detail: fmt.Sprintf("no model %q in the server's config", alias)}
	}
	c := m.clients[alias]
	if p.Key == "" || p.Call == "" {
		return Answer{}, &Error{Code: CodeInvalid, Detail: "a request without its key and call must not leave"}
	}
	if len(p.Schema) > 0 && !json.Valid(p.Schema) {
		return Answer{}, &Error{Code: CodeInvalid, Detail: "the schema of the answer is not JSON"}
	}
	for _, r := range m.Refuses(alias, p) {
		return Answer{}, &Error{Code: CodeInvalid, Detail: r.Option + ": " + r.Detail + "; " + r.Remedy}
	}
	w := &wire{client: c, prompt: p, now: m.now}
	w.meta = audit.Model{Provider: c.Provider, Model: c.Model.Model}
	text, err := c.dialect.ask(ctx, c, p, w)
	switch {
	case w.err != nil:
		return Answer{}, w.failed(w.err)
	case err != nil:
		return Answer{}, w.failed(&Error{Code: CodeError, Detail: "the client library failed", Unknown: w.used, Err: err})
	case text != w.text:
		// What the wire read and what the library read must be the same answer.
		return Answer{}, w.failed(&Error{Code: CodeMalformed, Detail: "the reply can be read in two ways"})
	}
	return Answer{Text: text, Model: w.cost(), Status: w.status, Bytes: w.bytes}, nil
}

func (p Prompt) user() string {
	if p.User == "" {
		return "{}"
	}
	return p.User
}

func (p Prompt) schemaName() string {
	if p.SchemaName == "" {
		return "output"
	}
	return p.SchemaName
}
