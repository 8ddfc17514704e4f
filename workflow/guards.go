package workflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security/guard"
)

// A guardRule is one switch of a step's guards: where it is written and what
// it can be.
type guardRule struct {
	side, name string
	modes      []Mode
	of         func(*Guards) *Mode
	items      string // what a list under it is called; "" if it has none
	list       func(*Guards) *[]string
	extra      bool // not on by itself, so to switch it off is nothing to warn of
}

// guardRules are all switches, in the order of the documentation.
func guardRules() []guardRule {
	in := []Mode{ModeBlock, ModeReview, ModeNote, ModeOff}
	out := []Mode{ModeWithhold, ModeReview, ModeRevise, ModeRedact, ModeNote, ModeOn, ModeOff}
	whole := []Mode{ModeWithhold, ModeReview, ModeRevise, ModeNote, ModeOn, ModeOff}
	return []guardRule{
		{side: "input", name: "injection", modes: in, of: func(g *Guards) *Mode { return &g.InputInjection }},
		{side: "input", name: "pii", modes: in, extra: true, of: func(g *Guards) *Mode { return &g.InputPII }},
		{side: "input", name: "secrets", modes: in, extra: true, of: func(g *Guards) *Mode { return &g.InputSecrets }},
		{
			side: "output", name: "pii", modes: out, of: func(g *Guards) *Mode { return &g.OutputPII },
			items: "kinds", list: func(g *Guards) *[]string { return &g.PIIKinds },
		},
		{side: "output", name: "secrets", modes: out, of: func(g *Guards) *Mode { return &g.OutputSecrets }},
		{side: "output", name: "leak", modes: whole, of: func(g *Guards) *Mode { return &g.OutputLeak }},
		{side: "output", name: "hidden", modes: out, of: func(g *Guards) *Mode { return &g.OutputHidden }},
		{side: "output", name: "html", modes: out, of: func(g *Guards) *Mode { return &g.OutputHTML }},
		{
			side: "output", name: "links", modes: out, of: func(g *Guards) *Mode { return &g.OutputLinks },
			items: "allow", list: func(g *Guards) *[]string { return &g.LinkHosts },
		},
		{
			side: "output", name: "images", modes: out, of: func(g *Guards) *Mode { return &g.OutputImages },
			items: "allow", list: func(g *Guards) *[]string { return &g.ImageHosts },
		},
		{
			side: "output", name: "code", modes: out, extra: true, of: func(g *Guards) *Mode { return &g.OutputCode },
			items: "rules", list: func(g *Guards) *[]string { return &g.CodeRules },
		},
		{side: "output", name: "copies", modes: whole, of: func(g *Guards) *Mode { return &g.OutputCopies }},
		{side: "output", name: "words", modes: out, of: func(g *Guards) *Mode { return &g.OutputWords }},
		{side: "output", name: "schema", modes: []Mode{ModeWithhold, ModeRevise}, extra: true, of: func(g *Guards) *Mode { return &g.OutputSchema }},
		{side: "output", name: "judge", modes: []Mode{ModeOn, ModeOff}, of: func(g *Guards) *Mode { return &g.Judge }},
	}
}

// maxItems bounds a list under a guard, and maxRevise how often a model may be
// asked again.
const (
	maxItems  = 100
	maxRevise = 3
)

// guard reads a step's guard.
func (l *loader) guard(n *node, s *Step) {
	if n == nil {
		return
	}
	if s.Kind != nil && !s.Kind.Intent {
		l.fault(n, "guard", fmt.Sprintf("uses: %s has no guards", s.Uses), "guard the step that makes or uses the value")
	}
	l.known(n, "guard", []string{"input", "output", "on_review"}, nil)
	for _, side := range []string{"input", "output"} {
		if at := n.get(side); at != nil {
			l.side(at, side, s)
		}
	}
	if at := n.get("on_review"); at != nil {
		s.Guard.OnReview = l.reviewers(at)
	}
}

// side reads the guards of what goes in or of what comes out.
func (l *loader) side(at *node, side string, s *Step) {
	var names []string
	for _, rule := range guardRules() {
		if rule.side == side {
			names = append(names, rule.name)
			l.guardRule(at.get(rule.name), rule, s)
		}
	}
	if side == "output" {
		names = append(names, "revise")
		if n := at.get("revise"); n != nil {
			times, ok := n.scalar.(int64)
			if !ok || times < 1 || times > maxRevise {
				l.fault(n, "guard", fmt.Sprintf("revise is a whole number from 1 to %d", maxRevise), "it says how often the model is asked again")
			}
			s.Guard.Revise = int(times)
		}
	}
	l.known(at, "guard."+side, names, nil)
}

