package workflow_test

import (
	"strings"
	"testing"

	"github.com/custodyhq/custody/workflow"
)

// Steps that the cases of the influence table are made of.
const (
	draftStep = `  - id: draft
    uses: llm
    with: {model: fast, prompt: "Answer ${{ input.text }}", output: {type: object, required: [title, score], properties: {title: {type: string}, score: {type: integer}}}}
`
	legalStep  = "  - id: legal\n    uses: approval\n    with: {approvers: {roles: [legal]}, show: %SHOW%}\n"
	freeStep   = "  - id: legal\n    uses: approval\n    with: {approvers: {roles: [legal]}, show: %SHOW%, on_reject: continue}\n"
	sometimes  = "  - id: legal\n    uses: approval\n    if: input.urgent\n    with: {approvers: {roles: [legal]}, show: %SHOW%}\n"
	titleStep  = "  - id: title\n    uses: set\n    with: {t: \"${{ steps.draft.output.title + '!' }}\"}\n"
	scoreStep  = "  - id: points\n    uses: score\n    with: {t: \"${{ steps.draft.output.title }}\"}\n"
	lookupStep = "  - id: lookup\n    uses: http\n    with: {connection: crm, method: GET, path: /all}\n"
)

func show(step, what string) string { return strings.ReplaceAll(step, "%SHOW%", what) }

func send(body string, more ...string) string {
	return "  - id: send\n    uses: http\n" + strings.Join(more, "") + "    with: {connection: dms, method: POST, path: /x, body: " + body + "}\n"
}

