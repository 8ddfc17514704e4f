package guard

// A Verdict is what the judge said about a draft. The zero Verdict withholds:
// it is what is left when a judge timed out or answered rubbish.
type Verdict struct{ said said }

type said uint8

const (
	nothing said = iota
	noJudge
	pass
	fail
	unasked
)

// NoJudge is the verdict of a step for which no judge is configured. It does
// not release the draft of a step that has one (OutRules.Judge).
func NoJudge() Verdict { return Verdict{noJudge} }

// Judged is the verdict of a judge that answered: true lets the draft go.
func Judged(ok bool) Verdict {
	if ok {
		return Verdict{pass}
	}
	return Verdict{fail}
}

// Unasked is the verdict on a draft for which the run may not ask the judge any
// more. It withholds.
func Unasked() Verdict { return Verdict{unasked} }
