package workflow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/workflow"
)

const goodInput = `{"text": "a", "amount": 3.0, "count": 2, "urgent": false, "topic": "tax", "tags": [], "customer": {"name": "Ann"}}`

func TestInputGetsItsDefaults(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps: [{id: a, uses: set}]\n")
	got, errs := d.DecodeInput([]byte(goodInput))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := map[string]any{
		"text": "a", "amount": int64(3), "count": int64(2), "urgent": false, "topic": "tax", "tags": []any{},
		"language": "English", "customer": map[string]any{"name": "Ann", "vip": false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongInputIsNamedAndNeverRepeated(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps: [{id: a, uses: set}]\n")
	with := func(old, new string) string { return strings.Replace(goodInput, old, new, 1) }
	for name, c := range map[string]struct{ input, want string }{
		"missing":           {with(`"text": "a", `, ""), "/input required needs text"},
		"another type":      {with(`"a"`, `5`), "/input/text type must be string"},
		"too long":          {with(`"a"`, `"`+strings.Repeat("s3cret", 20)+`"`), "/input/text max_length at most 100 characters"},
		"not in the list":   {with(`"tax"`, `"s3cret"`), `/input/topic enum must be one of "law", "tax"`},
		"too large":         {with(`"count": 2`, `"count": 11`), "/input/count maximum at most 10"},
		"not whole":         {with(`"count": 2`, `"count": 1.5`), "/input/count type must be integer"},
		"too many":          {with(`[]`, `["a","b","c","d","e","f"]`), "/input/tags max_items at most 5 items"},
		"inside a list":     {with(`[]`, `["a", 5]`), "/input/tags/1 type must be string"},
		"inside an object":  {with(`"Ann"`, `null`), "/input/customer/name type must be string"},
		"a list":            {`["s3cret"]`, "/input type must be object"},
		"twice":             {`{"s3cret": 1, "s3cret": 2}`, "/input duplicate_key a name is written twice in one object"},
		"cut":               {`{"text": "s3cret`, "/input syntax a text is not closed"},
		"two values":        {`{} {}`, "/input syntax something follows the value"},
		"half a character":  {`{"text": "\ud800s3cret"}`, "/input surrogate half of a surrogate pair stands alone in a text"},
		"not UTF-8":         {"{\"text\": \"\xff\"}", "/input not_utf8 the text is not UTF-8"},
		"an integer beyond": {`{"count": 9007199254740993}`, "/input number_range an integer beyond ±9007199254740991 loses digits in JSON"},
		"a number beyond":   {`{"count": 1e999}`, "/input number_range the number is too large"},
		"octal":             {`{"count": 07}`, "/input syntax it is not a JSON number"},
		"too deep":          {strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "/input too_deep nested too deeply, or too many values"},
		"too many values":   {`{"a":[` + strings.Repeat("1,", 200_000) + "1]}", "/input too_deep nested too deeply, or too many values"},
		"too long a text":   {`{"a":"` + strings.Repeat("s", 1<<20) + `"}`, "/input too_large at most 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, errs := d.DecodeInput([]byte(c.input))
			if v != nil || len(errs) == 0 {
				t.Fatal("it was taken")
			}
			if got := fmt.Sprintf("%s %s %s", errs[0].Pointer, errs[0].Code, errs[0].Detail); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(fmt.Sprint(errs), "s3cret") {
				t.Errorf("the message repeats the value: %v", errs)
			}
		})
	}
}

func TestNamesThatTheSchemaDoesNotKnowAreNotRepeated(t *testing.T) {
	t.Parallel()
	d := parse(t, `name: demo
requires: {roles: [a]}
input:
  type: object
  additionalProperties: {type: object, additionalProperties: false, properties: {n: {type: integer}}}
steps: [{id: a, uses: set}]
`)
	for input, want := range map[string]string{
		`{"s3cret": {"n": "x"}}`:      "/input/*/n type",
		`{"s3cret": {"s3cret": "x"}}`: "/input/* additional",
	} {
		_, errs := d.DecodeInput([]byte(input))
		if len(errs) != 1 || errs[0].Pointer+" "+errs[0].Code != want || strings.Contains(fmt.Sprint(errs), "s3cret") {
			t.Errorf("%s: got %v, want %s", input, errs, want)
		}
	}
	if _, errs := d.DecodeInput([]byte(`{"name": {"n": 1}}`)); len(errs) > 0 {
		t.Errorf("a harmless input was refused: %v", errs)
	}
}

func TestAWorkflowWithoutInputTakesNone(t *testing.T) {
	t.Parallel()
	d := parse(t, "name: demo\nrequires: {roles: [a]}\nsteps: [{id: a, uses: set}]\n")
	for _, none := range []string{"", "{}", "null"} {
		if v, errs := d.DecodeInput([]byte(none)); len(errs) > 0 || !cmp.Equal(v, any(map[string]any{})) {
			t.Errorf("%q: %v %v", none, v, errs)
		}
	}
	for _, some := range []string{`{"a": 1}`, `5`, `[]`} {
		if _, errs := d.DecodeInput([]byte(some)); len(errs) == 0 {
			t.Errorf("%q was taken", some)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	got, err := workflow.DecodeJSON([]byte(` {"a": [1, -2.50, 1e2, 1.0, true, null, "\u00e9\ud83d\ude00\\ud800"], "": {}} `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": []any{int64(1), -2.5, int64(100), int64(1), true, nil, "é😀\\ud800"}, "": map[string]any{}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "tru", "01", "+1", ".5", "1.", "1e", "1e+-5", "--1", "[1,]", "{,}", `{"a" 1}`, `{a: 1}`, "\"\t\"", `"\x"`, `"\udc00"`, "[1 2]", `{"a":1 "b":2}`, "nul", "NaN", "'a'"} {
		if v, err := workflow.DecodeJSON([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, v)
		}
	}
}
