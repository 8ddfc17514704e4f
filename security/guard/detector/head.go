package detector

import "slices"

// A head is what most patterns fail by: that a word of their second slot stands
// near the first. The heads of one concept lie side by side in memory, since
// every word with a concept asks for all of them.
type head struct {
	next    concepts // of the second slot
	pattern uint16
	tier    uint8 // how far ahead it may stand: an index of tiers
	aside   bool  // or behind
	alone   bool  // there is no second slot
}

// tiers are distances in words.
var tiers = [...]int{3, 7, maxGap + 1}

// A view is which concepts stand near a token.
type view struct {
	ahead [len(tiers)]concepts // as far as each tier
	aside concepts             // behind, as far as the last tier
}

// index makes the heads of the patterns.
func (l *Lexicon) index() {
	for n := range l.Patterns {
		p := &l.Patterns[n]
		h := head{pattern: uint16(n), alone: len(p.slots) < 2, aside: p.within > 0} //nolint:gosec // bounded by maxPatterns
		if !h.alone {
			far := max(p.slots[1].gap+1, p.within)
			h.next = p.slots[1].of
			h.tier = uint8(slices.IndexFunc(tiers[:], func(t int) bool { return far <= t })) //nolint:gosec // a handful
		}
		for c := range l.Concepts {
			if p.slots[0].of.has(uint8(c)) { //nolint:gosec // a concept
				l.heads[c] = append(l.heads[c], h)
			}
		}
	}
}

// seen tells whether a pattern can go on in a view.
func (h *head) seen(v *view) bool {
	return h.alone || h.next.meets(&v.ahead[h.tier]) || h.aside && h.next.meets(&v.aside)
}

// view looks around the token that is number k of those with a concept.
func (e *Extractor) view(k int) view {
	var v view
	tokens, i := e.cutter.tokens, e.marked[k]
	tier := 0
	for n := k + 1; n < len(e.marked); n++ {
		d := int(e.marked[n] - i)
		for tier < len(tiers) && d > tiers[tier] {
			if tier++; tier < len(tiers) {
				v.ahead[tier] = v.ahead[tier-1]
			}
		}
		if tier == len(tiers) {
			break
		}
		v.ahead[tier].put(tokens[e.marked[n]].concept)
	}
	for tier++; tier < len(tiers); tier++ {
		v.ahead[tier] = v.ahead[tier-1]
	}
	for n := k - 1; n >= 0 && int(i-e.marked[n]) <= tiers[len(tiers)-1]; n-- {
		v.aside.put(tokens[e.marked[n]].concept)
	}
	return v
}
