package egress

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/custodyhq/custody/security/guard/reading"
)

// maxFindings bounds the findings of one text. What is beyond is one finding of
// BoundFindings, so that nothing that was not looked at passes.
const maxFindings = 2048

// keptBuffer is how many bytes of buffers are kept for the next text.
const keptBuffer = 4 << 20

// Rules are a policy, ready to be asked. They never change and are safe for
// concurrent use.
type Rules struct {
	policy  Policy
	off     map[string]bool
	links   allowed
	images  allowed
	words   *phrases
	code    []*pattern
	needs   *sieve
	needed  [][]int // by what is needed, the numbers of code
	guarded *guarded
	pool    *sync.Pool // of *search
}

// New makes rules of a policy. An error names the field of the policy.
func New(p Policy) (*Rules, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("egress policy: %w", err)
	}
	r := &Rules{policy: p, off: map[string]bool{}, pool: &sync.Pool{New: func() any { return new(search) }}}
	for _, f := range p.Off {
		r.off[f] = true
	}
	var err error
	if r.links, err = allow(p.Links); err != nil {
		return nil, fmt.Errorf("egress policy: links: %w", err)
	}
	if r.images, err = allow(p.Images); err != nil {
		return nil, fmt.Errorf("egress policy: images: %w", err)
	}
	if r.words, err = lists(p.Words); err != nil {
		return nil, fmt.Errorf("egress policy: words: %w", err)
	}
	r.code, r.needs, r.needed = patterns(p.Code)
	return r.Protect(p.Protected)
}

// Protect returns rules that protect something else, with the rest of the policy.
// It is how the rules of a step are used for one call: what is compiled is shared.
func (r *Rules) Protect(p Protected) (*Rules, error) {
	g, err := guard(p)
	if err != nil {
		return nil, fmt.Errorf("egress policy: protected: %w", err)
	}
	out := *r
	out.policy.Protected, out.guarded = Protected{}, g
	return &out, nil
}

// Find calls see with every finding in a text, in the order of their places. If
// see returns false, Find ends. Findings of different rules may overlap. Any bytes
// are accepted.
func (r *Rules) Find(text string, see func(Finding) bool) {
	s := r.pool.Get().(*search)
	defer func() {
		s.end()
		r.pool.Put(s)
	}()
	s.begin(r, text)
	s.run()
	for _, f := range s.findings() {
		if !see(f) {
			return
		}
	}
}

// A search is one text under one set of rules.
type search struct {
	*Rules
	text  string
	found []Finding

	clean    string // the text without what is hidden in it
	cuts     []cut
	verbatim []span // of the clean text: what is code in Markdown
	done     []span // of the clean text: links that were judged
	skip     walk
	open     []string // elements that are not closed in what is left of the text

	scanner                 reading.Scanner
	reading                 *reading.Reading // that is looked at
	tokens                  []token
	hashes                  []uint64
	upTo                    []int // how far each pattern has read
	squeezed, squeezedCased []byte
	full                    bool // the bound on findings was reached
}

func (s *search) begin(r *Rules, text string) {
	s.Rules, s.text, s.found, s.full = r, text, s.found[:0], false
}

// end lets go of the text, and of buffers that only a long one needs.
func (s *search) end() {
	s.Rules, s.text, s.clean, s.skip = nil, "", "", walk{}
	if cap(s.squeezed)+16*cap(s.tokens)+8*cap(s.hashes) > keptBuffer {
		s.squeezed, s.squeezedCased, s.tokens, s.hashes = nil, nil, nil, nil
	}
}

func (s *search) run() {
	s.hidden()
	s.tidy()
	s.markdown()
	s.markup()
	if !s.off["link"] {
		s.skip = walkOf(s.done)
		s.addresses()
	}
	for _, p := range s.code {
		if p.raw {
			s.cells(p)
		}
	}
	s.read()
}

// passed is the end of the link that was judged at a place: 0 if none was.
func (s *search) passed(at int) int { return s.skip.end(at) }

// findings are in order, and without those that say again what another one says:
// the same rule in another reading, or an address within a link.
func (s *search) findings() []Finding {
	slices.SortStableFunc(s.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	last := map[string]int{} // end of the last finding by rule
	return slices.DeleteFunc(s.found, func(f Finding) bool {
		if f.End <= last[f.Rule] {
			return true
		}
		last[f.Rule] = f.End
		return false
	})
}

func (s *search) add(f Finding) {
	if f.Read == "" {
		f.Read = "plain"
	}
	if len(s.found) >= maxFindings {
		if !s.full {
			s.full = true
			s.found = append(s.found, Finding{
				Rule: BoundFindings, End: len(s.text), Replacement: "[text removed]", Read: "plain",
				Why: "The output breaks rules in more places than the bound allows.",
			})
		}
		return
	}
	s.found = append(s.found, f)
}
