package steps_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/stepstest"
)

const revisable = `
name: test
input: {type: object, properties: {text: {type: string}}}
requires: {roles: [analyst]}
steps:
  - id: draft
    uses: say
    with: {prompt: "Repeat ${{ input.text }}."}
    guard: {output: {pii: revise, schema: revise, revise: 2, judge: off}}
  - id: once
    uses: say
    with: {prompt: "Repeat ${{ input.text }}."}
  - id: send
    uses: effect
    with: {to: nobody}
    guard: {output: {pii: revise}}
`

// A model that mends its answer when it is told what was wrong is asked once
// more, and no word of the first answer comes back to it.
func TestAModelIsAskedAgainWithWhatARuleWants(t *testing.T) {
	t.Parallel()
	var calls []steps.Call
	mends := runFunc(func(_ context.Context, c steps.Call) (steps.Draft, error) {
		calls = append(calls, c)
		text := "Write to anna.schmidt@fabrikam.de."
		if c.Feedback != nil {
			text = "Write to her."
		}
		return steps.NewDraft(map[string]any{"text": text}, steps.Use{}), nil
	})
	r := stepstest.NewRig(t, revisable, testKinds(), map[string]steps.Runner{"say": mends, "effect": mends}, nil)
	c := r.Check(t, 0, r.Input(map[string]any{"text": "x"}))
	d, err := r.Pipeline.Execute(context.Background(), c, r.ID(0, ""))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Pipeline.Screen(c, d, guard.Pardon{})
	var refusal *guard.Refusal
	if !errors.As(err, &refusal) || !refusal.Revise() || r.Pipeline.Revisions(c) != 2 {
		t.Fatalf("Screen = %v, %d revisions", err, r.Pipeline.Revisions(c))
	}
	again := c.Revise(refusal.Findings)
	d, err = r.Pipeline.Execute(context.Background(), again, r.ID(0, "#revise-1"))
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err := r.Pipeline.Screen(again, d, guard.Pardon{}); err != nil || string(s.Bytes()) != `{"text":"Write to her."}` {
		t.Errorf("Screen = %s, %v", s.Bytes(), err)
	}
	want := []string{"The rule personal.email refused /text of the answer: it must hold no such data about people."}
	if diff := cmp.Diff(want, calls[1].Feedback); diff != "" || calls[0].Feedback != nil {
		t.Errorf("feedback (-want +got):\n%s", diff)
	}
}

func TestARevisionHasItsOwnKey(t *testing.T) {
	t.Parallel()
	r := stepstest.NewRig(t, revisable, testKinds(), map[string]steps.Runner{"say": says("Fine."), "effect": says("Fine.")}, nil)
	first := r.Check(t, 0, r.Input(map[string]any{"text": "x"}))
	again := first.Revise([]security.Finding{{Rule: "personal.email", Kind: "personal", Action: security.Revise, Path: "/steps/draft/output/text"}})
	for _, c := range []struct {
		checked steps.Checked
		part    string
		ok      bool
	}{
		{first, "", true},
		{first, "#revise-1", false},
		{first, "#judge", false},
		{again, "#revise-1", true},
		{again, "#revise-3", true},
		{again, "", false},
		{again, "#revise-4", false},
		{again, "#revise-0", false},
		{again, "#judge", false},
		{again.Revise(nil), "", true},
	} {
		_, err := r.Pipeline.Execute(context.Background(), c.checked, r.ID(0, c.part))
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.part, err)
		}
	}
}

func TestRevisionsAreBounded(t *testing.T) {
	t.Parallel()
	r := stepstest.NewRig(t, revisable, testKinds(), map[string]steps.Runner{"say": says("Fine."), "effect": says("Fine.")}, nil)
	for step, want := range []int{2, 1, 0} {
		if got := r.Pipeline.Revisions(r.Check(t, step, r.Input(map[string]any{"text": "x"}))); got != want {
			t.Errorf("step %d: %d revisions, want %d", step, got, want)
		}
	}
	if r.Pipeline.Revisions(steps.Checked{}) != 0 {
		t.Error("a step that was not checked may be revised")
	}
	var many []security.Finding
	for i := range 100 {
		many = append(many, security.Finding{Rule: fmt.Sprintf("personal.k%d", i), Kind: "personal", Action: security.Revise})
	}
	var told []string
	hears := runFunc(func(_ context.Context, c steps.Call) (steps.Draft, error) {
		told = c.Feedback
		return steps.NewDraft(map[string]any{"text": "x"}, steps.Use{}), nil
	})
	r = stepstest.NewRig(t, revisable, testKinds(), map[string]steps.Runner{"say": hears, "effect": hears}, nil)
	c := r.Check(t, 0, r.Input(map[string]any{"text": "x"})).Revise(many)
	if _, err := r.Pipeline.Execute(context.Background(), c, r.ID(0, "#revise-1")); err != nil || len(told) != 10 {
		t.Errorf("%d sentences, %v", len(told), err)
	}
}

// The mark in a prompt is the same for what is asked again, another for every
// other question, and only for models.
func TestACanaryBelongsToItsQuestion(t *testing.T) {
	t.Parallel()
	var marks []string
	notes := runFunc(func(_ context.Context, c steps.Call) (steps.Draft, error) {
		marks = append(marks, c.Canary)
		return steps.NewDraft(map[string]any{"text": "x"}, steps.Use{}), nil
	})
	r := stepstest.NewRig(t, revisable, testKinds(), map[string]steps.Runner{"say": notes, "effect": notes}, nil)
	for _, step := range []int{0, 0, 1, 2} {
		if _, err := r.Pipeline.Execute(context.Background(), r.Check(t, step, r.Input(map[string]any{"text": "x"})), r.ID(step, "")); err != nil {
			t.Fatal(err)
		}
	}
	if len(marks[0]) != 24 || marks[0] != marks[1] || marks[0] == marks[2] || marks[3] != "" || strings.Contains(marks[0], r.Mandate.Run) {
		t.Errorf("marks %q", marks)
	}
}
