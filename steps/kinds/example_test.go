package kinds_test

import (
	"context"
	"fmt"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

// One step on its way through all stages, on the offline model.
func Example() {
	models, err := model.New(model.Config{Models: map[string]model.Model{"fast": {Provider: model.Offline}}})
	check(err)
	set, err := kinds.New(kinds.Config{Models: models, Judge: "fast"})
	check(err)
	defer set.Close()
	g, err := guard.New(guard.Config{})
	check(err)
	pipeline, err := steps.New(steps.Config{Guard: g, Runners: set.Runners(), Judge: set.Judge()})
	check(err)
	d, err := workflow.Parse([]byte(`
name: summary
input: {type: object, properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - id: draft
    uses: llm
    with: {model: fast, prompt: "Summarise ${{ input.text }}"}
`), set.Kinds())
	check(err)

	now, run, ctx := time.Now(), security.NewID(), context.Background()
	alice := security.Principal{Tenant: "main", ID: "subj_alice", Kind: security.Human, Roles: []string{"analyst"}}
	mandate := security.NewMandate(alice, run, d.Digest(), "", now, now.Add(time.Hour))
	admitted, decision := pipeline.Admit(mandate, d, 0, steps.Facts{Now: now})
	fmt.Println(decision)

	input := workflow.Value{V: map[string]any{"text": "The term is 24 months."}, Label: d.InputLabel(), Path: "/input"}
	bound, err := d.Bind(0, workflow.Values{Input: input})
	check(err)
	checked, _, err := pipeline.Check(admitted, bound, guard.Pardon{})
	check(err)
	id := steps.CallID{Run: run.Name("run"), Key: run.Name("run") + "/draft", Call: security.NewID().Name("call"), Attempt: 1}
	draft, err := pipeline.Execute(ctx, checked, id)
	check(err)
	screened, _, err := pipeline.Screen(checked, draft, guard.Pardon{})
	check(err)
	id.Key, id.Call = id.Key+"#judge", security.NewID().Name("call")
	verdict, _, err := pipeline.Judge(ctx, checked, screened, id)
	check(err)
	released, err := screened.Release(verdict)
	check(err)
	fmt.Printf("%s from a %s\n", released.JSON(), released.Label().Origins)
	// Output:
	// allowed by workflow.requires, step.requires
	// {"text":"The term is 24 months."} from a model
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
