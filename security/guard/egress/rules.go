package egress

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// maxFindings bounds the findings of one text. What is beyond is one finding of
// TooComplex, so that nothing that was not looked at passes.
const maxFindings = 2048

// Rules are a policy, ready to be asked. They never change and are safe for
// concurrent use.
type Rules struct {
	policy  Policy
	off     map[string]bool
	links   allowed
	images  allowed
	words   *phrases
	code    []*pattern
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
	r.code = patterns(p.Code)
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
	defer r.pool.Put(s)
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

	clean string // the text without what is hidden in it
	cuts  []cut
	code  []span // of the clean text: what is code in Markdown
	done  []span // of the clean text: links that were judged
	skip  walk
}

func (s *search) begin(r *Rules, text string) {
	s.Rules, s.text, s.found = r, text, s.found[:0]
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
}

// passed is the end of the link that was judged at a place: 0 if none was.
func (s *search) passed(at int) int { return s.skip.end(at) }

// findings are in order, and without those of links and images that stand inside
// of another one: an image may be a link and an address at once.
func (s *search) findings() []Finding {
	slices.SortStableFunc(s.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	return s.found
}

func (s *search) add(f Finding) {
	if f.Read == "" {
		f.Read = "plain"
	}
	s.found = append(s.found, f)
}
