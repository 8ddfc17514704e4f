package egress

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// barRule is the bar for hits of a rule on texts that nobody attacks with, as a
// share of the texts. Links and HTML are matters of policy and have none.
const barRule = 0.005

// CUSTODY_TEST_GUARD_DEV is the path of a development set: gzipped lines of
// {"text": "…", "label": "benign"}. With CUSTODY_TEST_GUARD_SHOW set to a rule, its
// hits are shown with their surroundings.
func TestOrdinaryTextsBreakFewRules(t *testing.T) {
	t.Parallel()
	texts := developmentTexts(t)
	r, err := New(Policy{Code: Classes(), Protected: Protected{
		Canaries: []string{canary}, Prompts: []string{orders}, Confidential: []Source{{Name: "contract", Text: contract}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	show := os.Getenv("CUSTODY_TEST_GUARD_SHOW")
	hits := map[string]int{}
	for _, text := range texts {
		rules := map[string]bool{}
		r.Find(text, func(f Finding) bool {
			rules[f.Rule] = true
			if f.Rule == show {
				t.Logf("%s (%s): %q «%s» %q", f.Rule, f.Read, text[max(0, f.Start-40):f.Start], text[f.Start:min(f.End, f.Start+200)], text[f.End:min(len(text), f.End+20)])
			}
			return true
		})
		for rule := range rules {
			hits[rule]++
		}
	}
	var names []string
	for rule := range hits {
		names = append(names, rule)
	}
	slices.Sort(names)
	for _, rule := range names {
		share := float64(hits[rule]) / float64(len(texts))
		t.Logf("%-20s %5d of %d, %.3f %%", rule, hits[rule], len(texts), 100*share)
		family, _, _ := strings.Cut(rule, ".")
		if share > barRule && !slices.Contains([]string{"link", "image", "html"}, family) {
			t.Errorf("%s is above %.1f %%", rule, 100*barRule)
		}
	}
}

func developmentTexts(t testing.TB) []string {
	t.Helper()
	path := os.Getenv("CUSTODY_TEST_GUARD_DEV")
	if path == "" {
		t.Skip("CUSTODY_TEST_GUARD_DEV is not set")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row struct{ Text, Label string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if !strings.EqualFold(row.Label, "attack") {
			texts = append(texts, row.Text)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return texts
}
