package workflow_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/custodyhq/custody/workflow"
)

func editorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(workflow.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("editor.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("editor.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decodeYAML reads a document as an editor would.
func decodeYAML(t *testing.T, source []byte) (any, bool) {
	t.Helper()
	raw, err := yaml.YAMLToJSON(source)
	if err != nil {
		return nil, false
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	return v, err == nil
}

func TestEditorSchemaTakesWhatParseTakes(t *testing.T) {
	t.Parallel()
	s := editorSchema(t)
	examples, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatal("no examples", err)
	}
	sources := map[string][]byte{"scaffold": workflow.Scaffold("first"), "canonical": parse(t, string(example(t))).Canonical()}
	for _, file := range examples {
		if sources[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, source := range sources {
		v, ok := decodeYAML(t, source)
		if !ok {
			t.Fatalf("%s is not YAML", name)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The editor's schema knows the form of a definition: what is wrong with the
// form is shown while typing. The rest needs Parse.
func TestEditorSchemaRefusesWrongForms(t *testing.T) {
	t.Parallel()
	s := editorSchema(t)
	for _, name := range strings.Fields(`unknown_field unknown_step_field github_on github_jobs github_run
		github_continue_on_error no_name bad_name no_requires empty_requires no_steps empty_steps steps_mapping
		missing_with hyphen_id guard_mode guard_unknown guard_on_set retry_zero retry_on_set duration
		timeout_on_approval approval_without_show approval_roles approval_quorum schema_not_object
		accepts_unknown accepts_on_llm sensitivity_value output_literal yaml_list role_twice`) {
		source, err := os.ReadFile("testdata/bad/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := decodeYAML(t, source); ok && s.Validate(v) == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestScaffoldIsAWorkingDefinition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"first": "first", "My Flow 2": "my-flow-2", "": "my-workflow", "--9": "my-workflow",
		strings.Repeat("x", 80): strings.Repeat("x", 63), "a\nb: c": "a-b--c",
	} {
		d := parse(t, string(workflow.Scaffold(name)))
		if d.Name != want {
			t.Errorf("%q became %q, want %q", name, d.Name, want)
		}
		if w := d.Warnings(); len(w) > 0 {
			t.Errorf("a first definition should not warn: %v", w)
		}
		for _, s := range d.Steps {
			if s.Kind.Effect {
				t.Errorf("step %s needs a connection", s.ID)
			}
		}
	}
	// What is commented out works, too, once the marks are gone.
	var lines []string
	for _, line := range strings.Split(string(workflow.Scaffold("all")), "\n") {
		if bare := strings.TrimPrefix(line, "  # "); bare != line && (strings.HasPrefix(bare, "- ") || strings.HasPrefix(bare, "  ")) {
			line = "  " + bare
		}
		lines = append(lines, line)
	}
	if d := parse(t, strings.Join(lines, "\n")); len(d.Steps) != 4 {
		t.Errorf("%d steps", len(d.Steps))
	}
}

func TestSchemaIsOneDocument(t *testing.T) {
	t.Parallel()
	if !json.Valid(workflow.Schema()) {
		t.Error("not JSON")
	}
	workflow.Schema()[0] = 'x'
	if workflow.Schema()[0] == 'x' {
		t.Error("a caller can change it for others")
	}
}

func TestTextsThatAreNoDefinition(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, code string }{
		"empty":            {"", "empty"},
		"only a comment":   {"# hello\n", "empty"},
		"not UTF-8":        {"name: \xff", "not_utf8"},
		"NUL":              {"# a comment\n# \x00", "nul"},
		"an escaped NUL":   {head + `steps: [{id: a, uses: set, with: {x: ["a\0"]}}]`, "nul"},
		"NUL in a name":    {head + `steps: [{id: a, uses: set, with: {"\u0000": 1}}]`, "nul"},
		"NUL in JSON":      {`{"name": "a", "description": "\u0000", "requires": {"roles": ["a"]}, "steps": [{"id": "a", "uses": "set", "with": {"x": "\t"}}]}`, "nul"},
		"too large":        {strings.Repeat("# comment\n", 30_000), "too_large"},
		"deep flow":        {strings.Repeat("[", 100_000), "too_deep"},
		"deep block":       {strings.Repeat("- ", 50_000), "too_deep"},
		"deep keys":        {strings.Repeat("? ", 50_000), "too_deep"},
		"deep objects":     {strings.Repeat("{a: ", 50_000), "too_deep"},
		"deep JSON":        {strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), "too_deep"},
		"many anchors":     {strings.Repeat("&a ", 50_000), "too_deep"},
		"JSON with a twin": {`{"name": "a", "name": "b"}`, "duplicate_key"},
		"a number":         {"5", "type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := workflow.Parse([]byte(c.source), testKinds())
			var problems workflow.Problems
			if !errors.As(err, &problems) || problems[0].Code != c.code || problems[0].Line < 1 {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}
