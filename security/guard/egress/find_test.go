package egress

import (
	"slices"
	"strings"
	"testing"
)

// A row is a rule, what it must find and what it must let pass.
type row struct {
	rule   string
	policy Policy
	bad    []string
	good   []string
}

var listed = Policy{
	Links:  []string{"good.example", ".wide.example", "https://docs.example/manual/", "http://192.0.2.7", "bücher.example"},
	Images: []string{"img.example"},
}

// found are the names of the rules that find something.
func found(t testing.TB, p Policy, text string) []string {
	t.Helper()
	r, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	r.Find(text, func(f Finding) bool {
		if f.Start < 0 || f.Start >= f.End || f.End > len(text) {
			t.Errorf("%q: %s at %d:%d", text, f.Rule, f.Start, f.End)
		}
		out = append(out, f.Rule)
		return true
	})
	return out
}

// redacted is a text as redaction leaves it.
func redacted(r *Rules, text string) string {
	var b strings.Builder
	from := 0
	r.Find(text, func(f Finding) bool {
		if f.Start >= from {
			b.WriteString(text[from:f.Start])
			b.WriteString(f.Replacement)
		}
		from = max(from, f.End)
		return true
	})
	return b.String() + text[from:]
}

func TestEveryRuleFindsWhatItIsForAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, row := range rows() {
		t.Run(row.rule, func(t *testing.T) {
			t.Parallel()
			for _, text := range row.bad {
				if got := found(t, row.policy, text); !slices.Contains(got, row.rule) {
					t.Errorf("%q: found %v, want %s", text, got, row.rule)
				}
			}
			for _, text := range row.good {
				if got := found(t, row.policy, text); slices.Contains(got, row.rule) {
					t.Errorf("%q: found %v, and it is harmless", text, got)
				}
			}
		})
	}
}
