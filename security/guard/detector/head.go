package detector

// A fan is the patterns that begin with one concept. What most of them fail by is
// that no word of their second slot stands near the first, so which can go on is a
// set of bits, put together from one set for each concept near.
type fan struct {
	patterns []uint16 // in the order of patterns.txt; the others are bits of them
	words    int      // of a set
	alone    []uint64 // those without a second slot
	place    [256]uint8
	near     []uint64 // sets by place of the concept less one, then tier
}

// tiers are distances in words; the last set of a concept is for those behind.
var tiers = [...]int32{1, 2, 3, 4, 5, 7, 10, maxGap + 1}

const (
	behind  = len(tiers)
	farTier = maxGap + 1
)

// index makes the fans of the patterns.
func (l *Lexicon) index() {
	for c := range l.Concepts {
		f := &l.fans[c]
		for n := range l.Patterns {
			if l.Patterns[n].slots[0].of.has(uint8(c)) { //nolint:gosec // a concept
				f.patterns = append(f.patterns, uint16(n)) //nolint:gosec // bounded by maxPatterns
			}
		}
		f.words = (len(f.patterns) + 63) / 64
		f.alone = make([]uint64, f.words)
		for k, n := range f.patterns {
			f.enter(k, &l.Patterns[n], len(l.Concepts))
		}
	}
}

// enter makes the bits of pattern number k of the fan.
func (f *fan) enter(k int, p *Pattern, concepts int) {
	bit := uint64(1) << (k & 63)
	if len(p.slots) < 2 {
		f.alone[k>>6] |= bit
		return
	}
	far, around := int32(max(p.slots[1].gap+1, p.within)), p.within > 0 //nolint:gosec // at most farTier
	if len(p.slots) >= looseSlots {
		far, around = max(far, p.about()), true
	}
	for c := range concepts {
		if !p.slots[1].of.has(uint8(c)) { //nolint:gosec // a concept
			continue
		}
		if f.place[c] == 0 {
			f.near = append(f.near, make([]uint64, (len(tiers)+1)*f.words)...)
			f.place[c] = uint8(len(f.near) / ((len(tiers) + 1) * f.words)) //nolint:gosec // at most maxConcepts
		}
		for tier, from := 0, int32(1); tier < len(tiers); tier++ {
			if from <= far {
				f.set(uint8(c), tier)[k>>6] |= bit //nolint:gosec // a concept
			}
			from = tiers[tier] + 1
		}
		if around {
			f.set(uint8(c), behind)[k>>6] |= bit //nolint:gosec // a concept
		}
	}
}

// set is which patterns go on with a concept in a tier; the concept has a place.
func (f *fan) set(c uint8, tier int) []uint64 {
	at := ((int(f.place[c])-1)*(len(tiers)+1) + tier) * f.words
	return f.near[at : at+f.words]
}

// open puts together which patterns of a fan can go on from the token that is
// number k of those with a concept.
func (e *Extractor) open(f *fan, k int) *[maxPatterns / 64]uint64 {
	out := &e.going
	copy(out[:], f.alone)
	at := e.marked[k].place
	tier := 0
	for n := k + 1; n < len(e.marked); n++ {
		d := e.marked[n].place - at
		if d > farTier {
			break
		}
		for d > tiers[tier] {
			tier++
		}
		f.join(out, e.concept(e.marked[n]), tier)
	}
	for n := k - 1; n >= 0 && at-e.marked[n].place <= farTier; n-- {
		f.join(out, e.concept(e.marked[n]), behind)
	}
	return out
}

func (f *fan) join(out *[maxPatterns / 64]uint64, c uint8, tier int) {
	if f.place[c] != 0 {
		for w, set := range f.set(c, tier) {
			out[w] |= set
		}
	}
}
