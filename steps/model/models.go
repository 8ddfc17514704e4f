package model

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config names the models that workflows may use.
type Config struct {
	Models map[string]Model // by alias
	// Transport carries the requests; nil means a pool of our own for
	// Connections of them at once to each host. Tests set it.
	Transport   http.RoundTripper
	Connections int // kept open to each host; 0 means 5,000
	// Offline says how the models of provider "offline" behave.
	Offline OfflineConfig
	Now     func() time.Time // nil means time.Now
}

// A Model is one model behind an alias. Which settings a provider has a place
// for is in docs/models.md; New refuses the others.
type Model struct {
	Provider string `yaml:"provider" json:"provider"` // one of Providers
	Model    string `yaml:"model" json:"model"`       // the provider's name for it
	// BaseURL is what the API's paths are added to: for openai and anthropic up
	// to and with /v1, for ollama without a path. Empty means the provider's own
	// address, where it has one.
	BaseURL string `yaml:"base_url" json:"base_url"`
	APIKey  string `yaml:"api_key" json:"api_key"` // env:NAME or file:PATH; empty for a server without keys
	// MaxTokens limits answers of steps that do not say a limit themselves; 0
	// means the provider's own limit.
	MaxTokens int `yaml:"max_tokens" json:"max_tokens"`
	// ContextTokens is the size of the context that the model is loaded with.
	ContextTokens int `yaml:"context_tokens" json:"context_tokens"`
	// SchemaAs says how JSON is asked for: tool (the default) or format.
	SchemaAs string `yaml:"schema_as" json:"schema_as"`
	// LegacyMaxTokens sends max_tokens instead of max_completion_tokens, for
	// servers that do not know the newer name and would run to their own limit.
	LegacyMaxTokens bool `yaml:"legacy_max_tokens" json:"legacy_max_tokens"`
	// NoTemperature is for models that refuse prompts which say a temperature:
	// steps that do are refused, and a judge asks without.
	NoTemperature bool `yaml:"no_temperature" json:"no_temperature"`
	// PriceIn and PriceOut are in millionths of a US dollar per million tokens;
	// 0 means that the cost is not counted.
	PriceIn  int64 `yaml:"price_in" json:"price_in"`
	PriceOut int64 `yaml:"price_out" json:"price_out"`
}

// A SettingError says which setting of which model is wrong. It never repeats
// the setting's value.
type SettingError struct {
	Alias  string // of the model
	Field  string // as it is written in the configuration file
	Detail string // what is wrong and what to write
}

// Error is the path of the setting and the detail.
func (e *SettingError) Error() string { return "models." + e.Alias + "." + e.Field + ": " + e.Detail }

// CheckModels holds models, by alias, against what their providers can carry. An
// error is a *SettingError, of the first alias in the order of the alphabet. It
// reads no secret.
func CheckModels(models map[string]Model) error {
	for _, alias := range slices.Sorted(maps.Keys(models)) {
		if field, detail := models[alias].fault(); field != "" {
			return &SettingError{Alias: alias, Field: field, Detail: detail}
		}
	}
	return nil
}

func (c Config) validate() error {
	if c.Connections < 0 {
		return fmt.Errorf("model config: Connections is %d, and must not be negative", c.Connections)
	}
	return CheckModels(c.Models)
}

// written lists the settings that say something, besides provider and prices,
// which every provider has.
func (m Model) written() []string {
	var out []string
	for _, s := range []struct {
		name string
		says bool
	}{
		{"model", m.Model != ""},
		{"base_url", m.BaseURL != ""},
		{"api_key", m.APIKey != ""},
		{"max_tokens", m.MaxTokens != 0},
		{"context_tokens", m.ContextTokens != 0},
		{"schema_as", m.SchemaAs != ""},
		{"legacy_max_tokens", m.LegacyMaxTokens},
		{"no_temperature", m.NoTemperature},
	} {
		if s.says {
			out = append(out, s.name)
		}
	}
	return out
}

