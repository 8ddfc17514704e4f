package workflow_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

func TestBuilderWritesEveryField(t *testing.T) {
	t.Parallel()
	built, err := workflow.New("all").Describe("d").RequiresMFA().Requires("analyst").
		Input(`{"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}`).
		Sensitive("input", security.Public).Sensitive("get", security.Internal).
		Step(workflow.HTTP("get", "crm", "GET", "/x/${{ input.n }}").AtOnce().Accepts(security.Caller).
			Requires("lead").RequiresMFA().GuardInput("injection", workflow.ModeNote).Schema(`{"type": "object"}`)).
		Step(workflow.Use("points", "score").With("t", workflow.Expr("input.n")).If("input.n > 1 && input.n < 5")).
		Step(workflow.Approval("ok", map[string]any{"n": workflow.Expr("input.n")}, "legal", "risk").
			Quorum(2).Expires(time.Hour).ContinueOnReject().After("get", "points")).
		Step(workflow.Set("end").With("d", workflow.Expr("steps.ok.output.decision"))).
		Output("steps.end.output.d").
		Build(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	written := parse(t, `
name: all
description: d
requires: {roles: [analyst], mfa: true}
input: {type: object, required: [n], properties: {n: {type: integer}}}
sensitivity: {input: public, get: internal}
steps:
  - id: get
    uses: http
    needs: []
    accepts: [caller]
    requires: {roles: [lead], mfa: true}
    guard: {input: {injection: note}}
    with: {connection: crm, method: GET, path: "/x/${{ input.n }}", output: {type: object}}
  - id: points
    uses: score
    if: input.n > 1 && input.n < 5
    with: {t: "${{ input.n }}"}
  - id: ok
    uses: approval
    needs: [get, points]
    with:
      approvers: {roles: [risk, legal], quorum: 2}
      expires: 60m
      on_reject: continue
      show: {n: "${{ input.n }}"}
  - id: end
    uses: set
    with: {d: "${{ steps.ok.output.decision }}"}
output: ${{ steps.end.output.d }}
`)
	if diff := cmp.Diff(string(written.Canonical()), string(built.Canonical())); diff != "" {
		t.Errorf("(-written +built):\n%s", diff)
	}
}

func TestBuilderMistakesHavePointers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b    *workflow.Builder
		want string
	}{
		"an expression":   {workflow.New("a").Requires("r").Step(workflow.Set("s").With("x", workflow.Expr("input.y"))), `/steps/0/with/x: input has no "y"`},
		"nobody":          {workflow.New("a").Step(workflow.Set("s")), "/: a definition needs requires"},
		"no steps":        {workflow.New("a").Requires("r"), "/steps: steps is a list, and this is nothing"},
		"a broken schema": {workflow.New("a").Input("{").Requires("r").Step(workflow.Set("s")), "/: the definition has no JSON form"},
		"a function":      {workflow.New("a").Requires("r").Step(workflow.Set("s").With("x", func() {})), "/: the definition has no JSON form"},
		"too large":       {workflow.New("a").Requires("r").Step(workflow.Set("s").With("x", strings.Repeat("x", 300_000))), "/: the definition is larger than 256 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.b.Build(testKinds())
			var problems workflow.Problems
			if !errors.As(err, &problems) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
