package steps

import (
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// Screen checks a draft: the schema of the step's output and everything that an
// output must not carry out. An error means that the draft is withheld, unless
// people let it pass or the model mends it; it is a *guard.Refusal.
func (p *Pipeline) Screen(c Checked, d Draft, pardon guard.Pardon) (guard.Screened, []security.Finding, error) {
	if !c.Ready() || !d.ok {
		return skipped()
	}
	rules := p.outRules(c)
	rules.Canary = d.canary
	return p.guard.Screen(d.value, c.label, c.path(), rules, pardon)
}

// Reopen screens a draft that was sealed before a crash or a review, as Screen
// did. What Screen let through held no canary, so none is looked for.
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
// say anything, so what it says is searched for all that must not leave. The
// reply of a connection and the result of a function are data that the author
// asked for: redacting an id or a link in them would break it, so nothing is
// looked for but secrets, which are noted. What `set` computes was released
// before.
func (p *Pipeline) outRules(c Checked) guard.OutRules {
	g := &c.step().Guard
	rules := guard.OutRules{
		PII: mode(g.OutputPII), Secrets: mode(g.OutputSecrets), Leak: mode(g.OutputLeak), Hidden: mode(g.OutputHidden),
		HTML: mode(g.OutputHTML), Links: asked(g.OutputLinks, guard.Redact), Images: mode(g.OutputImages),
		Code: asked(g.OutputCode, guard.Withhold), Copies: asked(g.OutputCopies, guard.Withhold), Words: mode(g.OutputWords),
		Kinds: g.PIIKinds, LinkHosts: g.LinkHosts, ImageHosts: g.ImageHosts, CodeRules: g.CodeRules,
		Schema:       func(v any) error { return c.admitted.def.CheckOutput(c.admitted.index, v) },
		ReviseSchema: g.OutputSchema == workflow.ModeRevise,
		Judge:        p.NeedsJudge(c),
	}
	if rules.Copies != guard.Default {
		rules.Sources = c.confidential()
	}
	if c.step().Kind.Model {
		rules.Prompts = c.statements()
		return rules
	}
	for _, m := range []*guard.Mode{&rules.PII, &rules.Leak, &rules.Hidden, &rules.HTML, &rules.Images, &rules.Words} {
		if *m == guard.Default {
			*m = guard.Off
		}
	}
	if rules.Links == guard.Default && g.LinkHosts == nil {
		rules.Links = guard.Off
	}
	if rules.Secrets == guard.Default {
		rules.Secrets = guard.Note
	}
	if c.step().Uses == setName && g.OutputSecrets == workflow.ModeDefault {
		rules.Secrets = guard.Off
	}
	return rules
}

// asked is a mode for what is not looked for by itself: on means the given one.
func asked(m workflow.Mode, on guard.Mode) guard.Mode {
	if m == workflow.ModeOn {
		return on
	}
	return mode(m)
}
