package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/guard/detector"
)

// writeBlind holds a detector against files of texts that had no part in its
// weights, in the format of the corpora. Pattern says which files; each gets a
// table.
func writeBlind(w io.Writer, d *detector.Detector, pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("-blind: %w", err)
	}
	if paths == nil {
		return fmt.Errorf("-blind: no file %s", pattern)
	}
	for _, path := range paths {
		if err := writeHand(w, d, path); err != nil {
			return err
		}
	}
	return nil
}

// writeHand is the table of one file: by label and kind, and the attacks in other
// languages than English by language.
func writeHand(w io.Writer, d *detector.Detector, path string) error {
	levels := map[string]*[3]int{}
	err := eachTest(path, func(t *Text) {
		level := d.Scan(t.Text, channelOf(t)).Level
		for _, name := range blindRows(t) {
			if levels[name] == nil {
				levels[name] = &[3]int{}
			}
			levels[name][level]++
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%-40s %6s %8s %22s\n", strings.TrimSuffix(filepath.Base(path), ".jsonl")+", by the weights as they are", "texts", "blocked", "stopped (95 %)")
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		l := levels[name]
		n := l[detector.Pass] + l[detector.Review] + l[detector.Block]
		stopped := n - l[detector.Pass]
		lo, hi := wilson(stopped, n)
		fmt.Fprintf(w, "  %-38s %6d %8.1f %8.1f (%4.1f..%5.1f)\n", name, n, 100*float64(l[detector.Block])/float64(n), 100*float64(stopped)/float64(n), 100*max(0, lo), 100*hi)
	}
	return nil
}

// blindRows are the rows of the table that a text counts in.
func blindRows(t *Text) []string {
	rows := []string{t.Label + " " + t.Kind}
	switch {
	case t.attack() && t.Kind == "multilingual":
		rows = append(rows, "language "+t.Lang)
	case !t.attack() && workflow[t.Kind]:
		rows = append(rows, "benign workflow, all kinds")
	}
	return rows
}
