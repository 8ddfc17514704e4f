package workflow_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/custodyhq/custody/examples/contractreview"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

// head begins a definition with an input of every type.
const head = `name: demo
requires: {roles: [analyst]}
input:
  type: object
  required: [text, amount, count, urgent, topic, tags, customer]
  properties:
    text: {type: string, maxLength: 100}
    amount: {type: number}
    amounts: {type: array, items: {type: number}}
    count: {type: integer, minimum: 0, maximum: 10}
    urgent: {type: boolean}
    topic: {type: string, enum: [law, tax]}
    note: {type: string}
    language: {type: string, default: English}
    tags: {type: array, maxItems: 5, items: {type: string}}
    customer: {type: object, required: [name], properties: {name: {type: string}, first-name: {type: string}, vip: {type: boolean, default: false}}}
    extra: {type: object}
`

func parse(t testing.TB, source string) *workflow.Definition {
	t.Helper()
	d, err := workflow.Parse([]byte(source), testKinds())
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, source)
	}
	return d
}

func example(t testing.TB) []byte {
	t.Helper()
	source, err := os.ReadFile("../examples/contract-review.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestYAMLAndGoMakeTheSameDefinition(t *testing.T) {
	t.Parallel()
	fromYAML := parse(t, string(example(t)))
	fromGo, err := contractreview.Definition(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(fromYAML.Canonical()), string(fromGo.Canonical())); diff != "" {
		t.Errorf("canonical forms differ (-yaml +go):\n%s", diff)
	}
	if fromYAML.Digest() != fromGo.Digest() {
		t.Error("the digests differ")
	}
}

func TestCanonicalFormReadsBackToItself(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"example":  string(example(t)),
		"scaffold": string(workflow.Scaffold("first")),
		"everything": head + `sensitivity: {input: public, find: internal}
steps:
  - id: find
    uses: http
    needs: []
    requires: {roles: [lead, clerk], mfa: true}
    accepts: [tool, caller]
    retry: {attempts: 2}
    timeout: 1500ms
    guard: {input: {injection: note, pii: off}, output: {pii: "off", secrets: redact, judge: off}}
    with: {connection: dms, method: GET, path: "/x/${{ input.text }}", query: {q: "${{input.topic}}"}}
  - id: odd
    uses: set
    if: ${{ input.amount > 1.5 && "é\u2028\t\\" != input.text }}
    with: {a: 1.50, b: 1e2, c: -0.0, d: null, e: [1, "${{ {'a': {'b': input.count}} }}"], "ключ": {"\u0007": yes}}
output: "${{ steps.?odd.output.a.orValue(2.0) }}"
`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, source)
			again, err := workflow.Parse(d.Canonical(), testKinds())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(d.Canonical()), string(again.Canonical())); diff != "" || d.Digest() != again.Digest() {
				t.Errorf("not the same (-first +second):\n%s", diff)
			}
			oracle, err := jcs.Transform(d.Canonical())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(oracle), string(d.Canonical())); diff != "" {
				t.Errorf("not RFC 8785 (-library +ours):\n%s", diff)
			}
		})
	}
}

