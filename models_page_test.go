package custody_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

const modelsPage = "docs/models.md"

// Every configuration of the page makes models and a judge that can judge, and
// between them they show every provider.
func TestModelsPageConfiguresEveryProvider(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "llm")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LLM_API_KEY", "x")
	t.Setenv("ANTHROPIC_KEY", "x")
	seen := map[string]bool{}
	for _, b := range blocks(t, "yaml config", modelsPage) {
		path := filepath.Join(t.TempDir(), "custody.yaml")
		text := strings.ReplaceAll(b.text, "/run/secrets/llm", secret)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := custody.Load(func(string) string { return "" }, path)
		if err != nil {
			t.Fatalf("%s:%d: %v", b.file, b.line, err)
		}
		models, err := model.New(model.Config{Models: c.Models})
		if err != nil {
			t.Fatalf("%s:%d: %v", b.file, b.line, err)
		}
		set, err := kinds.New(kinds.Config{Models: models, Judge: c.Judge})
		if err != nil {
			t.Fatalf("%s:%d: %v", b.file, b.line, err)
		}
		set.Close()
		for _, alias := range models.Aliases() {
			seen[c.Models[alias].Provider] = true
		}
		if models.Has("careful") {
			loadsWith(t, set.Kinds())
		}
	}
	for _, name := range model.Providers() {
		if !seen[name] {
			t.Errorf("%s is not shown", name)
		}
	}
}

// loadsWith loads the page's workflows with the page's own models.
func loadsWith(t *testing.T, k workflow.Kinds) {
	t.Helper()
	for _, b := range blocks(t, "yaml", modelsPage) {
		if _, err := workflow.Parse([]byte(b.text), k); err != nil {
			t.Errorf("%s:%d: %v", b.file, b.line, err)
		}
	}
}

// The page's table of settings is what the code does.
func TestModelsPageSaysWhatEveryProviderTakes(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(modelsPage)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]func(m *model.Model, says bool){
		"model":             func(m *model.Model, says bool) { m.Model = map[bool]string{true: "m"}[says] },
		"base_url":          func(m *model.Model, says bool) { m.BaseURL = map[bool]string{true: "https://h"}[says] },
		"api_key":           func(m *model.Model, says bool) { m.APIKey = map[bool]string{true: "env:X"}[says] },
		"max_tokens":        func(m *model.Model, says bool) { m.MaxTokens = map[bool]int{true: 9}[says] },
		"context_tokens":    func(m *model.Model, says bool) { m.ContextTokens = map[bool]int{true: 9}[says] },
		"schema_as":         func(m *model.Model, says bool) { m.SchemaAs = map[bool]string{true: "tool"}[says] },
		"legacy_max_tokens": func(m *model.Model, says bool) { m.LegacyMaxTokens = says },
		"no_temperature":    func(m *model.Model, says bool) { m.NoTemperature = says },
		"price_in":          func(m *model.Model, says bool) { m.PriceIn = map[bool]int64{true: 9}[says] },
		"price_out":         func(m *model.Model, says bool) { m.PriceOut = map[bool]int64{true: 9}[says] },
	}
	least := map[string]model.Model{
		"anthropic": {Provider: "anthropic", Model: "m", APIKey: "env:X"},
		"offline":   {Provider: "offline"},
		"ollama":    {Provider: "ollama", Model: "m"},
		"openai":    {Provider: "openai", Model: "m", BaseURL: "https://h"},
	}
	fails := func(provider, name string, says bool) bool {
		m := least[provider]
		set[name](&m, says)
		return model.CheckModels(map[string]model.Model{"it": m}) != nil
	}
	rows := regexp.MustCompile("(?m)^\\| (`[a-z_]+`(?:, `[a-z_]+`)*) \\| (\\w+) \\| (\\w+) \\| (\\w+) \\| (\\w+) \\|").FindAllStringSubmatch(string(raw), -1)
	found := 0
	for _, row := range rows {
		for _, name := range strings.Split(strings.ReplaceAll(row[1], "`", ""), ", ") {
			if set[name] == nil {
				t.Fatalf("no setting %s", name)
			}
			found++
			for i, provider := range model.Providers() {
				want := "taken"
				switch {
				case fails(provider, name, true):
					want = "refused"
				case fails(provider, name, false):
					want = "needed"
				}
				if row[2+i] != want {
					t.Errorf("%s of %s is %s, and the page says %s", name, provider, want, row[2+i])
				}
			}
		}
	}
	if found != len(set) {
		t.Errorf("%d settings of %d are in the table", found, len(set))
	}
}

// The requests on the page are those on the wire, with words in the place of the
// statement, the data and the schema.
func TestModelsPageShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	shown := blocks(t, "json", modelsPage)
	providers := []model.Model{
		{Provider: "openai", Model: "a-model", BaseURL: "/v1"},
		{Provider: "anthropic", Model: "a-model", BaseURL: "/v1"},
		{Provider: "ollama", Model: "a-model"},
	}
	if len(shown) != len(providers) {
		t.Fatalf("%d requests are shown", len(shown))
	}
	const open = `{"type":"object"}` // as on the page: not strict, because of maxLength
	zero := 0.0
	for i, m := range providers {
		var body []byte
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
		}))
		defer server.Close()
		m.BaseURL = server.URL + m.BaseURL
		models, err := model.New(model.Config{Models: map[string]model.Model{"it": m}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = models.Generate(context.Background(), "it", model.Prompt{
			System: "STATEMENT", User: "DATA", Schema: json.RawMessage(open), MaxTokens: 300, Temperature: &zero, Key: "k", Call: "c",
		})
		var e *model.Error
		if !errors.As(err, &e) {
			t.Errorf("an empty reply was an answer: %v", err)
		}
		models.Close()
		var got, want any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(body), open, `"SCHEMA"`)), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(shown[i].text), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:%d: %s", shown[i].file, shown[i].line, diff)
		}
	}
}
