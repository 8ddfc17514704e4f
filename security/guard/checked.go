package guard

import "github.com/custodyhq/custody/security"

// Checked is input that Check let pass. Only Check makes one; the zero Checked
// holds nothing and is not OK.
type Checked struct {
	args  []Arg
	noted []Offending
	ok    bool
}

// OK reports whether c came from Check.
func (c Checked) OK() bool { return c.ok }

// Len is the number of arguments.
func (c Checked) Len() int { return len(c.args) }

// Arg is the i-th argument, in the order given to Check; the zero Arg if there
// is none.
func (c Checked) Arg(i int) Arg {
	if i < 0 || i >= len(c.args) {
		return Arg{}
	}
	a := c.args[i]
	a.Value = clone(a.Value)
	return a
}

// Args are all arguments, in the order given to Check. They are copies: to
// change one does not change what was checked.
func (c Checked) Args() []Arg {
	if !c.ok {
		return nil
	}
	out := make([]Arg, len(c.args))
	for i := range c.args {
		out[i] = c.Arg(i)
	}
	return out
}

// Noted are the texts in which something was found that did not stop them, for
// fingerprints; they are content. The findings are those that Check returned.
func (c Checked) Noted() []Offending { return c.noted }

// Check reads every argument that the author did not write, in all its
// readings. A refusal is a *Refusal; the findings are returned beside it, too.
// What Redact replaced is replaced in the Checked arguments, and what is pardoned
// is only noted.
func (g *Guard) Check(args []Arg, in Rules, p Pardon) (Checked, []security.Finding, error) {
	w := g.walk(security.Block, in.modes(), p)
	r := &inbound{g: g, modes: w.modes}
	w.reader, w.seam.in = r, r
	out := make([]Arg, len(args))
	for i, a := range args {
		r.trusted, r.inert, r.on = a.Label.Trusted(), a.Inert, channelsOf(a.Label.Origins)
		w.channel = r.on[0].String()
		a.Value = w.value(a.Value, a.at(), "", 0)
		out[i] = a
	}
	w.unsews()
	if w.stopped {
		r := refuse(w.findings, w.texts...)
		return Checked{}, r.Findings, r
	}
	return Checked{args: out, noted: w.texts, ok: true}, w.findings, nil
}
