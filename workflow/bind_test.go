package workflow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

// inputs is a run that has its input and nothing else.
func inputs(d *workflow.Definition, v any) workflow.Values {
	return workflow.Values{Input: d.InputValue(v), Steps: map[string]workflow.Value{}}
}

func fullInput() map[string]any {
	return map[string]any{
		"text": "secret words", "amount": int64(3), "amounts": []any{int64(1), 2.5}, "count": int64(2), "urgent": true,
		"topic": "law", "language": "English", "tags": []any{"x", "y"}, "customer": map[string]any{"name": "Ann", "first-name": "A", "vip": false},
	}
}

func TestBindKeepsTextAndValuesApart(t *testing.T) {
	t.Parallel()
	d := parse(t, head+`sensitivity: {input: confidential}
steps:
  - id: a
    uses: llm
    with:
      model: fast
      system: Reply in ${{ input.language }}.
      prompt: "${{ input.text }} and ${{ input.topic }}, again ${{ input.text }}"
`)
	b, err := d.Bind(0, inputs(d, fullInput()))
	if err != nil {
		t.Fatal(err)
	}
	wantWith := map[string]any{
		"model":  "fast",
		"system": workflow.Template{{Text: "Reply in ", Param: -1}, {Param: 2}, {Text: ".", Param: -1}},
		"prompt": workflow.Template{{Param: 0}, {Text: " and ", Param: -1}, {Param: 1}, {Text: ", again ", Param: -1}, {Param: 0}},
	}
	if diff := cmp.Diff(wantWith, b.With); diff != "" {
		t.Errorf("With (-want +got):\n%s", diff)
	}
	label := security.Label{Origins: security.Caller, Sensitivity: security.Confidential}
	wantParams := []workflow.Param{
		{Name: "value-1", Value: workflow.Value{V: "secret words", Label: label, Path: "/input/text"}},
		{Name: "value-2", Value: workflow.Value{V: "law", Label: label, Path: "/input/topic", Inert: true}},
		{Name: "value-3", Value: workflow.Value{V: "English", Label: label, Path: "/input/language"}},
	}
	if diff := cmp.Diff(wantParams, b.Params); diff != "" {
		t.Errorf("Params (-want +got):\n%s", diff)
	}
	if _, err := b.Resolve(); err == nil {
		t.Error("a template was glued together")
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{
		"input.text":                                  "secret words",
		"input.tags[1]":                               "y",
		"input.customer.name":                         "Ann",
		"input.amount * 2.0":                          int64(6),
		"input.amount / 2.0":                          1.5,
		"input.amounts.map(a, a + 1.0)":               []any{int64(2), 3.5},
		"input.count + 1":                             int64(3),
		"input.amount > input.count":                  true,
		"input.?note.orValue('none')":                 "none",
		"has(input.note) ? input.note : 'no'":         "no",
		"input.tags.size()":                           int64(2),
		"input.tags.filter(x, x != 'x')":              []any{"y"},
		"{'a': input.count, 'b': [input.topic]}":      map[string]any{"a": int64(2), "b": []any{"law"}},
		"input.customer":                              map[string]any{"name": "Ann", "first-name": "A", "vip": false},
		"{'c': input.customer}.c.name":                "Ann",
		"[input.customer].exists(c, c.name == 'Ann')": true,
		"steps.?skipped.output.x.orValue('none')":     "none",
		"steps.?skipped.output.orValue(null)":         nil,
		"input.customer.`first-name`":                 "A",
		"null":                                        nil,
		"'}}' + \"}}\" + '''}}'''":                    "}}}}}}",
		"{'a': {'b': input.topic}}.a":                 map[string]any{"b": "law"},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			d := parse(t, head+"steps:\n  - {id: skipped, uses: set, if: 'false', with: {x: hello}}\n  - id: a\n    uses: set\n    with:\n      v: |\n        ${{ "+source+" }}\n")
			b, err := d.Bind(1, inputs(d, fullInput()))
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"v": want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConditionsFailAndNeverSkipOnAnError(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"input.count == 2":                       "true",
		"${{ input.count == 3 }}":                "false",
		"true":                                   "true",
		"steps.gone.output.x == 'hello'":         "absent",
		"steps.?gone.output.x.orValue('') == ''": "true",
		"input.note == 'a'":                      "absent",
		"1 / (input.count - 2) == 1":             "divides by zero",
		"input.tags[5] == 'a'":                   "end of a list",
		"int(input.text) == 1":                   "cannot be evaluated",
		"input.extra.deep.deeper":                "something else than",
		"input.tags.all(a, input.tags.all(b, input.tags.all(c, a + b + c != '')))": "true",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			d := parse(t, head+"steps:\n  - {id: gone, uses: set, with: {x: hello}}\n  - id: a\n    uses: set\n    if: |\n      "+source+"\n")
			in := fullInput()
			in["extra"] = map[string]any{"deep": map[string]any{"deeper": "hidden content"}}
			yes, err := d.If(1, inputs(d, in))
			switch {
			case err == nil && want != "true" && want != "false":
				t.Fatalf("no error but %v", yes)
			case err == nil:
				if yes != (want == "true") {
					t.Errorf("got %v", yes)
				}
			case !strings.Contains(err.Error(), want):
				t.Errorf("got %v", err)
			case strings.Contains(err.Error(), "secret words") || strings.Contains(err.Error(), "hidden content"):
				t.Errorf("the message shows content: %v", err)
			case yes:
				t.Error("an error and a yes")
			}
		})
	}
}

