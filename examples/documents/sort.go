package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/custodyhq/custody/steps/kinds"
)

// A document is one element of the list, as the schema of the input says.
type document struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A finding is what is known of one document.
type finding struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"` // invoice, contract or letter
	Words int    `json:"words"`
}

const input = `{
  "type": "object", "required": ["documents"], "additionalProperties": false,
  "properties": {"documents": {"type": "array", "maxItems": 1000, "items": {
    "type": "object", "required": ["name", "text"], "additionalProperties": false,
    "properties": {"name": {"type": "string", "maxLength": 200}, "text": {"type": "string"}}}}}}`

const output = `{
  "type": "object", "required": ["documents"], "additionalProperties": false,
  "properties": {"documents": {"type": "array", "items": {
    "type": "object", "required": ["name", "kind", "words"], "additionalProperties": false,
    "properties": {
      "name": {"type": "string"},
      "kind": {"type": "string", "enum": ["invoice", "contract", "letter"]},
      "words": {"type": "integer"}}}}}}`

// sortDocuments maps a list: one finding for each document, in the same order.
// The whole list is one step, so it is done whole or not at all: an attempt that
// dies half-way leaves nothing behind, and the next one begins again.
func sortDocuments() kinds.Func {
	return kinds.Func{
		Name: "sort-documents", Version: "1",
		Input: json.RawMessage(input), Output: json.RawMessage(output),
		Run: func(ctx context.Context, in map[string]any, _ kinds.FuncCall) (any, error) {
			documents, err := decode(in)
			if err != nil {
				return nil, err
			}
			findings := make([]finding, len(documents))
			for i, d := range documents {
				if err := ctx.Err(); err != nil { // the step's time is up, or the run was cancelled
					return nil, err
				}
				findings[i] = look(d)
			}
			return map[string]any{"documents": findings}, nil
		},
	}
}

// decode takes the list out of the step's checked input.
func decode(in map[string]any) ([]document, error) {
	raw, err := json.Marshal(in["documents"])
	if err != nil {
		return nil, fmt.Errorf("encode the documents: %w", err)
	}
	var documents []document
	if err := json.Unmarshal(raw, &documents); err != nil {
		return nil, fmt.Errorf("decode the documents: %w", err)
	}
	return documents, nil
}

// look says what a document is, by its words.
func look(d document) finding {
	f := finding{Name: d.Name, Kind: "letter", Words: len(strings.Fields(d.Text))}
	text := strings.ToLower(d.Text)
	switch {
	case strings.Contains(text, "invoice"):
		f.Kind = "invoice"
	case strings.Contains(text, "agreement"), strings.Contains(text, "contract"):
		f.Kind = "contract"
	}
	return f
}
