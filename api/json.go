package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// maxDepth of a request's JSON. The engine has a limit of its own for inputs.
const maxDepth = 100

// errJSON is what is wrong with a body that has not exactly one meaning.
var errJSON = errors.New("not one JSON value without repeated names, in UTF-8")

// decodeStrict decodes JSON that has one meaning: UTF-8, one value, no name
// twice. Into an any, which is what huma holds against the schema, it leaves
// out members that are null: absent and null mean the same.
func decodeStrict(data []byte, v any) error {
	loose, validating := v.(*any)
	if !validating {
		return json.Unmarshal(data, v)
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return errJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := walk(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	if err := json.Unmarshal(data, loose); err != nil {
		return errJSON // a number that is too large, say
	}
	if o, ok := (*loose).(map[string]any); ok {
		for name, member := range o {
			if member == nil {
				delete(o, name)
			}
		}
	}
	return nil
}

// walk reads one value of valid JSON and refuses names that come twice.
func walk(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	open, ok := t.(json.Delim)
	if err != nil || !ok {
		return err
	}
	if depth == maxDepth {
		return errJSON
	}
	names := map[string]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := name.(string)
			if names[key] {
				return errJSON
			}
			names[key] = true
		}
		if err := walk(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing delimiter
	return err
}
