package workflow_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/workflow"
)

// patience is far more than the slowest honest definition takes; a text beyond
// it keeps a server busy for the price of one request.
const patience = 5 * time.Second

// FuzzParse holds that no text panics or takes long, that what is taken reads
// back to the same digest, and that every problem has a place.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "../examples/contract-review.yaml") {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Add(workflow.Scaffold("seed"))
	kinds := testKinds()
	f.Fuzz(func(t *testing.T, source []byte) {
		began := time.Now()
		d, err := workflow.Parse(source, kinds)
		if took := time.Since(began); took > patience {
			t.Errorf("took %s", took)
		}
		if err != nil {
			var problems workflow.Problems
			if !errors.As(err, &problems) {
				t.Errorf("the error is a %T", err)
			}
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || p.Message == "" || p.Code == "" {
					t.Errorf("a problem without a place or words: %+v", p)
				}
			}
			return
		}
		again, err := workflow.Parse(d.Canonical(), kinds)
		if err != nil {
			t.Fatalf("the canonical form is refused: %v\n%s", err, d.Canonical())
		}
		if again.Digest() != d.Digest() {
			t.Errorf("another digest:\n%s\n%s", d.Canonical(), again.Canonical())
		}
	})
}

// FuzzExpression holds that no expression panics, takes long, or shows a value
// in its error.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"input.text", "input.count + 1", "input.tags.map(x, x + 'a')", "steps.?gone.output.x.orValue('')", "{'a': [1, 2.0]}",
		"input.amounts.filter(a, a > 1.0).size()", "has(input.note) && input.note.matches('^a+$')", "string(input.amount)",
		"timestamp(input.text)", "[1,2,3].all(x, x > 0)", "input.text[0]", "input.customer.`first-name`", "type(input)", "b'x'", "1u",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.ContainsAny(source, "\"\n\r\\") || strings.Contains(source, "}}") {
			return // would end the YAML that the source stands in
		}
		began := time.Now()
		d, err := workflow.Parse([]byte(head+"steps:\n  - {id: gone, uses: set, with: {x: a}}\n  - {id: a, uses: set, with: {v: \"${{ "+source+" }}\"}}\n"), testKinds())
		if err == nil {
			_, err = d.Bind(1, inputs(d, fullInput()))
		}
		if took := time.Since(began); took > patience {
			t.Errorf("took %s", took)
		}
		if err != nil && !strings.Contains(source, "secret") && strings.Contains(err.Error(), "secret words") {
			t.Errorf("the error shows a value: %v", err)
		}
	})
}

// FuzzInput holds that no input panics and that what is taken fits its schema
// again.
func FuzzInput(f *testing.F) {
	f.Add([]byte(goodInput))
	f.Add([]byte(`{"text": "\ud83d\ude00", "count": 1e0}`))
	d := parse(f, head+"steps: [{id: a, uses: set}]\n")
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, errs := d.DecodeInput(raw)
		if (v == nil) == (len(errs) == 0) {
			t.Errorf("value %v with errors %v", v, errs)
		}
	})
}
