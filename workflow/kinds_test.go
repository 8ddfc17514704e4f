package workflow_test

import (
	"encoding/json"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

// testKinds are kinds as a server would give them, with a judge if asked.
func testKinds() workflow.Kinds {
	return workflow.Kinds{ByName: map[string]*workflow.Kind{"llm": llmKind(), "http": httpKind(), "score": scoreKind()}}
}

func llmKind() *workflow.Kind {
	return &workflow.Kind{
		Name: "llm", Version: "1", Model: true, Intent: true, Origins: security.Model,
		With: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["model", "prompt"],
			"properties": {"model": {"type": "string"}, "prompt": {"type": "string"}, "system": {"type": "string"},
			"temperature": {"type": "number"}, "max_tokens": {"type": "integer", "minimum": 1}, "output": {"type": "object"}}}`),
		Templates: []string{"prompt", "system"},
		Literals:  []string{"model", "output"},
		Output: func(with map[string]any) (json.RawMessage, error) {
			if with["output"] == nil {
				return json.RawMessage(`{"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string"}}}`), nil
			}
			return json.Marshal(with["output"])
		},
		Check: func(with map[string]any) []workflow.Problem {
			if with["model"] == "fast" {
				return nil
			}
			return []workflow.Problem{{Pointer: "/model", Code: "unknown_model", Message: fmt.Sprintf("no model is called %q", with["model"]), Remedy: "it is one of fast"}}
		},
	}
}

func httpKind() *workflow.Kind {
	return &workflow.Kind{
		Name: "http", Version: "1", Effect: true, Intent: true, Origins: security.Tool,
		With: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["connection", "method", "path"],
			"properties": {"connection": {"type": "string"}, "method": {"enum": ["GET", "POST", "PUT", "DELETE"]}, "path": {"type": "string"},
			"query": {"type": "object", "additionalProperties": {"type": "string"}}, "body": true, "output": {"type": "object"}}}`),
		Templates: []string{"path"},
		Literals:  []string{"connection", "method", "output"},
		Output: func(with map[string]any) (json.RawMessage, error) {
			if with["output"] == nil {
				return nil, nil
			}
			return json.Marshal(with["output"])
		},
	}
}

// scoreKind is a Go function that only computes: its output has the labels of
// its inputs.
func scoreKind() *workflow.Kind {
	return &workflow.Kind{
		Name: "score", Version: "2026-11-01", Intent: true,
		Output: func(map[string]any) (json.RawMessage, error) {
			return json.RawMessage(`{"type": "object", "required": ["points"], "properties": {"points": {"type": "integer"}}}`), nil
		},
	}
}
