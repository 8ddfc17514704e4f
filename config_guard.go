package custody

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Guard is what an installation adds to the prompt firewall. It adds rules and
// exceptions to rules for all workflows; it cannot switch the firewall off.
type Guard struct {
	// Links and Images are the hosts to which a link in an answer of a model may
	// lead, and from which an image may come: example.com, or .example.com with
	// all below it. A step may add to them.
	Links  []string `yaml:"links"`
	Images []string `yaml:"images"`
	// Words are lists of words and phrases, by name, that no answer of a model
	// may carry out.
	Words map[string][]string `yaml:"words"`
}

// JudgeBudget bounds what the judge may cost. Zero values mean the defaults.
type JudgeBudget struct {
	Timeout   time.Duration // of one question; default 1 minute
	MaxTokens int           // of one answer; default 400
	Calls     int           // of one run; default 100. What would need more is withheld
}

// validate names the field as the configuration file spells it.
func (b JudgeBudget) validate() error {
	switch {
	case b.Timeout < 0 || b.Timeout > time.Hour:
		return errors.New("judge.timeout: must be from 1s to 1h, or 0 for 1 minute")
	case b.MaxTokens < 0 || b.MaxTokens > 100_000:
		return errors.New("judge.max_tokens: must be from 1 to 100000, or 0 for 400")
	case b.Calls < 0 || b.Calls > 100_000:
		return errors.New("judge.calls: must be from 1 to 100000 calls of one run, or 0 for 100")
	}
	return nil
}

// The bounds of the word lists.
const (
	maxWordLists = 50
	maxWords     = 10_000
)

// listName is how a list may be called: the name is part of a rule's.
var listName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// validate names the field as the configuration file spells it, and repeats no
// word of a list.
func (g Guard) validate() error {
	if len(g.Words) > maxWordLists {
		return fmt.Errorf("guard.words: more than %d lists", maxWordLists)
	}
	for name, words := range g.Words {
		switch {
		case !listName.MatchString(name):
			return errors.New("guard.words: the name of a list has lower-case letters, digits and hyphens, begins with a letter, and is at most 40 long")
		case len(words) == 0 || len(words) > maxWords:
			return fmt.Errorf("guard.words.%s: has to hold 1 to %d words", name, maxWords)
		}
	}
	return nil
}
