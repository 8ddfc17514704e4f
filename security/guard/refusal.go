package guard

import (
	"fmt"
	"strings"

	"github.com/custodyhq/custody/security"
)

// A Refusal is the error of a value that a guard did not let pass. Nothing else
// is returned for one, so any error of this package is a refusal.
type Refusal struct {
	Findings []security.Finding // at least one; the ones that stopped the value come first
}

// Error names the rule, the place and the reason, never the content.
func (r *Refusal) Error() string {
	if len(r.Findings) == 0 {
		return "refused by the guard"
	}
	f := r.Findings[0]
	var b strings.Builder
	fmt.Fprintf(&b, "refused by rule %s", f.Rule)
	if f.Path != "" {
		fmt.Fprintf(&b, " at %s", f.Path)
	}
	if f.End > 0 {
		fmt.Fprintf(&b, ", bytes %d to %d", f.Start, f.End)
	}
	if f.Read != "" && f.Read != plain {
		fmt.Fprintf(&b, ", read as %s", f.Read)
	}
	if f.Why != "" {
		fmt.Fprintf(&b, ": %s", f.Why)
	}
	if n := len(r.Findings) - 1; n > 0 {
		fmt.Fprintf(&b, " (and %d more)", n)
	}
	return b.String()
}

// refuse makes a refusal of findings, those that stop the value first.
func refuse(findings []security.Finding) *Refusal {
	var stops, rest []security.Finding
	for _, f := range findings {
		if f.Action == security.Block || f.Action == security.Withhold {
			stops = append(stops, f)
		} else {
			rest = append(rest, f)
		}
	}
	return &Refusal{Findings: append(stops, rest...)}
}
