package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/custodyhq/custody/security/guard/detector"
)

// A pair is an attack and a harmless text of the same words. Pairs are never
// trained on.
type pair struct {
	Lang   string `json:"lang"`
	Kind   string `json:"kind"`
	Attack string `json:"attack"`
	Twin   string `json:"twin"`
}

// writePairs holds a detector against pairs, by language and by kind.
func writePairs(w io.Writer, d *detector.Detector, path string) error {
	tallies := map[string]*tally{}
	err := eachTest(path, func(p *pair) {
		for _, name := range []string{"all", "kind " + p.Kind, "language " + p.Lang} {
			if tallies[name] == nil {
				tallies[name] = &tally{}
			}
			tallies[name].add(d, p)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%-40s %6s %8s %22s %8s %8s\n", "pairs, by the weights as they are", "pairs", "blocked", "stopped (95 %)", "twins bl", "held")
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		tallies[name].write(w, name)
	}
	return nil
}

// A tally counts what became of the texts of pairs.
type tally struct {
	pairs          int
	attack, benign [3]int // by level
}

func (t *tally) add(d *detector.Detector, p *pair) {
	on := detector.Person
	if p.Kind == "indirect" {
		on = detector.Document
	}
	t.pairs++
	t.attack[d.Scan(p.Attack, on).Level]++
	t.benign[d.Scan(p.Twin, on).Level]++
}

func (t *tally) write(w io.Writer, name string) {
	part := func(n int) float64 { return 100 * float64(n) / float64(t.pairs) }
	stopped := t.attack[detector.Review] + t.attack[detector.Block]
	lo, hi := wilson(stopped, t.pairs)
	fmt.Fprintf(w, "  %-38s %6d %8.1f %8.1f (%4.1f..%5.1f) %8.1f %8.1f\n", name, t.pairs, part(t.attack[detector.Block]),
		part(stopped), 100*lo, 100*hi, part(t.benign[detector.Block]), part(t.benign[detector.Review]+t.benign[detector.Block]))
}
