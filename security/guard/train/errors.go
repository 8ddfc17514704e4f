package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"slices"
)

// writeErrors writes every text with its out-of-fold score, the highest first,
// for looking at what goes wrong.
func writeErrors(path string, texts []*Text, scores []float64) error {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	f, err := os.Create(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("write errors: %w", err)
	}
	w := bufio.NewWriter(f)
	for _, i := range order {
		t := texts[i]
		fmt.Fprintf(w, "%.2f\t%s\t%s\t%s\t%s\t%.400q\n", scores[i], t.Label, t.Kind, t.Source, t.Lang, excerpt(t))
	}
	if err := w.Flush(); err != nil {
		_ = f.Close()
		return fmt.Errorf("write errors: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write errors: %w", err)
	}
	return nil
}

// excerpt is the attack's part of a text.
func excerpt(t *Text) string {
	lo, hi := byteSpan(t)
	if lo < 0 || lo >= hi {
		return t.Text
	}
	return t.Text[lo:hi]
}
