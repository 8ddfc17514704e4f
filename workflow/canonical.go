package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
)

// appendJSON writes a decoded value as canonical JSON (RFC 8785): names sorted
// by UTF-16 code units, no white space, shortest numbers, and only the escapes
// that JSON cannot do without. Values come from the readers of this package, so
// nothing in them lacks a JSON form.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		number, err := json.Marshal(v) // writes floats as ECMAScript does
		if err != nil {
			return append(b, "null"...)
		}
		return append(b, number...)
	case string:
		return appendText(b, v)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case map[string]any:
		return appendObject(b, v)
	}
	return appendText(b, fmt.Sprint(v))
}

func appendObject(b []byte, m map[string]any) []byte {
	keys := sortedKeys(m)
	slices.SortFunc(keys, func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, k)
		b = append(b, ':')
		b = appendJSON(b, m[k])
	}
	return append(b, '}')
}

// appendText writes a JSON text with the escapes of RFC 8785, section 3.2.2.2.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			if c < ' ' {
				b = fmt.Appendf(b, `\u%04x`, c)
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// seal fixes the canonical form and the digest of a loaded definition.
func (d *Definition) seal() {
	d.canonical = appendJSON(nil, d.document())
	sum := sha256.Sum256(d.canonical)
	d.digest = "sha256:" + hex.EncodeToString(sum[:])
}

// document is the definition as a document that Parse reads: every need is
// written out, every duration in one form, roles sorted.
func (d *Definition) document() map[string]any {
	steps := make([]any, len(d.Steps))
	kinds := map[string]any{}
	for i := range d.Steps {
		steps[i] = d.stepDocument(i)
		kinds[d.Steps[i].Uses] = d.Steps[i].Kind.Version
	}
	doc := map[string]any{"name": d.Name, "requires": requirement(d.Requires), "steps": steps, "kinds": kinds}
	if d.Description != "" {
		doc["description"] = d.Description
	}
	if d.input != nil {
		doc["input"] = d.inputDoc
	}
	if len(d.Sensitivity) > 0 {
		m := map[string]any{}
		for name, s := range d.Sensitivity {
			m[name] = s.String()
		}
		doc["sensitivity"] = m
	}
	if d.Output != "" {
		doc["output"] = opening + " " + d.Output + " " + closing
	}
	return doc
}

func (d *Definition) stepDocument(i int) map[string]any {
	s := &d.Steps[i]
	needs := make([]any, len(s.Needs))
	for n, need := range s.Needs {
		needs[n] = d.Steps[need].ID
	}
	doc := map[string]any{"id": s.ID, "uses": s.Uses, "needs": needs}
	if len(s.raw) > 0 {
		doc["with"] = s.raw
	}
	if s.If != "" {
		doc["if"] = opening + " " + s.If + " " + closing
	}
	if !s.own.IsZero() {
		doc["requires"] = requirement(s.own)
	}
	if s.Retry.Attempts > 0 {
		doc["retry"] = map[string]any{"attempts": s.Retry.Attempts, "backoff": s.Retry.Backoff.String()}
	}
	if s.Timeout > 0 {
		doc["timeout"] = s.Timeout.String()
	}
	if g := s.Guard.document(); len(g) > 0 {
		doc["guard"] = g
	}
	if s.Accepts != 0 {
		doc["accepts"] = anyList(s.Accepts.Names())
	}
	return doc
}

// document lists only what the author set.
func (g *Guards) document() map[string]any {
	doc := map[string]any{}
	set := func(side, name string, v any) {
		m, ok := doc[side].(map[string]any)
		if !ok {
			m = map[string]any{}
			doc[side] = m
		}
		m[name] = v
	}
	for _, rule := range guardRules() {
		mode := *rule.of(g)
		switch {
		case rule.list != nil && *rule.list(g) != nil:
			both := map[string]any{rule.items: anyList(*rule.list(g))}
			if mode != ModeDefault {
				both["mode"] = string(mode)
			}
			set(rule.side, rule.name, both)
		case mode != ModeDefault:
			set(rule.side, rule.name, string(mode))
		}
	}
	if g.Revise > 0 {
		set("output", "revise", int64(g.Revise))
	}
	if r := g.OnReview; r != nil {
		doc["on_review"] = map[string]any{
			"approvers": map[string]any{"roles": anyList(r.Roles), "quorum": int64(r.Quorum)},
			"expires":   r.Expires.String(),
		}
	}
	return doc
}

func anyList(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}
