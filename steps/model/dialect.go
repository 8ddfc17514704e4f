package model

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/audit"
)

// The providers.
const (
	Anthropic = "anthropic"
	Offline   = "offline"
	Ollama    = "ollama"
	OpenAI    = "openai"
)

// A dialect is how one provider is spoken to: which settings it has a place for,
// what it is sent, and how its reply is read. Everything that differs between
// providers stands here; everything that must not differ stands in wire.
type dialect struct {
	base     string   // the address if base_url is empty; "" means that it must be written
	keyed    bool     // that address wants a key
	settings []string // settings that it has a place for, besides provider and prices

	// refuses lists what this model cannot carry of a prompt.
	refuses func(m Model, p Prompt) []Refusal
	// ask is the whole of what we use langchaingo for.
	ask func(ctx context.Context, c client, p Prompt, w *wire) (string, error)
	// header adds what proves who asks.
	header func(h http.Header, key string)
	// body is the request. Of what langchaingo wrote nothing but the model's
	// name is left: it adds what nobody asked for and drops what was.
	body func(c client, p Prompt) map[string]any
	// read is the answer in a reply with status 200. It fills in first what the
	// ledger keeps: an answer that cannot be used was paid all the same.
	read func(c client, p Prompt, raw []byte, m *audit.Model) (string, *Error)
	// plain is an answer as a reply that langchaingo reads without loss.
	plain func(text string) ([]byte, error)
	// code is the machine-readable part of an error reply, or empty.
	code func(raw []byte) string
	// advice is what to do about a status, or empty.
	advice func(status int, code string) string
	// list is where the provider says which models it has. A server without such
	// a list is none the worse if it is listless. listed, if not nil, looks for
	// the model in the list.
	list     func(c client) string
	listless bool
	listed   func(c client, raw []byte) *Error
}

// dialects are all providers, by name.
func dialects() map[string]dialect {
	return map[string]dialect{
		Anthropic: anthropicDialect(),
		Offline:   offlineDialect(),
		Ollama:    ollamaDialect(),
		OpenAI:    openaiDialect(),
	}
}

// Providers lists the names of the providers, sorted.
func Providers() []string { return slices.Sorted(maps.Keys(dialects())) }

// A Refusal is one option of a prompt that a model cannot carry.
type Refusal struct {
	Option string // max_tokens, output or temperature
	Detail string // why not
	Remedy string // what to write instead
}

// Refuses lists the options that the model behind the alias has no place for.
// They would be dropped silently or refused by its provider when it is too late;
// so definitions are checked with it when they are loaded, and prompts before
// they leave. An unknown alias refuses nothing: that is another fault.
func (m *Models) Refuses(alias string, p Prompt) []Refusal {
	if !m.Has(alias) {
		return nil
	}
	c := m.clients[alias]
	var out []Refusal
	if p.Temperature != nil && c.NoTemperature {
		out = append(out, Refusal{
			"temperature", "the server's config says no_temperature of this model",
			"leave it out, or use another model",
		})
	}
	return append(out, c.dialect.refuses(c.Model, p)...)
}

// TakesTemperature reports whether prompts to the alias may say a temperature.
func (m *Models) TakesTemperature(alias string) bool {
	return m.Has(alias) && !m.clients[alias].NoTemperature
}

func refusesNothing(Model, Prompt) []Refusal { return nil }

// isObject reports whether a schema asks for an object and nothing else.
func isObject(schema json.RawMessage) bool {
	var root struct{ Type any }
	return json.Unmarshal(schema, &root) == nil && root.Type == "object"
}

// foreign is the first keyword in a schema that is not one of those that are
// known, or that stands with a value it must not have; "" if there is none.
func foreign(schema any, known []string) string {
	switch v := schema.(type) {
	case []any:
		for _, e := range v {
			if name := foreign(e, known); name != "" {
				return name
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains(known, name) {
				return name
			}
			if name := foreignInside(name, v[name], known); name != "" {
				return name
			}
		}
	}
	return ""
}

// foreignInside goes into those keywords whose values are schemas.
func foreignInside(keyword string, value any, known []string) string {
	switch keyword {
	case "properties", "$defs", "definitions":
		named, _ := value.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if found := foreign(named[name], known); found != "" {
				return found
			}
		}
	case "items", "anyOf", "oneOf", "allOf":
		return foreign(value, known)
	}
	return ""
}

// bearer is the header of most providers.
func bearer(h http.Header, key string) {
	if key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
}

// join lists names for people.
func join(names []string) string { return strings.Join(names, ", ") }