// Each attack has a harmless twin that differs in what makes it safe.
func TestEffectsAreSteeredByTheirAuthorOnly(t *testing.T) {
	t.Parallel()
	const whole, part = `"${{ steps.draft.output }}"`, `"${{ steps.draft.output.title }}"`
	for name, c := range map[string]struct {
		refused, passed string
		trail           string
	}{
		"a constant passes, the caller does not": {
			refused: send(`"${{ input.text }}"`), passed: send("fixed"),
			trail: "send (with /body) <- input.text (caller)",
		},
		"a number keeps its origin": {
			refused: send(`"${{ input.count }}"`), passed: send(`"${{ input.count }}"`, "    accepts: [caller]\n"),
			trail: "input.count (caller)",
		},
		"a model's output needs an approval that shows it": {
			refused: draftStep + send(whole), passed: draftStep + show(legalStep, whole) + send(whole),
			trail: "steps.draft.output (model)",
		},
		"an approval that shows something else does not help": {
			refused: draftStep + show(legalStep, part) + send(whole), passed: draftStep + show(legalStep, whole) + send(part),
			trail: "steps.draft.output (model)",
		},
		"an approval that shows a computation of the value does not show the value": {
			refused: draftStep + show(legalStep, `"${{ size(steps.draft.output.title) }}"`) + send(part),
			passed:  draftStep + show(legalStep, `{size: "${{ size(steps.draft.output.title) }}", title: `+part+`}`) + send(part),
			trail:   "steps.draft.output.title (model)",
		},
		"the same computation may be shown and sent": {
			refused: draftStep + show(legalStep, `"${{ steps.draft.output.title + 'a' }}"`) + send(`"${{ steps.draft.output.title + 'b' }}"`),
			passed:  draftStep + show(legalStep, `"${{ steps.draft.output.title + 'a' }}"`) + send(`"${{ steps.draft.output.title + 'a' }}"`),
			trail:   "steps.draft.output.title (model)",
		},
		"an approval that the effect does not need does not help": {
			refused: draftStep + show(legalStep, whole) + send(whole, "    needs: [draft]\n"),
			passed:  draftStep + show(legalStep, whole) + send(whole, "    needs: [draft, legal]\n"),
			trail:   "steps.draft.output (model)",
		},
		"a rejection that lets the run go on must be asked for": {
			refused: draftStep + show(freeStep, whole) + send(whole),
			passed:  draftStep + show(freeStep, whole) + send(whole, "    if: steps.legal.output.decision == 'approve'\n"),
			trail:   "steps.draft.output (model)",
		},
		"asking for a rejection is not asking for the approval": {
			refused: draftStep + show(freeStep, whole) + send(whole, "    if: steps.legal.output.decision == 'reject'\n"),
			passed:  draftStep + show(freeStep, whole) + send(whole, "    if: \"'approve' == steps.legal.output.decision && true\"\n"),
			trail:   "steps.draft.output (model)",
		},
		"an approval behind an or is not asked for": {
			refused: draftStep + show(freeStep, whole) + send(whole, "    if: steps.legal.output.decision == 'approve' || true\n"),
			passed:  draftStep + show(freeStep, whole) + send(whole, "    if: steps.legal.output.decision == \"approve\"\n"),
			trail:   "steps.draft.output (model)",
		},
		"an approval that can be skipped does not hold": {
			refused: draftStep + show(sometimes, whole) + send(whole),
			passed:  draftStep + show(legalStep, whole) + send(whole),
			trail:   "steps.draft.output (model)",
		},
		"an approval that can be skipped holds for an effect that asks for it": {
			refused: draftStep + show(sometimes, whole) + send(whole, "    if: steps.?legal.output.decision.orValue('approve') == 'approve'\n"),
			passed:  draftStep + show(sometimes, whole) + send(whole, "    if: steps.legal.output.decision == 'approve'\n"),
			trail:   "steps.draft.output (model)",
		},
		"an approval that can be skipped holds where its absence is no yes": {
			refused: draftStep + show(sometimes, whole) + send(whole, "    if: steps.?legal.output.decision.orValue('app' + 'rove') == 'approve'\n"),
			passed:  draftStep + show(sometimes, whole) + send(whole, "    if: steps.?legal.output.decision.orValue('') == 'approve'\n"),
			trail:   "steps.draft.output (model)",
		},
		"a condition steers, too": {
			refused: draftStep + send("fixed", "    if: steps.draft.output.score > 3\n"),
			passed:  draftStep + show(legalStep, whole) + send("fixed", "    if: steps.draft.output.score > 3\n"),
			trail:   "send (if) <- steps.draft.output.score (model)",
		},
		"a condition of the author's own": {
			refused: send("fixed", "    if: input.urgent\n"), passed: send("fixed", "    if: 1 < 2\n"),
			trail: "send (if) <- input.urgent (caller)",
		},
		"computing does not wash": {
			refused: draftStep + titleStep + send(`"${{ steps.title.output.t }}"`),
			passed:  draftStep + titleStep + show(legalStep, `"${{ steps.title.output }}"`) + send(`"${{ steps.title.output.t }}"`),
			trail:   "steps.title.output.t <- steps.draft.output.title (model)",
		},
		"what is computed from what was shown was shown": {
			refused: draftStep + titleStep + send(`"${{ steps.title.output.t }}"`),
			passed:  draftStep + titleStep + show(legalStep, whole) + send(`"${{ steps.title.output.t }}"`),
			trail:   "steps.draft.output.title (model)",
		},
		"a function that only computes does not wash": {
			refused: draftStep + scoreStep + send(`"${{ steps.points.output.points }}"`),
			passed:  draftStep + scoreStep + show(legalStep, `"${{ steps.points.output }}"`) + send(`"${{ steps.points.output.points }}"`),
			trail:   "steps.points.output.points <- steps.draft.output.title (model)",
		},
		"a reply of one tool steers the next": {
			refused: lookupStep + send(`"${{ steps.lookup.output }}"`),
			passed:  lookupStep + send(`"${{ steps.lookup.output }}"`, "    accepts: [tool]\n"),
			trail:   "steps.lookup.output (tool)",
		},
		"accepting one origin is not accepting another": {
			refused: draftStep + send(part, "    accepts: [caller, tool]\n"), passed: draftStep + send(part, "    accepts: [model]\n"),
			trail: "steps.draft.output.title (model)",
		},
		"whether a value is there at all": {
			refused: "  - id: maybe\n    uses: set\n    if: input.urgent\n    with: {a: 1}\n" + send(`"${{ steps.?maybe.output.a.orValue(2) }}"`),
			passed:  "  - id: maybe\n    uses: set\n    if: 1 < 2\n    with: {a: 1}\n" + send(`"${{ steps.?maybe.output.a.orValue(2) }}"`),
			trail:   "steps.maybe.output.a <- input.urgent (caller)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := workflow.Parse([]byte(head+"steps:\n"+c.refused), testKinds())
			if err == nil {
				t.Error("the attack was taken")
			} else if !strings.Contains(err.Error(), c.trail) {
				t.Errorf("the trail is not shown: %v", err)
			}
			if _, err := workflow.Parse([]byte(head+"steps:\n"+c.passed), testKinds()); err != nil {
				t.Errorf("the harmless twin was refused: %v", err)
			}
		})
	}
}
