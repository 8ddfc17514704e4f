package workflow

import "github.com/custodyhq/custody/security"

// InputLabel is the label of a run's input: from the caller, as sensitive as
// the author declares, and restricted if nothing is declared.
func (d *Definition) InputLabel() security.Label {
	return security.Label{Origins: security.Caller, Sensitivity: d.Sensitivity[inputRoot]}
}

// InputValue is a decoded input with its label and place.
func (d *Definition) InputValue(v any) Value {
	return Value{V: v, Label: d.InputLabel(), Path: "/" + inputRoot}
}

// OutputLabel is the label of what a step returns for what was bound: the
// label that the definition gives it, and at least as strict as the parameters
// are in this run.
//
// The origins are the kind's, or those of the parameters if the kind only
// computes. The sensitivity is the strictest of the parameters'; what comes
// from outside, by a tool or as a document, is restricted unless the author
// declares it.
func (d *Definition) OutputLabel(step int, b Bound) security.Label {
	s := &d.Steps[step]
	label := s.label
	for _, p := range b.Params {
		label.Sensitivity = min(label.Sensitivity, p.Label.Sensitivity)
		if s.Kind.origins() == 0 {
			label.Origins |= p.Label.Origins
		}
	}
	return label
}

// OutputValue is a released output with the label that the definition gives it
// and its place. It needs no values of the run, so a process that takes a run
// over labels what it finds like the process before it.
func (d *Definition) OutputValue(step int, v any) Value {
	s := &d.Steps[step]
	return Value{V: v, Label: s.label, Path: outputPath(s.ID), Inert: s.shape != nil && s.shape.inert()}
}

func outputPath(id string) string { return "/" + stepsRoot + "/" + id + "/" + outputName }

// labels gives every step's output its label, from the top down. A step that
// can be skipped may leave its label behind: it is then stricter than it need
// be, never laxer.
func (l *loader) labels() {
	for i := range l.def.Steps {
		s := &l.def.Steps[i]
		label := authored()
		for n, e := range s.exprs {
			for m, r := range e.refs {
				from := l.def.InputLabel()
				if r.root == stepsRoot {
					from = l.def.Steps[l.ids[r.step]].label
				}
				if n == 0 && m == 0 {
					label = from
					continue
				}
				label = label.Join(from)
			}
		}
		s.label = l.outputLabel(s, label)
	}
}

// outputLabel turns the joined label of a step's inputs into its output's.
func (l *loader) outputLabel(s *Step, label security.Label) security.Label {
	if o := s.Kind.origins(); o != 0 {
		label.Origins = o
	}
	declared, ok := l.def.Sensitivity[s.ID]
	if ok || s.Kind.origins()&(security.Tool|security.Document) != 0 {
		label.Sensitivity = min(label.Sensitivity, declared)
	}
	return label
}
