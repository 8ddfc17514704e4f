package model_test

import (
	"context"
	"fmt"

	"github.com/custodyhq/custody/steps/model"
)

// What a provider has no place for is refused when the models are made, and what
// a model cannot carry before anything leaves.
func ExampleModels_Refuses() {
	models, err := model.New(model.Config{Models: map[string]model.Model{
		"careful": {Provider: model.Anthropic, Model: "a-model", BaseURL: "https://llm.example/v1"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer models.Close()
	warm := 1.2
	for _, r := range models.Refuses("careful", model.Prompt{Temperature: &warm}) {
		fmt.Printf("%s: %s: %s\n", r.Option, r.Detail, r.Remedy)
	}
	_, err = model.New(model.Config{Models: map[string]model.Model{
		"local": {Provider: model.Ollama, Model: "a-model", LegacyMaxTokens: true},
	}})
	fmt.Println(err)
	// Output:
	// temperature: anthropic takes a temperature from 0 to 1: write at most 1
	// models.local.legacy_max_tokens: provider ollama has no place for it: leave it out (it takes model, base_url, api_key, max_tokens, context_tokens)
}

// Check asks for a list and generates nothing.
func ExampleModels_Check() {
	models, err := model.New(model.Config{Models: map[string]model.Model{"tiny": {Provider: model.Offline}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer models.Close()
	fmt.Println(models.Check(context.Background(), "tiny"))
	fmt.Println(models.Check(context.Background(), "huge"))
	// Output:
	// <nil>
	// invalid: no model "huge" in the server's config
}
