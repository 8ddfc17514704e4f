package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// condition compiles `if` and `output`: one expression, with or without its
// `${{ }}`.
func (l *loader) condition(n *node, what string, step int) *expression {
	source, ok := n.text()
	if !ok {
		if b, isBool := n.scalar.(bool); isBool && n.form == scalarForm {
			source, ok = fmt.Sprint(b), true
		}
	}
	if !ok {
		l.fault(n, "type", what+" is an expression, and this is "+n.what(), "")
		return nil
	}
	s := segment{text: strings.TrimSpace(source), nth: -1}
	if strings.Contains(source, opening) {
		segments, nth, closed := split(source)
		if !closed {
			l.unclosed(n, nth)
			return nil
		}
		if s, ok = whole(segments); !ok {
			l.fault(n, "mixed_text", what+" is one expression", "put all of it into one ${{ }}")
			return nil
		}
	}
	e := l.compile(n, s, step)
	if e != nil {
		e.place = what
	}
	return e
}

// boolean refuses a condition that cannot be true or false.
func (l *loader) boolean(n *node, e *expression) {
	if k := e.shape.kind; k != boolShape && k != anyShape {
		l.fault(n, "type", "if is true or false, and this is "+e.shape.what(), "compare it: ${{ … == … }}")
	}
}

// compile compiles the source of a segment for one step; step is the number of
// steps for the run's output, which may read them all.
func (l *loader) compile(n *node, s segment, step int) *expression {
	if l.count++; l.count > maxExpressions {
		if l.count == maxExpressions+1 {
			l.fault(n, "too_many", fmt.Sprintf("more than %d expressions", maxExpressions), "split the workflow")
		}
		return nil
	}
	e, faults := l.lang.compile(s.text)
	if e == nil {
		for _, f := range faults {
			l.expressionFault(n, s, l.below(f, s, step))
		}
		return nil
	}
	ok := true
	for _, r := range e.refs {
		ok = l.reachable(n, s, r, step) && ok
	}
	if !ok {
		return nil
	}
	l.mayBeAbsent(n, s, e, step)
	return e
}

// below explains a reference to a step that exists but has not been read yet.
func (l *loader) below(f fault, s segment, step int) fault {
	at, exists := l.ids[f.step]
	switch {
	case exists && at == step:
		f.message, f.remedy = "a step cannot read its own output", ""
	case exists && at > step:
		f.message, f.remedy = fmt.Sprintf("step %s stands below this one", f.step), "move it above: steps are read from top to bottom"
	}
	return f
}

// reachable refuses a reference to a step that need not have ended.
func (l *loader) reachable(n *node, s segment, r reference, step int) bool {
	if r.root != stepsRoot || step >= len(l.def.Steps) {
		return true
	}
	if l.above[step][l.ids[r.step]] {
		return true
	}
	l.expressionFault(n, s, fault{
		code:    "not_an_ancestor",
		message: fmt.Sprintf("step %s need not have ended before this one", r.step),
		remedy:  fmt.Sprintf("add %s to `needs`", r.step),
	})
	return false
}

// expressionFault records a fault at its place inside an expression.
func (l *loader) expressionFault(n *node, s segment, f fault) {
	line, column := l.placeOf(n, s, f.line, f.column)
	l.record(&l.problems, line, column, n.pointer, f.code, f.message, f.remedy)
}

// placeOf finds a line and column of an expression in the text.
func (l *loader) placeOf(n *node, s segment, line, column int) (int, int) {
	if s.nth < 0 { // written without ${{ }}
		if n.quoted {
			column++
		}
		if line > 0 {
			return n.line, n.column
		}
		return n.line, n.column + column
	}
	skipped := strings.Count(s.lead, "\n")
	switch {
	case line > 0: // the text's own indentation is not the expression's
		row := strings.Split(s.text, "\n")[line]
		column -= len(row) - len(strings.TrimLeft(row, " "))
	case skipped == 0:
		column += len(s.lead)
	}
	line += skipped
	return l.src.locate(n, s.nth, line, column)
}

// mayBeAbsent warns where an expression will fail if an optional value is not
// there. It keeps silent if the author has thought of it: with .? or has(), or
// because the step that is read runs under the same condition.
func (l *loader) mayBeAbsent(n *node, s segment, e *expression, step int) {
	for _, r := range e.refs {
		if !r.exact || slices.ContainsFunc(e.refs, func(o reference) bool { return !o.exact && r.within(o) }) {
			continue
		}
		what := ""
		if r.root == stepsRoot {
			read := &l.def.Steps[l.ids[r.step]]
			if read.If != "" && (step >= len(l.def.Steps) || !l.sameCondition(read.If, step)) {
				what = fmt.Sprintf("step %s may be skipped, and then this expression fails", r.step)
			}
		}
		if what == "" && !l.sure(r) {
			what = fmt.Sprintf("%s may be absent, and then this expression fails", r)
		}
		if what != "" {
			line, column := l.placeOf(n, s, 0, 0)
			l.record((*Problems)(&l.def.warnings), line, column, n.pointer, "may_be_absent", what, "write .?name and .orValue(…), or make it required")
			return
		}
	}
}

// sameCondition reports whether the step's own `if` is the given source.
func (l *loader) sameCondition(source string, step int) bool {
	text, _ := l.nodes[step].child("if").text()
	segments, _, ok := split(text)
	if s, one := whole(segments); ok && one {
		text = s.text
	}
	return strings.TrimSpace(text) == source
}

// sure reports whether the schema promises that the reference's value is there.
func (l *loader) sure(r reference) bool {
	at := l.lang.input
	if r.root == stepsRoot {
		at = l.lang.steps.fields[r.step].shape.fields[outputName].shape
	}
	for _, p := range r.path {
		if at.kind == objectShape {
			f, ok := at.fields[stringOf(p)]
			if !ok || !f.sure {
				return false
			}
			at = f.shape
			continue
		}
		if at.kind != listShape && at.kind != dictShape {
			return true
		}
		at = at.elem
	}
	return true
}
