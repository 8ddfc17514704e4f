package guard

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard/detector"
	"github.com/custodyhq/custody/security/guard/reading"
)

// Config is what a Guard is made of. Zero values mean the defaults. Nothing in
// it switches the detector off.
type Config struct {
	// MaxBytes is how many bytes of text one call reads, over all strings, keys
	// and arguments together; more is refused. Default 1 MiB.
	MaxBytes int
	// MaxFindings is how many findings one call reports. What is beyond it still
	// stops or redacts. Default 100.
	MaxFindings int
	// Links and Images are the hosts to which a link in an output may lead, and
	// from which an image may come, at every step.
	Links, Images []string
	// Words are lists of words that no output may carry out, by name.
	Words map[string][]string
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
	detector    *detector.Detector
	scanners    sync.Pool // of *reading.Scanner
	policies    policies
	config      Config
}

// compiled is the detector, which is the same for every Guard and never changes.
// Its lexicon costs a tenth of a second, so it is read once.
var compiled = sync.OnceValues(detector.New)

// New makes the rules ready. The first costs a tenth of a second, later ones
// next to nothing.
func New(c Config) (*Guard, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	d, err := compiled()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	g := &Guard{
		maxBytes: cmp.Or(c.MaxBytes, 1<<20), maxFindings: cmp.Or(c.MaxFindings, 100), detector: d, config: c,
		scanners: sync.Pool{New: func() any { return new(reading.Scanner) }},
	}
	out := OutRules{Links: Redact}
	m := out.modes(true)
	if _, err := g.leaving(&out, &m); err != nil {
		return nil, fmt.Errorf("guard config: %w", err)
	}
	return g, nil
}

// Detector is what scores the texts that come in.
func (g *Guard) Detector() *detector.Detector { return g.detector }

// Scan reads one text as untrusted input and as output, and reports everything
// that any rule sees, with the action that it has by default. It refuses
// nothing.
func (g *Guard) Scan(path, text string) []security.Finding {
	w := g.walk(security.Block, Rules{}.modes(), Pardon{})
	w.reader = &inbound{g: g, modes: w.modes, on: channelsOf(security.Document)}
	w.text(text, path, "")
	return append(w.findings, g.ScanOutput(path, text)...)
}

// ScanOutput reads one text as output only, as Scan does.
func (g *Guard) ScanOutput(path, text string) []security.Finding {
	w := g.walk(security.Withhold, (&OutRules{}).modes(false), Pardon{})
	r, err := g.outbound(&OutRules{}, w.modes)
	if err != nil {
		return []security.Finding{unreadable(security.Withhold, path)}
	}
	w.reader = r
	w.text(text, path, "")
	return w.findings
}
