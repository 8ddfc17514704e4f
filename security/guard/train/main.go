package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/custodyhq/custody/security/guard/detector"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	dev, corpus, out string
	eval, sources    bool
	pairs, blind     string
	settings         string
	errors           string
}

func parseOptions(args []string, errs io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.dev, "dev", "", "the development set, JSON lines, packed with gzip if it ends in .gz")
	f.StringVar(&o.corpus, "corpus", "security/guard/train/corpus", "the folder of the texts that the project wrote")
	f.StringVar(&o.out, "out", "", "where to write the weights")
	f.BoolVar(&o.eval, "eval", false, "write the table of held-out sources")
	f.BoolVar(&o.sources, "sources", false, "with -eval: a row for every source")
	f.StringVar(&o.pairs, "pairs", "security/guard/testdata/pairs.jsonl", "with -eval: attacks and harmless twins, for a table of their own")
	f.StringVar(&o.blind, "blind", "security/guard/testdata/blind*.jsonl", "with -eval: files of texts by hands that had no part in the training, a table for each")
	f.StringVar(&o.settings, "settings", "{}", "fields of the learner's settings to change, as JSON, for experiments")
	f.StringVar(&o.errors, "errors", "", "with -eval: a file for every text with its score, the highest first; it quotes the texts")
	if err := f.Parse(args); err != nil {
		return o, fmt.Errorf("read the options: %w", err)
	}
	switch {
	case o.dev == "":
		return o, errors.New("-dev is needed: the path of a development set")
	case o.out == "" && !o.eval:
		return o, errors.New("nothing to do: give -out FILE or -eval")
	}
	return o, nil
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	set := settings()
	if err := json.Unmarshal([]byte(o.settings), &set); err != nil {
		return fmt.Errorf("-settings: %w", err)
	}
	texts, err := loadAll(o.dev, o.corpus)
	if err != nil {
		return err
	}
	lexicon, err := detector.NewLexicon()
	if err != nil {
		return fmt.Errorf("load the lexicon: %w", err)
	}
	texts = assign(texts)
	texts = append(texts, derive(texts)...)
	all := samples(lexicon, texts)
	scores := outOfFold(lexicon, set, all, texts)
	if o.eval {
		tabulate(texts, scores).write(stdout, o.sources)
		writePromise(stdout, texts, scores)
	}
	if o.errors != "" {
		if err := writeErrors(o.errors, texts, scores); err != nil {
			return err
		}
	}
	judge := detector.New
	if o.out != "" {
		made, err := writeWeights(o.out, lexicon, set, all, texts, scores)
		if err != nil {
			return err
		}
		judge = func() (*detector.Detector, error) { return detector.With(lexicon, made) }
	}
	if !o.eval {
		return nil
	}
	d, err := judge()
	if err != nil {
		_, err = fmt.Fprintf(stdout, "\nThe tables of pairs and of blind texts are left out: %v (-out FILE with -eval judges by the weights that it makes).\n", err)
		return err
	}
	return writeTests(stdout, d, o)
}

// writeTests holds weights against the texts that no training sees.
func writeTests(w io.Writer, d *detector.Detector, o options) error {
	if err := writePairs(w, d, o.pairs); err != nil {
		return err
	}
	return writeBlind(w, d, o.blind)
}

// writeWeights trains on everything, writes the weights and returns them.
func writeWeights(path string, l *detector.Lexicon, set Settings, all []sample, texts []*Text, scores []float64) ([]byte, error) {
	w := quantise(final(l, set, all, texts), l)
	w.Thresholds = calibrate(texts, scores)
	encoded := w.Encode()
	if err := os.WriteFile(path, encoded, 0o644); err != nil { //nolint:gosec // weights are public
		return nil, fmt.Errorf("write the weights: %w", err)
	}
	return encoded, nil
}

// finals is how many models the weights are the mean of.
const finals = 2

func final(lexicon *detector.Lexicon, set Settings, all []sample, texts []*Text) *Model {
	use := make([]int, len(texts))
	for i := range use {
		use[i] = i
	}
	models := make([]*Model, finals)
	var wg sync.WaitGroup
	for k := range models {
		wg.Go(func() { models[k] = learn(lexicon, set, all, use, folds+k) })
	}
	wg.Wait()
	return average(models)
}