// fault is the first setting that is wrong, and why; "" if there is none.
func (m Model) fault() (field, detail string) {
	d, ok := dialects()[m.Provider]
	if !ok {
		return "provider", "must be one of: " + join(Providers())
	}
	for _, name := range m.written() {
		if !slices.Contains(d.settings, name) {
			return name, "provider " + m.Provider + " has no place for it: leave it out (it takes " + join(d.settings) + ")"
		}
	}
	if field, detail := m.missing(d); field != "" {
		return field, detail
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"max_tokens", int64(m.MaxTokens)},
		{"context_tokens", int64(m.ContextTokens)},
		{"price_in", m.PriceIn},
		{"price_out", m.PriceOut},
	} {
		if n.value < 0 {
			return n.name, "must not be negative"
		}
	}
	if m.SchemaAs != "" && m.SchemaAs != schemaAsTool && m.SchemaAs != schemaAsFormat {
		return "schema_as", "must be tool or format"
	}
	return m.address()
}

// missing is a setting that the provider cannot do without.
func (m Model) missing(d dialect) (field, detail string) {
	takes := func(name string) bool { return slices.Contains(d.settings, name) }
	switch {
	case takes("model") && m.Model == "":
		return "model", "missing; write the provider's name of the model"
	case takes("base_url") && m.BaseURL == "" && d.base == "":
		return "base_url", "missing; write the server's address, such as https://host/v1"
	case d.keyed && m.BaseURL == "" && m.APIKey == "":
		return "api_key", "missing; write env:NAME or file:PATH (only a server of your own, named by base_url, may do without)"
	}
	return "", ""
}

// address is what is wrong with base_url.
func (m Model) address() (field, detail string) {
	if m.BaseURL == "" {
		return "", ""
	}
	if err := CheckBaseURL(m.BaseURL); err != nil {
		return "base_url", strings.TrimPrefix(err.Error(), "base_url: ")
	}
	if path := strings.TrimRight(m.BaseURL, "/"); m.Provider == Ollama {
		switch {
		case strings.HasSuffix(path, "/v1"):
			return "base_url", "leave out /v1: that is the side of Ollama for provider openai"
		case strings.HasSuffix(path, "/api"):
			return "base_url", "leave out /api: it is added"
		}
	}
	return "", ""
}

// CheckBaseURL reports whether requests may be built on the address: http or
// https, a host, and nothing that could carry a secret or be cut off.
func CheckBaseURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("base_url: not a URL") // the parser's message would repeat it
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Opaque != "":
		return errors.New("base_url: must be an http or https address such as https://host/v1")
	case u.User != nil:
		return errors.New("base_url: must not hold a user or a password; use a secret reference")
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return errors.New("base_url: must not hold a query or a fragment")
	}
	return nil
}

// Models asks models by alias. It never changes and is safe for concurrent use.
type Models struct {
	clients map[string]client
	pool    http.RoundTripper
	now     func() time.Time
}

// New checks the config and reads the keys. It opens no connection.
func New(c Config) (*Models, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	pool := c.Transport
	if pool == nil {
		pool = newPool(c.Connections)
	}
	m := &Models{clients: make(map[string]client, len(c.Models)), pool: pool, now: c.Now}
	inside := handlerTransport{OfflineHandler(c.Offline)}
	for alias, one := range c.Models {
		cl := client{Model: one, rt: pool, dialect: dialects()[one.Provider]}
		if one.Provider == Offline {
			cl.rt, cl.Model.Model = inside, OfflineName
		}
		cl.BaseURL = strings.TrimRight(cmp.Or(one.BaseURL, cl.dialect.base), "/")
		if one.APIKey != "" {
			key, err := Secret(one.APIKey)
			if err != nil {
				return nil, fmt.Errorf("models.%s.api_key: %w", alias, err)
			}
			cl.key = key
		}
		m.clients[alias] = cl
	}
	return m, nil
}

func newPool(connections int) *http.Transport {
	if connections == 0 {
		connections = 5000
	}
	t := NewTransport(connections, 20*time.Second)
	t.Proxy = http.ProxyFromEnvironment
	return t
}

// Has reports whether the alias is configured.
func (m *Models) Has(alias string) bool {
	if m == nil {
		return false
	}
	_, ok := m.clients[alias]
	return ok
}

// Aliases lists the models, sorted.
func (m *Models) Aliases() []string {
	if m == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m.clients))
}

// Close drops idle connections.
func (m *Models) Close() {
	if p, ok := m.pool.(interface{ CloseIdleConnections() }); ok {
		p.CloseIdleConnections()
	}
}
