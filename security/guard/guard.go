package guard

import (
	"fmt"

	"github.com/custodyhq/custody/security"
)

// Config sets the bounds of a Guard. Zero values mean the defaults.
type Config struct {
	// MaxBytes is how many bytes of text one call reads, over all strings, keys
	// and arguments together; more is refused. Default 1 MiB.
	MaxBytes int
	// MaxFindings is how many findings one call reports. What is beyond it still
	// stops or redacts. Default 100.
	MaxFindings int
}

func (c Config) validate() error {
	if c.MaxBytes < 0 {
		return fmt.Errorf("guard config: MaxBytes is %d, and must not be negative", c.MaxBytes)
	}
	if c.MaxFindings < 0 {
		return fmt.Errorf("guard config: MaxFindings is %d, and must not be negative", c.MaxFindings)
	}
	return nil
}

// A Guard holds the rules, compiled, and remembers texts in which they see
// nothing. It is safe for concurrent use.
type Guard struct {
	memory      memory
	maxBytes    int
	maxFindings int
	words       *vocabulary
	phrases     []phrase
	asked       marks
}

// New compiles the rules. It costs milliseconds: make one Guard per process.
func New(c Config) (*Guard, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	words, rules, err := newVocabulary(phrases)
	if err != nil {
		return nil, err
	}
	g := &Guard{maxBytes: c.MaxBytes, maxFindings: c.MaxFindings, words: words, phrases: rules, asked: words.marks()}
	if g.maxBytes == 0 {
		g.maxBytes = 1 << 20
	}
	if g.maxFindings == 0 {
		g.maxFindings = 100
	}
	return g, nil
}

// Scan reads one text as untrusted input and as output, and reports everything
// that any rule sees, with the action that it has by default. It refuses
// nothing.
func (g *Guard) Scan(path, text string) []security.Finding {
	w := g.walk(security.Block, modes{injection: Block, personal: Redact, secrets: Withhold}, Pardon{})
	w.value(text, path, "", 0)
	return w.findings
}

// read splits a text into words and concepts.
func (g *Guard) read(text string, leetspeak bool) *sentences {
	s := &sentences{v: g.words, marks: g.asked, ciphers: map[cipher]int{}}
	s.read(text, leetspeak)
	return s
}
