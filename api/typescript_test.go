package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The description is good enough to make types of: TypeScript's compiler, where
// it is there, takes what this small generator makes of it, and finds a wrong
// use.

// A scribe writes TypeScript.
type scribe struct{ strings.Builder }

func (w *scribe) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// typescript writes an interface for every object, and for every operation the
// types of its parameters, its body and its answers.
func typescript(d document3) string {
	w := &scribe{}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		w.line("export type %s = %s;", name, tsType(d.Components.Schemas[name]))
	}
	w.line("export interface Operations {")
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			tsOperation(w, method, path, d.Paths[path][method])
		}
	}
	w.line("}")
	return w.String()
}

func tsOperation(w *scribe, method, path string, op documented) {
	w.line("  %s: {", tsName(op.ID))
	w.line("    method: %q; path: %q;", strings.ToUpper(method), path)
	var parameters []string
	for _, p := range op.Parameters {
		mark := "?"
		if p.Required {
			mark = ""
		}
		parameters = append(parameters, fmt.Sprintf("%q%s: %s", p.Name, mark, tsType(p.Schema)))
	}
	w.line("    parameters: { %s };", strings.Join(parameters, "; "))
	w.line("    body: %s;", tsContent(op.Body.Content))
	w.line("    answers: {")
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		w.line("      %q: %s;", status, tsContent(op.Responses[status].Content))
	}
	w.line("    };\n  };")
}

func tsContent(content map[string]media) string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		kinds = append(kinds, fmt.Sprintf("%q: %s", kind, tsType(content[kind].Schema)))
	}
	if len(kinds) == 0 {
		return "undefined"
	}
	return "{ " + strings.Join(kinds, "; ") + " }"
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func tsName(s string) string {
	if plainName.MatchString(s) {
		return s
	}
	quoted, _ := json.Marshal(s)
	return string(quoted)
}

func tsType(s schema) string {
	switch {
	case s.Ref != "":
		return objectOf(s.Ref)
	case len(s.AnyOf) > 0:
		return tsUnion(s.AnyOf)
	case len(s.OneOf) > 0:
		return tsUnion(s.OneOf)
	case len(s.Enum) > 0:
		var out []string
		for _, v := range s.Enum {
			text, _ := json.Marshal(v)
			out = append(out, string(text))
		}
		return strings.Join(out, " | ")
	}
	var out []string
	switch t := s.Type.(type) {
	case string:
		out = append(out, tsPlain(t, s))
	case []any:
		for _, one := range t {
			out = append(out, tsPlain(fmt.Sprint(one), s))
		}
	}
	if len(out) == 0 {
		return "unknown"
	}
	return strings.Join(out, " | ")
}

func tsUnion(choice []schema) string {
	var out []string
	for _, s := range choice {
		out = append(out, tsType(s))
	}
	return strings.Join(out, " | ")
}

func tsPlain(kind string, s schema) string {
	switch kind {
	case "integer", "number":
		return "number"
	case "string", "boolean", "null":
		return kind
	case "array":
		if s.Items == nil {
			return "unknown[]"
		}
		return "(" + tsType(*s.Items) + ")[]"
	}
	if s.Properties == nil {
		return "{ [name: string]: unknown }"
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		mark := "?"
		if slices.Contains(s.Required, name) {
			mark = ""
		}
		fields = append(fields, tsName(name)+mark+": "+tsType(s.Properties[name]))
	}
	return "{ " + strings.Join(fields, "; ") + " }"
}

func TestTheDescriptionMakesTypesForEveryOperationAndObject(t *testing.T) {
	t.Parallel()
	d, _ := document(t)
	text := typescript(d)
	for path, item := range d.Paths {
		for method, op := range item {
			head := fmt.Sprintf("  %s: {\n    method: %q; path: %q;", tsName(op.ID), strings.ToUpper(method), path)
			if op.ID == "" || strings.Count(text, head) != 1 {
				t.Errorf("%s %s has no type of its own", method, path)
			}
		}
	}
	defined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^export type (\w+) = (.*);$`).FindAllStringSubmatch(text, -1) {
		if defined[m[1]] = true; m[2] == "unknown" {
			t.Errorf("nothing is known of %s", m[1])
		}
	}
	for name := range d.Components.Schemas {
		if !defined[name] {
			t.Errorf("%s has no type", name)
		}
	}
	compile(t, text)
}

// compile lets TypeScript's own compiler judge: the types, a right use of them
// and a wrong one.
func compile(t *testing.T, types string) {
	t.Helper()
	tsc, err := exec.LookPath("tsc")
	if err != nil || testing.Short() {
		t.Log("there is no tsc here (npm install -g typescript), or the tests are to be short: the types were not compiled")
		return
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "custody.d.ts"), []byte(types), 0o600))
	const use = `import type { Operations, Run } from "./custody";
const run: Run = {} as Operations["getRun"]["answers"]["200"]["application/json"];
const state: "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" = run.state;
const asked: Operations["submitRun"]["body"]["application/json"] = { workflow: "review" };
export { state, asked };
`
	must(t, os.WriteFile(filepath.Join(dir, "right.ts"), []byte(use), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "wrong.ts"), []byte(strings.Replace(use, `{ workflow: "review" }`, `{ workflow: 1 }`, 1)), 0o600))
	cmd := exec.CommandContext(t.Context(), tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es5", "right.ts", "wrong.ts")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if errors := regexp.MustCompile(`(?m)^(\S+)\(.*error (TS[0-9]+)`).FindAllStringSubmatch(string(out), -1); err == nil || len(errors) != 1 || errors[0][1] != "wrong.ts" || errors[0][2] != "TS2322" {
		t.Errorf("one error in wrong.ts is right: %v\n%s", err, out)
	}
}
