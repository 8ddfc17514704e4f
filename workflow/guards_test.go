package workflow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/workflow"
)

const guarded = `name: demo
requires: {roles: [analyst]}
steps:
  - id: draft
    uses: llm
    with: {model: fast, prompt: hello}
    guard: %s
`

// Everything that can be said about guards, in YAML and in Go, is the same
// definition, and its canonical form is read again.
func TestGuardsAreSaidInYAMLAndInGo(t *testing.T) {
	t.Parallel()
	d := parse(t, fmt.Sprintf(guarded, `
      input: {injection: review, pii: block, secrets: block}
      output:
        pii: {mode: review, kinds: [uk, de]}
        secrets: revise
        leak: review
        hidden: on
        html: note
        links: [example.com, .example.org]
        images: {allow: []}
        code: {rules: [shell], mode: withhold}
        copies: withhold
        words: withhold
        schema: revise
        revise: 2
      on_review: {approvers: {roles: [security, legal], quorum: 2}, expires: 24h}`))
	want := workflow.Guards{
		InputInjection: "review", InputPII: "block", InputSecrets: "block",
		OutputPII: "review", OutputSecrets: "revise", OutputLeak: "review", OutputHidden: "on", OutputHTML: "note",
		OutputCode: "withhold", OutputCopies: "withhold", OutputWords: "withhold", OutputSchema: "revise",
		PIIKinds: []string{"de", "uk"}, LinkHosts: []string{".example.org", "example.com"}, ImageHosts: []string{}, CodeRules: []string{"shell"},
		Revise:   2,
		OnReview: &workflow.ApprovalSpec{Roles: []string{"legal", "security"}, Quorum: 2, Expires: 24 * time.Hour, OnReject: "fail"},
	}
	if diff := cmp.Diff(want, d.Steps[0].Guard); diff != "" {
		t.Errorf("guards (-want +got):\n%s", diff)
	}
	again := parse(t, string(d.Canonical()))
	if diff := cmp.Diff(want, again.Steps[0].Guard); diff != "" || again.Digest() != d.Digest() {
		t.Errorf("the canonical form is another definition (-want +got):\n%s", diff)
	}
	if v, ok := decodeYAML(t, d.Canonical()); !ok || editorSchema(t).Validate(v) != nil {
		t.Error("the editor's schema refuses it")
	}
	step := workflow.LLM("draft", "fast", "hello").
		GuardInput("injection", "review").GuardInput("pii", "block").GuardInput("secrets", "block").
		GuardKinds("review", "uk", "de").GuardOutput("secrets", "revise").GuardOutput("leak", "review").
		GuardOutput("hidden", "on").GuardOutput("html", "note").GuardLinks("", "example.com", ".example.org").GuardImages("").
		GuardCode("withhold", "shell").GuardOutput("copies", "withhold").GuardOutput("words", "withhold").GuardOutput("schema", "revise").
		Revise(2).OnReview(2, 24*time.Hour, "security", "legal")
	built, err := workflow.New(d.Name).Requires(d.Requires.Roles...).Step(step).Build(testKinds())
	if err != nil {
		t.Fatal(err)
	}
	if built.Digest() != d.Digest() {
		t.Errorf("Go:\n%s\nYAML:\n%s", built.Canonical(), d.Canonical())
	}
}

func TestGuardsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	for source, code := range map[string]string{
		"{output: {pii: block}}":                                      "guard",
		"{output: {leak: redact}}":                                    "guard",
		"{output: {copies: redact}}":                                  "guard",
		"{output: {judge: note}}":                                     "guard",
		"{output: {schema: off}}":                                     "guard",
		"{output: {secrets: [aws]}}":                                  "guard",
		"{output: {links: {hosts: [a.example]}}}":                     "unknown_field",
		"{output: {links: {mode: block}}}":                            "guard",
		"{output: {links: [1]}}":                                      "type",
		"{output: {links: [a.example, a.example]}}":                   "duplicate",
		"{output: {pii: [atlantis]}}":                                 "guard",
		"{output: {code: [cobol]}}":                                   "guard",
		"{output: {links: [\"a b\"]}}":                                "guard",
		"{output: {revise: 0}}":                                       "guard",
		"{output: {revise: 4}}":                                       "guard",
		"{output: {revise: twice}}":                                   "guard",
		"{input: {injection: redact}}":                                "guard",
		"{input: {links: off}}":                                       "unknown_field",
		"{on_review: {expires: 1h}}":                                  "required",
		"{on_review: {approvers: {quorum: 1}}}":                       "required",
		"{on_review: {approvers: {roles: []}}}":                       "guard",
		"{on_review: {approvers: {roles: [a], quorum: 0}}}":           "guard",
		"{on_review: {approvers: {roles: [a], quorum: 21}}}":          "guard",
		"{on_review: {approvers: {roles: [a]}, expires: 1s}}":         "duration",
		"{on_review: {approvers: {roles: [a]}, on_reject: continue}}": "unknown_field",
		"{on_review: {roles: [a]}}":                                   "unknown_field",
		"{on_review: security}":                                       "type",
		"{observe: true}":                                             "unknown_field",
		"{output: {links: [" + strings.Repeat("a.example, ", 150) + "b.example" + "]}}": "duplicate",
	} {
		_, err := workflow.Parse([]byte(fmt.Sprintf(guarded, source)), testKinds())
		var problems workflow.Problems
		if !errors.As(err, &problems) || problems[0].Code != code {
			t.Errorf("%.80s: %v, want %s", source, err, code)
		}
	}
}

// What is not on by itself can be off without a warning; what protects cannot.
func TestAGuardThatIsOffWarns(t *testing.T) {
	t.Parallel()
	for source, warnings := range map[string]int{
		"{output: {links: off}}": 1,
		"{output: {leak: note}}": 1,
		"{output: {html: off}}":  1,
		"{output: {code: off}}":  0,
		"{input: {pii: off}}":    0,
		"{output: {links: on}}":  0,
		"{output: {pii: [uk]}}":  0,
		"{input: {injection: review}, on_review: {approvers: {roles: [a]}}}": 0,
	} {
		d := parse(t, fmt.Sprintf(guarded, source))
		if got := len(d.Warnings()); got != warnings {
			t.Errorf("%s: %v", source, d.Warnings())
		}
	}
}
