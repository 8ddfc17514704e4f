package workflow_test

import (
	"strings"
	"testing"

	"github.com/custodyhq/custody/workflow"
)

func withSchema(schema string) string {
	return "name: demo\nrequires: {roles: [a]}\ninput: " + schema + "\nsteps: [{id: a, uses: set}]\n"
}

// A tree may contain itself; a tree whose nodes are looked at twice on every
// level takes 2^depth looks.
func TestSchemasThatContainThemselves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema string
		ok     bool
	}{
		"a tree":           {`{type: object, properties: {left: {$ref: "#"}, right: {$ref: "#"}, value: {type: integer}}}`, true},
		"a list of trees":  {`{type: object, properties: {kids: {type: array, items: {$ref: "#"}}}}`, true},
		"a doubled tree":   {`{type: object, allOf: [{$ref: "#/$defs/p"}, {$ref: "#/$defs/p"}], $defs: {p: {properties: {x: {$ref: "#"}}}}}`, false},
		"a forked tree":    {`{type: object, properties: {x: {$ref: "#"}}, anyOf: [{properties: {x: {$ref: "#"}}}]}`, false},
		"a choice":         {`{type: object, properties: {x: {oneOf: [{type: string}, {type: integer}]}}}`, true},
		"pure references":  {`{type: object, properties: {x: {$ref: "#/$defs/a"}}, $defs: {a: {$ref: "#/$defs/b"}, b: {type: string}}}`, true},
		"a circle of none": {`{type: object, properties: {x: {$ref: "#/$defs/a"}}, $defs: {a: {$ref: "#/$defs/b"}, b: {$ref: "#/$defs/a"}}}`, false},
		"an unknown $ref":  {`{type: object, properties: {x: {$ref: "#/$defs/none"}}}`, false},
		"a bad pattern":    {`{type: object, properties: {x: {type: string, pattern: "(?=a)"}}}`, false},
		"another dialect":  {`{type: object, $schema: "http://json-schema.org/draft-07/schema#"}`, false},
		"this dialect":     {`{type: object, $schema: "https://json-schema.org/draft/2020-12/schema"}`, true},
		"another document": {`{type: object, $id: "https://example.org/a", properties: {x: {$ref: "#/$defs/none"}}}`, false},
		"a list":           {`[1]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := workflow.Parse([]byte(withSchema(c.schema)), testKinds())
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				d.DecodeInput([]byte(strings.Repeat(`{"left":`, 60) + `{"value": 1}` + strings.Repeat("}", 60)))
			}
		})
	}
}

func TestEveryRuleHasItsCode(t *testing.T) {
	t.Parallel()
	for schema, c := range map[string]struct{ input, code string }{
		`{type: object, minProperties: 2}`:                                          {`{}`, "min_properties"},
		`{type: object, maxProperties: 0}`:                                          {`{"a": 1}`, "max_properties"},
		`{type: object, additionalProperties: false}`:                               {`{"a": 1}`, "additional"},
		`{type: object, properties: {a: false}}`:                                    {`{"a": 1}`, "additional"},
		`{type: object, propertyNames: {maxLength: 1}}`:                             {`{"abc": 1}`, "max_length"},
		`{type: object, dependentRequired: {a: [b]}}`:                               {`{"a": 1}`, "dependent_required"},
		`{type: object, properties: {a: {const: 5}}}`:                               {`{"a": 1}`, "const"},
		`{type: object, properties: {a: {not: {type: integer}}}}`:                   {`{"a": 1}`, "not"},
		`{type: object, properties: {a: {anyOf: [{type: string}]}}}`:                {`{"a": 1}`, "any_of"},
		`{type: object, properties: {a: {oneOf: [{type: integer}, {minimum: 0}]}}}`: {`{"a": 1}`, "one_of"},
		`{type: object, properties: {a: {pattern: "^x"}}}`:                          {`{"a": "y"}`, "pattern"},
		`{type: object, properties: {a: {format: email}}}`:                          {`{"a": "y"}`, "format"},
		`{type: object, properties: {a: {minLength: 2}}}`:                           {`{"a": "y"}`, "min_length"},
		`{type: object, properties: {a: {minItems: 1}}}`:                            {`{"a": []}`, "min_items"},
		`{type: object, properties: {a: {uniqueItems: true}}}`:                      {`{"a": [1, 1.0]}`, "unique_items"},
		`{type: object, properties: {a: {contains: {type: string}}}}`:               {`{"a": [1]}`, "contains"},
		`{type: object, properties: {a: {minimum: 2.5}}}`:                           {`{"a": 2}`, "minimum"},
		`{type: object, properties: {a: {exclusiveMinimum: 2}}}`:                    {`{"a": 2}`, "exclusive_minimum"},
		`{type: object, properties: {a: {exclusiveMaximum: 2}}}`:                    {`{"a": 2}`, "exclusive_maximum"},
		`{type: object, properties: {a: {multipleOf: 2}}}`:                          {`{"a": 3}`, "multiple_of"},
	} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			d := parse(t, withSchema(schema))
			_, errs := d.DecodeInput([]byte(c.input))
			if len(errs) != 1 || errs[0].Code != c.code {
				t.Errorf("got %v, want %s", errs, c.code)
			}
		})
	}
}
