package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/custodyhq/custody/steps/model"
)

// least is the shortest configuration that a provider accepts.
func least(provider string) model.Model {
	switch provider {
	case model.Offline:
		return model.Model{Provider: provider}
	case model.Ollama:
		return model.Model{Provider: provider, Model: "m"}
	}
	return model.Model{Provider: provider, Model: "m", BaseURL: "http://127.0.0.1:1/v1"}
}

// The table of docs/models.md: which provider has a place for which setting.
func settings() map[string]struct {
	set func(*model.Model)
	has []string
} {
	type cell = struct {
		set func(*model.Model)
		has []string
	}
	all := model.Providers()
	return map[string]cell{
		"model":             {func(m *model.Model) { m.Model = "m" }, []string{"anthropic", "ollama", "openai"}},
		"base_url":          {func(m *model.Model) { m.BaseURL = "https://host" }, []string{"anthropic", "ollama", "openai"}},
		"api_key":           {func(m *model.Model) { m.APIKey = "env:X" }, []string{"anthropic", "ollama", "openai"}},
		"max_tokens":        {func(m *model.Model) { m.MaxTokens = 9 }, all},
		"context_tokens":    {func(m *model.Model) { m.ContextTokens = 9 }, []string{"ollama"}},
		"schema_as":         {func(m *model.Model) { m.SchemaAs = "format" }, []string{"anthropic"}},
		"legacy_max_tokens": {func(m *model.Model) { m.LegacyMaxTokens = true }, []string{"openai"}},
		"no_temperature":    {func(m *model.Model) { m.NoTemperature = true }, []string{"anthropic", "openai"}},
		"price_in":          {func(m *model.Model) { m.PriceIn = 9 }, all},
		"price_out":         {func(m *model.Model) { m.PriceOut = 9 }, all},
	}
}

func TestEverySettingIsTakenOrRefusedByEveryProvider(t *testing.T) {
	t.Parallel()
	for _, provider := range model.Providers() {
		if err := model.CheckModels(map[string]model.Model{"it": least(provider)}); err != nil {
			t.Errorf("the least that %s needs: %v", provider, err)
		}
		for name, cell := range settings() {
			m := least(provider)
			cell.set(&m)
			err := model.CheckModels(map[string]model.Model{"it": m})
			if slices.Contains(cell.has, provider) {
				if err != nil {
					t.Errorf("%s has a place for %s: %v", provider, name, err)
				}
				continue
			}
			var e *model.SettingError
			if !errors.As(err, &e) || e.Alias != "it" || e.Field != name || !strings.Contains(err.Error(), provider) {
				t.Errorf("%s drops %s: %v", provider, name, err)
			}
		}
	}
}

