package model

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzMembers holds our splitter against encoding/json.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":{"b":[1,"]}",{}]},"c":"\"}","d":null , "e" : -1.5e3}`, `{"a":1,"\u0061":2}`,
		`{"a":1}x`, `[1]`, `"a"`, `{"a":}`, `{"a":"\\"}`, "{\"a\"\n:\ttrue\r}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := members([]byte(s))
		var want map[string]json.RawMessage
		bad := json.Unmarshal([]byte(s), &want)
		if bad != nil || want == nil {
			if err == nil {
				t.Errorf("%q was accepted", s)
			}
			return
		}
		if err == nil {
			if diff := cmp.Diff(want, got, cmp.Transformer("text", func(r json.RawMessage) string { return string(r) })); diff != "" {
				t.Error(diff)
			}
		}
	})
}
