package steps

import (
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// Screen checks a draft: the schema of the step's output, secrets, personal
// data. An error means that the draft is withheld, unless people let it pass or
// the model mends it; it is a *guard.Refusal.
func (p *Pipeline) Screen(c Checked, d Draft, pardon guard.Pardon) (guard.Screened, []security.Finding, error) {
	if !c.Ready() || !d.ok {
		return skipped()
	}
	return p.guard.Screen(d.value, c.label, c.path(), p.outRules(c), pardon)
}

// Reopen screens a draft that was sealed before a crash, as Screen did.
func (p *Pipeline) Reopen(c Checked, draft []byte, pardon guard.Pardon) (guard.Screened, []security.Finding, error) {
	if !c.Ready() {
		return skipped()
	}
	return p.guard.Rescreen(draft, c.label, c.path(), p.outRules(c), pardon)
}

func skipped() (guard.Screened, []security.Finding, error) {
	r := refusal("pipeline.not-checked", security.Withhold, "", "The output is of a step that was not checked.")
	return guard.Screened{}, r.Findings, r
}

// outRules are the author's settings for output over the defaults. A model may
// say anything, so what it says is searched for secrets and personal data. The
// reply of a connection and the result of a function are data that the author
// asked for: redacting an id in them would break it, so personal data is left
// alone and a secret is noted. What `set` computes was released before.
func (p *Pipeline) outRules(c Checked) guard.OutRules {
	step := c.step()
	rules := guard.OutRules{
		PII:     mode(step.Guard.OutputPII),
		Secrets: mode(step.Guard.OutputSecrets),
		Schema:  func(v any) error { return c.admitted.def.CheckOutput(c.admitted.index, v) },
		Judge:   p.NeedsJudge(c),
	}
	if step.Kind.Model {
		return rules
	}
	if rules.PII == guard.Default {
		rules.PII = guard.Off
	}
	if rules.Secrets == guard.Default {
		rules.Secrets = guard.Note
	}
	if step.Uses == setName && step.Guard.OutputSecrets == workflow.ModeDefault {
		rules.Secrets = guard.Off
	}
	return rules
}
