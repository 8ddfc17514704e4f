package audit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/audit"
)

const plainBody = `{"action":"run.closed","at_us":7,"attempt":0,"call":"","count":5,"key":"","outcome":"ok","run":"run_1","step":"","v":1}`

func TestParseBodyRefusesEverySecondForm(t *testing.T) {
	t.Parallel()
	swap := func(from, to string) string { return strings.Replace(plainBody, from, to, 1) }
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"as written":                {plainBody, true},
		"an unknown string":         {swap(`"run":`, `"review":"é","run":`), true},
		"an unknown tree":           {swap(`"run":`, `"review":{"a":[1,"x",[],{}],"b":-3},"run":`), true},
		"white space":               {swap(`,`, `, `), false},
		"a line break at the end":   {plainBody + "\n", false},
		"a second value":            {plainBody + "{}", false},
		"cut short":                 {plainBody[:len(plainBody)-1], false},
		"empty":                     {"", false},
		"no object":                 {"[]", false},
		"keys out of order":         {swap(`"action":"run.closed","at_us":7`, `"at_us":7,"action":"run.closed"`), false},
		"a key twice":               {swap(`"at_us":7`, `"at_us":7,"at_us":7`), false},
		"a key in capitals":         {swap(`"run":`, `"Run":"x","run":`), false},
		"an escaped key":            {swap(`"run"`, `"\u0072un"`), false},
		"a missing field":           {swap(`"call":"",`, ``), false},
		"another version":           {swap(`"v":1`, `"v":2`), false},
		"a float":                   {swap(`"count":5`, `"count":5.0`), false},
		"an exponent":               {swap(`"count":5`, `"count":5e0`), false},
		"minus nought":              {swap(`"count":5`, `"count":-0`), false},
		"leading nought":            {swap(`"count":5`, `"count":05`), false},
		"an integer beyond 2^53":    {swap(`"count":5`, `"count":9007199254740993`), false},
		"digits for a small one":    {swap(`"count":5`, `"count":"5"`), false},
		"digits for a large one":    {swap(`"count":5`, `"count":"9007199254740993"`), true},
		"a string for an integer":   {swap(`"count":5`, `"count":"x"`), false},
		"an integer for a string":   {swap(`"call":""`, `"call":0`), false},
		"null":                      {swap(`"call":""`, `"call":null`), false},
		"true":                      {swap(`"call":""`, `"call":true`), false},
		"a needless escape":         {swap(`"run_1"`, `"run\u005f1"`), false},
		"an escaped slash":          {swap(`"run_1"`, `"run\/1"`), false},
		"a long escape for a short": {swap(`"run_1"`, `"\u000a"`), false},
		"the short escape":          {swap(`"run_1"`, `"\n"`), true},
		"capital hex":               {swap(`"run_1"`, `"\u001F"`), false},
		"small hex":                 {swap(`"run_1"`, `"\u001f"`), true},
		"an escaped surrogate pair": {swap(`"run_1"`, `"\ud83d\ude00"`), false},
		"the character itself":      {swap(`"run_1"`, `"😀"`), true},
		"an escaped NUL":            {swap(`"run_1"`, `"\u0000"`), false},
		"a raw NUL":                 {swap(`"run_1"`, "\"\x00\""), false},
		"a raw line break":          {swap(`"run_1"`, "\"\n\""), false},
		"bad UTF-8":                 {swap(`"run_1"`, "\"\xff\""), false},
		"an encoded surrogate":      {swap(`"run_1"`, "\"\xed\xa0\x80\""), false},
		"a trailing comma":          {swap(`"v":1}`, `"v":1,}`), false},
		"too deep":                  {swap(`"run":`, `"review":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,"run":`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := audit.ParseBody(c.body)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, audit.ErrBody) {
				t.Errorf("%s: %v", c.body, err)
			}
			if c.ok {
				isCanonical(t, c.body)
			}
		})
	}
}

func TestParseBodyNeverRepeatsContent(t *testing.T) {
	t.Parallel()
	_, err := audit.ParseBody(`{"action":"hunter2` + "\xff" + `"}`)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
}

func TestTheCatalogueIsClosed(t *testing.T) {
	t.Parallel()
	seen := map[audit.Action]bool{}
	for _, a := range audit.Actions() {
		if seen[a] || !a.Known() || strings.Count(string(a), ".") != 1 {
			t.Errorf("%q is in the catalogue twice, or is no name", a)
		}
		seen[a] = true
	}
	if audit.Action("step.guessed").Known() || audit.Action("").Known() {
		t.Error("an action that nobody defined is known")
	}
}

// What ParseBody takes is, for two other libraries, the only text of its
// meaning.
func FuzzParseBody(f *testing.F) {
	full := full()
	f.Add(plainBody)
	f.Add(string(full.AppendBody(nil, 42)))
	f.Add(`{"a":"\u001f\n\\\"","action":"x","at_us":-1,"attempt":0,"call":"","key":"","outcome":"","run":"","step":"","v":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := audit.ParseBody(body); err == nil {
			isCanonical(t, body)
		}
	})
}
