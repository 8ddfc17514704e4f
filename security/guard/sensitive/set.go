package sensitive

import (
	"fmt"
	"strings"
)

// maxPersonal bounds the kinds of personal data, which are the ones that can be
// chosen: a Set has a bit for each.
const maxPersonal = 128

// A Set is a choice of kinds on top of the defaults. The zero value is the
// defaults alone. A kind that was chosen counts in its printed form without a
// word beside it; a row of digits that has no form of its own needs that word all
// the same.
type Set struct{ bits [maxPersonal / 64]uint64 }

// Select makes a set from names of kinds ("de-vat", "ip-address") and of
// countries ("uk", "de"), which stand for all their kinds.
func Select(names ...string) (Set, error) {
	var s Set
	for _, name := range names {
		known := false
		for i := range personalRows {
			k := &personalRows[i].Kind
			if name != "" && (k.Name == name || k.Country == name) {
				s.put(i)
				known = true
			}
		}
		if !known {
			return Set{}, fmt.Errorf("no kind of personal data and no country is called %q; there are the countries %s and the kinds that the documentation lists", name, strings.Join(countries(), ", "))
		}
	}
	return s, nil
}

func (s *Set) put(i int) { s.bits[i/64] |= 1 << (i % 64) }

func (s *Set) has(i int) bool { return s.bits[i/64]&(1<<(i%64)) != 0 }

func (s *Set) touches(o *Set) bool {
	for i := range s.bits {
		if s.bits[i]&o.bits[i] != 0 {
			return true
		}
	}
	return false
}

func (s *Set) add(o *Set) {
	for i := range s.bits {
		s.bits[i] |= o.bits[i]
	}
}

func countries() []string {
	var out []string
	seen := map[string]bool{"": true}
	for i := range personalRows {
		if c := personalRows[i].Country; !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}