// guardRule reads one guard: a mode, a list of what it is about, or both.
func (l *loader) guardRule(n *node, rule guardRule, s *Step) {
	switch {
	case n == nil:
	case n.form == mapForm && rule.items != "":
		where := "guard." + rule.side + "." + rule.name
		l.known(n, where, []string{"mode", rule.items}, nil)
		if mode := n.get("mode"); mode != nil {
			l.mode(mode, rule, s)
		}
		l.guardItems(n.get(rule.items), rule, s)
	case n.form == listForm && rule.items != "":
		l.guardItems(n, rule, s)
	default:
		l.mode(n, rule, s)
	}
}

// guardItems reads what a guard is about: kinds, hosts or rules.
func (l *loader) guardItems(n *node, rule guardRule, s *Step) {
	if n == nil {
		return
	}
	items := l.words(n, rule.items)
	if len(items) > maxItems {
		l.fault(n, "guard", fmt.Sprintf("%s has more than %d items", rule.items, maxItems), "")
		return
	}
	slices.Sort(items)
	*rule.list(&s.Guard) = items
	settings := guard.OutRules{Kinds: s.Guard.PIIKinds, LinkHosts: s.Guard.LinkHosts, ImageHosts: s.Guard.ImageHosts, CodeRules: s.Guard.CodeRules}
	if err := guard.CheckSettings(settings); err != nil {
		*rule.list(&s.Guard) = nil
		l.fault(n, "guard", fmt.Sprintf("guard.%s.%s: %v", rule.side, rule.name, err), "")
	}
}

// reviewers reads who decides what only needs a review, in the words of an
// approval.
func (l *loader) reviewers(n *node) *ApprovalSpec {
	spec := &ApprovalSpec{Quorum: 1, Expires: defaultExpiry, OnReject: OnRejectFail}
	l.known(n, "on_review", []string{"approvers", "expires"}, map[string]string{
		"roles":     "write `approvers: {roles: […]}`",
		"on_reject": "what reviewers reject is refused",
		"show":      "reviewers are shown the text that was stopped",
	})
	if e := n.get("expires"); e != nil {
		spec.Expires = l.duration(e, "expires", time.Minute, maxExpiry)
	}
	who := l.needed(n, "on_review", "approvers", "add `approvers: {roles: [security]}`")
	if who == nil {
		return spec
	}
	l.known(who, "approvers", []string{"roles", "quorum"}, nil)
	roles := l.needed(who, "approvers", "roles", "add `roles: [security]`")
	spec.Roles = l.words(roles, "roles")
	slices.Sort(spec.Roles)
	if roles != nil && (len(spec.Roles) == 0 || len(spec.Roles) > maxApprovers) {
		l.fault(roles, "guard", fmt.Sprintf("roles names 1 to %d roles", maxApprovers), "")
	}
	if q := who.get("quorum"); q != nil {
		count, ok := q.scalar.(int64)
		if !ok || count < 1 || count > maxApprovers {
			l.fault(q, "guard", fmt.Sprintf("quorum is a whole number from 1 to %d", maxApprovers), "")
		}
		spec.Quorum = int(count)
	}
	return spec
}

// maxApprovers bounds the roles and the people of a review, as of an approval.
const maxApprovers = 20

// mode reads the mode of one guard, and warns about one that is off.
func (l *loader) mode(n *node, rule guardRule, s *Step) {
	text, _ := n.text()
	if b, ok := n.scalar.(bool); ok && n.form == scalarForm { // other readers take on and off for booleans, and JSON has no on
		text = map[bool]string{true: "on", false: "off"}[b]
	}
	mode := Mode(text)
	if !slices.Contains(rule.modes, mode) {
		names := make([]string, len(rule.modes))
		for i, m := range rule.modes {
			names[i] = string(m)
		}
		remedy := "it is one of " + strings.Join(names, ", ")
		if rule.name == "schema" {
			remedy += "; the schema is always checked, because expressions are typed from it"
		}
		l.fault(n, "guard", fmt.Sprintf("guard.%s.%s cannot be this", rule.side, rule.name), remedy)
		return
	}
	*rule.of(&s.Guard) = mode
	switch {
	case mode == ModeOn && rule.name == "judge" && !l.kinds.Judge:
		l.fault(n, "judge", "a judge is asked for and none is configured", "configure `judge: {model: …}` on the server, or remove this line")
	case rule.extra && mode == ModeOff:
	case mode == ModeOff:
		l.warn(n, "guard_off", fmt.Sprintf("the guard %s.%s of step %s is off", rule.side, rule.name, s.ID), "remove the line to switch it on")
	case mode == ModeNote:
		l.warn(n, "guard_off", fmt.Sprintf("the guard %s.%s of step %s only notes what it finds", rule.side, rule.name, s.ID), "remove the line to let it act")
	}
}
