package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// A guardRule is one switch of a step's guards: where it is written and what
// it can be.
type guardRule struct {
	side, name string
	modes      []Mode
	of         func(*Guards) *Mode
}

// guardRules are all switches, in the order of the documentation.
func guardRules() []guardRule {
	in := []Mode{ModeBlock, ModeNote, ModeOff}
	out := []Mode{ModeWithhold, ModeRedact, ModeNote, ModeOff}
	return []guardRule{
		{"input", "injection", in, func(g *Guards) *Mode { return &g.InputInjection }},
		{"input", "pii", in, func(g *Guards) *Mode { return &g.InputPII }},
		{"input", "secrets", in, func(g *Guards) *Mode { return &g.InputSecrets }},
		{"output", "pii", out, func(g *Guards) *Mode { return &g.OutputPII }},
		{"output", "secrets", out, func(g *Guards) *Mode { return &g.OutputSecrets }},
		{"output", "judge", []Mode{ModeOn, ModeOff}, func(g *Guards) *Mode { return &g.Judge }},
	}
}

// guard reads a step's guard.
func (l *loader) guard(n *node, s *Step) {
	if n == nil {
		return
	}
	if s.Kind != nil && !s.Kind.Intent {
		l.fault(n, "guard", fmt.Sprintf("uses: %s has no guards", s.Uses), "guard the step that makes or uses the value")
	}
	l.known(n, "guard", []string{"input", "output"}, nil)
	for _, side := range []string{"input", "output"} {
		at := n.get(side)
		if at == nil {
			continue
		}
		var names []string
		for _, rule := range guardRules() {
			if rule.side == side {
				names = append(names, rule.name)
				l.mode(at, rule, s)
			}
		}
		l.known(at, "guard."+side, names, map[string]string{
			"schema": "the schema is always checked, because expressions are typed from it",
		})
	}
}

// mode reads one switch, and warns about one that is off.
func (l *loader) mode(at *node, rule guardRule, s *Step) {
	n := at.get(rule.name)
	if n == nil {
		return
	}
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
		l.fault(n, "guard", fmt.Sprintf("guard.%s.%s cannot be this", rule.side, rule.name), "it is one of "+strings.Join(names, ", "))
		return
	}
	*rule.of(&s.Guard) = mode
	switch {
	case mode == ModeOn && rule.name == "judge" && !l.kinds.Judge:
		l.fault(n, "judge", "a judge is asked for and none is configured", "configure `judge: {model: …}` on the server, or remove this line")
	case mode == ModeOff:
		l.warn(n, "guard_off", fmt.Sprintf("the guard %s.%s of step %s is off", rule.side, rule.name, s.ID), "remove the line to switch it on")
	case mode == ModeNote:
		l.warn(n, "guard_off", fmt.Sprintf("the guard %s.%s of step %s only notes what it finds", rule.side, rule.name, s.ID), "remove the line to let it act")
	}
}
