package steps

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/custodyhq/custody/security/guard"
)

// A Pipeline takes steps through their stages. It never changes and is safe
// for concurrent use.
type Pipeline struct {
	guard   *guard.Guard
	runners map[string]Runner
	judge   Judge
	config  Config
}

// Config is what a Pipeline is made of.
type Config struct {
	Guard   *guard.Guard
	Runners map[string]Runner // by what steps write as `uses`; `set` is built in
	Judge   Judge             // nil: steps have rules only, and one that asks for a judge is withheld
	// Timeout is for steps that declare none; 0 means 2 minutes.
	Timeout time.Duration
	// JudgeTimeout is for one question to the judge; 0 means 1 minute.
	JudgeTimeout time.Duration
	// JudgeCalls is how many questions one run may put to the judge; what would
	// need one more is withheld. 0 means 100.
	JudgeCalls int
	// Grace is how long a runner may take to return once its time is over; then
	// it is left behind and its outcome is unknown. 0 means 5 seconds.
	Grace time.Duration
	// Canary makes the mark in the prompt of the call with this key: text that
	// nobody can guess, of letters and digits, the same for the same key on every
	// machine of an installation. Nil means one of this process alone.
	Canary func(key string) string
	Now    func() time.Time // nil means time.Now
}

func (c Config) validate() error {
	if c.Guard == nil {
		return errors.New("steps config: Guard is missing; without one nothing can be checked")
	}
	for name, r := range c.Runners {
		if r == nil {
			return fmt.Errorf("steps config: Runners[%q] is nil", name)
		}
		if name == setName || name == approvalName {
			return fmt.Errorf("steps config: Runners[%q] would replace a built-in kind", name)
		}
	}
	for name, d := range map[string]time.Duration{"Timeout": c.Timeout, "JudgeTimeout": c.JudgeTimeout, "Grace": c.Grace} {
		if d < 0 {
			return fmt.Errorf("steps config: %s is %s, and must not be negative", name, d)
		}
	}
	if c.JudgeCalls < 0 {
		return fmt.Errorf("steps config: JudgeCalls is %d, and must not be negative", c.JudgeCalls)
	}
	return nil
}

// New checks the config and makes a Pipeline.
func New(c Config) (*Pipeline, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.JudgeTimeout == 0 {
		c.JudgeTimeout = time.Minute
	}
	if c.JudgeCalls == 0 {
		c.JudgeCalls = 100
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Canary == nil {
		c.Canary = marks()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	runners := maps.Clone(c.Runners)
	if runners == nil {
		runners = map[string]Runner{}
	}
	runners[setName] = setRunner{}
	return &Pipeline{guard: c.Guard, runners: runners, judge: c.Judge, config: c}, nil
}

// Has reports whether the pipeline can execute steps of this kind. An approval
// is not executed: people decide it.
func (p *Pipeline) Has(uses string) bool {
	_, ok := p.runners[uses]
	return ok
}
