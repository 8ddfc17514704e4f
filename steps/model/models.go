package model

import (
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

// A Model is one model behind an alias.
type Model struct {
	Provider string `yaml:"provider" json:"provider"` // openai (any compatible endpoint) or offline
	Model    string `yaml:"model" json:"model"`       // the provider's name for it
	BaseURL  string `yaml:"base_url" json:"base_url"` // up to and with /v1
	APIKey   string `yaml:"api_key" json:"api_key"`   // env:NAME or file:PATH; empty for a server without keys
	// LegacyMaxTokens sends max_tokens instead of max_completion_tokens, for
	// servers that do not know the newer name and would run to their own limit.
	LegacyMaxTokens bool `yaml:"legacy_max_tokens" json:"legacy_max_tokens"`
	// PriceIn and PriceOut are in millionths of a US dollar per million tokens;
	// 0 means that the cost is not counted.
	PriceIn  int64 `yaml:"price_in" json:"price_in"`
	PriceOut int64 `yaml:"price_out" json:"price_out"`
}

// The providers.
const (
	OpenAI  = "openai"
	Offline = "offline"
)

func (c Config) validate() error {
	if c.Connections < 0 {
		return fmt.Errorf("model config: Connections is %d, and must not be negative", c.Connections)
	}
	for _, alias := range slices.Sorted(maps.Keys(c.Models)) {
		if err := c.Models[alias].validate(); err != nil {
			return fmt.Errorf("models.%s.%w", alias, err)
		}
	}
	return nil
}

func (m Model) validate() error {
	if m.PriceIn < 0 || m.PriceOut < 0 {
		return errors.New("price_in: prices must not be negative")
	}
	switch m.Provider {
	case Offline:
		return nil
	case OpenAI:
	default:
		return errors.New("provider: must be openai (any compatible endpoint) or offline")
	}
	if m.Model == "" {
		return errors.New("model: missing; write the provider's name of the model")
	}
	return CheckBaseURL(m.BaseURL)
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

// A client is a Model, ready to use.
type client struct {
	Model
	key string
	rt  http.RoundTripper
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
		cl := client{Model: one, rt: pool}
		if one.Provider == Offline {
			cl.rt, cl.BaseURL, cl.Model.Model = inside, "http://offline.invalid/v1", OfflineName
			m.clients[alias] = cl
			continue
		}
		cl.BaseURL = strings.TrimRight(one.BaseURL, "/")
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
