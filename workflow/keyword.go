package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// How a keyword of JSON Schema holds further schemas.
type holding byte

const (
	holdsNone holding = iota
	holdsSchema
	holdsList
	holdsMap
)

// keywords are those of draft 2020-12 that Custody knows. JSON Schema ignores
// the rest, which would make a misspelt limit no limit at all.
func keywords() map[string]holding {
	return map[string]holding{
		"$schema": holdsNone, "$id": holdsNone, "$ref": holdsNone, "$defs": holdsMap, "$comment": holdsNone, "$anchor": holdsNone,
		"title": holdsNone, "description": holdsNone, "default": holdsNone, "examples": holdsNone, "deprecated": holdsNone,
		"readOnly": holdsNone, "writeOnly": holdsNone, "format": holdsNone,
		"type": holdsNone, "enum": holdsNone, "const": holdsNone,
		"allOf": holdsList, "anyOf": holdsList, "oneOf": holdsList, "not": holdsSchema,
		"if": holdsSchema, "then": holdsSchema, "else": holdsSchema,
		"properties": holdsMap, "patternProperties": holdsMap, "additionalProperties": holdsSchema,
		"unevaluatedProperties": holdsSchema, "propertyNames": holdsSchema, "dependentSchemas": holdsMap,
		"required": holdsNone, "dependentRequired": holdsNone, "minProperties": holdsNone, "maxProperties": holdsNone,
		"items": holdsSchema, "prefixItems": holdsList, "contains": holdsSchema, "unevaluatedItems": holdsSchema,
		"minItems": holdsNone, "maxItems": holdsNone, "uniqueItems": holdsNone, "minContains": holdsNone, "maxContains": holdsNone,
		"minLength": holdsNone, "maxLength": holdsNone, "pattern": holdsNone,
		"minimum": holdsNone, "maximum": holdsNone, "exclusiveMinimum": holdsNone, "exclusiveMaximum": holdsNone, "multipleOf": holdsNone,
	}
}

// formats are those that are checked; a format that is not would promise what
// nobody keeps.
func formats() []string {
	return []string{
		"json-pointer", "uuid", "duration", "ipv4", "ipv6", "hostname", "email",
		"date", "time", "date-time", "uri", "uri-reference", "regex",
	}
}

// checkKeywords walks a schema and refuses what would be silently ignored.
func checkKeywords(doc any, pointer string) *schemaError {
	known := keywords()
	return walkSchema(doc, pointer, known, 0)
}

func walkSchema(doc any, pointer string, known map[string]holding, depth int) *schemaError {
	if _, ok := doc.(bool); ok {
		return nil
	}
	m, ok := doc.(map[string]any)
	if !ok {
		return &schemaError{pointer: pointer, message: "a schema is an object or a boolean"}
	}
	if depth > maxDepth {
		return &schemaError{pointer: pointer, message: "the schema is nested too deeply", remedy: "flatten it"}
	}
	for _, name := range sortedKeys(m) {
		holds, ok := known[name]
		if !ok {
			return &schemaError{pointer: join(pointer, name), message: fmt.Sprintf("%s is not a keyword of JSON Schema", quote(name)), remedy: didYouMean(name, sortedKeys(known)), name: true}
		}
		if err := walkKeyword(m[name], join(pointer, name), name, holds, known, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func walkKeyword(v any, pointer, name string, holds holding, known map[string]holding, depth int) *schemaError {
	if err := checkWord(v, pointer, name); err != nil {
		return err
	}
	switch holds {
	case holdsSchema:
		return walkSchema(v, pointer, known, depth)
	case holdsList:
		list, _ := v.([]any)
		for i, item := range list {
			if err := walkSchema(item, fmt.Sprintf("%s/%d", pointer, i), known, depth); err != nil {
				return err
			}
		}
	case holdsMap:
		m, _ := v.(map[string]any)
		for _, key := range sortedKeys(m) {
			if err := walkSchema(m[key], join(pointer, key), known, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkWord looks at the keywords whose mistakes deserve better words than the
// metaschema's.
func checkWord(v any, pointer, name string) *schemaError {
	word, isText := v.(string)
	switch {
	case name == "type" && isText && !slices.Contains(typeNames(), word):
		return &schemaError{pointer: pointer, message: fmt.Sprintf("%s is not a type of JSON Schema", quote(word)), remedy: didYouMean(word, typeNames())}
	case name == "format" && isText && !slices.Contains(formats(), word):
		return &schemaError{pointer: pointer, message: fmt.Sprintf("the format %s is not checked", quote(word)), remedy: "use a pattern"}
	case name == "$schema" && v != dialect:
		return &schemaError{pointer: pointer, message: "only draft 2020-12 is read", remedy: "leave $schema out"}
	case name == "$ref" && !strings.HasPrefix(word, "#"):
		return &schemaError{pointer: pointer, message: "a schema may refer only to itself", remedy: "put what it refers to under $defs and write #/$defs/…"}
	}
	return nil
}

func typeNames() []string {
	return []string{"array", "boolean", "integer", "null", "number", "object", "string"}
}

// sortedKeys lists a map's keys in a fixed order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
