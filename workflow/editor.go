package workflow

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed editor/schema.json
var editorSchema []byte

//go:embed editor/scaffold.yaml
var scaffold string

// Schema is the JSON Schema (draft 2020-12) of a definition, for editors. It
// knows the form; Parse knows the rest.
func Schema() []byte { return slices.Clone(editorSchema) }

// Scaffold is a first definition with comments. It needs the model alias `fast`
// and no connection, so it runs on the offline model. What cannot be part of a
// name is replaced.
func Scaffold(name string) []byte {
	return []byte(strings.Replace(scaffold, "NAME", scaffoldName(name), 1))
}

// scaffoldName makes a valid name out of what somebody typed.
func scaffoldName(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		}
		return '-'
	}, name)
	out = strings.TrimRight(strings.TrimLeft(out, "-0123456789"), "-")
	if out == "" {
		return "my-workflow"
	}
	return strings.TrimRight(out[:min(len(out), 63)], "-")
}
