package guard

import (
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/guard/detector"
)

// Bounds of a seam, in bytes. A longer text has windows of its own, and an order
// that begins at its end and goes on in the next text is rare enough to be left
// to labels and approvals; short ones are what a list or a form is made of.
const (
	maxPiece = 240
	maxSeam  = 2000
)

// A seam reads the short texts of the values one after the other, as a model
// does: "Ignore all previous" and "instructions" say nothing alone. It is there
// beside the reading of each text, for those in which nothing was found.
type seam struct {
	in     *inbound // nil: nothing is read together
	pieces []string
	size   int
	path   string // of the first piece
	on     []detector.Channel
}

// sews adds a text to the seam in which nothing was found by itself: what was
// found and released is not to be found here again. A name of a member is a piece
// only if it is more than a word: a form's own names are no part of what is said.
func (w *walk) sews(s, path string) {
	r := w.seam.in
	if r == nil || !r.joins() || strings.TrimSpace(s) == "" {
		return
	}
	if len(s) > maxPiece {
		w.unsews()
		return
	}
	if w.seam.size+len(s) > maxSeam {
		last, on := w.seam.pieces[len(w.seam.pieces)-1], w.seam.on
		w.unsews()
		w.seam.pieces, w.seam.size, w.seam.path, w.seam.on = []string{last}, len(last), path, on
	}
	if len(w.seam.pieces) == 0 {
		w.seam.path = path
	}
	w.seam.pieces, w.seam.size = append(w.seam.pieces, s), w.seam.size+len(s)
	for _, c := range r.on {
		if !slices.Contains(w.seam.on, c) {
			w.seam.on = append(w.seam.on, c)
		}
	}
}

// unsews reads what was sewn together and begins anew. The places of what it
// finds lie in no text of the value, so there are none.
func (w *walk) unsews() {
	x := w.seam
	w.seam = seam{in: x.in}
	if len(x.pieces) < 2 {
		return
	}
	text := strings.Join(x.pieces, " ")
	before := len(w.findings)
	sights := x.in.together(text, x.on)
	for i := range sights {
		n := &sights[i]
		n.lo, n.hi, n.why = 0, 0, "Several short texts, read one after the other: "+n.why
		w.found(n.finding(x.path, w.modes.of(n).action(w.stop)), text)
	}
	w.offends(text, x.path, before)
}
