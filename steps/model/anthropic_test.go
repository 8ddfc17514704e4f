package model_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps/model"
)

// claude is a message with this content and stop reason, written as JSON.
func claude(content, stop string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"real-1","content":` + content +
		`,"stop_reason":` + stop + `,"usage":{"input_tokens":5,"output_tokens":7}}`
}

const (
	said = `{"type":"text","text":"SECRET-CONTENT"}`
	used = `{"type":"tool_use","id":"t","name":"output","input":{"greeting":"SECRET-CONTENT"}}`
)

// What only a Messages API can say. The function is long because it is a table.
func TestEveryMessageThatIsNoAnswerIsAnErrorThatSaysWhatItWas(t *testing.T) {
	t.Parallel()
	finish := func(f string) *audit.Model {
		return &audit.Model{Provider: "anthropic", Model: "real-1", ResponseModel: "real-1", ID: "msg_1", Finish: f, In: 5, Out: 7, UsageKnown: true, Micros: 66}
	}
	malformed := func(f string) model.Error {
		return model.Error{Code: "malformed", Retry: true, Model: finish(f)}
	}
	unpaid := &audit.Model{Provider: "anthropic", Model: "real-1"}
	text, full := prompt(), fullPrompt()
	for _, k := range []struct {
		name   string
		prompt model.Prompt
		body   string
		want   model.Error
	}{
		{"refusal", text, claude(`[`+said+`]`, `"refusal"`), model.Error{Code: "refused", Model: finish("refusal")}},
		{"refusal without a block", full, claude(`[]`, `"refusal"`), model.Error{Code: "refused", Model: finish("refusal")}},
		{"cut at the limit", text, claude(`[`+said+`]`, `"max_tokens"`), model.Error{Code: "unfinished", Model: finish("max_tokens")}},
		{"a tool's input cut at the limit", full, claude(`[`+used+`]`, `"max_tokens"`), model.Error{Code: "unfinished", Model: finish("max_tokens")}},
		{"longer than the context", text, claude(`[`+said+`]`, `"model_context_window_exceeded"`), model.Error{Code: "unfinished", Model: finish("model_context_window_exceeded")}},
		{"paused", text, claude(`[`+said+`]`, `"pause_turn"`), model.Error{Code: "unfinished", Retry: true, Model: finish("pause_turn")}},
		{"a stop sequence that nobody sent", text, claude(`[`+said+`]`, `"stop_sequence"`), model.Error{Code: "unfinished", Retry: true, Model: finish("stop_sequence")}},
		{"a stop reason of tomorrow", text, claude(`[`+said+`]`, `"compaction"`), model.Error{Code: "unfinished", Retry: true, Model: finish("compaction")}},
		{"no stop reason", text, claude(`[`+said+`]`, `null`), model.Error{Code: "unfinished", Retry: true, Model: finish("")}},
		{"no block", text, claude(`[]`, `"end_turn"`), malformed("end_turn")},
		{"no content", text, claude(`null`, `"end_turn"`), malformed("end_turn")},
		{"content as a text", text, claude(`"x"`, `"end_turn"`), malformed("end_turn")},
		{"empty texts", text, claude(`[{"type":"text","text":""},{"type":"text","text":""}]`, `"end_turn"`), malformed("end_turn")},
		{"nothing but thoughts", text, claude(`[{"type":"thinking","thinking":"SECRET-CONTENT","signature":"x"}]`, `"end_turn"`), malformed("end_turn")},
		{"a text that is none", text, claude(`[{"type":"text","text":3}]`, `"end_turn"`), malformed("end_turn")},
		{"a text that is absent", text, claude(`[{"type":"text"}]`, `"end_turn"`), malformed("end_turn")},
		{"a block that is none", text, claude(`["x"]`, `"end_turn"`), malformed("end_turn")},
		{"a doubled text", text, claude(`[{"type":"text","text":"a","text":"b"}]`, `"end_turn"`), malformed("end_turn")},
		{"a server's tool", text, claude(`[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},`+said+`]`, `"end_turn"`), malformed("end_turn")},
		{"a block of tomorrow", text, claude(`[{"type":"hologram"},`+said+`]`, `"end_turn"`), malformed("end_turn")},
		{"a tool, though none was offered", text, claude(`[`+used+`]`, `"tool_use"`), malformed("tool_use")},
		{"a tool beside the text", text, claude(`[`+said+`,`+used+`]`, `"end_turn"`), malformed("end_turn")},
		{"a text instead of the tool", full, claude(`[`+said+`]`, `"end_turn"`), malformed("end_turn")},
		{"a text beside the tool", full, claude(`[`+said+`,`+used+`]`, `"tool_use"`), malformed("tool_use")},
		{"the tool twice", full, claude(`[`+used+`,`+used+`]`, `"tool_use"`), malformed("tool_use")},
		{"another tool", full, claude(`[`+strings.Replace(used, `"output"`, `"rm"`, 1)+`]`, `"tool_use"`), malformed("tool_use")},
		{"the tool without input", full, claude(`[{"type":"tool_use","name":"output"}]`, `"tool_use"`), malformed("tool_use")},
		{"the tool with a text as input", full, claude(`[{"type":"tool_use","name":"output","input":"{}"}]`, `"tool_use"`), malformed("tool_use")},
		{"a tool call without a tool", full, claude(`[]`, `"tool_use"`), malformed("tool_use")},
		{"not a message", text, `{"type":"completion","completion":"SECRET-CONTENT","stop_reason":"end_turn"}`, model.Error{Code: "malformed", Retry: true, Model: &audit.Model{Provider: "anthropic", Model: "real-1", Finish: "end_turn"}}},
		{"a message by another name", text, strings.Replace(claude(`[`+said+`]`, `"end_turn"`), `"type":"message"`, `"type":"batch"`, 1), malformed("end_turn")},
		{"the tool, and another reason to stop", full, claude(`[`+used+`]`, `"end_turn"`), malformed("end_turn")},
		{"an error", text, `{"type":"error","error":{"type":"api_error","message":"SECRET-CONTENT"}}`, model.Error{Code: "malformed", Retry: true, Model: unpaid}},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, reply(200, k.body))
			_, err := one(t, agreementOf("anthropic").of(url)).Generate(context.Background(), "it", k.prompt)
			want := k.want
			want.Status, want.Bytes = 200, len(k.body)
			sameError(t, want, err)
		})
	}
}

// agreementOf is that of one provider.
func agreementOf(provider string) agreement {
	for _, c := range agreements() {
		if c.provider == provider {
			return c
		}
	}
	panic("no provider " + provider)
}

// The harmless twins.
func TestMessagesThatAreAnswersPass(t *testing.T) {
	t.Parallel()
	text, full := prompt(), fullPrompt()
	for name, k := range map[string]struct {
		prompt model.Prompt
		body   string
		want   string
	}{
		"blocks in their order":      {text, claude(`[{"type":"text","text":"a"},{"type":"text","text":"b","citations":null},{"type":"text","text":""}]`, `"end_turn"`), "ab"},
		"thoughts before the answer": {text, claude(`[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"a"}]`, `"end_turn"`), "a"},
		"thoughts before the tool":   {full, claude(`[{"type":"thinking","thinking":"hm"},{"type":"tool_use","name":"output","input": {"b":1, "a":2} }]`, `"tool_use"`), `{"b":1, "a":2}`},
		"an empty text before it":    {full, claude(`[{"type":"text","text":"\n"},{"type":"tool_use","name":"output","input":{}}]`, `"tool_use"`), `{}`},
	} {
		url, _ := serve(t, reply(200, k.body))
		a, err := one(t, agreementOf("anthropic").of(url)).Generate(context.Background(), "it", k.prompt)
		if err != nil || a.Text != k.want || a.Model.Out != 7 {
			t.Errorf("%s: %q, %v", name, a.Text, err)
		}
	}
}

func TestCachedInputIsCountedWithTheRest(t *testing.T) {
	t.Parallel()
	for usage, want := range map[string]int64{
		`{"input_tokens":3,"output_tokens":1,"cache_creation_input_tokens":8,"cache_read_input_tokens":12}`: 23,
		`{"input_tokens":3,"output_tokens":1,"cache_creation_input_tokens":null}`:                           3,
		`{"input_tokens":3,"output_tokens":1,"cache_read_input_tokens":"many"}`:                             0,
		`{"input_tokens":3,"output_tokens":1,"cache_read_input_tokens":-1}`:                                 0,
		`{"output_tokens":1}`: 0,
	} {
		body := strings.Replace(claude(`[`+said+`]`, `"end_turn"`), `{"input_tokens":5,"output_tokens":7}`, usage, 1)
		url, _ := serve(t, reply(200, body))
		a, err := one(t, agreementOf("anthropic").of(url)).Generate(context.Background(), "it", prompt())
		if err != nil || a.Model.In != want || a.Model.UsageKnown != (want > 0) {
			t.Errorf("%s: %+v, %v", usage, a.Model, err)
		}
	}
}

// The other way to ask for JSON: the answer is a text again, and no tool.
func TestSchemaAsFormatAsksForATextOfThatForm(t *testing.T) {
	t.Parallel()
	url, got := serve(t, reply(200, claude(`[{"type":"text","text":"{\"greeting\":"},{"type":"text","text":"\"x\"}"}]`, `"end_turn"`)))
	m := agreementOf("anthropic").of(url)
	m.SchemaAs = "format"
	a, err := one(t, m).Generate(context.Background(), "it", fullPrompt())
	if err != nil || a.Text != `{"greeting":"x"}` {
		t.Errorf("%q, %v", a.Text, err)
	}
	want := `{"max_tokens":40,"messages":[{"role":"user","content":` + data + `}],"model":"real-1","output_config":{"format":{"type":"json_schema","schema":` + schema + `}},"system":"` + statement + `","temperature":0.5}`
	if diff := cmp.Diff(want, got()[0].body); diff != "" {
		t.Error(diff)
	}
	url, _ = serve(t, reply(200, claude(`[`+used+`]`, `"tool_use"`)))
	m.BaseURL = url + "/v1"
	if _, err := one(t, m).Generate(context.Background(), "it", fullPrompt()); err == nil {
		t.Error("a tool that nobody offered passed")
	}
}

func TestTheProvidersOwnAddressWantsAKey(t *testing.T) {
	t.Setenv("CUSTODY_TEST_KEY", secretKey)
	with := func(m model.Model) error {
		m.Provider, m.Model = "anthropic", "m"
		_, err := model.New(model.Config{Models: map[string]model.Model{"it": m}})
		return err
	}
	if err := with(model.Model{}); err == nil || !strings.HasPrefix(err.Error(), "models.it.api_key: missing") {
		t.Errorf("%v", err)
	}
	if err := with(model.Model{APIKey: "env:CUSTODY_TEST_KEY"}); err != nil {
		t.Errorf("with a key: %v", err)
	}
	if err := with(model.Model{BaseURL: "http://127.0.0.1:1/v1"}); err != nil {
		t.Errorf("a server of one's own: %v", err)
	}
}
