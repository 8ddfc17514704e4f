package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// lay writes a decoded JSON value in lines: members by name, elements with a
// dash, text as it is.
func lay(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(b, "%s%s:", indent, name)
			member(b, v[name], indent+"  ")
		}
		if len(v) == 0 {
			fmt.Fprintf(b, "%s{}\n", indent)
		}
	case []any:
		for _, e := range v {
			fmt.Fprintf(b, "%s-", indent)
			member(b, e, indent+"  ")
		}
		if len(v) == 0 {
			fmt.Fprintf(b, "%s[]\n", indent)
		}
	case string:
		for line := range strings.SplitSeq(v, "\n") {
			fmt.Fprintf(b, "%s%s\n", indent, line)
		}
	case nil:
		fmt.Fprintf(b, "%snull\n", indent)
	default:
		fmt.Fprintf(b, "%s%v\n", indent, v)
	}
}

// member writes a value behind a name or a dash: on the same line if it is one.
func member(b *strings.Builder, v any, indent string) {
	var inner strings.Builder
	lay(&inner, v, indent)
	text := inner.String()
	_, object := v.(map[string]any)
	_, array := v.([]any)
	if strings.Count(text, "\n") == 1 && !object && !array {
		b.WriteString(" " + strings.TrimLeft(text, " "))
		return
	}
	b.WriteString("\n" + text)
}
