package reading

import "sort"

// A trail says where the bytes of a derived text came from. It is a list of
// stretches in which each unit bytes of the text come from step bytes of the
// source, so ordinary text needs a few entries and not one for each byte.
type trail struct {
	stretches []stretch
	// What the next unit would have to be to prolong the last stretch.
	at, from, unit, step int32
}

// A stretch begins at a byte of the text and a byte of the source. A step below
// zero means that the source is read from its end to its beginning; from is
// then the end of the first unit.
type stretch struct {
	at, from   int32
	unit, step int32
}

func (t *trail) reset() {
	t.stretches = t.stretches[:0]
	t.unit = 0
}

// add says that n units of the text, the first at at, come from the source at
// from. Units must be added in the order of the text and leave no gap.
func (t *trail) add(at, from, unit, step, n int) {
	a, f, u, s := int32(at), int32(from), int32(unit), int32(step)
	if t.unit != u || t.step != s || t.from != f || t.at != a {
		t.stretches = append(t.stretches, stretch{a, f, u, s})
		t.unit, t.step = u, s
	}
	t.at = a + u*int32(n)
	t.from = f + s*int32(n)
}

// widen says that the last unit came from n more bytes of the source.
func (t *trail) widen(n int) {
	last := &t.stretches[len(t.stretches)-1]
	at, from, unit, step := t.at-t.unit, t.from-t.step, t.unit, t.step
	if last.at == at {
		t.stretches = t.stretches[:len(t.stretches)-1]
	}
	t.unit = 0
	t.add(int(at), int(from), int(unit), int(step)+n, 1)
}

// source returns the bytes of the source that byte i of the text came from, as
// a whole unit. The trail must not be empty.
func (t *trail) source(i int) (lo, hi int) {
	s := t.stretches[sort.Search(len(t.stretches)-1, func(k int) bool { return int(t.stretches[k+1].at) > i })]
	k := (i - int(s.at)) / int(s.unit)
	a := int(s.from) + k*int(s.step)
	b := a + int(s.step)
	return min(a, b), max(a, b)
}

// span maps text[i:j] to the source: the smallest span that holds what the
// first and the last byte came from.
func (t *trail) span(i, j int) (lo, hi int) {
	if len(t.stretches) == 0 {
		return 0, 0
	}
	end := int(t.at)
	if i >= j {
		if i >= end {
			_, hi = t.source(end - 1)
			return hi, hi
		}
		lo, _ = t.source(i)
		return lo, lo
	}
	a, b := t.source(i)
	c, d := t.source(j - 1)
	return min(a, c), max(b, d)
}

// cutBack forgets what was added from a byte of the text on.
func (t *trail) cutBack(at int) {
	n := len(t.stretches)
	for n > 0 && int(t.stretches[n-1].at) >= at {
		n--
	}
	t.stretches = t.stretches[:n]
	t.unit = 0
}
