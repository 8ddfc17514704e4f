package main

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/custodyhq/custody/security/guard/detector"
)

// Settings are what the learner can be told. The values in use are in
// settings(); the lab book in docs/prompt-firewall.md says what else was tried.
type Settings struct {
	Rounds      int     // each round chooses the windows again
	Epochs      int     // passes in a round
	Rate        float64 // of AdaGrad
	Attack      float64 // weight of all attacks together, of all harmless texts
	Hard        float64 // weight of a harmless window that scores high
	HardFrom    float64
	Balance     float64 // how much a source's size counts: 0 fully, 1 not at all
	ConceptsP   float64 // part of the visits that see concepts only
	DropP       float64 // part of the features left out at a visit
	MaxWindows  int     // of a harmless text in a round
	RowMost     float64 // the most of the logarithm of a pattern's odds
	RowPart     float64 // of that logarithm that counts
	LoosePart   float64 // of that again where a pattern was found loosely
	GramKept    float64 // of what the n-grams learned, and so on
	ConceptKept float64
	RowKept     float64
	Least       float64 // smallest gradient that is followed
}

func settings() Settings {
	return Settings{Rounds: 3, Epochs: 4, Rate: 0.03, Attack: 0.5, Hard: 3, HardFrom: -1.5, Balance: 0.5, ConceptsP: 0.5, DropP: 0.25, MaxWindows: 8, RowMost: 5, RowPart: 0.4, LoosePart: 0.5, GramKept: 0.6, ConceptKept: 0.33, RowKept: 0.7, Least: 0.001}
}

// A Model is a linear model in training.
type Model struct {
	Grams, Concepts, Rows []float32
	Bias                  float32

	lexicon *detector.Lexicon
}

// conceptScale is the value of a concept gram that occurs.
const conceptScale = detector.ConceptScale

func (m *Model) score(w *window) float32 {
	return m.Bias + m.gramScore(w) + m.conceptScore(w) + m.rowScore(w)
}

func (m *Model) gramScore(w *window) float32 {
	var s float32
	for _, part := range w.grams {
		for _, x := range part {
			s += m.Grams[x]
		}
	}
	return float32(s * w.norm)
}

func (m *Model) conceptScore(w *window) float32 {
	var s float32
	for _, part := range w.concepts {
		for _, x := range part {
			s += m.Concepts[x]
		}
	}
	return float32(s * conceptScale)
}

func (m *Model) rowScore(w *window) float32 {
	var s float32
	var buffer [16]uint16
	for _, x := range detector.Strongest(m.lexicon, w.rows, m.Rows, buffer[:0]) {
		s += m.Rows[x]
	}
	return float32(s * detector.RowScale)
}

// An example is a window with what the learner should say of it.
type example struct {
	w      *window
	sample int
	attack bool
	weight float32
}

// A learner holds the state of one training.
type learner struct {
	set      Settings
	samples  []sample
	use      []int     // samples to learn from
	weight   []float32 // of each sample in use
	model    *Model
	gram     []float32 // AdaGrad's sums of squares
	concept  []float32
	bias     float32
	random   *rand.Rand
	examples []example
}

// learn trains a model on the samples that use lists. The same input gives the
// same model: one goroutine, a fixed order, and no fused multiplication.
func learn(lexicon *detector.Lexicon, set Settings, all []sample, use []int, seed int) *Model {
	l := &learner{
		set: set, samples: all, use: use, random: random("learn", seed),
		model: &Model{Grams: make([]float32, detector.Grams), Concepts: make([]float32, detector.Concepts), Rows: make([]float32, detector.Rows), lexicon: lexicon},
		gram:  filled(detector.Grams, 1e-4), concept: filled(detector.Concepts, 1e-2), bias: 1,
	}
	l.weigh()
	l.weighRows()
	total := set.Rounds * set.Epochs
	for round := range set.Rounds {
		l.choose(round)
		for e := range set.Epochs {
			l.random.Shuffle(len(l.examples), func(i, j int) { l.examples[i], l.examples[j] = l.examples[j], l.examples[i] })
			done := float32(round*set.Epochs+e) / float32(total)
			l.epoch(float32(set.Rate) * (1 - float32(0.9*done)))
		}
	}
	l.model.shrink(set)
	return l.model
}

