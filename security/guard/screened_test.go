package guard

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/custodyhq/custody/security"
	"github.com/google/go-cmp/cmp"
)

const awsKey = "AKIA" + "Q3EGTZ7PLMW2RVYX" // made up

func TestDraftsAreWithheldRedactedOrReleased(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	no := func(any) error { return errors.New("/bullets is missing") }
	yes := func(any) error { return nil }
	short := func(v any) error {
		if s, ok := v.(string); !ok || len(s) > 18 {
			return errors.New("longer than 18")
		}
		return nil
	}
	for name, c := range map[string]struct {
		value any
		rules OutRules
		want  string // JSON, or empty for withheld
	}{
		"clean text is released":                 {"A summary.", OutRules{}, `"A summary."`},
		"schema says no":                         {"A summary.", OutRules{Schema: no}, ""},
		"schema says yes":                        {"A summary.", OutRules{Schema: yes}, `"A summary."`},
		"personal data is redacted":              {"Ask ann@northwind.eu <now>", OutRules{}, `"Ask [redacted:email] <now>"`},
		"personal data is withheld if asked":     {"Ask ann@northwind.eu", OutRules{PII: Withhold}, ""},
		"personal data passes if switched off":   {"Ask ann@northwind.eu", OutRules{PII: Off}, `"Ask ann@northwind.eu"`},
		"a note passes":                          {"Ask ann@northwind.eu", OutRules{PII: Note}, `"Ask ann@northwind.eu"`},
		"a secret is withheld":                   {"Key " + awsKey, OutRules{}, ""},
		"a secret is redacted if asked":          {"Key " + awsKey + ".", OutRules{Secrets: Redact}, `"Key [redacted:secret]."`},
		"what redaction made unfit is withheld":  {"Ask ann@north.eu", OutRules{Schema: short}, ""},
		"lists and members are read":             {map[string]any{"a": []any{"ann@northwind.eu", "b"}}, OutRules{}, `{"a":["[redacted:email]","b"]}`},
		"names of members are read":              {map[string]any{"ann@northwind.eu": 1, "bob@northwind.eu": 2}, OutRules{}, `{"[redacted:email]":1,"[redacted:email] 2":2}`},
		"numbers are kept as written":            {json.Number("12345678901234567890"), OutRules{}, `12345678901234567890`},
		"a card as a number is withheld":         {map[string]any{"card": json.Number("4111111111111111")}, OutRules{}, ""},
		"a long number is only a number":         {map[string]any{"bytes": json.Number("4111111111111112")}, OutRules{}, `{"bytes":4111111111111112}`},
		"a number that nobody calls a card":      {map[string]any{"bytes": json.Number("4111111111111111")}, OutRules{}, `{"bytes":4111111111111111}`},
		"an attack in an output is not our task": {attack, OutRules{}, `"` + attack + `"`},
		"what is not JSON is withheld":           {make(chan int), OutRules{}, ""},
	} {
		s, found, err := g.Screen(value(c.value), caller, "/steps/a/output", c.rules, Pardon{})
		if c.want == "" {
			var r *Refusal
			if !errors.As(err, &r) || s.OK() || s.Bytes() != nil || len(found) == 0 {
				t.Errorf("%s: Screen = %q, %v, %v", name, s.Bytes(), found, err)
			}
			continue
		}
		r, rerr := s.Release(NoJudge())
		if err != nil || rerr != nil || string(r.JSON()) != c.want || string(s.Bytes()) != c.want || r.Label() != caller {
			t.Errorf("%s: released %s, %v, %v; want %s", name, r.JSON(), err, rerr, c.want)
		}
	}
}

func value(v any) any { return v }

func TestOnlyTheJudgesYesReleases(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	for name, c := range map[string]struct {
		judge   bool
		verdict Verdict
		pass    bool
	}{
		"no judge, none asked":          {false, NoJudge(), true},
		"a judge, none asked":           {true, NoJudge(), false},
		"a judge that says yes":         {true, Judged(true), true},
		"a judge that says no":          {true, Judged(false), false},
		"a judge nobody has configured": {false, Judged(false), false},
		"no verdict":                    {false, Verdict{}, false},
		"a judge without a verdict":     {true, Verdict{}, false},
	} {
		s, _, err := g.Screen("fine", caller, "/steps/a/output", OutRules{Judge: c.judge}, Pardon{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Release(c.verdict)
		if (err == nil) != c.pass || r.OK() != c.pass {
			t.Errorf("%s: Release = OK %v, %v", name, r.OK(), err)
		}
		var refusal *Refusal
		if !c.pass && (!errors.As(err, &refusal) || refusal.Findings[0].Kind != "judge" || refusal.Findings[0].Action != security.Withhold) {
			t.Errorf("%s: the refusal is %v", name, err)
		}
	}
}

func TestASealedDraftIsScreenedAgain(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	draft := map[string]any{"n": json.Number("1.50"), "text": "Ask ann@northwind.eu"}
	s, _, err := g.Screen(draft, caller, "/o", OutRules{PII: Off}, Pardon{})
	if err != nil {
		t.Fatal(err)
	}
	again, found, err := g.Rescreen(s.Bytes(), caller, "/o", OutRules{}, Pardon{})
	if err != nil || len(found) != 1 {
		t.Fatalf("Rescreen = %v, %v", found, err)
	}
	want := map[string]any{"n": json.Number("1.50"), "text": "Ask [redacted:email]"}
	if diff := cmp.Diff(want, again.Judgeable()); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "{", `"a" "b"`, "nope"} {
		if s, _, err := g.Rescreen([]byte(bad), caller, "/o", OutRules{}, Pardon{}); err == nil || s.OK() {
			t.Errorf("Rescreen(%q) passed", bad)
		}
	}
}

func TestReleasedIsACopy(t *testing.T) {
	t.Parallel()
	g := mustNew(t)
	draft := map[string]any{"a": []any{"fine"}}
	s, _, err := g.Screen(draft, caller, "", OutRules{}, Pardon{})
	if err != nil {
		t.Fatal(err)
	}
	draft["a"] = awsKey
	s.Judgeable().(map[string]any)["a"] = awsKey
	s.Bytes()[0] = 'x'
	r, err := s.Release(NoJudge())
	if err != nil {
		t.Fatal(err)
	}
	r.Value().(map[string]any)["a"] = awsKey
	r.JSON()[0] = 'x'
	if string(r.JSON()) != `{"a":["fine"]}` {
		t.Errorf("the released value became %s", r.JSON())
	}
}
