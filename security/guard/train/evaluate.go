package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/custodyhq/custody/security/guard/detector"
)

// workflow are the kinds of harmless texts that set the thresholds.
var workflow = map[string]bool{
	"support": true, "general": true, "document": true, "email": true, "code": true, "llm-docs": true, "roleplay": true, "encoded": true, "multilingual": true, "long-document": true, "security-coding": true,
}

// goalKinds are the kinds of attacks in the macro recall.
var goalKinds = []string{"direct", "leak", "jailbreak", "indirect", "indirect-override", "obfuscation", "multilingual"}

// promised are the false positive rates that recall is given at.
var promised = [3]float64{0.001, 0.01, 0.05}

// scoreSample is the highest score of a sample's windows, less what the length
// of the text asks for.
func (m *Model) scoreSample(s *sample) float64 {
	best := float32(-30)
	for i := range s.windows {
		best = max(best, m.score(&s.windows[i]))
	}
	if s.certain {
		best = max(best, certain)
	}
	return float64(best - detector.Length(len(s.text.Text)))
}

// certain is over all thresholds.
const certain = 4

// outOfFold scores every sample by the model that did not see its source.
func outOfFold(lexicon *detector.Lexicon, set Settings, all []sample, texts []*Text) []float64 {
	banned := near(texts)
	scores := make([]float64, len(all))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for f := range folds {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var use []int
			for i, s := range all {
				if s.text.fold != f && !banned[i][f] {
					use = append(use, i)
				}
			}
			model := learn(lexicon, set, all, use, f)
			for i := range all {
				if all[i].text.fold == f {
					scores[i] = model.scoreSample(&all[i])
				}
			}
		})
	}
	wg.Wait()
	return scores
}

// wilson is the 95 % interval of k of n.
func wilson(k, n int) (lo, hi float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	c := (p + z*z/(2*m)) / (1 + z*z/m)
	d := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return c - d, c + d
}

// A cell counts texts over each threshold.
type cell struct {
	n    int
	over [3]int
}

func (c *cell) add(score float64, t [3]float64) {
	c.n++
	for i := range t {
		if score > t[i] {
			c.over[i]++
		}
	}
}

func (c *cell) rate(i int) float64 { return float64(c.over[i]) / float64(max(1, c.n)) }

// A table is the result of an evaluation: counts by group and by row.
type table struct {
	thresholds [3]float64
	groups     map[string]map[string]*cell
}

// The groups of the table, in the order in which they are written.
const (
	heldAttacks   = "attacks of held-out sources"
	ownAttacks    = "attacks of held-out own batches"
	heldWorkflow  = "workflow texts of held-out sources"
	ownWorkflow   = "workflow texts of held-out own batches"
	overDefence   = "over-defence pools of held-out sources"
	ownDefence    = "over-defence pools of held-out own batches"
	byChannel     = "by channel, all held out"
	byLanguage    = "by language, own batches held out"
	bySource      = "by source"
	thirdMacro    = "third-party sources for the mean" // not written
	leastOfSource = 10
)

// tabulate sets the thresholds on third-party workflow texts and counts what is
// over them.
func tabulate(texts []*Text, scores []float64) *table {
	var pool []weighed
	for i, t := range texts {
		if !t.attack() && !t.own() && workflow[t.Kind] {
			pool = append(pool, weighed{scores[i], 1})
		}
	}
	out := &table{groups: map[string]map[string]*cell{}}
	for i, p := range promised {
		out.thresholds[i] = quantile(pool, p)
	}
	for i, t := range texts {
		out.count(t, scores[i])
	}
	return out
}

func (t *table) count(x *Text, score float64) {
	group := map[[3]bool]string{
		{true, false, true}: heldAttacks, {true, false, false}: heldAttacks,
		{true, true, true}: ownAttacks, {true, true, false}: ownAttacks,
		{false, false, true}: heldWorkflow, {false, true, true}: ownWorkflow,
		{false, false, false}: overDefence, {false, true, false}: ownDefence,
	}[[3]bool{x.attack(), x.own(), workflow[x.Kind]}]
	t.add(group, x.Kind, score)
	t.add(byChannel, x.Label+" "+channelOf(x).String(), score)
	if x.own() {
		t.add(byLanguage, x.Label+" "+cmp.Or(x.Lang, "unknown"), score)
		return
	}
	t.add(bySource, x.Label+" "+x.Kind+" "+x.Source, score)
	if x.attack() && slices.Contains(goalKinds, x.Kind) {
		t.add(thirdMacro, x.Kind+" "+x.Source, score)
	}
}

func (t *table) add(group, row string, score float64) {
	if t.groups[group] == nil {
		t.groups[group] = map[string]*cell{}
	}
	if t.groups[group][row] == nil {
		t.groups[group][row] = &cell{}
	}
	t.groups[group][row].add(score, t.thresholds)
}

