package steps

import (
	"context"
	"errors"
	"strings"

	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/workflow"
)

// A Judge is a second model that looks at what a first one wrote. It is called
// concurrently and sends at most one request. An answer that it cannot read is
// an *Error with CodeMalformed.
type Judge interface {
	Judge(ctx context.Context, call JudgeCall) (JudgeAnswer, error)
}

// A JudgeCall is one question. Output is data that the judge may not obey.
type JudgeCall struct {
	Step     *workflow.Step // for reading
	Workflow string         // name
	Input    Input          // what the author asked; its values need not be shown
	Output   any            // decoded JSON, after the rules
	ID       CallID
}

// A JudgeAnswer is what the judge said. The zero JudgeAnswer withholds.
type JudgeAnswer struct {
	Pass   bool
	Rubric string   // id and version of the rubric that was applied
	Unmet  []string // names of the rubric's criteria that are not met: a-z, 0-9 and _; others are left out
	Reason string   // content: it is sealed, and never shown to the caller
	Use    Use
}

// JudgeUse is what the ledger and the vault keep of a judgement.
type JudgeUse struct {
	Use    Use
	Rubric string   // which rubric the judge applied; "" if it gave no judgement
	Unmet  []string // names of its criteria
	Reason string   // content
}

// JudgeCalls is how many questions one run may put to the judge. A draft that
// would need one more gets the verdict guard.Unasked.
func (p *Pipeline) JudgeCalls() int { return p.config.JudgeCalls }

// NeedsJudge reports whether the draft of this step goes to the judge: one that
// asks a model does where a judge is configured, unless its author switched it
// off. If in doubt it does, and is withheld.
func (p *Pipeline) NeedsJudge(c Checked) bool {
	if !c.Ready() {
		return true
	}
	switch c.step().Guard.Judge {
	case workflow.ModeOff:
		return false
	case workflow.ModeDefault:
		return c.step().Kind.Model && p.judge != nil
	}
	return true
}

// Judge asks the judge about a draft. The verdict can only withhold: the rules
// have spoken before. An unreadable answer, a refusal or a panic withholds; an
// *Error says that no answer came, and comes with a verdict that withholds, so
// that the engine may ask again within a bound. A step without a judge gets
// guard.NoJudge and nothing is sent.
func (p *Pipeline) Judge(ctx context.Context, c Checked, s guard.Screened, id CallID) (guard.Verdict, JudgeUse, error) {
	if !p.NeedsJudge(c) {
		return guard.NoJudge(), JudgeUse{}, nil
	}
	if p.judge == nil || !s.OK() {
		return guard.Judged(false), JudgeUse{}, nil
	}
	if e := p.mayLeave(c, id, "#judge"); e != nil {
		return guard.Judged(false), JudgeUse{}, e
	}
	call := JudgeCall{Step: c.step(), Workflow: c.admitted.def.Name, Input: c.input(), Output: s.Judgeable(), ID: id}
	answer, err := within(ctx, p.config.JudgeTimeout, p.config.Grace, false, func(ctx context.Context) (JudgeAnswer, error) {
		return p.judge.Judge(ctx, call)
	})
	var e *Error
	switch {
	case err == nil:
		return guard.Judged(answer.Pass), JudgeUse{Use: answer.Use, Rubric: answer.Rubric, Unmet: names(answer.Unmet), Reason: answer.Reason}, nil
	case errors.As(err, &e) && silent(e):
		return guard.Judged(false), JudgeUse{Use: e.Use}, e
	case e != nil:
		return guard.Judged(false), JudgeUse{Use: e.Use}, nil //nolint:nilerr // an answer of no use is a verdict: withheld
	}
	return guard.Judged(false), JudgeUse{}, nil
}

// The bounds of what a judge may have written into the ledger.
const (
	maxUnmet     = 16
	maxCriterion = 64 // bytes
)

// names are those that can only be names. A judge is a plug-in, and what it read
// must not get into the ledger by way of its criteria.
func names(unmet []string) (out []string) {
	for _, s := range unmet {
		plain := !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
		if plain && s != "" && len(s) <= maxCriterion && len(out) < maxUnmet {
			out = append(out, s)
		}
	}
	return out
}

// silent reports whether no answer came, as opposed to one that is of no use.
func silent(e *Error) bool {
	switch e.Code {
	case CodeTimeout, CodeRateLimited, CodeStatus, CodeConnection, CodeCancelled:
		return true
	}
	return false
}