// shrink makes all weights weaker than they were learned, each kind by its own
// measure: with unseen sources they promise more than they keep, wording most.
func (m *Model) shrink(set Settings) {
	scale(m.Grams, float32(set.GramKept))
	scale(m.Concepts, float32(set.ConceptKept))
	scale(m.Rows, float32(set.RowKept))
}

func scale(weights []float32, by float32) {
	for i := range weights {
		weights[i] *= by
	}
}

func filled(n int, v float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// weigh gives every sample a weight so that no source outvotes the others.
func (l *learner) weigh() {
	type group struct {
		source string
		attack bool
	}
	n := map[group]int{}
	key := func(i int) group { return group{l.samples[i].text.Source, l.samples[i].text.attack()} }
	for _, i := range l.use {
		n[key(i)]++
	}
	l.weight = make([]float32, len(l.use))
	var sum [2]float64
	for k, i := range l.use {
		l.weight[k] = float32(balance(l.set.Balance, n[key(i)]))
		sum[side(key(i).attack)] += float64(l.weight[k])
	}
	for k, i := range l.use {
		total := float64(len(l.use))
		if key(i).attack {
			total *= l.set.Attack
		}
		l.weight[k] = float32(float64(l.weight[k]) * total / sum[side(key(i).attack)])
	}
}

// weighRows gives every pattern its weight: the logarithm of the odds with which
// it stands in attacks and in harmless texts. It is not learned in steps: those
// would leave a pattern that is never wrong, and rare, with next to nothing.
func (l *learner) weighRows() {
	attack, harmless := make([]float64, detector.Rows), make([]float64, detector.Rows)
	for k, i := range l.use {
		s := &l.samples[i]
		if s.text.derived {
			continue
		}
		into, weight := harmless, 1.0
		if s.text.attack() {
			into, weight = attack, float64(l.weight[k])
		}
		for _, r := range s.rows() {
			into[r] += weight
		}
	}
	for r := range attack {
		v := log((attack[r] + 1) / (harmless[r] + 1))
		if detector.Loose(r) {
			v *= l.set.LoosePart
		}
		l.model.Rows[r] = float32(l.set.RowPart * min(max(v, 0), l.set.RowMost) / detector.RowScale)
	}
}

// rows are the patterns of a text, each once, without those outside of its span.
func (s *sample) rows() []uint16 {
	var out []uint16
	for i := range s.windows {
		if w := &s.windows[i]; !s.text.attack() || w.inside >= 0 {
			out = append(out, w.rows...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// log is the natural logarithm in steps that are the same on every machine.
func log(x float64) float64 {
	y := 0.0
	for range 40 { // Newton's method on exp
		e := exp(y)
		y += 2 * float64(x-e) / float64(x+e)
	}
	return y
}

// balance is n to the power of minus b, for quarters.
func balance(b float64, n int) float64 {
	q := math.Sqrt(math.Sqrt(1 / float64(n)))
	out := 1.0
	for range int(4 * b) {
		out *= q
	}
	return out
}

func side(attack bool) int {
	if attack {
		return 1
	}
	return 0
}

// choose picks the windows of a round: of attacks those that may hold the
// attack, of harmless texts some in the first round and the highest later.
func (l *learner) choose(round int) {
	l.examples = l.examples[:0]
	for k, i := range l.use {
		s := &l.samples[i]
		if s.text.attack() {
			l.chooseAttack(round, i, s, l.weight[k])
		} else {
			l.chooseHarmless(round, i, s, l.weight[k])
		}
	}
}

func (l *learner) chooseAttack(round, i int, s *sample, weight float32) {
	var in, out []*window
	anyDecoded := false
	for k := range s.windows {
		anyDecoded = anyDecoded || s.windows[k].decoded
	}
	for k := range s.windows {
		w := &s.windows[k]
		switch {
		case anyDecoded && s.text.Kind == "obfuscation" && !w.decoded:
		case len(s.text.Span) != 2 || w.inside > 0:
			in = append(in, w)
		case w.inside < 0 && s.text.own():
			out = append(out, w)
		}
	}
	if len(s.text.Span) != 2 && round > 0 && len(in) >= 3 {
		l.sort(in)
		in = in[:max(1, len(in)/3)]
	}
	share := weight / float32(math.Sqrt(float64(max(1, len(in)))))
	for _, w := range in {
		l.examples = append(l.examples, example{w, i, true, share})
	}
	for _, w := range out[:min(len(out), 4)] {
		l.examples = append(l.examples, example{w, i, false, 0.3})
	}
}

func (l *learner) chooseHarmless(round, i int, s *sample, weight float32) {
	ws := make([]*window, len(s.windows))
	for k := range s.windows {
		ws[k] = &s.windows[k]
	}
	if len(ws) > l.set.MaxWindows {
		if round == 0 {
			l.random.Shuffle(len(ws), func(a, b int) { ws[a], ws[b] = ws[b], ws[a] })
		} else {
			l.sort(ws)
		}
		ws = ws[:l.set.MaxWindows]
	}
	for _, w := range ws {
		e := example{w, i, false, weight}
		if round > 0 && float64(l.model.score(w)) > l.set.HardFrom {
			e.weight *= float32(l.set.Hard)
		}
		l.examples = append(l.examples, e)
	}
}

// sort orders windows by score, the highest first.
func (l *learner) sort(ws []*window) {
	scores := make(map[*window]float32, len(ws))
	for _, w := range ws {
		scores[w] = l.model.score(w)
	}
	slices.SortStableFunc(ws, func(a, b *window) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
}

func (l *learner) epoch(rate float32) {
	m, least := l.model, float32(l.set.Least)
	for k := range l.examples {
		e := &l.examples[k]
		grams := l.random.Float64() >= l.set.ConceptsP
		s := m.Bias + m.rowScore(e.w)
		mask := l.newMask()
		if grams {
			s += float32(mask.sum(m.Grams, e.w.grams) * e.w.norm)
		}
		s += float32(mask.sum(m.Concepts, e.w.concepts) * conceptScale)
		p := sigmoid(s)
		if e.attack {
			p--
		}
		g := float32(p * e.weight)
		if g < least && g > -least {
			continue
		}
		if grams {
			update(mask, m.Grams, l.gram, e.w.grams, float32(g*e.w.norm), rate)
		}
		update(mask, m.Concepts, l.concept, e.w.concepts, float32(g*conceptScale), rate)
		l.bias += float32(g * g)
		m.Bias -= float32(rate*g) / root(l.bias)
	}
}

// A dropout leaves features out of one visit, so that no weight can lean on
// another one being there: seed chooses which, below how many of 256.
type dropout struct{ seed, below uint32 }

func (l *learner) newMask() dropout {
	return dropout{seed: l.random.Uint32(), below: uint32(256 * l.set.DropP)}
}

func (d dropout) drops(x uint16) bool { return ((uint32(x)^d.seed)*0x9E3779B1)>>24 < d.below }

// sum adds the weights of the features that are not left out, made up for those
// that are.
func (d dropout) sum(weights []float32, features [2][]uint16) float32 {
	var s float32
	for _, part := range features {
		for _, x := range part {
			if !d.drops(x) {
				s += weights[x]
			}
		}
	}
	return float32(s * (256 / float32(256-d.below)))
}

// update is a step of AdaGrad on the weights of some features.
func update(mask dropout, weights, squares []float32, features [2][]uint16, g, rate float32) {
	for _, part := range features {
		for _, x := range part {
			if mask.drops(x) {
				continue
			}
			squares[x] += float32(g * g)
			weights[x] -= float32(rate*g) / root(squares[x])
		}
	}
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// sigmoid is the logistic function from additions, products and divisions only:
// math.Exp gives other last bits on other machines.
func sigmoid(x float32) float32 {
	if x > 15 {
		x = 15
	}
	if x < -15 {
		x = -15
	}
	return float32(1 / (1 + exp(-float64(x))))
}

// exp is e^x by halving and a series.
func exp(x float64) float64 {
	y := x / 64
	s := 1.0
	for k := 8; k > 0; k-- {
		s = 1 + float64(y*s)/float64(k)
	}
	for range 6 {
		s = float64(s * s)
	}
	return s
}
