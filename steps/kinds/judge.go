package kinds

import (
	"context"

	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
)

// A judge asks a second model whether a draft may leave its step.
type judge struct {
	models *model.Models
	alias  string
	tokens int
}

// judgeTokens bounds the judge's answer where the config does not: five
// criteria, a verdict and a sentence.
const judgeTokens = 400

// judgePrompt is what all questions to a judge have in common. They are cold, so
// that the same output gets the same verdict, where the model lets us say so.
func judgePrompt(models *model.Models, alias string, tokens int) model.Prompt {
	p := model.Prompt{Schema: verdictSchema(), SchemaName: model.VerdictName, MaxTokens: tokens}
	if models.TakesTemperature(alias) {
		cold := 0.0
		p.Temperature = &cold
	}
	return p
}

// Judge asks once. What is not exactly a judgement by the rubric is malformed.
func (j judge) Judge(ctx context.Context, call steps.JudgeCall) (steps.JudgeAnswer, error) {
	p := judgePrompt(j.models, j.alias, j.tokens)
	p.System = question(statementOf(call.Input).text)
	p.User = string(text(map[string]any{"output": call.Output}))
	p.Key, p.Call = call.ID.Key, call.ID.Call
	answer, err := j.models.Generate(ctx, j.alias, p)
	if err != nil {
		return steps.JudgeAnswer{}, failure(err)
	}
	use := steps.Use{Model: &answer.Model, Status: answer.Status, Bytes: answer.Bytes}
	said, ok := judgement(answer.Text)
	if !ok {
		return steps.JudgeAnswer{}, &steps.Error{
			Code: steps.CodeMalformed, Detail: "the judge gave no verdict", Use: use, Status: answer.Status,
		}
	}
	return steps.JudgeAnswer{Pass: said.pass, Rubric: RubricID, Unmet: said.unmet, Reason: said.reason, Use: use}, nil
}
