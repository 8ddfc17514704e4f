// Package contractreview is examples/contract-review.yaml written in Go. Both
// make the same definition with the same digest, so a team may review the one
// and run the other.
package contractreview

import (
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/workflow"
)

const input = `{
  "type": "object",
  "required": ["contract"],
  "properties": {"contract": {"type": "string", "maxLength": 200000}}
}`

const bullets = `{
  "type": "object",
  "required": ["bullets"],
  "properties": {"bullets": {"type": "array", "items": {"type": "string"}}}
}`

const prompt = `Summarise the contract for a lawyer, in five bullet points.
${{ input.contract }}
`

// Definition summarises a contract, has Legal approve the summary, and files
// it. The kinds need the model alias `fast` and the connection `dms`.
func Definition(kinds workflow.Kinds) (*workflow.Definition, error) {
	summary := workflow.Expr("steps.summarise.output")
	return workflow.New("contract-review").
		Describe("Summarise a contract, have Legal approve, file it.").
		Input(input).
		Sensitive("input", security.Confidential).
		Requires("analyst").
		Step(workflow.LLM("summarise", "fast", prompt).
			Schema(bullets).
			GuardOutput("pii", workflow.ModeRedact).
			Retry(3, 2*time.Second).
			Timeout(time.Minute)).
		Step(workflow.Approval("legal", summary, "legal").
			Quorum(1).
			Expires(48 * time.Hour)).
		Step(workflow.HTTP("file", "dms", "POST", "/contracts").
			With("body", summary)).
		Output("steps.file.output.id").
		Build(kinds)
}
