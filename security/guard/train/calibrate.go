package main

import (
	"cmp"
	"math"
	"slices"

	"github.com/custodyhq/custody/security/guard/detector"
)

// The rates of false alarms that the thresholds are set for, among all harmless
// texts of a class. They are over the promised ones (0.1 % and 1 %), because the
// own corpora in the pool are harder than traffic: with them, sources that had no
// part in the thresholds realise less than was promised.
const (
	blockRate  = 0.0017
	reviewRate = 0.0125
)

// ownShare is what a harmless text of the own corpora counts beside others: it
// was written to look like an attack, more than traffic does.
const ownShare = 0.1

// enough is how many harmless texts a channel needs for a threshold of its own.
const enough = 400

// calibrate sets the thresholds from scores of harmless texts that the scoring
// model had not seen. The review threshold of a class is the score that one text
// in a hundred exceeds, where a text of a large source counts a little
// less, so that no source speaks for all traffic; the distance to the block threshold is taken from all
// classes together, because one in a thousand of a class is too few to see.
func calibrate(texts []*Text, scores []float64) [detector.Channels][detector.Lengths]detector.Threshold {
	type key struct{ channel, length int }
	pools := map[key][]weighed{}
	sizes := map[string]int{}
	for _, t := range texts {
		sizes[t.Source]++
	}
	for i, t := range texts {
		if t.attack() || !workflow[t.Kind] {
			continue
		}
		l, c := detector.LengthClass(len(t.Text)), int(channelOf(t))
		w := weighed{scores[i], balance(0.25, sizes[t.Source])}
		if t.own() {
			w.weight *= ownShare
		}
		pools[key{0, l}] = append(pools[key{0, l}], w)
		pools[key{c, l}] = append(pools[key{c, l}], w)
	}
	var out [detector.Channels][detector.Lengths]detector.Threshold
	var over []weighed
	for l := range detector.Lengths {
		all := quantile(pools[key{0, l}], reviewRate)
		for c := range detector.Channels {
			if len(pools[key{c, l}]) >= enough {
				out[c][l].Review = float32(quantile(pools[key{c, l}], reviewRate))
			} else {
				out[c][l].Review = float32(all)
			}
		}
		for _, s := range pools[key{0, l}] {
			over = append(over, weighed{s.score - all, s.weight})
		}
	}
	gap := float32(math.Max(0.25, quantile(over, blockRate)))
	for c := range out {
		for l := range out[c] {
			out[c][l].Block = out[c][l].Review + gap
		}
	}
	strictest(&out)
	return out
}

// strictest gives the unknown channel the lowest thresholds of all.
func strictest(t *[detector.Channels][detector.Lengths]detector.Threshold) {
	for l := range detector.Lengths {
		for c := range t {
			t[0][l].Review = min(t[0][l].Review, t[c][l].Review)
			t[0][l].Block = min(t[0][l].Block, t[c][l].Block)
		}
	}
}

// A weighed score counts as much as its weight.
type weighed struct{ score, weight float64 }

// quantile is the score that a part of the pool's weight exceeds.
func quantile(pool []weighed, part float64) float64 {
	sorted := slices.Clone(pool)
	slices.SortStableFunc(sorted, func(a, b weighed) int { return cmp.Compare(b.score, a.score) })
	total, sum := 0.0, 0.0
	for _, w := range sorted {
		total += w.weight
	}
	for _, w := range sorted {
		if sum += w.weight; sum > part*total {
			return w.score
		}
	}
	return 0
}

// channelOf is the channel of a text; older rows have none, their kind tells.
func channelOf(t *Text) detector.Channel {
	if c := detector.ChannelOf(t.Channel); c != detector.Unknown {
		return c
	}
	switch t.Kind {
	case "document", "email", "llm-docs", "security-doc", "long-document", "indirect-override":
		return detector.Document
	case "indirect":
		return detector.Tool
	}
	return detector.Person
}

// quantise rounds a model's weights to signed bytes.
func quantise(m *Model, l *detector.Lexicon) *detector.Weights {
	w := &detector.Weights{Concepts: l.ConceptsSum(), Lexicon: l.Sum(), Bias: m.Bias}
	w.Gram, w.GramStep = steps(m.Grams, 1)
	w.Concept, w.ConceptStep = steps(m.Concepts, conceptScale)
	w.Row, w.RowStep = steps(m.Rows, detector.RowScale)
	return w
}

// steps rounds weights to multiples of one step; scale is what a feature that
// occurs is worth.
func steps(weights []float32, scale float32) ([]int8, float32) {
	top := float32(0)
	for _, v := range weights {
		top = max(top, v, -v)
	}
	step := top / 127
	if step == 0 {
		step = 1
	}
	out := make([]int8, len(weights))
	for i, v := range weights {
		out[i] = int8(math.Round(float64(v / step)))
	}
	return out, float32(step * scale)
}

// average is the mean of some models.
func average(models []*Model) *Model {
	out := &Model{Grams: make([]float32, detector.Grams), Concepts: make([]float32, detector.Concepts), Rows: make([]float32, detector.Rows), lexicon: models[0].lexicon}
	n := float32(len(models))
	for _, m := range models {
		out.Bias += m.Bias / n
		for i, v := range m.Grams {
			out.Grams[i] += v / n
		}
		for i, v := range m.Rows {
			out.Rows[i] += v / n
		}
		for i, v := range m.Concepts {
			out.Concepts[i] += v / n
		}
	}
	return out
}
