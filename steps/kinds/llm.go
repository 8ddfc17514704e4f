package kinds

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

const llmName = "llm"

// llmWith is the JSON Schema of `with` of an llm step.
const llmWith = `{
  "type": "object", "additionalProperties": false, "required": ["model", "prompt"],
  "properties": {
    "model": {"type": "string", "minLength": 1, "description": "an alias from the server's config"},
    "prompt": {"type": "string", "minLength": 1, "description": "what to do; expressions become named values"},
    "system": {"type": "string", "description": "stands before the prompt"},
    "output": {"type": "object", "description": "JSON Schema of the answer; without it the output is {text}"},
    "max_tokens": {"type": "integer", "minimum": 1, "maximum": 1000000},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2}
  }
}`

// textOutput is what a step returns whose author gave no schema.
const textOutput = `{"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string"}}}`

// llmKind is a model call. It is no effect in the sense of definitions: nothing
// but a model is asked, and what it says is labelled so.
func llmKind(check func(map[string]any) []workflow.Problem) *workflow.Kind {
	return &workflow.Kind{
		Name: llmName, Version: "1", Model: true, Intent: true, Origins: security.Model,
		With: json.RawMessage(llmWith), Check: check,
		Templates: []string{"prompt", "system"},
		Literals:  []string{"model", "output"},
		Output:    declaredOutput(textOutput),
	}
}

// servable finds what the server's models cannot do for a step: an alias that is
// not there, or an option that its model has no place for. What an expression
// gives is seen when the step runs, before anything leaves.
func servable(models *model.Models) func(map[string]any) []workflow.Problem {
	known := oneOf("model", models.Aliases())
	return func(with map[string]any) []workflow.Problem {
		if problems := known(with); len(problems) > 0 {
			return problems
		}
		alias, _ := with["model"].(string)
		var p model.Prompt
		if t, err := number(with["temperature"]); err == nil {
			p.Temperature = &t
		}
		if schema, ok := with["output"]; ok {
			p.Schema, _ = schemaText(schema) // one that cannot be written is another fault
		}
		var out []workflow.Problem
		for _, r := range models.Refuses(alias, p) {
			out = append(out, workflow.Problem{
				Pointer: "/" + r.Option, Code: "cannot_carry",
				Message: fmt.Sprintf("the model %q cannot carry %s: %s", alias, r.Option, r.Detail), Remedy: r.Remedy,
			})
		}
		return out
	}
}

// declaredOutput is the schema that the author wrote under `output`, or ours.
func declaredOutput(otherwise string) func(map[string]any) (json.RawMessage, error) {
	return func(with map[string]any) (json.RawMessage, error) {
		schema, ok := with["output"]
		if !ok {
			return json.RawMessage(otherwise), nil
		}
		return schemaText(schema)
	}
}

type llmRunner struct{ models *model.Models }

// Run asks the model once.
func (r llmRunner) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	s := statementOf(call.Input)
	p := model.Prompt{System: s.system(call.Feedback, call.Canary), User: s.user(), Key: call.ID.Key, Call: call.ID.Call}
	if n, ok := call.Input.Value("max_tokens"); ok {
		limit, whole := n.(int64)
		if !whole || limit < 1 {
			return steps.Draft{}, invalid("max_tokens must be a whole number of at least 1")
		}
		p.MaxTokens = int(limit)
	}
	if t, ok := call.Input.Value("temperature"); ok {
		warm, err := number(t)
		if err != nil {
			return steps.Draft{}, invalid("temperature must be a number")
		}
		p.Temperature = &warm
	}
	schema, structured := call.Input.Value("output")
	if structured {
		raw, err := schemaText(schema)
		if err != nil {
			return steps.Draft{}, invalid("the output's schema cannot be written as JSON")
		}
		p.Schema = raw
	}
	answer, err := r.models.Generate(ctx, call.Input.String("model"), p)
	if err != nil {
		return steps.Draft{}, failure(err)
	}
	use := steps.Use{Model: &answer.Model, Status: answer.Status, Bytes: answer.Bytes}
	if !structured {
		return steps.NewDraft(map[string]any{"text": answer.Text}, use), nil
	}
	value, err := decode([]byte(answer.Text))
	if err != nil {
		return steps.Draft{}, &steps.Error{
			Code: steps.CodeMalformed, Detail: "the answer is not the JSON that was asked for",
			Retry: true, Use: use, Status: answer.Status, Err: err,
		}
	}
	return steps.NewDraft(value, use), nil
}

func number(v any) (float64, error) {
	switch v := v.(type) {
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return 0, errNotJSON
}
