package steps

import (
	"maps"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// statements are the author's texts that the step gives to a model, without the
// values in them.
func (c Checked) statements() []string {
	var out []string
	in := Input{with: c.with}
	for _, field := range c.step().Kind.Templates {
		var b strings.Builder
		for _, text := range in.authored(field) {
			b.WriteString(text)
			b.WriteByte(' ')
		}
		if b.Len() > 0 {
			out = append(out, b.String())
		}
	}
	return out
}

// authored is the author's part of a template.
func (in Input) authored(field string) []string {
	var out []string
	switch t := in.with[field].(type) {
	case string:
		out = append(out, t)
	case workflow.Template:
		for _, part := range t {
			if part.Param == -1 {
				out = append(out, part.Text)
			}
		}
	}
	return out
}

// confidential are the texts among the step's values that are labelled
// confidential or restricted.
func (c Checked) confidential() []guard.Source {
	var out []guard.Source
	for _, a := range c.args.Args() {
		if a.Inert || a.Label.Trusted() || a.Label.Sensitivity > security.Confidential {
			continue
		}
		out = appendTexts(out, a.Path, a.Value)
	}
	return out
}

// appendTexts adds every string in a value. They all have the place of the
// value: what a member is called is content.
func appendTexts(out []guard.Source, path string, v any) []guard.Source {
	switch v := v.(type) {
	case string:
		out = append(out, guard.Source{Path: path, Text: v})
	case []any:
		for _, e := range v {
			out = appendTexts(out, path, e)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = appendTexts(out, path, v[name])
		}
	}
	return out
}
