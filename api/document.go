package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// document3 is what the page needs of an OpenAPI 3.1 document.
type document3 struct {
	Info struct {
		Title, Version, Description string
	}
	Tags       []struct{ Name string }
	Paths      map[string]map[string]documented
	Components struct {
		Schemas map[string]schema
	}
}

// documented is an operation in the document.
type documented struct {
	ID          string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Who         string `json:"x-custody-who"`
	Parameters  []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
		Example               any
	}
	Body struct {
		Content map[string]media
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string
		Content     map[string]media
		Headers     map[string]any
		Problems    []string `json:"x-custody-problems"`
	}
}

type media struct {
	Schema   schema
	Example  any
	Examples map[string]struct{ Value any }
}

// schema is a JSON Schema, as far as the document uses it.
type schema struct {
	Ref         string `json:"$ref"`
	Type        any    // a name, or a list of names
	Format      string
	Description string
	Pattern     string
	Enum        []any
	Default     any
	Examples    []any
	Minimum     *float64
	Maximum     *float64
	MinLength   *int
	MaxLength   *int
	MinItems    *int
	MaxItems    *int
	Items       *schema
	AnyOf       []schema
	OneOf       []schema
	Properties  map[string]schema
	Additional  any `json:"additionalProperties"`
	Required    []string
}

// resolve follows a reference to the object that it names.
func (d document3) resolve(s schema) schema {
	if s.Ref == "" {
		return s
	}
	return d.Components.Schemas[objectOf(s.Ref)]
}

func objectOf(ref string) string { return strings.TrimPrefix(ref, "#/components/schemas/") }

// sample is a body: the document's example, else the fields that must be there.
func (d document3) sample(m media) string {
	value := m.Example
	for _, name := range slices.Sorted(maps.Keys(m.Examples)) {
		if value == nil {
			value = m.Examples[name].Value
		}
	}
	if value == nil {
		value = d.value(m.Schema, 0)
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came out of JSON
	}
	return string(text)
}

// value makes up a value of a schema. Objects that contain themselves end.
func (d document3) value(s schema, depth int) any {
	s = d.resolve(s)
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Properties != nil && depth < 5:
		out := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) {
				out[name] = d.value(p, depth+1)
			}
		}
		return out
	}
	switch s.Type {
	case "string":
		return "…"
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "array":
		return []any{}
	}
	return map[string]any{}
}
