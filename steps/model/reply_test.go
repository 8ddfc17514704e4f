package model_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/custodyhq/custody/steps/model"
)

// fuzzReader plays any bytes as a reply to one provider, twice: to a prompt for
// text and to one for JSON. The whole way is under test, our reader and the
// library's: they agree, or there is an Error of a known code.
func fuzzReader(f *testing.F, provider string, seeds ...string) {
	c := agreementOf(provider)
	for _, s := range append(seeds, c.good, c.goodJSON, c.fault, "{}", "null", "[]", `{"usage":3}`) {
		f.Add(200, s)
	}
	f.Add(429, c.fault)
	codes := []string{
		model.CodeRateLimited, model.CodeStatus, model.CodeRefused, model.CodeUnfinished, model.CodeMalformed, model.CodeInvalid,
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		asked := 0
		m := c.of("http://127.0.0.1:1")
		models, err := model.New(model.Config{
			Models: map[string]model.Model{"it": m},
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				asked++
				return &http.Response{StatusCode: status, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range []model.Prompt{prompt(), fullPrompt()} {
			a, err := models.Generate(context.Background(), "it", p)
			if asked != i+1 {
				t.Fatalf("%d requests for %d calls", asked, i+1)
			}
			var e *model.Error
			switch {
			case err == nil && (a.Text == "" || !utf8.ValidString(a.Text) || status != 200):
				t.Errorf("an answer of %q under %d", a.Text, status)
			case err != nil && (!errors.As(err, &e) || !slices.Contains(codes, e.Code) || e.Model == nil || e.Status != status):
				t.Errorf("%+v", err)
			}
			if err == nil && provider == model.Anthropic && i == 1 && !json.Valid([]byte(a.Text)) {
				t.Errorf("an input that is no JSON: %q", a.Text)
			}
		}
	})
}

func FuzzOpenAIReply(f *testing.F) { fuzzReader(f, model.OpenAI) }

func FuzzAnthropicReply(f *testing.F) {
	fuzzReader(f, model.Anthropic, claude(`[`+said+`,`+said+`]`, `"end_turn"`), claude(`[`+used+`]`, `"tool_use"`), claude(`[]`, `"refusal"`))
}

func FuzzOllamaReply(f *testing.F) {
	fuzzReader(f, model.Ollama, chat(`"message":{"content":"a"},"done":true,"done_reason":"stop"`), chat(`"message":{"content":"a"},"done":false`))
}
