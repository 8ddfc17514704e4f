package kinds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errNotJSON is why a text is not a value that a step can return.
var errNotJSON = errors.New("not a JSON value")

const (
	maxDepth   = 64
	maxInteger = 1<<53 - 1 // RFC 7493, section 2.2
)

// decode reads one JSON value, strictly: UTF-8, no doubled names, nothing behind
// it, at most 64 levels. Whole numbers become int64, others float64. An integer
// that other readers would round stays exact, as a text, however it is written.
func decode(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not UTF-8", errNotJSON)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", errNotJSON)
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested too deeply", errNotJSON)
	}
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: syntax", errNotJSON) // the decoder's message holds content
	}
	switch t := t.(type) {
	case json.Number:
		return readNumber(t.String())
	case json.Delim:
		if t == '{' {
			return readObject(d, depth)
		}
		return readArray(d, depth)
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: syntax", errNotJSON)
		}
		if _, doubled := out[name]; doubled {
			return nil, fmt.Errorf("%w: a doubled name", errNotJSON)
		}
		if out[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	return out, closing(d)
}

func readArray(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, closing(d)
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: syntax", errNotJSON)
	}
	return nil
}

func readNumber(s string) (any, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: a number out of range", errNotJSON)
	}
	if f == math.Trunc(f) && math.Abs(f) <= maxInteger {
		return int64(f), nil
	}
	if !strings.ContainsAny(s, ".eE") {
		return s, nil
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e21 { // it would be written without an exponent, and so read as an integer
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	return f, nil
}

// schemaText writes a JSON Schema with the members of each object in the order
// of its `required`, then by name: models write their answer in the order in
// which the schema names things, and that list is the order that an author can
// choose.
func schemaText(schema any) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := writeSchema(&b, schema); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeSchema(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case map[string]any:
		return writeObject(b, v, nil)
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeSchema(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	raw, err := json.Marshal(v)
	b.Write(raw)
	return err
}

func writeObject(b *bytes.Buffer, m map[string]any, first []any) error {
	b.WriteByte('{')
	for i, name := range ordered(m, first) {
		if i > 0 {
			b.WriteByte(',')
		}
		raw, err := json.Marshal(name)
		if err != nil {
			return err
		}
		b.Write(raw)
		b.WriteByte(':')
		properties, ok := m[name].(map[string]any)
		if ok && name == "properties" {
			required, _ := m["required"].([]any)
			err = writeObject(b, properties, required)
		} else {
			err = writeSchema(b, m[name])
		}
		if err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// ordered lists the names of m: those in first, in its order, then the others.
func ordered(m map[string]any, first []any) []string {
	var out []string
	for _, v := range first {
		name, ok := v.(string)
		if _, there := m[name]; ok && there && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
