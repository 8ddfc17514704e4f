package guard

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

func trailing(x uint64) int { return bits.TrailingZeros64(x) }

// A phrase is a rule over concepts: a row of them, with at most so many words
// between one and the next.
type phrase struct {
	rule    string
	why     string
	slots   []slot
	between []int // concepts that make it harmless between the first and the last
	before  []int // or in the three words before the first
	after   []int // or in the three words after the last
}

// A slot asks for a word that has one concept of each group.
type slot struct {
	groups [][]int
	gap    int // words that may stand before it
}

// A rule in the table below. Like is a row of slots: "a|b+c ~3 d" is a word that
// is a or b, and also c, then within three words one that is d. A name that
// begins with ' is the word itself.
type row struct {
	rule, why string
	like      []string
	unless    string // concepts, as "between=x|y before=z after=w"
}

func (v *vocabulary) compile(rows []row) ([]phrase, error) {
	var out []phrase
	for _, r := range rows {
		for _, like := range r.like {
			p := phrase{rule: r.rule, why: r.why}
			if err := v.slots(&p, like); err != nil {
				return nil, fmt.Errorf("guard rule %s: %w", r.rule, err)
			}
			if err := v.unless(&p, r.unless); err != nil {
				return nil, fmt.Errorf("guard rule %s: %w", r.rule, err)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func (v *vocabulary) slots(p *phrase, like string) error {
	gap := 0
	for _, f := range strings.Fields(like) {
		if n, ok := strings.CutPrefix(f, "~"); ok {
			var err error
			if gap, err = strconv.Atoi(n); err != nil {
				return err
			}
			continue
		}
		s := slot{gap: gap}
		for _, group := range strings.Split(f, "+") {
			ns, err := v.numbers(group)
			if err != nil {
				return err
			}
			s.groups = append(s.groups, ns)
		}
		p.slots = append(p.slots, s)
		gap = 0
	}
	return nil
}

func (v *vocabulary) unless(p *phrase, unless string) error {
	for _, f := range strings.Fields(unless) {
		where, names, _ := strings.Cut(f, "=")
		ns, err := v.numbers(names)
		if err != nil {
			return err
		}
		switch where {
		case "between":
			p.between = ns
		case "before":
			p.before = ns
		case "after":
			p.after = ns
		default:
			return fmt.Errorf("unknown place %q", where)
		}
	}
	return nil
}

func (v *vocabulary) numbers(names string) ([]int, error) {
	var out []int
	for _, name := range strings.Split(names, "|") {
		n, ok := v.number[name]
		if word, literal := strings.CutPrefix(name, "'"); literal && !ok {
			n, ok = len(v.number), true
			v.number[name] = n
			if n < 64*setWords {
				v.put(word, n)
			}
		}
		if !ok {
			return nil, fmt.Errorf("unknown concept %q", name)
		}
		out = append(out, n)
	}
	return out, nil
}

// window is 64 words from word n on, as bits: which have one of the concepts.
func (s *sentences) window(n int, concepts []int) uint64 {
	if n < 0 {
		return s.window(0, concepts) << -n
	}
	i, shift := n>>6, n&63
	if i >= len(s.blocks) {
		return 0
	}
	var low, high uint64
	for _, c := range concepts {
		low |= s.blocks[i][c]
	}
	if shift == 0 {
		return low
	}
	if i+1 < len(s.blocks) {
		for _, c := range concepts {
			high |= s.blocks[i+1][c]
		}
	}
	return low>>shift | high<<(64-shift)
}

// slot is the words among 64 from n on that fill a slot.
func (s *sentences) slot(n int, sl slot) uint64 {
	w := s.window(n, sl.groups[0])
	for _, g := range sl.groups[1:] {
		if w == 0 {
			return 0
		}
		w &= s.window(n, g)
	}
	return w
}

// match returns the last word of the phrase if it begins at word n.
func (s *sentences) match(p *phrase, n int) (int, bool) {
	reach := uint64(1)
	for _, sl := range p.slots[1:] {
		var next uint64
		for k := 1; k <= sl.gap+1; k++ {
			next |= reach << k
		}
		reach = next & s.slot(n, sl)
		if reach == 0 {
			return 0, false
		}
	}
	last := n + trailing(reach)
	inside := uint64(1)<<(last-n) - 2
	if p.between != nil && last > n && s.window(n, p.between)&inside != 0 {
		return 0, false
	}
	if p.before != nil && s.window(n-3, p.before)&7 != 0 {
		return 0, false
	}
	if p.after != nil && s.window(last+1, p.after)&7 != 0 {
		return 0, false
	}
	return last, true
}

// A hit is a phrase found between two bytes of a text.
type hit struct {
	phrase   *phrase
	from, to int
	word     int
}

// hits finds each phrase's first places: more than a few say nothing new.
func (s *sentences) hits(phrases []phrase) []hit {
	var out []hit
	for k := range phrases {
		p := &phrases[k]
		found := 0
		for b := range s.blocks {
			starts := s.slot(b<<6, p.slots[0])
			for starts != 0 && found < 8 {
				n := b<<6 + trailing(starts)
				starts &= starts - 1
				if last, ok := s.match(p, n); ok && s.from[n] >= 0 && s.to[last] >= 0 {
					out = append(out, hit{p, int(s.from[n]), int(s.to[last]), n})
					found++
				}
			}
		}
	}
	return out
}
