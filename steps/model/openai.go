package model

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/custodyhq/custody/security/audit"
)

// openaiDialect is the chat completions API of OpenAI, and of everybody who
// offers the same.
func openaiDialect() dialect {
	return dialect{
		settings: []string{"model", "base_url", "api_key", "max_tokens", "legacy_max_tokens", "no_temperature"},
		refuses:  refusesNothing,
		ask:      askOpenAI,
		header:   bearer,
		body:     openaiBody,
		read:     readOpenAI,
		plain:    openaiPlain,
		code:     providerCode,
		advice:   wrongName,
		list:     func(c client) string { return c.BaseURL + "/models" },
		listless: true,
	}
}

// wrongName is the advice for a 404 where models are found by their name.
func wrongName(status int, _ string) string {
	if status == http.StatusNotFound {
		return "check model and base_url in the server's config"
	}
	return ""
}

func askOpenAI(ctx context.Context, c client, p Prompt, w *wire) (string, error) {
	llm, err := openai.New(openai.WithToken(token(c)), openai.WithModel(c.Model.Model),
		openai.WithBaseURL(c.BaseURL), openai.WithOrganization(""), openai.WithHTTPClient(w))
	if err != nil {
		return "", err
	}
	return content(llm.GenerateContent(ctx, messages(p), llms.WithModel(c.Model.Model)))
}

// token is never sent: the wire writes the headers. The library insists on one.
func token(c client) string {
	if c.key == "" {
		return "none"
	}
	return c.key
}

// messages are the statement and the data, in langchaingo's words.
func messages(p Prompt) []llms.MessageContent {
	return []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, p.System),
		llms.TextParts(llms.ChatMessageTypeHuman, p.user()),
	}
}

// content is the text of langchaingo's answer.
func content(res *llms.ContentResponse, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if len(res.Choices) != 1 {
		return "", errors.New("not exactly one choice")
	}
	return res.Choices[0].Content, nil
}

// openaiBody writes the messages, the schema, the temperature and the limit as
// we mean them: langchaingo would merge the statement into the data for some
// model names, reorder the schema, and always send a temperature.
func openaiBody(c client, p Prompt) map[string]any {
	set := map[string]any{"messages": []message{{"system", p.System}, {"user", p.user()}}}
	if p.Temperature != nil {
		set["temperature"] = *p.Temperature
	}
	if limit := c.limit(p); limit > 0 && c.LegacyMaxTokens {
		set["max_tokens"] = limit
	} else if limit > 0 {
		set["max_completion_tokens"] = limit
	}
	if len(p.Schema) > 0 {
		set["response_format"] = formatOf(p)
	}
	return set
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type format struct {
	Type   string       `json:"type"`
	Schema formatSchema `json:"json_schema"`
}

type formatSchema struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

// formatOf asks for strict output where the schema is one that strict servers
// accept; they refuse the request otherwise.
func formatOf(p Prompt) format {
	return format{"json_schema", formatSchema{p.schemaName(), strict(p.Schema), p.Schema}}
}

// strictKeywords are those that strict servers take.
var strictKeywords = []string{
	"$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "exclusiveMaximum",
	"exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum", "multipleOf",
	"pattern", "properties", "required", "title", "type",
}

// strict reports whether every object in the schema closes its members and
// requires them all, and no keyword is used that strict servers refuse.
func strict(schema json.RawMessage) bool {
	var v any
	return json.Unmarshal(schema, &v) == nil && closed(v, true) && foreign(v, strictKeywords) == ""
}

// closed reports whether every object in the schema says which members it has
// and allows no others; and requires them, where all are wanted.
func closed(v any, all bool) bool {
	switch v := v.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !closed(e, all) })
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok || v["type"] == "object" {
			required, _ := v["required"].([]any)
			if v["additionalProperties"] != false || all && len(required) != len(props) {
				return false
			}
		}
		for _, e := range v {
			if !closed(e, all) {
				return false
			}
		}
	}
	return true
}

// openaiPlain is a chat completion.
func openaiPlain(text string) ([]byte, error) {
	type choice struct {
		Message message `json:"message"`
		Finish  string  `json:"finish_reason"`
	}
	return json.Marshal(map[string]any{"choices": []choice{{message{"assistant", text}, "stop"}}})
}

// readOpenAI reads a chat completion and doubts everything: exactly one choice,
// no refusal, a finish reason that says "stop", and a text.
func readOpenAI(_ client, _ Prompt, raw []byte, m *audit.Model) (string, *Error) {
	top, e := object(raw)
	if e != nil {
		return "", e
	}
	m.ID, m.ResponseModel = word(top["id"]), word(top["model"])
	readUsage(top["usage"], "prompt_tokens", "completion_tokens", m)
	if !absent(top["error"]) {
		return "", malformed("an error under status 200")
	}
	var choices []json.RawMessage
	if json.Unmarshal(top["choices"], &choices) != nil {
		return "", malformed("no list of choices")
	}
	if len(choices) != 1 {
		return "", malformed("not exactly one choice")
	}
	choice, err := members(choices[0])
	if err != nil {
		return "", malformed("the choice is not an object without doubled names")
	}
	m.Finish = word(choice["finish_reason"])
	return readMessage(choice, m.Finish)
}

func readMessage(choice map[string]json.RawMessage, finish string) (string, *Error) {
	msg, err := members(choice["message"])
	if err != nil {
		return "", malformed("the message is not an object without doubled names")
	}
	if !absent(msg["refusal"]) {
		return "", declined()
	}
	switch finish {
	case "stop":
	case "length":
		return "", cutShort()
	case "content_filter":
		return "", &Error{Code: CodeRefused, Detail: "the provider filtered the answer"}
	case "tool_calls", "function_call":
		return "", toolCall()
	default:
		return "", endless()
	}
	if !absent(msg["tool_calls"]) || !absent(msg["function_call"]) {
		return "", toolCall()
	}
	return wholeText(msg["content"])
}
