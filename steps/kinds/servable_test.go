package kinds_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/steps/stepstest"
	"github.com/custodyhq/custody/workflow"
)

// fleet is one model of every provider, all at the address.
func fleet(t *testing.T, url string) *model.Models {
	t.Helper()
	m, err := model.New(model.Config{Models: map[string]model.Model{
		"openai":    {Provider: model.OpenAI, Model: "m", BaseURL: url + "/v1"},
		"fixed":     {Provider: model.OpenAI, Model: "m", BaseURL: url + "/v1", NoTemperature: true},
		"anthropic": {Provider: model.Anthropic, Model: "m", BaseURL: url + "/v1"},
		"formatted": {Provider: model.Anthropic, Model: "m", BaseURL: url + "/v1", SchemaAs: "format", NoTemperature: true},
		"ollama":    {Provider: model.Ollama, Model: "m", BaseURL: url},
		"offline":   {Provider: model.Offline},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// The option stands in line 9.
const optional = `
name: x
requires: {roles: [a]}
steps:
  - id: draft
    uses: llm
    with:
      model: %s
      %s
      prompt: Say hello.
`

// Every model's answer to every option, at load: what is refused is refused with
// its place, and its twin on another model passes.
func TestAnOptionThatAModelCannotCarryIsALoadError(t *testing.T) {
	t.Parallel()
	models := fleet(t, "http://127.0.0.1:1")
	set, err := kinds.New(kinds.Config{Models: models})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	for option, refusing := range map[string]string{
		"max_tokens: 77":         "",
		"system: You are kind.":  "",
		"temperature: 0":         "fixed formatted",
		"temperature: 1":         "fixed formatted",
		"temperature: 1.5":       "anthropic fixed formatted",
		"output: {type: object}": "formatted",
		"output: {type: object, properties: {a: {type: string}}, additionalProperties: false}":               "",
		"output: {type: object, properties: {a: {type: string, maxLength: 5}}, additionalProperties: false}": "formatted",
		"output: {type: array}":  "anthropic formatted",
		"output: {type: string}": "anthropic formatted",
	} {
		for _, alias := range models.Aliases() {
			_, err := workflow.Parse(fmt.Appendf(nil, optional, alias, option), set.Kinds())
			refused := strings.Contains(" "+refusing+" ", " "+alias+" ")
			var problems workflow.Problems
			switch {
			case !refused && err != nil:
				t.Errorf("%s carries %s: %v", alias, option, err)
			case refused && !errors.As(err, &problems):
				t.Errorf("%s drops %s", alias, option)
			case refused:
				p := problems[0]
				if p.Code != "cannot_carry" || p.Line != 9 || p.Column == 0 || p.Remedy == "" || !strings.Contains(p.Message, alias) {
					t.Errorf("%s, %s: %+v", alias, option, p)
				}
			}
		}
	}
}

// What no provider is asked for is no option of a step: it is an error at load
// and not a member that some library leaves out.
func TestWhatIsNotAnOptionIsALoadErrorForEveryModel(t *testing.T) {
	t.Parallel()
	models := fleet(t, "http://127.0.0.1:1")
	set, err := kinds.New(kinds.Config{Models: models})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	for _, option := range []string{"tools: []", "images: []", "n: 2", "top_p: 0.5", "stop: [x]", "seed: 1", "stream: true", "max_tokens: 0", "temperature: 2.5"} {
		for _, alias := range models.Aliases() {
			_, err := workflow.Parse(fmt.Appendf(nil, optional, alias, option), set.Kinds())
			var problems workflow.Problems
			if !errors.As(err, &problems) || problems[0].Line != 9 {
				t.Errorf("%s, %s: %v", alias, option, err)
			}
		}
	}
}

// What an expression gives is not known at load. It is refused before it leaves.
func TestAnOptionFromAnExpressionIsRefusedBeforeItLeaves(t *testing.T) {
	t.Parallel()
	source := `
name: x
input: {type: object, required: [heat], properties: {heat: {type: number}}}
requires: {roles: [a]}
steps:
  - id: draft
    uses: llm
    with: {model: anthropic, prompt: Say hello., temperature: "${{ input.heat }}"}
`
	server := stepstest.NewModel(t, stepstest.Reply(200, `{"type":"message","content":[{"type":"text","text":"Hello."}],"stop_reason":"end_turn"}`))
	r := llmRig(t, source, fleet(t, server.URL()), "")
	for heat, ok := range map[float64]bool{0.5: true, 1.5: false} {
		d, err := r.Pipeline.Execute(context.Background(), r.Check(t, 0, r.Input(map[string]any{"heat": heat})), r.ID(0, ""))
		var e *steps.Error
		if ok && (err != nil || d.Use().Model.Finish != "end_turn") || !ok && (!errors.As(err, &e) || e.Code != "invalid" || e.Unknown) {
			t.Errorf("%v: %v", heat, err)
		}
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests left", n)
	}
}

// A judge asks cold where that can be said, and every provider can judge.
func TestEveryProviderCanJudge(t *testing.T) {
	t.Parallel()
	verdict := func(reply string) string {
		said, err := json.Marshal(stepstest.Judgement("pass", "r"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(reply, "V", strings.Trim(string(said), `"`))
	}
	for alias, k := range map[string]struct {
		reply string
		cold  bool
	}{
		"openai":    {verdict(`{"choices":[{"message":{"content":"V"},"finish_reason":"stop"}]}`), true},
		"fixed":     {verdict(`{"choices":[{"message":{"content":"V"},"finish_reason":"stop"}]}`), false},
		"anthropic": {`{"type":"message","content":[{"type":"tool_use","name":"custody_verdict","input":` + stepstest.Judgement("pass", "r") + `}],"stop_reason":"tool_use"}`, true},
		"formatted": {verdict(`{"type":"message","content":[{"type":"text","text":"V"}],"stop_reason":"end_turn"}`), false},
		"ollama":    {verdict(`{"message":{"content":"V"},"done":true,"done_reason":"stop"}`), true},
	} {
		server := stepstest.NewModel(t, stepstest.Reply(200, k.reply))
		set, err := kinds.New(kinds.Config{Models: fleet(t, server.URL()), Judge: alias})
		if err != nil {
			t.Fatalf("%s: %v", alias, err)
		}
		t.Cleanup(set.Close)
		a, err := set.Judge().Judge(context.Background(), steps.JudgeCall{Output: "x", ID: steps.CallID{Key: "k#judge", Call: "c"}})
		if err != nil || !a.Pass || a.Reason != "r" {
			t.Errorf("%s: %+v, %v", alias, a, err)
		}
		if got := strings.Contains(server.Requests()[0].Body, `"temperature":0`); got != k.cold {
			t.Errorf("%s: asked cold: %v", alias, got)
		}
	}
}