func TestDigestNamesTheMeaning(t *testing.T) {
	t.Parallel()
	base := head + "steps:\n  - id: a\n    uses: llm\n    with: {model: fast, prompt: hello}\n  - id: b\n    uses: set\n    with: {x: 1, y: 2}\n"
	digest := parse(t, base).Digest()
	if !strings.HasPrefix(digest, "sha256:") || len(digest) != 71 {
		t.Fatalf("digest %q", digest)
	}
	same := map[string]string{
		"order of fields": strings.Replace(base, "{x: 1, y: 2}", "{y: 2, x: 1}", 1),
		"comments":        "# a comment\n" + base,
		"written needs":   strings.Replace(base, "    with: {x: 1", "    needs: [a]\n    with: {x: 1", 1),
		"line ends":       strings.ReplaceAll(base, "\n", "\r\n"),
		"one role twice":  strings.Replace(base, "    uses: set", "    uses: set\n    requires: {}", 1),
	}
	for name, source := range same {
		if got := parse(t, source).Digest(); got != digest {
			t.Errorf("%s changed the digest", name)
		}
	}
	other := map[string]string{
		"a prompt":         strings.Replace(base, "hello", "hullo", 1),
		"no need":          strings.Replace(base, "    with: {x: 1", "    needs: []\n    with: {x: 1", 1),
		"a guard":          strings.Replace(base, "prompt: hello}", "prompt: hello}\n    guard: {output: {pii: off}}", 1),
		"a role":           strings.Replace(base, "[analyst]", "[analyst, lead]", 1),
		"the description":  "description: x\n" + base,
		"the input schema": strings.Replace(base, "maxLength: 100", "maxLength: 101", 1),
	}
	for name, source := range other {
		if got := parse(t, source).Digest(); got == digest {
			t.Errorf("%s did not change the digest", name)
		}
	}
	kinds := testKinds()
	kinds.ByName["llm"].Version = "2"
	d, err := workflow.Parse([]byte(base), kinds)
	if err != nil || d.Digest() == digest {
		t.Errorf("another version of a kind has the same digest (%v)", err)
	}
	if _, err := workflow.Parse(parse(t, base).Canonical(), kinds); err == nil {
		t.Error("a definition that was made with another version of a kind was taken")
	}
}

func TestRequirementsAreJoined(t *testing.T) {
	t.Parallel()
	d := parse(t, head+"steps:\n  - id: a\n    uses: set\n  - id: b\n    uses: set\n    requires: {roles: [lead], mfa: true}\n")
	if diff := cmp.Diff(security.Requirement{Roles: []string{"analyst"}}, d.Steps[0].Requires); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(security.Requirement{Roles: []string{"analyst", "lead"}, MFA: true}, d.Steps[1].Requires); diff != "" {
		t.Error(diff)
	}
}

func TestStepsFollowEachOther(t *testing.T) {
	t.Parallel()
	d := parse(t, head+`steps:
  - {id: a, uses: set}
  - {id: b, uses: set}
  - {id: c, uses: set, needs: []}
  - {id: d, uses: set, needs: [c, a]}
`)
	want := [][]int{{}, {0}, {}, {0, 2}}
	for i, w := range want {
		if diff := cmp.Diff(w, d.Steps[i].Needs); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

func TestApprovalSpec(t *testing.T) {
	t.Parallel()
	d := parse(t, head+`steps:
  - id: short
    uses: approval
    with: {approvers: {roles: [legal]}, show: "${{ input.text }}"}
  - id: long
    uses: approval
    with: {approvers: {roles: [risk, legal], quorum: 2}, show: {a: "${{ input.text }}", b: fixed}, expires: 90m, on_reject: continue}
`)
	a, b := d.Steps[0].Approval, d.Steps[1].Approval
	if a.Quorum != 1 || a.OnReject != workflow.OnRejectFail || a.Expires.Hours() != 72 {
		t.Errorf("defaults: %+v", a)
	}
	if b.Quorum != 2 || b.OnReject != workflow.OnRejectContinue || b.Expires.Minutes() != 90 || !cmp.Equal(b.Roles, []string{"legal", "risk"}) {
		t.Errorf("as written: %+v", b)
	}
	bound, err := d.Bind(1, inputs(d, map[string]any{"text": "T"}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := bound.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"show": map[string]any{"a": "T", "b": "fixed"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	d := parse(t, head+`steps:
  - id: a
    uses: llm
    if: input.urgent
    with: {model: fast, prompt: "${{ input.note }} ${{ has(input.extra) ? 1 : 2 }}"}
    guard: {output: {pii: off, secrets: note}}
  - id: b
    uses: http
    accepts: [model, caller]
    with: {connection: dms, method: POST, path: /x, body: "${{ steps.a.output }}"}
  - id: c
    uses: set
    if: ${{ input.urgent }}
    with: {x: "${{ steps.a.output }}", y: "${{ input.?note.orValue('') }}"}
  - id: ask
    uses: approval
    with: {approvers: {roles: [legal]}, show: hello, on_reject: continue}
`)
	var got []string
	for _, w := range d.Warnings() {
		got = append(got, w.Code)
	}
	want := []string{"may_be_absent", "guard_off", "guard_off", "accepts", "may_be_absent", "reject_ignored"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, d.Warnings())
	}
}
