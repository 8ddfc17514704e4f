package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
)

// A Refusal is the error of a value that a guard did not let pass. Nothing else
// is returned for one, so any error of this package is a refusal.
type Refusal struct {
	Findings []security.Finding // at least one; the ones that stopped the value come first, the worst before the others
	texts    []Offending
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

// Review reports whether a person's review is enough to let the value pass:
// something needs one, and nothing that stops the value needs more.
func (r *Refusal) Review() bool {
	return r.only(security.Review, security.Revise) && !r.only(security.Revise)
}

// Revise reports whether everything that stops the value may be mended by
// asking the model again.
func (r *Refusal) Revise() bool { return r.only(security.Revise) }

// only reports whether something stops the value, and only with these actions.
func (r *Refusal) only(actions ...string) bool {
	some := false
	for _, f := range r.Findings {
		if !stops(f.Action) {
			continue
		}
		if !slices.Contains(actions, f.Action) {
			return false
		}
		some = true
	}
	return some
}

// Texts are the texts in which something stops the value. They are content: for
// fingerprints and for sealing, never for logs.
func (r *Refusal) Texts() []Offending {
	var out []Offending
	for _, t := range r.texts {
		if slices.ContainsFunc(t.Findings, func(i int) bool { return stops(r.Findings[i].Action) }) {
			out = append(out, t)
		}
	}
	return out
}

// refuse makes a refusal of findings, those that stop the value first,
// the worst of them before the others.
func refuse(findings []security.Finding, texts ...Offending) *Refusal {
	order := make([]int, len(findings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(findings[a]) - rank(findings[b]) })
	r := &Refusal{Findings: make([]security.Finding, len(findings))}
	place := make([]int, len(findings))
	for to, from := range order {
		r.Findings[to], place[from] = findings[from], to
	}
	for _, t := range texts {
		t.Findings = slices.Clone(t.Findings)
		for i, from := range t.Findings {
			t.Findings[i] = place[from]
		}
		r.texts = append(r.texts, t)
	}
	return r
}

// rank puts what stops a value before what does not, and what nobody may let pass
// before what needs a review: the first is the one that people are told.
func rank(f security.Finding) int {
	if stops(f.Action) {
		return -weight(f.Action)
	}
	return 1
}