// macro is the mean recall over the explicit kinds, from third-party texts where
// there are any.
func (t *table) macro(i int) float64 {
	sum, n := 0.0, 0
	for _, k := range goalKinds {
		c := t.groups[heldAttacks][k]
		if c == nil {
			c = t.groups[ownAttacks][k]
		}
		if c != nil {
			sum += c.rate(i)
			n++
		}
	}
	return sum / float64(max(1, n))
}

// sourceMacro is the mean recall over kinds of third-party sources that have
// some texts: a large source counts as much as a small one.
func (t *table) sourceMacro(i int) float64 {
	sum, n := 0.0, 0
	for _, k := range slices.Sorted(maps.Keys(t.groups[thirdMacro])) {
		if c := t.groups[thirdMacro][k]; c.n >= leastOfSource {
			sum += c.rate(i)
			n++
		}
	}
	return sum / float64(max(1, n))
}

func (t *table) write(w io.Writer, sources bool) {
	fmt.Fprintf(w, "macro recall over the explicit kinds:   %5.1f %% at 0.1 %%, %5.1f %% at 1 %%, %5.1f %% at 5 %% false alarms on workflow texts\n", 100*t.macro(0), 100*t.macro(1), 100*t.macro(2))
	fmt.Fprintf(w, "mean recall over sources of those kinds: %4.1f %% at 0.1 %%, %5.1f %% at 1 %%, %5.1f %% at 5 %%\n", 100*t.sourceMacro(0), 100*t.sourceMacro(1), 100*t.sourceMacro(2))
	groups := []string{heldAttacks, ownAttacks, heldWorkflow, ownWorkflow, overDefence, ownDefence, byChannel, byLanguage}
	if sources {
		groups = append(groups, bySource)
	}
	for _, g := range groups {
		fmt.Fprintf(w, "\n%-60s %6s %8s %8s %15s %8s\n", g, "texts", "0.1 %", "1 %", "(95 %)", "5 %")
		for _, k := range slices.Sorted(maps.Keys(t.groups[g])) {
			c := t.groups[g][k]
			lo, hi := wilson(c.over[1], c.n)
			fmt.Fprintf(w, "  %-58.58s %6d %8.1f %8.1f (%5.1f..%5.1f) %8.1f\n", k, c.n, 100*c.rate(0), 100*c.rate(1), 100*max(0, lo), 100*hi, 100*c.rate(2))
		}
	}
}

// writePromise holds the thresholds that would be shipped against the texts of
// each fold, set from the other folds: promised and realised false alarms.
func writePromise(w io.Writer, texts []*Text, scores []float64) {
	type group struct {
		name string
		has  func(*Text) bool
	}
	groups := []group{
		{"workflow, third-party", func(t *Text) bool { return !t.attack() && !t.own() && workflow[t.Kind] }},
		{"workflow, own", func(t *Text) bool { return !t.attack() && t.own() && workflow[t.Kind] }},
		{"trigger words", func(t *Text) bool { return !t.attack() && t.Kind == "trigger-words" }},
		{"harm-adjacent", func(t *Text) bool { return !t.attack() && t.Kind == "harm-adjacent" }},
		{"security documents", func(t *Text) bool { return !t.attack() && t.Kind == "security-doc" }},
		{"explicit attacks, third-party", func(t *Text) bool { return t.attack() && !t.own() }},
		{"explicit attacks, own", func(t *Text) bool { return t.attack() && t.own() }},
	}
	counts := make([][3]int, len(groups))
	for f := range folds {
		var others []*Text
		var theirs []float64
		for i, t := range texts {
			if t.fold != f {
				others, theirs = append(others, t), append(theirs, scores[i])
			}
		}
		thresholds := calibrate(others, theirs)
		for i, t := range texts {
			if t.fold != f {
				continue
			}
			h := thresholds[channelOf(t)][detector.LengthClass(len(t.Text))]
			for g := range groups {
				if groups[g].has(t) {
					counts[g][0]++
					counts[g][1] += over(scores[i], h.Block)
					counts[g][2] += over(scores[i], h.Review)
				}
			}
		}
	}
	fmt.Fprintf(w, "\n%-40s %6s %8s %8s\n", "thresholds set without the fold judged", "texts", "block", "review")
	for g := range groups {
		n := float64(max(1, counts[g][0])) / 100
		fmt.Fprintf(w, "  %-38s %6d %8.2f %8.2f\n", groups[g].name, counts[g][0], float64(counts[g][1])/n, float64(counts[g][2])/n)
	}
}

func over(score float64, threshold float32) int {
	if score >= float64(threshold) {
		return 1
	}
	return 0
}
