package workflow_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/workflow"
)

// refBomb is a small schema that takes 2^n looks at one value.
func refBomb(n int) string {
	var b strings.Builder
	b.WriteString("name: demo\nrequires: {roles: [a]}\ninput:\n  type: object\n  $ref: '#/$defs/d0'\n  $defs:\n")
	for i := range n {
		fmt.Fprintf(&b, "    d%d: {allOf: [{$ref: '#/$defs/d%d'}, {$ref: '#/$defs/d%d'}]}\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "    d%d: {required: [a]}\nsteps: [{id: a, uses: set}]\n", n)
	return b.String()
}

// The texts are made to be slow to read. Each is answered, whatever the answer.
func TestHostileTextsAreAnsweredInTime(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 40_000)
	many := func(n int, line func(int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	for name, source := range map[string]string{
		"many fields": many(20_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }),
		"many steps": head + "steps:\n" + many(199, func(i int) string {
			return fmt.Sprintf("  - {id: s%d, uses: set, with: {a: \"${{ input.count + %d }}\", b: \"${{ input.text }}\"}}\n", i, i)
		}),
		"many expressions": head + "steps:\n  - id: a\n    uses: set\n    with:\n" + many(2_000, func(i int) string { return fmt.Sprintf("      k%d: ${{ input.count + %d }}\n", i, i) }),
		"one long line":    head + "steps:\n  - {id: a, uses: llm, with: {model: fast, prompt: \"" + long + "\"}}\n",
		"a long block":     head + "steps:\n  - id: a\n    uses: llm\n    with:\n      model: fast\n      prompt: |\n" + many(7_000, func(int) string { return "        word [word {word - word\n" }),
		"folded":           head + "description: >\n" + many(20_000, func(int) string { return "  word\n" }) + "steps: [{id: a, uses: set}]\n",
		"comments":         many(30_000, func(int) string { return "# a\n" }) + head + "steps: [{id: a, uses: set}]\n",
		"blank lines":      strings.Repeat("\n", 200_000) + head,
		"a staircase":      many(600, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"quotes":           "name: " + strings.Repeat("'", 200_000),
		"many documents":   strings.Repeat("---\na: 1\n", 20_000),
		"wrong everywhere": many(5_000, func(i int) string { return fmt.Sprintf("wrong%d: &a {b: *c}\n", i) }),
		"long JSON":        `{"name": "demo", "steps": [` + strings.Repeat(`{"id": "a"},`, 15_000) + `{}]}`,
		"references":       refBomb(100),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			d, err := workflow.Parse([]byte(source), testKinds())
			if err == nil {
				d.DecodeInput([]byte(goodInput))
			}
			if took := time.Since(began); took > patience {
				t.Errorf("took %s", took)
			} else {
				t.Logf("took %s: %.100v", took, err)
			}
		})
	}
}
