package workflow

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The limits of an input. They bound the memory that a caller can ask for.
const (
	maxInput       = 1 << 20
	maxInputDepth  = 64
	maxInputValues = 200_000
)

// DecodeInput reads a run's input strictly, fills in defaults, and holds it
// against the definition's schema. No input is an empty object. The errors name
// places by the schema's own words and never repeat a value; their pointers
// begin with /input.
func (d *Definition) DecodeInput(raw []byte) (any, []FieldError) {
	if len(raw) > maxInput {
		return nil, []FieldError{{"/input", "too_large", "at most 1 MiB"}}
	}
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	root, fail := parseJSON(string(raw), jsonLimits{depth: maxInputDepth, values: maxInputValues})
	if fail != nil {
		return nil, []FieldError{{"/input", fail.code, fail.message}}
	}
	value := root.plain()
	if value == nil { // the API says that null means absent
		value = map[string]any{}
	}
	if d.input == nil {
		if m, ok := value.(map[string]any); !ok || len(m) > 0 {
			return nil, []FieldError{{"/input", "additional", "this workflow takes no input"}}
		}
		return value, nil
	}
	fillDefaults(value, d.input.compiled, 0)
	if errs := d.input.check(value, "/input"); len(errs) > 0 {
		return nil, errs
	}
	return value, nil
}

// fillDefaults puts in what the schema gives for absent fields, from the top
// down, so that a default object gets its own defaults, too.
func fillDefaults(v any, s *jsonschema.Schema, depth int) {
	if s == nil || depth > maxInputDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for name, p := range s.Properties {
			if _, ok := v[name]; !ok && p.Default != nil {
				v[name] = cloneJSON(*p.Default)
			}
			if child, ok := v[name]; ok {
				fillDefaults(child, p, depth+1)
			}
		}
	case []any:
		for _, item := range v {
			fillDefaults(item, s.Items2020, depth+1)
		}
	}
	if s.Ref != nil {
		fillDefaults(v, s.Ref, depth+1)
	}
}

// cloneJSON copies a decoded value: a default is shared by all runs.
func cloneJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = cloneJSON(item)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = cloneJSON(out[i])
		}
		return out
	}
	return v
}
