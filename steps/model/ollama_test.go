package model_test

import (
	"context"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps/model"
)

// chat is a reply of Ollama with these members behind the model's name.
func chat(members string) string {
	return `{"model":"real-1",` + members + `,"prompt_eval_count":5,"eval_count":7}`
}

func TestEveryChatThatIsNoAnswerIsAnErrorThatSaysWhatItWas(t *testing.T) {
	t.Parallel()
	finish := func(f string) *audit.Model {
		return &audit.Model{Provider: "ollama", Model: "real-1", ResponseModel: "real-1", Finish: f, In: 5, Out: 7, UsageKnown: true, Micros: 66}
	}
	malformed := model.Error{Code: "malformed", Retry: true, Model: finish("stop")}
	endless := func(f string) model.Error { return model.Error{Code: "unfinished", Retry: true, Model: finish(f)} }
	const stop = `"done":true,"done_reason":"stop"`
	for name, k := range map[string]struct {
		body string
		want model.Error
	}{
		"cut at the limit":     {chat(`"message":{"content":"SECRET-CONTENT"},"done":true,"done_reason":"length"`), model.Error{Code: "unfinished", Model: finish("length")}},
		"a piece of a stream":  {chat(`"message":{"content":"SECRET-CONTENT"},"done":false`), endless("")},
		"done is absent":       {chat(`"message":{"content":"x"},"done_reason":"stop"`), endless("stop")},
		"done is a word":       {chat(`"message":{"content":"x"},"done":"true","done_reason":"stop"`), endless("stop")},
		"no reason":            {chat(`"message":{"content":"x"},"done":true`), endless("")},
		"only loaded":          {chat(`"message":{"content":""},"done":true,"done_reason":"load"`), endless("load")},
		"an empty answer":      {chat(`"message":{"content":""},` + stop), malformed},
		"nothing but thoughts": {chat(`"message":{"content":"","thinking":"SECRET-CONTENT"},` + stop), malformed},
		"no message":           {chat(stop), malformed},
		"a message of parts":   {chat(`"message":{"content":[{"type":"text"}]},` + stop), malformed},
		"a tool call":          {chat(`"message":{"content":"x","tool_calls":[{"function":{}}]},` + stop), malformed},
		"a doubled content":    {chat(`"message":{"content":"a","content":"b"},` + stop), malformed},
		"an error under 200":   {chat(`"error":"SECRET-CONTENT","message":{"content":"x"},` + stop), malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, reply(200, k.body))
			_, err := one(t, agreementOf("ollama").of(url)).Generate(context.Background(), "it", prompt())
			want := k.want
			want.Status, want.Bytes = 200, len(k.body)
			sameError(t, want, err)
		})
	}
	url, _ := serve(t, reply(200, chat(`"message":{"role":"assistant","content":"Hello.","thinking":"hm","tool_calls":[]},`+stop)))
	if a, err := one(t, agreementOf("ollama").of(url)).Generate(context.Background(), "it", prompt()); err != nil || a.Text != "Hello." {
		t.Errorf("the harmless twin: %q, %v", a.Text, err)
	}
}

func TestOllamasSentencesBecomeAdvice(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]struct {
		status       int
		body         string
		code, advice string
	}{
		"not pulled":       {404, `{"error":"model \"SECRET-CONTENT\" not found, try pulling it first"}`, "status", "ollama pull"},
		"not Ollama":       {404, `404 page not found`, "status", "check base_url"},
		"too long":         {400, `{"error":"SECRET-CONTENT: the request exceeds the available context size"}`, "invalid", "raise context_tokens"},
		"something else":   {400, `{"error":"SECRET-CONTENT"}`, "invalid", "status 400"},
		"it fell over":     {500, `{"error":"llama runner process has terminated: SECRET-CONTENT"}`, "status", "status 500"},
		"too many at once": {503, `{"error":"server busy, please try again"}`, "status", "status 503"},
	} {
		url, _ := serve(t, reply(k.status, k.body))
		_, err := one(t, agreementOf("ollama").of(url)).Generate(context.Background(), "it", prompt())
		want := model.Error{Code: k.code, Status: k.status, Bytes: len(k.body), Retry: k.status >= 500, Model: &audit.Model{Provider: "ollama", Model: "real-1"}}
		if e := sameError(t, want, err); !strings.Contains(e.Detail, k.advice) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An older server does not know `truncate` and shortens the prompt in silence.
func TestAPromptThatFillsItsContextIsNoAnswer(t *testing.T) {
	t.Parallel()
	url, got := serve(t, reply(200, agreementOf("ollama").good))
	for size, ok := range map[int]bool{0: true, 24: true, 23: false, 16: false} {
		m := agreementOf("ollama").of(url)
		m.ContextTokens = size
		_, err := one(t, m).Generate(context.Background(), "it", prompt())
		if (err == nil) != ok {
			t.Errorf("a context of %d: %v", size, err)
		}
		if err != nil && !strings.Contains(err.Error(), "context_tokens") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
	if !strings.Contains(got()[0].body+got()[1].body+got()[2].body, `"num_ctx":`) {
		t.Error("the size does not reach the server")
	}
}
