package guard

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/custodyhq/custody/security/guard/egress"
	"github.com/custodyhq/custody/security/guard/sensitive"
)

// maxPolicies bounds what is kept compiled: an installation has a handful of
// settings, and one definition a step.
const maxPolicies = 500

// policies keeps the rules for what leaves, compiled, by the settings of a step.
// It is safe for concurrent use.
type policies struct {
	mu  sync.Mutex
	all map[string]*egress.Rules
}

// of returns the rules for the settings, compiled once.
func (p *policies) of(key string, compile func() (*egress.Rules, error)) (*egress.Rules, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.all[key]; ok {
		return r, nil
	}
	r, err := compile()
	if err != nil {
		return nil, err
	}
	if p.all == nil || len(p.all) >= maxPolicies {
		p.all = make(map[string]*egress.Rules, 8)
	}
	p.all[key] = r
	return r, nil
}

// families are the concerns of the rules for what leaves, by the first part of
// their names.
func families() map[string]concern {
	return map[string]concern{
		"link": links, "image": images, "html": html, "text": hidden, "leak": leak, "copy": copies, "code": code, "word": words,
	}
}

// leaving makes the rules for what one draft must not carry out; nil if all of
// them are off.
func (g *Guard) leaving(out *OutRules, m *modes) (*egress.Rules, error) {
	p := egress.Policy{
		Links: slices.Concat(g.config.Links, out.LinkHosts), Images: slices.Concat(g.config.Images, out.ImageHosts),
	}
	for _, name := range slices.Sorted(maps.Keys(families())) {
		switch {
		case m[families()[name]] != Off:
		case name != "code":
			p.Off = append(p.Off, name)
		}
	}
	if m[code] != Off {
		if p.Code = out.CodeRules; len(p.Code) == 0 {
			p.Code = egress.Classes()
		}
	} else if len(p.Off) == len(families())-1 {
		return nil, nil //nolint:nilnil // there is nothing to look for
	}
	for _, name := range slices.Sorted(maps.Keys(g.config.Words)) {
		p.Words = append(p.Words, egress.WordList{Name: name, Words: g.config.Words[name]})
	}
	settings := fmt.Sprintf("%q %q %q %q", p.Links, p.Images, p.Code, p.Off)
	rules, err := g.policies.of(settings, func() (*egress.Rules, error) { return egress.New(p) })
	if err != nil {
		return nil, err
	}
	return rules.Protect(out.protected(m))
}

// protected is what must not come back out of this call.
func (r *OutRules) protected(m *modes) egress.Protected {
	var p egress.Protected
	if m[leak] != Off {
		p.Prompts = r.Prompts
		if r.Canary != "" {
			p.Canaries = []string{r.Canary}
		}
	}
	if m[copies] != Off {
		for _, s := range r.Sources {
			p.Confidential = append(p.Confidential, egress.Source{Name: s.Path, Text: s.Text})
		}
	}
	return p
}

// leavingSight is a finding of those rules as a sight. A family that nobody knows
// here has no mode, so it stops the draft.
func leavingSight(f egress.Finding) sight {
	n := sight{concern: families()[f.Family()], rule: f.Rule, why: f.Why, read: f.Read, lo: f.Start, hi: f.End, instead: f.Replacement}
	if n.instead == "" && n.concern != hidden {
		n.instead = "[redacted:" + strings.ReplaceAll(f.Rule, ".", "-") + "]"
	}
	return n
}

// CheckSettings reports what Screen could not use in a step's settings, so that
// the definition is refused before anything runs.
func CheckSettings(r OutRules) error {
	if _, err := sensitive.Select(r.Kinds...); err != nil {
		return err
	}
	_, err := egress.New(egress.Policy{Links: r.LinkHosts, Images: r.ImageHosts, Code: r.CodeRules})
	return err
}