func TestDearExpressionsAreStopped(t *testing.T) {
	t.Parallel()
	five := "[1,2,3,4,5,6,7,8,9,10]"
	for name, source := range map[string]string{
		"time":  "'x' + string(" + five + ".map(a, " + five + ".map(b, " + five + ".map(c, " + five + ".map(d, " + five + ".map(e, " + five + ".map(f, a)))))).size())",
		"space": five + ".map(a, " + five + ".map(b, " + five + ".map(c, input.text)))",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, strings.Replace(head, "maxLength: 100", "maxLength: 100000", 1)+"steps:\n  - {id: a, uses: set, with: {v: \"${{ "+source+" }}\"}}\n")
			in := fullInput()
			in["text"] = strings.Repeat("x", 100_000)
			_, err := d.Bind(0, inputs(d, in))
			var failed *workflow.EvalError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestLabelsFollowValues(t *testing.T) {
	t.Parallel()
	d := parse(t, head+`sensitivity: {input: internal, lookup: confidential}
steps:
  - {id: lookup, uses: http, with: {connection: crm, method: GET, path: /all}}
  - {id: answer, uses: llm, with: {model: fast, prompt: "${{ input.text }}"}}
  - {id: both, uses: set, with: {a: "${{ input.count > 1 ? 'x' : 'y' }}", b: "${{ steps.lookup.output }}"}}
  - {id: fixed, uses: set, with: {a: 1}}
  - {id: hello, uses: llm, with: {model: fast, prompt: Hello}}
  - {id: other, uses: http, with: {connection: crm, method: GET, path: /all}}
  - {id: derived, uses: llm, with: {model: fast, prompt: "${{ steps.both.output.b }}"}}
`)
	want := []security.Label{
		{Origins: security.Tool, Sensitivity: security.Confidential},
		{Origins: security.Model, Sensitivity: security.Internal},
		{Origins: security.Caller | security.Tool, Sensitivity: security.Confidential},
		{Origins: security.Author, Sensitivity: security.Public},
		{Origins: security.Model, Sensitivity: security.Public},
		{Origins: security.Tool, Sensitivity: security.Restricted},
		{Origins: security.Model, Sensitivity: security.Confidential},
	}
	values := inputs(d, fullInput())
	for i := range d.Steps {
		b, err := d.Bind(i, values)
		if err != nil {
			t.Fatal(err)
		}
		value := d.OutputValue(i, map[string]any{"a": "x", "b": "y"})
		if value.Label != want[i] || d.OutputLabel(i, b) != want[i] {
			t.Errorf("%s: %v and %v, want %v", d.Steps[i].ID, value.Label, d.OutputLabel(i, b), want[i])
		}
		values.Steps[d.Steps[i].ID] = value
	}
	if got := d.OutputValue(1, "x").Path; got != "/steps/answer/output" {
		t.Errorf("path %q", got)
	}
}

func TestUndeclaredSensitivityIsRestricted(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps:\n  - {id: a, uses: llm, with: {model: fast, prompt: \"${{ input.text }}\"}}\n")
	if got := d.InputLabel(); got.Sensitivity != security.Restricted {
		t.Errorf("input: %v", got)
	}
	if got := d.OutputValue(0, "x").Label.Sensitivity; got != security.Restricted {
		t.Errorf("output: %v", got)
	}
}

func TestARunsLabelCanOnlyBeStricter(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"sensitivity: {input: public}\nsteps:\n  - {id: a, uses: llm, with: {model: fast, prompt: \"${{ input.text }}\"}}\n")
	values := inputs(d, fullInput())
	values.Input.Label.Sensitivity = security.Restricted
	b, err := d.Bind(0, values)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.OutputLabel(0, b).Sensitivity; got != security.Restricted {
		t.Errorf("got %v", got)
	}
}

func TestValuesMustFitTheirPlace(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps:\n  - {id: a, uses: llm, with: {model: fast, prompt: x, max_tokens: \"${{ input.extra.n }}\"}}\n")
	for _, c := range []struct {
		v  any
		ok bool
	}{{int64(5), true}, {"5", false}, {1.5, false}, {nil, false}} {
		in := fullInput()
		in["extra"] = map[string]any{"n": c.v}
		if _, err := d.Bind(0, inputs(d, in)); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.v, err)
		}
	}
}

