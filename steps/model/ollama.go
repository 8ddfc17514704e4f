package model

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/ollama"

	"github.com/custodyhq/custody/security/audit"
)

const ollamaBase = "http://127.0.0.1:11434"

// The codes of an Ollama server's errors, which has none of its own: it answers
// with a sentence, of which nothing but this is kept.
const (
	ollamaNoModel = "model_not_found"
	ollamaTooLong = "context_exceeded"
)

// ollamaDialect is Ollama's own API. Its OpenAI-compatible side is the provider
// openai.
func ollamaDialect() dialect {
	return dialect{
		base:     ollamaBase,
		settings: []string{"model", "base_url", "api_key", "max_tokens", "context_tokens"},
		refuses:  refusesNothing,
		ask:      askOllama,
		header:   bearer,
		body:     ollamaBody,
		read:     readOllama,
		plain:    ollamaPlain,
		code:     ollamaCode,
		advice:   ollamaAdvice,
		list:     func(c client) string { return c.BaseURL + "/api/tags" },
		listed:   ollamaListed,
	}
}

func askOllama(ctx context.Context, c client, p Prompt, w *wire) (string, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil {
		return "", err
	}
	llm, err := ollama.New(ollama.WithModel(c.Model.Model), ollama.WithServerURL(base.String()),
		ollama.WithHTTPClient(&http.Client{Transport: w}))
	if err != nil {
		return "", err
	}
	return content(llm.GenerateContent(ctx, messages(p), llms.WithModel(c.Model.Model)))
}

// ollamaBody says three things that langchaingo leaves to the server's defaults:
// no stream, and neither a prompt nor an answer that silently loses its
// beginning when it is longer than the context.
func ollamaBody(c client, p Prompt) map[string]any {
	set := map[string]any{
		"messages": []message{{"system", p.System}, {"user", p.user()}},
		"stream":   false, "truncate": false, "shift": false,
	}
	options := map[string]any{}
	if p.Temperature != nil {
		options["temperature"] = *p.Temperature
	}
	if limit := c.limit(p); limit > 0 {
		options["num_predict"] = limit
	}
	if c.ContextTokens > 0 {
		options["num_ctx"] = c.ContextTokens
	}
	if len(options) > 0 {
		set["options"] = options
	}
	if len(p.Schema) > 0 {
		set["format"] = p.Schema
	}
	return set
}

// ollamaPiece is how much of an answer stands in one line: langchaingo gives up
// silently at 512,000 bytes, and an escaped byte takes six.
const ollamaPiece = 32 << 10

// ollamaPlain is an answer in pieces of a length that langchaingo can read.
func ollamaPlain(text string) ([]byte, error) {
	type line struct {
		Message message `json:"message"`
		Done    bool    `json:"done"`
	}
	var out bytes.Buffer
	for {
		piece := text
		if len(piece) > ollamaPiece {
			end := ollamaPiece
			for !utf8.RuneStart(text[end]) {
				end--
			}
			piece = text[:end]
		}
		text = text[len(piece):]
		raw, err := json.Marshal(line{message{"assistant", piece}, text == ""})
		if err != nil {
			return nil, err
		}
		out.Write(append(raw, '\n'))
		if text == "" {
			return out.Bytes(), nil
		}
	}
}

// readOllama reads a chat reply: one object, done, for a reason that says so.
func readOllama(c client, _ Prompt, raw []byte, m *audit.Model) (string, *Error) {
	top, e := object(raw)
	if e != nil {
		return "", e
	}
	m.ResponseModel, m.Finish = word(top["model"]), word(top["done_reason"])
	readUsage(raw, "prompt_eval_count", "eval_count", m)
	if !absent(top["error"]) {
		return "", malformed("an error under status 200")
	}
	if string(top["done"]) != "true" {
		return "", endless()
	}
	switch m.Finish {
	case "stop":
	case "length":
		return "", cutShort()
	default: // none, or "load": the server did nothing but load the model
		return "", endless()
	}
	if c.ContextTokens > 0 && m.UsageKnown && m.In >= int64(c.ContextTokens) {
		return "", &Error{Code: CodeUnfinished, Detail: "the prompt fills the model's context, so its beginning may be lost; raise context_tokens"}
	}
	msg, err := members(top["message"])
	if err != nil {
		return "", malformed("the message is not an object without doubled names")
	}
	if !absent(msg["tool_calls"]) {
		return "", toolCall()
	}
	return wholeText(msg["content"])
}

// ollamaCode finds one of our words for the sentence in an error reply. The
// sentence itself stays behind: it may repeat the prompt.
func ollamaCode(raw []byte) string {
	top, err := members(raw)
	if err != nil {
		return ""
	}
	var sentence string
	if json.Unmarshal(top["error"], &sentence) != nil {
		return ""
	}
	sentence = strings.ToLower(sentence)
	switch {
	case strings.Contains(sentence, "model") && strings.Contains(sentence, "not found"):
		return ollamaNoModel
	case strings.Contains(sentence, "context") && (strings.Contains(sentence, "exceed") || strings.Contains(sentence, "length")):
		return ollamaTooLong
	}
	return ""
}

func ollamaAdvice(status int, code string) string {
	switch {
	case code == ollamaNoModel:
		return "fetch the model there with ollama pull, or check model in the server's config"
	case code == ollamaTooLong:
		return "the prompt is longer than the model's context: raise context_tokens in the server's config"
	case status == http.StatusNotFound:
		return "check base_url in the server's config: it is the address without a path, such as " + ollamaBase
	}
	return ""
}

// ollamaListed looks for the model: a name without a tag means its latest.
func ollamaListed(c client, raw []byte) *Error {
	var list struct {
		Models []struct{ Name, Model string }
	}
	if json.Unmarshal(raw, &list) != nil {
		return unreadable("the list of models cannot be read")
	}
	for _, m := range list.Models {
		for _, name := range []string{m.Name, m.Model} {
			if name != "" && (name == c.Model.Model || name == c.Model.Model+":latest") {
				return nil
			}
		}
	}
	return &Error{Code: CodeInvalid, Detail: "the server does not have this model; " + ollamaAdvice(0, ollamaNoModel), Status: http.StatusOK}
}
