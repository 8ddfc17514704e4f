package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Text is one line of a development set or of a corpus; doc.go says what the
// fields mean.
type Text struct {
	Text    string `json:"text"`
	Label   string `json:"label"`
	Kind    string `json:"kind"`
	Source  string `json:"source"`
	License string `json:"license"`
	ID      string `json:"id"`
	Channel string `json:"channel"`
	Lang    string `json:"lang"`
	Variant string `json:"variant"`
	Span    []int  `json:"span"`

	fold    int
	derived bool // made from other texts here
}

func (t *Text) attack() bool { return t.Label == "attack" }

// own tells whether the project wrote the text.
func (t *Text) own() bool {
	return strings.HasPrefix(t.Source, "own/") || strings.HasPrefix(t.Source, "synthetic ")
}

// load reads one file of texts, packed with gzip or not.
func load(path string) ([]*Text, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open texts: %w", err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path, err)
		}
	}
	return parse(path, r)
}

func parse(path string, r io.Reader) ([]*Text, error) {
	var out []*Text
	err := eachLine(path, r, func(t *Text) error {
		if err := t.validate(); err != nil {
			return err
		}
		t.Text = unreserved(t.Text)
		out = append(out, t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eachLine gives what stands in each line of JSON lines to take. Errors name the
// path and the line.
func eachLine[T any](path string, r io.Reader, take func(*T) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		v := new(T)
		err := json.Unmarshal(lines.Bytes(), v)
		if err == nil {
			err = take(v)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// eachTest is eachLine for a file of texts that are only judged by.
func eachTest[T any](path string, take func(*T)) error {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("open tests: %w", err)
	}
	defer func() { _ = f.Close() }()
	return eachLine(path, f, func(v *T) error { take(v); return nil })
}

// unreserved gives hosts of the name that is reserved for examples (RFC 2606)
// another one, as long: those who write attacks for training use it, and it
// would speak against every text that shows how something works.
func unreserved(text string) string {
	const name = "example"
	b := []byte(text)
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return string(b)
		}
		lo := at + i
		at = lo + len(name)
		if lo > 0 && text[lo-1] == '.' || at < len(text) && text[at] == '.' && at+1 < len(text) && text[at+1] > ' ' {
			r := random(text[:lo], len(text))
			for k := lo; k < at; k++ {
				b[k] = "bcdfglmnprstvaeiou"[r.IntN(18)]
			}
		}
	}
}

func (t *Text) validate() error {
	switch {
	case t.Text == "":
		return fmt.Errorf("the field text is empty")
	case t.Label != "attack" && t.Label != "benign":
		return fmt.Errorf("the field label is %q: want attack or benign", t.Label)
	case t.Kind == "" || t.Source == "":
		return fmt.Errorf("the fields kind and source are needed")
	case len(t.Span) != 0 && len(t.Span) != 2:
		return fmt.Errorf("the field span wants two numbers")
	}
	return nil
}

// loadAll reads the development set and every corpus of a folder, in the order
// of the names, and leaves out what stands twice.
func loadAll(dev, corpus string) ([]*Text, error) {
	paths, err := filepath.Glob(filepath.Join(corpus, "*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("list the corpus: %w", err)
	}
	slices.Sort(paths)
	if dev != "" {
		paths = append([]string{dev}, paths...)
	}
	var out []*Text
	seen := map[string]bool{}
	for _, p := range paths {
		texts, err := load(p)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			if key := strings.Join(strings.Fields(strings.ToLower(t.Text)), " "); !seen[key] {
				seen[key] = true
				out = append(out, t)
			}
		}
	}
	return out, nil
}
