package model

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"

	"github.com/custodyhq/custody/security/audit"
)

const (
	anthropicBase    = "https://api.anthropic.com/v1"
	anthropicVersion = "2023-06-01"
	// anthropicTokens is sent where nobody says a limit, because the provider
	// insists on one. What is cut there is an error and never an answer.
	anthropicTokens = 4096
)

// How a Messages API is asked for JSON, as schema_as says it.
const (
	schemaAsTool   = "tool"   // the input of a tool that must be used
	schemaAsFormat = "format" // output_config.format
)

// anthropicDialect is Anthropic's Messages API.
func anthropicDialect() dialect {
	return dialect{
		base: anthropicBase, keyed: true,
		settings: []string{"model", "base_url", "api_key", "max_tokens", "no_temperature", "schema_as"},
		refuses:  anthropicRefuses,
		ask:      askAnthropic,
		header: func(h http.Header, key string) {
			h.Set("Anthropic-Version", anthropicVersion)
			if key != "" {
				h.Set("X-Api-Key", key)
			}
		},
		body:     anthropicBody,
		read:     readAnthropic,
		plain:    anthropicPlain,
		code:     providerCode,
		advice:   wrongName,
		list:     func(c client) string { return c.BaseURL + "/models/" + url.PathEscape(c.Model.Model) },
		listless: true,
	}
}

// formatKeywords are those that output_config.format takes.
var formatKeywords = []string{
	"$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "format", "items",
	"properties", "required", "title", "type",
}

func anthropicRefuses(m Model, p Prompt) []Refusal {
	var out []Refusal
	if t := p.Temperature; t != nil && *t > 1 {
		out = append(out, Refusal{"temperature", "anthropic takes a temperature from 0 to 1", "write at most 1"})
	}
	if len(p.Schema) == 0 {
		return out
	}
	if !isObject(p.Schema) {
		return append(out, Refusal{
			"output", "anthropic carries JSON answers as objects only",
			"write type: object, and put the value into one of its properties",
		})
	}
	var schema any
	if m.SchemaAs != schemaAsFormat || json.Unmarshal(p.Schema, &schema) != nil {
		return out
	}
	if !closed(schema, false) {
		out = append(out, Refusal{
			"output", "with schema_as: format every object in the schema must say which members it has",
			"write additionalProperties: false into each, or use a model with schema_as: tool",
		})
	}
	if name := foreign(schema, formatKeywords); name != "" {
		out = append(out, Refusal{
			"output", "with schema_as: format the keyword " + name + " cannot be carried",
			"leave it out, or use a model with schema_as: tool",
		})
	}
	return out
}

func askAnthropic(ctx context.Context, c client, p Prompt, w *wire) (string, error) {
	llm, err := anthropic.New(anthropic.WithToken(token(c)), anthropic.WithModel(c.Model.Model),
		anthropic.WithBaseURL(c.BaseURL), anthropic.WithHTTPClient(w))
	if err != nil {
		return "", err
	}
	return content(llm.GenerateContent(ctx, messages(p), llms.WithModel(c.Model.Model)))
}

// anthropicBody puts the statement into the system part and the data into the
// one message. JSON is asked for as the input of a tool that must be used, or as
// a format: langchaingo can say neither.
func anthropicBody(c client, p Prompt) map[string]any {
	set := map[string]any{
		"system": p.System, "messages": []message{{"user", p.user()}},
		"max_tokens": anthropicTokens,
	}
	if limit := c.limit(p); limit > 0 {
		set["max_tokens"] = limit
	}
	if p.Temperature != nil {
		set["temperature"] = *p.Temperature
	}
	switch {
	case len(p.Schema) == 0:
	case c.SchemaAs == schemaAsFormat:
		set["output_config"] = map[string]any{"format": anthropicFormat{"json_schema", p.Schema}}
	default:
		set["tools"] = []anthropicTool{{p.schemaName(), "Takes your answer. Call it once, with the whole answer.", p.Schema}}
		set["tool_choice"] = anthropicChoice{"tool", p.schemaName(), true}
	}
	return set
}

type anthropicFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

type anthropicTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"input_schema"`
}

type anthropicChoice struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Alone bool   `json:"disable_parallel_tool_use"`
}

// anthropicPlain is a message of one block of text.
func anthropicPlain(text string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"type": "message", "role": "assistant", "stop_reason": "end_turn",
		"content": []map[string]string{{"type": "text", "text": text}},
	})
}

// readAnthropic reads a message: a stop reason that says that the turn ended,
// then its blocks in their order.
func readAnthropic(c client, p Prompt, raw []byte, m *audit.Model) (string, *Error) {
	top, e := object(raw)
	if e != nil {
		return "", e
	}
	m.ID, m.ResponseModel, m.Finish = word(top["id"]), word(top["model"]), word(top["stop_reason"])
	readAnthropicUsage(top["usage"], m)
	if !absent(top["error"]) {
		return "", malformed("an error under status 200")
	}
	if word(top["type"]) != "message" {
		return "", malformed("the reply is not a message")
	}
	tool := ""
	if len(p.Schema) > 0 && c.SchemaAs != schemaAsFormat {
		tool = p.schemaName()
	}
	if e := anthropicStopped(m.Finish, tool != ""); e != nil {
		return "", e
	}
	var blocks []json.RawMessage
	if json.Unmarshal(top["content"], &blocks) != nil {
		return "", malformed("no list of blocks")
	}
	said, inputs, e := readBlocks(blocks, tool)
	switch {
	case e != nil:
		return "", e
	case tool == "" && said == "":
		return "", malformed("an empty answer")
	case tool == "":
		return said, nil
	case len(inputs) != 1:
		return "", malformed("not exactly one answer")
	case strings.TrimSpace(said) != "":
		return "", malformed("a text beside the answer")
	}
	return inputs[0], nil
}

// anthropicStopped judges the stop reason.
func anthropicStopped(reason string, tool bool) *Error {
	switch reason {
	case "end_turn":
		if tool {
			return malformed("the answer is not in the form that was asked for")
		}
	case "tool_use":
		if !tool {
			return toolCall()
		}
	case "max_tokens":
		return cutShort()
	case "model_context_window_exceeded":
		return &Error{Code: CodeUnfinished, Detail: "the prompt and the answer are longer than the model's context"}
	case "refusal":
		return declined()
	case "pause_turn":
		return &Error{Code: CodeUnfinished, Detail: "the provider paused in the middle of the answer", Retry: true}
	default: // null, a stop sequence that nobody sent, or one of tomorrow
		return endless()
	}
	return nil
}

// readBlocks joins the texts, and collects what was put into the tool. Thinking
// is left out, as it is with every provider.
func readBlocks(blocks []json.RawMessage, tool string) (said string, inputs []string, e *Error) {
	var texts strings.Builder
	for _, raw := range blocks {
		block, err := members(raw)
		if err != nil {
			return "", nil, malformed("a block is not an object without doubled names")
		}
		switch word(block["type"]) {
		case "text":
			var s *string
			if json.Unmarshal(block["text"], &s) != nil || s == nil {
				return "", nil, malformed("the content is not a text")
			}
			texts.WriteString(*s)
		case "thinking", "redacted_thinking":
		case "tool_use":
			input := bytes.TrimSpace(block["input"])
			if tool == "" || word(block["name"]) != tool {
				return "", nil, toolCall()
			}
			if len(input) == 0 || input[0] != '{' {
				return "", nil, malformed("the answer is not an object")
			}
			inputs = append(inputs, string(input))
		default:
			return "", nil, malformed("a block of a kind that was not asked for")
		}
	}
	return texts.String(), inputs, nil
}

// readAnthropicUsage counts what was read from a cache or written to one with
// the rest of the input, from which the provider leaves it out.
func readAnthropicUsage(raw json.RawMessage, m *audit.Model) {
	readUsage(raw, "input_tokens", "output_tokens", m)
	usage, err := members(raw)
	if err != nil || !m.UsageKnown {
		return
	}
	for _, name := range []string{"cache_creation_input_tokens", "cache_read_input_tokens"} {
		if absent(usage[name]) {
			continue
		}
		n, ok := count(usage[name])
		if !ok {
			m.In, m.Out, m.UsageKnown = 0, 0, false // a sum with a hole is no sum
			return
		}
		m.In += n
	}
}
