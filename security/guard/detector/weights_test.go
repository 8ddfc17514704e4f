package detector_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/guard/detector"
)

func someWeights() *detector.Weights {
	w := &detector.Weights{Bias: -1.5, GramStep: 0.01, ConceptStep: 0.02, RowStep: 0.03, Gram: make([]int8, detector.Grams), Concept: make([]int8, detector.Concepts), Row: make([]int8, detector.Rows)}
	w.Gram[7], w.Concept[8], w.Row[9] = -128, 127, 5
	for c := range w.Thresholds {
		for l := range w.Thresholds[c] {
			w.Thresholds[c][l] = detector.Threshold{Review: float32(c), Block: float32(c + l + 1)}
		}
	}
	return w
}

func TestWeightsSurviveTheirBytes(t *testing.T) {
	t.Parallel()
	want := someWeights()
	got, err := detector.DecodeWeights(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDamagedOrStrangeWeightsAreRefused(t *testing.T) {
	t.Parallel()
	whole := someWeights().Encode()
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2]++
	l, err := detector.NewLexicon()
	if err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string][]byte{
		"checksum":     damaged,
		"want":         whole[1:],
		"another list": whole,
	} {
		if _, err := detector.With(l, b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("With: %v, want %q", err, want)
		}
	}
}

func TestTheResultNamesTheWeights(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	if v := d.Scan("Good morning.", detector.Person).Version; v != d.Version() || len(v) != len("1-")+64 {
		t.Errorf("version %q", v)
	}
}

func TestAnUnknownChannelIsTheStrictest(t *testing.T) {
	t.Parallel()
	d := newDetector(t)
	for _, n := range []int{10, 500, 5000} {
		least := d.Threshold(detector.Unknown, n)
		for _, c := range []detector.Channel{detector.Person, detector.Document, detector.Tool, detector.Model, 99} {
			if got := d.Threshold(c, n); got.Review < least.Review || got.Block < least.Block || got.Block <= got.Review {
				t.Errorf("%v, %d bytes: %v, unknown %v", c, n, got, least)
			}
		}
	}
	if detector.ChannelOf("postcard") != detector.Unknown || detector.ChannelOf("tool") != detector.Tool {
		t.Error("ChannelOf")
	}
}
