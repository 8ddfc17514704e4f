package guard

import (
	"cmp"
	"slices"

	"github.com/custodyhq/custody/security"
)

// A concern is one switch of the guards: what a sight is about, and so which mode
// applies to it.
type concern uint8

const (
	unknownConcern concern = iota // no mode is ever set for it: it stops the value
	injection
	personal
	secrets
	leak
	hidden
	html
	links
	images
	code
	copies
	words

	concerns = iota
)

// kind is the word that findings of the concern carry.
func (c concern) kind() string {
	return [concerns]string{
		"code", "injection", "personal", "secret", "leak", "code", "code", "link", "link", "code", "leak", "word",
	}[c]
}

// modes are what a walk does about each concern, with the defaults filled in.
type modes [concerns]Mode

// of is what is done about a sight. One that only needs a review gets no more
// than that.
func (m *modes) of(n *sight) Mode {
	mode := m[n.concern]
	if n.concern == unknownConcern {
		return Withhold
	}
	if n.review && mode > Review {
		return Review
	}
	return mode
}

// any reports whether one of the concerns is not switched off.
func (m *modes) any(of ...concern) bool {
	return slices.ContainsFunc(of, func(c concern) bool { return m[c] != Off })
}

// A sight is what a rule saw in one string, before any mode is applied.
type sight struct {
	concern         concern
	rule, why, read string
	lo, hi          int
	instead         string // what redaction puts there
	review          bool   // it only needs a review
	reread          bool   // seen in what was left after a redaction
	score           int    // thousandths
	evidence        []security.Evidence
}

// finding is the sight as it is reported, at the place of its string.
func (n *sight) finding(path, action string) security.Finding {
	return security.Finding{
		Rule: n.rule, Kind: n.concern.kind(), Action: action, Path: path, Start: n.lo, End: n.hi,
		Why: n.why, Read: n.read, Score: n.score, Evidence: n.evidence,
	}
}

// inOrder sorts sights by their places, the longer first.
func inOrder(all []sight) []sight {
	slices.SortStableFunc(all, func(a, b sight) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi))
	})
	return all
}
