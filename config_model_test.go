package custody

import (
	"strings"
	"testing"
)

// Where a model's setting is wrong the file's line and column are said, in every
// way to write it, and never its value.
func TestAWrongModelIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"a provider of tomorrow": {"models:\n  fast: {provider: hunter2, model: m}\n", ":2:10: models.fast.provider: must be one of: anthropic, offline, ollama, openai"},
		"no provider":            {"models:\n  fast:\n    model: hunter2\n", ":2:3: models.fast.provider: "},
		"no place for it":        {"models:\n  fast:\n    provider: ollama\n    model: hunter2\n    legacy_max_tokens: true\n", ":5:5: models.fast.legacy_max_tokens: provider ollama has no place for it"},
		"dropped by offline":     {"models:\n  slow: {provider: offline}\n  fast: {provider: offline, api_key: hunter2}\n", ":3:29: models.fast.api_key: "},
		"no model":               {"models: {fast: {provider: ollama}}\n", ":1:10: models.fast.model: missing"},
		"no key":                 {"models:\n  fast:\n    provider: anthropic\n    model: hunter2\n", ":2:3: models.fast.api_key: missing"},
		"no address":             {"models:\n  fast: {provider: openai, model: hunter2}\n", ":2:3: models.fast.base_url: missing"},
		"an address with a word": {"models:\n  \"a b\": {provider: openai, model: m,\n    base_url: \"https://u:hunter2@h/v1\"}\n", ":3:5: models.a b.base_url: "},
		"JSON":                   {`{"models": {"fast": {"provider": "offline", "model": "hunter2"}}}`, ":1:45: models.fast.model: "},
		"no such judge":          {"models:\n  fast: {provider: offline}\njudge:\n  model: hunter2\n", ":4:3: judge.model: there is no such model; write one of: fast"},
		"nobody can judge":       {"judge: {model: hunter2}\n", ":1:9: judge.model: there is no such model; write one of: (models is empty)"},
		"an unknown setting":     {"models:\n  fast: {provider: ollama, model: m, num_gpu: hunter2}\n", ":2:38: unknown field \"num_gpu\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(env(), written(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("repeats the content: %v", err)
			}
		})
	}
}

// The twins without a fault, one of each provider.
func TestModelsOfEveryProviderAreRead(t *testing.T) {
	t.Parallel()
	c, err := Load(env(), written(t, `models:
  a: {provider: anthropic, model: m, api_key: "env:X", max_tokens: 9, schema_as: format, no_temperature: true}
  b: {provider: offline, max_tokens: 9, price_in: 1}
  c: {provider: ollama, model: "m:7b", context_tokens: 9}
  d: {provider: openai, model: m, base_url: "https://h/v1", legacy_max_tokens: true}
judge: {model: a}
`))
	must(t, err)
	if len(c.Models) != 4 || c.Models["a"].SchemaAs != "format" || !c.Models["a"].NoTemperature || c.Models["c"].ContextTokens != 9 || c.Judge != "a" {
		t.Errorf("%+v", c.Models)
	}
}