func TestAWrongSettingIsNamed(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]model.Model{
		"models.it.provider: must be one of: anthropic, offline, ollama, openai": {Provider: "bedrock"},
		"models.it.provider: must be one of: ":                                   {},
		"models.it.model: missing":                                               {Provider: "ollama"},
		"models.it.base_url: missing":                                            {Provider: "openai", Model: "m"},
		"models.it.base_url: must be an http":                                    {Provider: "openai", Model: "m", BaseURL: "host/v1"},
		"models.it.base_url: leave out /v1":                                      {Provider: "ollama", Model: "m", BaseURL: "http://h/v1/"},
		"models.it.base_url: leave out /api":                                     {Provider: "ollama", Model: "m", BaseURL: "http://h/api"},
		"models.it.schema_as: must be tool or format":                            {Provider: "anthropic", Model: "m", BaseURL: "http://h", SchemaAs: "hope"},
		"models.it.max_tokens: must not be negative":                             {Provider: "offline", MaxTokens: -1},
		"models.it.context_tokens: must not be negative":                         {Provider: "ollama", Model: "m", ContextTokens: -1},
		"models.it.price_out: must not be negative":                              {Provider: "offline", PriceOut: -1},
	} {
		if err := model.CheckModels(map[string]model.Model{"it": m}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The options of a step, and what each model makes of them: carried, and then
// to be seen on the wire, or refused before anything leaves.
func TestEveryOptionIsCarriedOrRefusedByEveryProvider(t *testing.T) {
	t.Parallel()
	degrees := func(f float64) func(*model.Prompt) { return func(p *model.Prompt) { p.Temperature = &f } }
	output := func(s string) func(*model.Prompt) { return func(p *model.Prompt) { p.Schema = json.RawMessage(s) } }
	shut := `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`
	format := func(m *model.Model) { m.SchemaAs = "format" }
	cold := func(m *model.Model) { m.NoTemperature = true }
	for name, k := range map[string]struct {
		config   func(*model.Model)
		option   func(*model.Prompt)
		carries  map[string]string // by provider: what is on the wire
		refuses  []string
		location string // of the option in `with`
	}{
		"max_tokens": {nil, func(p *model.Prompt) { p.MaxTokens = 77 }, map[string]string{
			"openai": `"max_completion_tokens":77`, "anthropic": `"max_tokens":77`, "ollama": `"num_predict":77`,
		}, nil, ""},
		"the alias's max_tokens": {func(m *model.Model) { m.MaxTokens = 78 }, func(*model.Prompt) {}, map[string]string{
			"openai": `"max_completion_tokens":78`, "anthropic": `"max_tokens":78`, "ollama": `"num_predict":78`,
		}, nil, ""},
		"the step's before the alias's": {func(m *model.Model) { m.MaxTokens = 78 }, func(p *model.Prompt) { p.MaxTokens = 77 }, map[string]string{
			"openai": `"max_completion_tokens":77`, "anthropic": `"max_tokens":77`, "ollama": `"num_predict":77`,
		}, nil, ""},
		"temperature 0": {nil, degrees(0), map[string]string{
			"openai": `"temperature":0`, "anthropic": `"temperature":0`, "ollama": `"temperature":0`,
		}, nil, ""},
		"temperature 1": {nil, degrees(1), map[string]string{
			"openai": `"temperature":1`, "anthropic": `"temperature":1`, "ollama": `"temperature":1`,
		}, nil, ""},
		"temperature 1.5": {nil, degrees(1.5), map[string]string{
			"openai": `"temperature":1.5`, "ollama": `"temperature":1.5`,
		}, []string{"anthropic"}, "temperature"},
		"a temperature where there is none": {cold, degrees(0), nil, []string{"openai", "anthropic"}, "temperature"},
		"no temperature where there is none": {cold, func(*model.Prompt) {}, map[string]string{
			"openai": `"model"`, "anthropic": `"model"`,
		}, nil, ""},
		"an object": {nil, output(`{"type":"object"}`), map[string]string{
			"openai": `"schema":{"type":"object"}`, "anthropic": `"input_schema":{"type":"object"}`, "ollama": `"format":{"type":"object"}`,
		}, nil, ""},
		"a list": {nil, output(`{"type":"array"}`), map[string]string{
			"openai": `"schema":{"type":"array"}`, "ollama": `"format":{"type":"array"}`,
		}, []string{"anthropic"}, "output"},
		"an object or nothing": {nil, output(`{"type":["object","null"]}`), map[string]string{
			"openai": `"schema":{"type":["object","null"]}`, "ollama": `"format":{"type":["object","null"]}`,
		}, []string{"anthropic"}, "output"},
		"as a format, shut":         {format, output(shut), map[string]string{"anthropic": `"schema":` + shut}, nil, ""},
		"as a format, open":         {format, output(`{"type":"object","properties":{"a":{}}}`), nil, []string{"anthropic"}, "output"},
		"as a format, with a bound": {format, output(strings.Replace(shut, `"string"`, `"string","maxLength":5`, 1)), nil, []string{"anthropic"}, "output"},
		"as a format, a list":       {format, output(`{"type":"array"}`), nil, []string{"anthropic"}, "output"},
		"as a tool, with a bound": {nil, output(strings.Replace(shut, `"string"`, `"string","maxLength":5`, 1)), map[string]string{
			"openai": `"maxLength":5`, "anthropic": `"maxLength":5`, "ollama": `"maxLength":5`,
		}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := prompt()
			k.option(&p)
			for provider, want := range k.carries {
				if left, err := send(t, provider, k.config, p); err != nil || !strings.Contains(left, want) {
					t.Errorf("%s carries it as %s: sent %s, %v", provider, want, left, err)
				}
			}
			for _, provider := range k.refuses {
				left, err := send(t, provider, k.config, p)
				var e *model.Error
				if !errors.As(err, &e) || e.Code != "invalid" || e.Unknown || left != "" || !strings.HasPrefix(e.Detail, k.location+": ") {
					t.Errorf("%s: sent %q, %v", provider, left, err)
				}
			}
		})
	}
}

// send is what leaves for a prompt. The answer does not matter.
func send(t *testing.T, provider string, config func(*model.Model), p model.Prompt) (string, error) {
	t.Helper()
	c := agreementOf(provider)
	body := c.good
	if len(p.Schema) > 0 {
		body = c.goodJSON
	}
	url, got := serve(t, reply(200, body))
	m := c.of(url)
	if config != nil {
		config(&m)
	}
	if m.SchemaAs == "format" {
		url, got = serve(t, reply(200, c.good))
		m.BaseURL = url + c.base
	}
	_, err := one(t, m).Generate(context.Background(), "it", p)
	if len(got()) == 0 {
		return "", err
	}
	return got()[0].body, err
}

// The offline model is no exception: what it takes it obeys, and a temperature
// has nothing to change.
func TestTheOfflineModelObeysItsLimit(t *testing.T) {
	t.Parallel()
	m := one(t, model.Model{Provider: model.Offline})
	p := prompt()
	p.User = `{"value-1":"The supplier delivers on Mondays. The customer pays on Fridays."}`
	warm := 2.0
	p.Temperature = &warm
	whole, err := m.Generate(context.Background(), "it", p)
	if err != nil {
		t.Fatal(err)
	}
	p.MaxTokens = int(whole.Model.Out)
	if a, err := m.Generate(context.Background(), "it", p); err != nil || a.Text != whole.Text {
		t.Errorf("exactly enough: %q, %v", a.Text, err)
	}
	p.MaxTokens--
	_, err = m.Generate(context.Background(), "it", p)
	var e *model.Error
	if !errors.As(err, &e) || e.Code != "unfinished" || e.Model.Finish != "length" || e.Model.Out != int64(p.MaxTokens) {
		t.Errorf("one less: %v", err)
	}
}

func TestRefusesNamesTheOptionAndWhatToDo(t *testing.T) {
	t.Parallel()
	m, err := model.New(model.Config{Models: map[string]model.Model{
		"claude": {Provider: "anthropic", Model: "m", BaseURL: "http://127.0.0.1:1/v1", NoTemperature: true},
		"any":    {Provider: "openai", Model: "m", BaseURL: "http://127.0.0.1:1/v1"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	hot := 1.5
	p := model.Prompt{Temperature: &hot, Schema: json.RawMessage(`{"type":"array"}`)}
	var options []string
	for _, r := range m.Refuses("claude", p) {
		options = append(options, r.Option)
		if r.Detail == "" || r.Remedy == "" {
			t.Errorf("%+v", r)
		}
	}
	if !slices.Equal(options, []string{"temperature", "temperature", "output"}) {
		t.Errorf("%v", options)
	}
	if len(m.Refuses("any", p)) != 0 || len(m.Refuses("nobody", p)) != 0 {
		t.Error("the harmless twins are refused")
	}
	if m.TakesTemperature("claude") || !m.TakesTemperature("any") || m.TakesTemperature("nobody") {
		t.Error("who takes a temperature")
	}
}
