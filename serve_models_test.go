package custody

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/steps/stepstest"
)

// providers are an Anthropic and an Ollama on one address. Claude declines what
// speaks of weapons, and judges are content.
type providers struct {
	url  string
	mu   sync.Mutex
	seen []string // Idempotency-Key and Custody-Call of each request
	text string   // all headers and bodies
}

func startProviders(t *testing.T) *providers {
	t.Helper()
	p := &providers{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.seen = append(p.seen, r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Custody-Call"))
		p.text += string(body)
		for name, values := range r.Header {
			p.text += name + ": " + strings.Join(values, ",") + "\n"
		}
		p.mu.Unlock()
		_, _ = io.WriteString(w, answerOf(r.URL.Path, string(body))) // the client may have left
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func answerOf(path, body string) string {
	const usage = `"usage":{"input_tokens":20,"cache_read_input_tokens":3,"output_tokens":2}}`
	switch {
	case path == "/api/chat" && strings.Contains(body, `"verdict"`):
		return `{"model":"l-1","message":{"content":` + strconv.Quote(stepstest.Judgement("pass", "fine")) + `},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":4}`
	case path == "/api/chat":
		return `{"model":"l-1","message":{"content":"Dear customer."},"done":true,"done_reason":"stop","prompt_eval_count":11,"eval_count":5}`
	case strings.Contains(body, "weapons"):
		return `{"id":"msg_2","type":"message","model":"c-1","content":[],"stop_reason":"refusal",` + usage
	}
	return `{"id":"msg_1","type":"message","model":"c-1","content":[{"type":"tool_use","name":"output","input":{"topic":"invoices"}}],"stop_reason":"tool_use",` + usage
}

const letter = `name: letter
input: {type: object, required: [text], properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - id: sort
    uses: llm
    with:
      model: claude
      prompt: Say what this is about. ${{ input.text }}
      output: {type: object, required: [topic], properties: {topic: {type: string, maxLength: 40}}}
      temperature: 0
  - {id: answer, uses: llm, with: {model: local, prompt: "Answer a letter about ${{ steps.sort.output.topic }}."}}
output: ${{ steps.answer.output.text }}
`

// One run over two providers and a judge: what each was asked stands in the
// record with what it cost, and nothing of the caller reached any of them.
func TestARunAsksEveryProviderAndRecordsWhatItCost(t *testing.T) {
	t.Setenv("CUSTODY_TEST_CLAUDE", "sk-very-secret")
	there := startProviders(t)
	cfg, idp := site(t)
	cfg.Models = map[string]model.Model{
		"claude": {Provider: model.Anthropic, Model: "c", BaseURL: there.url + "/v1", APIKey: "env:CUSTODY_TEST_CLAUDE", PriceIn: 1_000_000, PriceOut: 1_000_000},
		"local":  {Provider: model.Ollama, Model: "l", BaseURL: there.url},
	}
	cfg.Judge = "local"
	address := serving(t, cfg)
	erin, alice := as(t, address, idp, "erin"), as(t, address, idp, "alice")

	var p *client.Problem
	_, err := erin.Publish(t.Context(), client.Publication{Source: []byte(strings.Replace(letter, "temperature: 0", "temperature: 1.5", 1))})
	if !errors.As(err, &p) || len(p.Errors) == 0 || p.Errors[0].Code != "cannot_carry" || p.Errors[0].Line != 11 || p.Errors[0].Column == 0 {
		t.Errorf("an option that cannot be carried was published: %+v %v", p, err)
	}
	_, err = erin.Publish(t.Context(), client.Publication{Source: []byte(letter)})
	must(t, err)

	r, err := alice.Submit(t.Context(), client.Submission{Workflow: "letter", Input: json.RawMessage(`{"text": "Where is my invoice?"}`), Wait: 20 * time.Second})
	must(t, err)
	if r.State != "succeeded" {
		t.Fatalf("%s %+v", r.State, r.Reason)
	}
	if out, err := alice.Output(t.Context(), r.ID); err != nil || string(bytes.TrimSpace(out)) != `"Dear customer."` {
		t.Errorf("%s %v", out, err)
	}
	entries := recordOf(t, alice, r.ID)
	for _, want := range []string{
		`"model":{"finish":"tool_use","id":"msg_1","microusd":25,"model":"c","provider":"anthropic","response_model":"c-1","tokens_in":23,"tokens_out":2}`,
		`"model":{"finish":"stop","model":"l","provider":"ollama","response_model":"l-1","tokens_in":11,"tokens_out":5}`,
	} {
		if !strings.Contains(entries, want) {
			t.Errorf("the record lacks %s", want)
		}
	}
	there.mu.Lock()
	if len(there.seen) != 4 { // two steps, each judged
		t.Errorf("%d requests: %v", len(there.seen), there.seen)
	}
	for _, names := range there.seen {
		key, call, _ := strings.Cut(names, " ")
		if !strings.HasPrefix(key, r.ID+"/") || !strings.Contains(entries, `"`+call+`"`) {
			t.Errorf("no entry stands for the request %s", names)
		}
	}
	for _, private := range []string{"alice", "Bearer", "analyst", idp.Issuer()} {
		if strings.Contains(there.text, private) {
			t.Errorf("%s reached a provider", private)
		}
	}
	there.mu.Unlock()

	r, err = alice.Submit(t.Context(), client.Submission{Workflow: "letter", Input: json.RawMessage(`{"text": "About weapons."}`), Wait: 20 * time.Second})
	must(t, err)
	entries = recordOf(t, alice, r.ID)
	if r.State != "failed" || !strings.Contains(entries, `"finish":"refusal","id":"msg_2","microusd":25`) {
		t.Errorf("a refusal that was paid: %s %+v\n%s", r.State, r.Reason, entries)
	}
	if strings.Contains(entries, "sk-very-secret") {
		t.Error("the key is in the record")
	}
}

// recordOf is a run's entries, one after the other.
func recordOf(t *testing.T, c *client.Client, run string) string {
	t.Helper()
	var out strings.Builder
	for e, err := range c.Events(t.Context(), run, -1) {
		must(t, err)
		out.WriteString(e.Body + "\n")
		if strings.Contains(e.Body, `"run.closed"`) {
			break
		}
	}
	return out.String()
}
