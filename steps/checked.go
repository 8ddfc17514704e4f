package steps

import (
	"fmt"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// Checked is a step that was admitted and whose input the guard let pass. Only
// Check makes one; the zero Checked is not Ready and is executed by nobody.
type Checked struct {
	admitted Admitted
	with     map[string]any
	args     guard.Checked
	label    security.Label // of the output
	feedback []string       // what the rules had against the draft before
}

// Ready reports whether c came from Check.
func (c Checked) Ready() bool { return c.admitted.ok && c.args.OK() }

func (c Checked) step() *workflow.Step { return c.admitted.step() }

// path is where the step's output stands.
func (c Checked) path() string { return "/steps/" + c.step().ID + "/output" }

// Noted are the texts in which something was found that did not stop them, for
// fingerprints; they are content. The findings are those that Check returned.
func (c Checked) Noted() []guard.Offending { return c.args.Noted() }

// input is a fresh copy of what was checked, for one runner.
func (c Checked) input() Input { return Input{with: c.with, args: c.args.Args()} }

// Check scans what is not trusted of the values that workflow.Bind bound. An
// error means that the step is blocked; it is a *guard.Refusal. The findings
// are those of the refusal, or what was noted on the way. The pardon is what
// people decided about this run's values.
func (p *Pipeline) Check(a Admitted, bound workflow.Bound, pardon guard.Pardon) (Checked, []security.Finding, error) {
	if !a.ok {
		return blocked("pipeline.not-admitted", "The step was not admitted.")
	}
	with, ok := bound.With.(map[string]any)
	if !ok && bound.With != nil {
		return blocked("pipeline.unreadable", "The arguments are not an object.")
	}
	if err := fits(bound.With, len(bound.Params)); err != nil {
		return blocked("pipeline.unreadable", "The arguments and their values do not belong together.")
	}
	args := make([]guard.Arg, len(bound.Params))
	for i, v := range bound.Params {
		args[i] = guard.Arg{Name: v.Name, Value: v.V, Label: v.Label, Path: v.Path, Inert: v.Inert}
	}
	checked, findings, err := p.guard.Check(args, inRules(a.step().Guard), pardon)
	if err != nil {
		return Checked{}, findings, err
	}
	label := a.def.OutputLabel(a.index, bound)
	return Checked{admitted: a, with: with, args: checked, label: label}, findings, nil
}

func blocked(rule, why string) (Checked, []security.Finding, error) {
	r := refusal(rule, security.Block, "", why)
	return Checked{}, r.Findings, r
}

func refusal(rule, action, path, why string) *guard.Refusal {
	return &guard.Refusal{Findings: []security.Finding{{Rule: rule, Kind: "schema", Action: action, Path: path, Why: why}}}
}

// fits reports whether every parameter that the tree mentions exists.
func fits(tree any, params int) error {
	within := func(i int) error {
		if i < 0 || i >= params {
			return fmt.Errorf("parameter %d of %d", i, params)
		}
		return nil
	}
	switch t := tree.(type) {
	case workflow.Ref:
		return within(t.Param)
	case workflow.Template:
		for _, part := range t {
			if part.Param == -1 {
				continue
			}
			if err := within(part.Param); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range t {
			if err := fits(e, params); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range t {
			if err := fits(e, params); err != nil {
				return err
			}
		}
	}
	return nil
}

// inRules are the author's settings for input. A mode that nobody knows blocks.
func inRules(g workflow.Guards) guard.Rules {
	return guard.Rules{
		Injection: mode(g.InputInjection),
		PII:       mode(g.InputPII),
		Secrets:   mode(g.InputSecrets),
	}
}

func mode(m workflow.Mode) guard.Mode {
	if m == workflow.ModeDefault || m == workflow.ModeOn {
		return guard.Default
	}
	out, err := guard.ParseMode(string(m))
	if err != nil {
		return guard.Block
	}
	return out
}