func TestRunOutput(t *testing.T) {
	t.Parallel()
	steps := "steps:\n  - {id: a, uses: set, with: {x: \"${{ input.count }}\"}}\n"
	last := parse(t, head+steps)
	values := inputs(last, fullInput())
	values.Steps["a"] = last.OutputValue(0, map[string]any{"x": int64(2)})
	v, err := last.EvalOutput(values)
	if err != nil || !cmp.Equal(v.V, map[string]any{"x": int64(2)}) || v.Path != "/steps/a/output" {
		t.Errorf("the last step's output: %+v, %v", v, err)
	}
	chosen := parse(t, head+steps+"output: ${{ steps.a.output.x }}\n")
	v, err = chosen.EvalOutput(values)
	if err != nil || v.V != int64(2) || v.Path != "/steps/a/output/x" || !v.Inert {
		t.Errorf("the chosen output: %+v, %v", v, err)
	}
	if v, err = last.EvalOutput(inputs(last, fullInput())); err != nil || v.V != nil {
		t.Errorf("a skipped last step: %+v, %v", v, err)
	}
	if _, err = chosen.EvalOutput(inputs(last, fullInput())); err == nil {
		t.Error("a skipped step's output was evaluated")
	}
}

func TestOutputsAreHeldAgainstTheirSchema(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps:\n"+draftStep+"  - {id: b, uses: set, with: {x: 1}}\n  - {id: c, uses: llm, with: {model: fast, prompt: x}}\n")
	if err := d.CheckOutput(0, map[string]any{"title": "t", "score": int64(1)}); err != nil {
		t.Error(err)
	}
	err := d.CheckOutput(0, map[string]any{"title": "private", "score": "private"})
	var fields workflow.FieldErrors
	if !errors.As(err, &fields) || strings.Contains(err.Error(), "private") || fields[0].Pointer != "/score" || fields[0].Code != "type" {
		t.Errorf("got %v", err)
	}
	if err := d.CheckOutput(1, map[string]any{"x": int64(1)}); err != nil {
		t.Error(err)
	}
	if err := d.CheckOutput(2, int64(5)); err == nil {
		t.Error("a model's answer without a schema is a text")
	}
}

func BenchmarkBind(b *testing.B) {
	d := parse(b, string(example(b)))
	v := inputs(d, map[string]any{"contract": strings.Repeat("word ", 200)})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Bind(0, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBindComputed(b *testing.B) {
	d := parse(b, head+"steps:\n  - {id: a, uses: set, with: {v: \"${{ input.count > 1 && input.topic == 'law' ? input.text : '' }}\"}}\n")
	v := inputs(d, fullInput())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Bind(0, v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	source := example(b)
	kinds := testKinds()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := workflow.Parse(source, kinds); err != nil {
			b.Fatal(err)
		}
	}
}
