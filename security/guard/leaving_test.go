package guard

import (
	"strings"
	"testing"

	"github.com/custodyhq/custody/security"
)

// Every rule for what leaves is asked once here, with what it does by default;
// the rules themselves are tested where they are.
func TestDraftsLoseWhatMustNotLeave(t *testing.T) {
	t.Parallel()
	g, err := New(Config{Links: []string{"docs.example.com"}, Words: map[string][]string{"projects": {"bluebird"}}})
	if err != nil {
		t.Fatal(err)
	}
	prompt := "You are the assistant of the claims department. Never promise a payment before the adjuster has signed, and never name the reserve that was set for a claim."
	const mark = "4f1c0a77b2d93e5866aa01f3"
	source := Source{Path: "/input/contract", Text: "The Supplier grants a rebate of eleven percent on all orders above forty thousand euros placed before the thirty-first of March."}
	for name, c := range map[string]struct {
		text  string
		rules OutRules
		want  string // JSON, or the rule that withholds
	}{
		"a link to an allowed host":       {"See [the page](https://docs.example.com/a).", OutRules{}, `"See [the page](https://docs.example.com/a)."`},
		"an image from nowhere allowed":   {"![x](https://attacker.example/p.png)", OutRules{Images: Withhold}, "image.host"},
		"a link to another host":          {"See [the page](https://attacker.example/a).", OutRules{Links: Withhold}, "link.host"},
		"a link where links are off":      {"See [the page](https://attacker.example/a).", OutRules{Links: Off}, `"See [the page](https://attacker.example/a)."`},
		"a host that the step allows":     {"See [the page](https://wiki.example.org/a).", OutRules{LinkHosts: []string{"wiki.example.org"}}, `"See [the page](https://wiki.example.org/a)."`},
		"markup that runs":                {"Hi <script>alert(1)</script>", OutRules{HTML: Withhold}, "html."},
		"markup where it is meant":        {"Hi <b>Ann</b>", OutRules{HTML: Off}, `"Hi <b>Ann</b>"`},
		"a sum with a comparison":         {"a < b and b > c", OutRules{}, `"a < b and b > c"`},
		"characters that show nothing":    {"The fee is\u2062 due", OutRules{}, `"The fee is due"`},
		"an organisation's word":          {"The Bluebird plan", OutRules{Words: Withhold}, "word.projects"},
		"a word that only begins like it": {"The bluebirds plan", OutRules{Words: Withhold}, `"The bluebirds plan"`},
		"the mark in the prompt":          {"It says " + mark + ".", OutRules{Canary: mark}, "leak.canary"},
		"another number":                  {"It says " + strings.Repeat("4", 24) + ".", OutRules{Canary: mark, PII: Off, Secrets: Off}, `"It says ` + strings.Repeat("4", 24) + `."`},
		"the prompt, word for word":       {"Sure: " + prompt, OutRules{Prompts: []string{prompt}}, "leak.prompt"},
		"the work on the same matter":     {"The adjuster has signed, and the claim is paid.", OutRules{Prompts: []string{prompt}}, `"The adjuster has signed, and the claim is paid."`},
		"a copied passage":                {source.Text, OutRules{Copies: Withhold, Sources: []Source{source}}, "copy.confidential"},
		"a summary of it":                 {"There is a rebate on large orders until March.", OutRules{Copies: Withhold, Sources: []Source{source}}, `"There is a rebate on large orders until March."`},
		"a copied passage by default":     {source.Text, OutRules{Sources: []Source{source}}, `"` + source.Text + `"`},
		"a command that destroys":         {"Run rm -rf / now", OutRules{CodeRules: []string{"shell"}}, "code.shell"},
		"a command by default":            {"Run rm -rf / now", OutRules{}, `"Run rm -rf / now"`},
	} {
		s, found, err := g.Screen(c.text, caller, "/o", c.rules, Pardon{})
		if strings.HasPrefix(c.want, `"`) {
			if err != nil || string(s.Bytes()) != c.want {
				t.Errorf("%s: Screen = %s, %v", name, s.Bytes(), err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(found[0].Rule, c.want) {
			t.Errorf("%s: Screen = %s, %v, %v; want %s", name, s.Bytes(), found, err, c.want)
		}
		for _, f := range found {
			if strings.Contains(f.Why+f.Rule, mark) {
				t.Errorf("%s: the mark stands in %+v", name, f)
			}
		}
	}
}

// What is left after a redaction is read again: cutting something out may put
// together what was apart.
func TestARedactionMakesNothingNew(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	s, found, err := g.Screen("Hi <scr\u200bipt>alert(1)</scr\u200bipt>", caller, "/o", OutRules{}, Pardon{})
	if err != nil {
		return // withheld is as good
	}
	if text := string(s.Bytes()); strings.Contains(text, "<script") || len(found) == 0 {
		t.Errorf("released %s, %v", text, found)
	}
}

// A draft that gives orders is not shown to a judge; where nobody judges, it is
// read on its way into the next step.
func TestADraftDoesNotSpeakToItsJudge(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	_, found, err := g.Screen(attack, caller, "/o", OutRules{Judge: true}, Pardon{})
	if err == nil || found[0].Rule != toJudge || found[0].Action != security.Withhold {
		t.Errorf("Screen = %v, %v", found, err)
	}
	if s, _, err := g.Screen("The fee is 500 euros.", caller, "/o", OutRules{Judge: true}, Pardon{}); err != nil || !s.OK() {
		t.Errorf("the twin: %v", err)
	}
	if s, _, err := g.Screen(attack, caller, "/o", OutRules{}, Pardon{}); err != nil || !s.OK() {
		t.Errorf("without a judge: %v", err)
	}
}

func TestSettingsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"a host with a blank": {Links: []string{"a b"}},
		"an empty host":       {Images: []string{""}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	g := mustNew(t)
	for name, r := range map[string]OutRules{
		"a kind":       {Kinds: []string{"atlantis"}},
		"a code rule":  {CodeRules: []string{"cobol"}},
		"a link host":  {LinkHosts: []string{"a b"}},
		"an image one": {ImageHosts: []string{"a b"}},
	} {
		if s, _, err := g.Screen("fine", caller, "/o", r, Pardon{}); err == nil || s.OK() {
			t.Errorf("%s that nobody knows let a draft pass", name)
		}
		if CheckSettings(r) == nil {
			t.Errorf("%s that nobody knows was taken", name)
		}
	}
	if err := CheckSettings(OutRules{Kinds: []string{"de", "uk"}, CodeRules: []string{"shell"}, LinkHosts: []string{".example.com"}}); err != nil {
		t.Error(err)
	}
}
