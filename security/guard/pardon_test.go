package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
)

// inReview makes what the detector blocks need only a review.
func inReview() Rules { return Rules{Injection: Review} }

func TestAPardonLetsPassWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	const key = "Key " + awsKey
	other := strings.Replace(attack, "your", "its own", 1)
	released := Pardon{Texts: map[string]string{attack: "rel_1", key: "rel_2"}}
	for name, c := range map[string]struct {
		value  any
		rules  Rules
		pardon Pardon
		by     string // what let it pass; "" if it is refused
	}{
		"nothing pardons":                   {attack, Rules{}, Pardon{}, ""},
		"a released text":                   {attack, Rules{}, released, "rel_1"},
		"a released text deep inside":       {map[string]any{"a": []any{attack}}, Rules{}, released, "rel_1"},
		"another text":                      {other, Rules{}, released, ""},
		"the text and more":                 {attack + " ", Rules{}, released, ""},
		"a released text beside another":    {[]any{attack, other}, Rules{}, released, ""},
		"a released text that is a secret":  {key, Rules{Secrets: Block}, released, ""},
		"a review of what needs one":        {attack, inReview(), Pardon{Review: "apr_1"}, "apr_1"},
		"a review of what is blocked":       {attack, Rules{}, Pardon{Review: "apr_1"}, ""},
		"observing":                         {attack, Rules{}, Pardon{Observe: "observe:1"}, "observe:1"},
		"observing secrets":                 {key, Rules{Secrets: Block}, Pardon{Observe: "observe:1"}, "observe:1"},
		"observing a value nobody can read": {make(chan int), Rules{}, Pardon{Observe: "observe:1"}, ""},
		"observing a giant":                 {strings.Repeat("well ", 300_000), Rules{}, Pardon{Observe: "observe:1"}, ""},
	} {
		checked, found, err := g.Check([]Arg{{Name: "a", Value: c.value, Label: caller}}, c.rules, c.pardon)
		if (err == nil) != (c.by != "") || checked.OK() != (c.by != "") {
			t.Errorf("%s: Check = OK %v, %v", name, checked.OK(), err)
			continue
		}
		if c.by == "" {
			continue
		}
		if len(found) == 0 || len(checked.Noted()) != 1 {
			t.Errorf("%s: found %v in %v", name, found, checked.Noted())
		}
		for _, f := range found {
			if f.Action != security.Note || f.Pardon != c.by {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func TestAPardonDoesNotReachSchemaAndJudge(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	all := Pardon{Observe: "observe:1", Review: "apr_1", Texts: map[string]string{"x": "rel_1"}}
	no := func(any) error { return errors.New("/a is missing") }
	if s, _, err := g.Screen("x", caller, "/o", OutRules{Schema: no}, all); err == nil || s.OK() {
		t.Error("the schema was pardoned")
	}
	if s, _, err := g.Screen("x", caller, "/o", OutRules{Schema: no, ReviseSchema: true}, all); err == nil || s.OK() {
		t.Error("the schema was pardoned")
	}
	s, _, err := g.Screen("Key "+awsKey, caller, "/o", OutRules{Judge: true}, all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Release(Judged(false)); err == nil {
		t.Error("the judge was pardoned")
	}
	if _, err := s.Release(Unasked()); err == nil {
		t.Error("a judge that was not asked was pardoned")
	}
}

// What is redacted is not stopped, so there is nothing to pardon.
func TestObservingStillRedacts(t *testing.T) {
	t.Parallel()
	s, found, err := mustNew(t).Screen("Ask ann@northwind.eu", caller, "/o", OutRules{}, Pardon{Observe: "observe:1"})
	if err != nil || string(s.Bytes()) != `"Ask [redacted:email]"` || found[0].Action != security.Redact || found[0].Pardon != "" {
		t.Errorf("Screen = %s, %+v, %v", s.Bytes(), found, err)
	}
}

func TestARefusalSaysWhatWouldBeEnough(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	const mail, key = "Ask ann@northwind.eu", "Key " + awsKey
	no := func(any) error { return errors.New("/a is missing") }
	for name, c := range map[string]struct {
		value          any
		rules          OutRules
		review, revise bool
	}{
		"withheld":              {mail, OutRules{PII: Withhold}, false, false},
		"to be reviewed":        {mail, OutRules{PII: Review}, true, false},
		"to be mended":          {mail, OutRules{PII: Revise}, false, true},
		"both":                  {[]any{mail, key}, OutRules{PII: Revise, Secrets: Review}, true, false},
		"one needs more":        {[]any{mail, key}, OutRules{PII: Review}, false, false},
		"to be mended, and not": {[]any{mail, key}, OutRules{PII: Revise}, false, false},
		"the schema":            {mail, OutRules{Schema: no}, false, false},
		"the schema, mended":    {mail, OutRules{Schema: no, ReviseSchema: true}, false, true},
	} {
		_, _, err := g.Screen(c.value, caller, "/o", c.rules, Pardon{})
		var r *Refusal
		if !errors.As(err, &r) || r.Review() != c.review || r.Revise() != c.revise {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (&Refusal{}).Review() || (&Refusal{}).Revise() {
		t.Error("the zero Refusal asks for something")
	}
}

func TestARefusalHasTheTextsThatStopIt(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	value := map[string]any{"a": "fine", "b": []any{attack}, "c": "Ask ann@northwind.eu"}
	_, _, err := g.Check([]Arg{{Name: "doc", Value: value, Path: "/input/doc", Label: document}}, Rules{PII: Note}, Pardon{})
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatal(err)
	}
	texts := r.Texts()
	if len(texts) != 1 || texts[0].Text != attack || texts[0].Path != "/input/doc/b/0" || texts[0].Channel != "document" {
		t.Fatalf("texts %+v", texts)
	}
	for _, i := range texts[0].Findings {
		if f := r.Findings[i]; f.Path != texts[0].Path || f.Kind != "injection" {
			t.Errorf("finding %d is %+v", i, f)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("refused", slog.Any("text", texts[0]), slog.Any("err", err))
	if out := log.String() + fmt.Sprint(texts[0]) + fmt.Sprint(err); strings.Contains(out, "reveal") {
		t.Errorf("the text is in the log: %s", out)
	}
}

// A hundred things that need a review must not hide the one that needs more.
func TestTheWorstFindingIsKept(t *testing.T) {
	t.Parallel()
	g, err := New(Config{MaxFindings: 2})
	if err != nil {
		t.Fatal(err)
	}
	value := []any{"Ask a@north.eu", "Ask b@north.eu", "Ask c@north.eu", "Key " + awsKey}
	_, _, err = g.Screen(value, caller, "/o", OutRules{PII: Review}, Pardon{})
	var r *Refusal
	if !errors.As(err, &r) || r.Review() {
		t.Errorf("Screen = %v: a review would let a secret pass", err)
	}
}

// The rules of a step that a run is given must not depend on what another run
// was pardoned.
func TestAPardonIsForgotten(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	args := []Arg{{Name: "a", Value: attack, Label: caller}}
	if _, _, err := g.Check(args, Rules{}, Pardon{Texts: map[string]string{attack: "rel_1"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Check(args, Rules{}, Pardon{}); err == nil {
		t.Error("the text passed without its pardon")
	}
	if _, _, err := g.Check([]Arg{{Name: "a", Value: attack, Label: author}}, Rules{}, Pardon{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Check(args, Rules{}, Pardon{}); err == nil {
		t.Error("the text passed because its author was trusted before")
	}
}

func TestTheStrictestChannelDecides(t *testing.T) {
	t.Parallel()
	for o, want := range map[security.Origins]string{
		0:                                   "unknown",
		security.Caller:                     "person",
		security.Person | security.Author:   "person",
		security.Document | security.Caller: "document,person",
		security.Tool:                       "tool",
		security.Model | security.Caller:    "model,person",
		security.Tool | security.Document:   "tool,document",
	} {
		var names []string
		for _, c := range channelsOf(o) {
			names = append(names, c.String())
		}
		if diff := cmp.Diff(want, strings.Join(names, ",")); diff != "" {
			t.Errorf("%s: %s", o, diff)
		}
	}
}
