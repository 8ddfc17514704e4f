package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
)

// influences refuses effects that somebody other than the author could steer:
// through a value that they send or through a condition that decides whether
// they run. A value that stands in the show of an approval on the way is the
// approvers' decision, and what the step says that it accepts is the author's.
func (l *loader) influences() {
	for i := range l.def.Steps {
		s := &l.def.Steps[i]
		if !s.Kind.Effect {
			continue
		}
		t := &tracer{d: l.def, ids: l.ids, step: i, gates: l.gates(i)}
		for _, e := range s.exprs {
			t.expression(e, "with "+e.place, nil)
		}
		if s.condition != nil {
			t.expression(s.condition, "if", nil)
		}
		for _, leak := range t.leaks {
			l.leak(i, leak)
		}
	}
}

// A gate is an approval that an effect cannot pass without: what it showed was
// decided by people.
type gate struct {
	id      string
	refs    []reference
	sources []string
}

// gates finds the approvals that hold for an effect. One that can be skipped,
// or that lets the run go on after a rejection, holds only if the effect's own
// condition asks for the approval.
func (l *loader) gates(effect int) []gate {
	var out []gate
	for j := range l.def.Steps {
		a := &l.def.Steps[j]
		if a.Approval == nil || !l.above[effect][j] {
			continue
		}
		certain := a.Approval.OnReject == OnRejectFail && a.condition == nil
		if !certain && !demands(l.def.Steps[effect].condition, a.ID) {
			continue
		}
		g := gate{id: a.ID}
		for _, e := range a.exprs {
			g.sources = append(g.sources, e.source)
			if e.plain != nil {
				g.refs = append(g.refs, *e.plain)
			}
		}
		out = append(out, g)
	}
	return out
}

// demands reports whether a condition cannot hold unless the step was approved.
func demands(condition *expression, id string) bool {
	return condition != nil && slices.Contains(condition.approved, id)
}

// A leak is an influence that nothing allows.
type leak struct {
	place string
	from  reference
	of    security.Origins
	trail []string
}

// A tracer follows the influences on one effect backwards.
type tracer struct {
	d     *Definition
	ids   map[string]int
	step  int
	gates []gate
	leaks []leak
	seen  map[string]bool
}

// expression follows everything that an expression reads.
func (t *tracer) expression(e *expression, place string, trail []string) {
	for _, g := range t.gates {
		if slices.Contains(g.sources, e.source) {
			return
		}
	}
	for _, r := range e.refs {
		t.reference(r, place, trail)
	}
}

// reference follows one selection to where its value comes from.
func (t *tracer) reference(r reference, place string, trail []string) {
	key := place + "\n" + r.String()
	if t.seen[key] || t.shown(r) {
		return
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[key] = true
	trail = append(slices.Clone(trail), r.String())
	if r.root == inputRoot {
		t.origin(r, place, security.Caller, trail)
		return
	}
	source := &t.d.Steps[t.ids[r.step]]
	// What an approval yields is the decision of people whom the author named.
	switch of := source.Kind.origins(); {
	case source.Approval != nil:
		if t.holds(r.step) {
			return
		}
	case of != 0:
		t.origin(r, place, of, trail)
	default:
		for _, e := range source.exprs {
			t.expression(e, place, trail)
		}
	}
	if source.condition != nil { // whether there is a value at all
		t.expression(source.condition, place, trail)
	}
}

// origin records a source unless the step accepts it.
func (t *tracer) origin(r reference, place string, of security.Origins, trail []string) {
	if !of.Within(t.d.Steps[t.step].Accepts | security.Author) {
		t.leaks = append(t.leaks, leak{place, r, of, trail})
	}
}

// holds reports whether the step is a gate: then the effect runs only after
// people approved, whatever led to their being asked.
func (t *tracer) holds(id string) bool {
	return slices.ContainsFunc(t.gates, func(g gate) bool { return g.id == id })
}

// shown reports whether a gate showed the value, or what it is a part of.
func (t *tracer) shown(r reference) bool {
	for _, g := range t.gates {
		if slices.ContainsFunc(g.refs, r.within) {
			return true
		}
	}
	return false
}

// leak says which way the influence goes and how to end it.
func (l *loader) leak(i int, k leak) {
	s := &l.def.Steps[i]
	at := nearest(l.nodes[i], "/if")
	if rest, ok := strings.CutPrefix(k.place, "with "); ok {
		at = nearest(l.nodes[i], "/with"+rest)
	}
	steps := append([]string{s.ID + " (" + k.place + ")"}, k.trail...)
	steps[len(steps)-1] += " (" + strings.Join(k.of.Names(), ", ") + ")"
	message := fmt.Sprintf("%s is an effect that others than the author could steer: %s", s.ID, strings.Join(steps, " <- "))
	remedy := fmt.Sprintf("show %s in an approval that this step needs, or say `accepts: [%s]`", k.from, strings.Join(k.of.Names(), ", "))
	l.fault(at, "influence", message, remedy)
}

// rejections warns about approvals that let the run go on whatever people say,
// while no step asks what they said.
func (l *loader) rejections() {
	read := map[string]bool{}
	for i := range l.def.Steps {
		s := &l.def.Steps[i]
		for _, e := range append(slices.Clone(s.exprs), s.condition) {
			if e == nil {
				continue
			}
			for _, r := range e.refs {
				read[r.step] = true
			}
		}
	}
	for i := range l.def.Steps {
		s := &l.def.Steps[i]
		if s.Approval != nil && s.Approval.OnReject == OnRejectContinue && !read[s.ID] {
			l.warn(nearest(l.nodes[i], "/with/on_reject"), "reject_ignored",
				fmt.Sprintf("a rejection of %s changes nothing: no step reads its decision", s.ID),
				fmt.Sprintf("write `if: steps.%s.output.decision == 'approve'` at a step below, or remove on_reject", s.ID))
		}
	}
}
