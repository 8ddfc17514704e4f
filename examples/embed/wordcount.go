package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/custodyhq/custody/steps/kinds"
)

// wordCount counts the words of a text. Custody has checked the input against
// the schema before Run sees it, and checks the result against the other one.
// Whoever changes what it does changes Version: it is part of the digest of every
// workflow that uses it, so no run goes on with another function than it began
// with.
func wordCount() kinds.Func {
	return kinds.Func{
		Name:    "word-count",
		Version: "1",
		Input:   json.RawMessage(`{"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string"}}}`),
		Output:  json.RawMessage(`{"type": "object", "required": ["words"], "additionalProperties": false, "properties": {"words": {"type": "integer"}}}`),
		Run: func(_ context.Context, in map[string]any, _ kinds.FuncCall) (any, error) {
			text, _ := in["text"].(string)
			return map[string]any{"words": len(strings.Fields(text))}, nil
		},
	}
}
