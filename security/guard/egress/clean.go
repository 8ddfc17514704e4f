package egress

import (
	"slices"
	"sort"
	"strings"
)

// A span is bytes of a text.
type span struct{ lo, hi int }

// A cut is where bytes were left out.
type cut struct {
	at   int // in what is left
	gone int // bytes left out up to there
}

// tidy makes the text as it is once the hidden characters are removed, which is
// what links and elements are looked for in: removing could make new ones. Where
// the family is off, nothing will be removed and the text stays.
func (s *search) tidy() {
	s.clean, s.cuts = s.text, s.cuts[:0]
	if s.off["text"] {
		s.found = slices.DeleteFunc(s.found, func(f Finding) bool { return f.Family() == "text" })
		return
	}
	if len(s.found) == 0 {
		return
	}
	var b strings.Builder
	from := 0
	for _, f := range s.found {
		if f.Start < from || f.Family() != "text" || f.Replacement != "" { // a link, a bound, a byte that stays as a character
			continue
		}
		b.WriteString(s.text[from:f.Start])
		s.cuts = append(s.cuts, cut{at: b.Len(), gone: f.End - b.Len()})
		from = f.End
	}
	b.WriteString(s.text[from:])
	s.clean = b.String()
}

// place adds a finding at bytes of the clean text.
func (s *search) place(rule string, i, j int, why, instead string) {
	// Cuts at the beginning belong to what is left of it, cuts at the end to what
	// is right of it.
	n := sort.Search(len(s.cuts), func(k int) bool { return s.cuts[k].at > i })
	m := sort.Search(len(s.cuts), func(k int) bool { return s.cuts[k].at >= j })
	lo, hi := i, j
	if n > 0 {
		lo = i + s.cuts[n-1].gone
	}
	if m > 0 {
		hi = j + s.cuts[m-1].gone
	}
	if lo < hi {
		s.add(Finding{Rule: rule, Start: lo, End: hi, Why: why, Replacement: instead})
	}
}

// A walk goes through spans in the order of the text.
type walk struct {
	spans []span
	next  int
}

func walkOf(spans []span) walk {
	slices.SortFunc(spans, func(a, b span) int { return a.lo - b.lo })
	return walk{spans: spans}
}

// end is the end of the span that holds i: 0 if none does. It must be asked with
// growing i.
func (w *walk) end(i int) int {
	for w.next < len(w.spans) && w.spans[w.next].hi <= i {
		w.next++
	}
	if w.next < len(w.spans) && w.spans[w.next].lo <= i {
		return w.spans[w.next].hi
	}
	return 0
}
