package detector

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security/guard/reading"
)

//go:embed lexicon/*.txt patterns.txt
var lexiconFiles embed.FS

// A Concept is a named set of words of all languages.
type Concept struct {
	Name  string // as the lexicon's files name it
	Means string // in words that an auditor understands
	Label string // short, for explanations
}

// A Lexicon knows which words stand for which concepts. It is read-only after
// it was loaded.
type Lexicon struct {
	Concepts []Concept // Concepts[0] is no concept
	Patterns []Pattern
	families []uint8 // of each pattern

	words   *table // hash of a word -> concept
	stems   *table // hash of a beginning -> concept
	phrases *table // combined hash of several words -> concept, or longer
	glyphs  *table // hash of characters -> concept, or longer

	spelling  *speller
	namesakes map[uint64]bool // words that are not misspelt, by their hashes

	clitics  [][]byte
	negation uint8
	lead     concepts // may stand before the verb of an order
	aside    concepts // verbs that one also asks about for oneself
	speak    concepts // tell that a sentence speaks about something
	fans     [256]fan // of the patterns, by the concept that begins them
	joins    []uint64 // hashes of words that join two orders
	sum      [sha256.Size]byte
	splitter *tokeniser // while loading
	mixed    []mixed    // while loading
}

// longer in a value of phrases or glyphs says that a longer entry begins like
// this one.
const longer = 1 << 15

// maxConcepts leaves a concept one byte.
const maxConcepts = 200

// NewLexicon loads the embedded lexicon.
func NewLexicon() (*Lexicon, error) { return loadLexicon(lexiconFiles) }

func loadLexicon(files fs.FS) (*Lexicon, error) {
	l := &Lexicon{Concepts: []Concept{{}}, words: newTable(1 << 14), stems: newTable(1 << 14), phrases: newTable(1 << 13), glyphs: newTable(1 << 13), splitter: newSplitter()}
	defer func() { l.splitter, l.mixed = nil, nil }()
	declared, err := fs.ReadFile(files, "lexicon/concepts.txt")
	if err != nil {
		return nil, fmt.Errorf("read the concepts: %w", err)
	}
	ids, err := l.declare(string(declared))
	if err != nil {
		return nil, err
	}
	rows, err := fs.ReadFile(files, "patterns.txt")
	if err != nil {
		return nil, fmt.Errorf("read the patterns: %w", err)
	}
	if err := l.learnPatterns(string(rows), ids); err != nil {
		return nil, err
	}
	l.clitics = foldedClitics()
	l.negation = ids["negation"]
	names, err := fs.Glob(files, "lexicon/*.txt")
	if err != nil {
		return nil, fmt.Errorf("list the lexicon: %w", err)
	}
	slices.SortFunc(names, englishFirst)
	sum := sha256.New()
	sum.Write(declared)
	sum.Write(rows)
	for _, name := range names {
		if name == "lexicon/concepts.txt" {
			continue
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		sum.Write(body)
		if err := l.add(string(body), ids); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	sum.Sum(l.sum[:0])
	l.enterMixed()
	l.learnSpellings()
	return l, nil
}

// englishFirst orders the files; an entry keeps the concept of the first file
// that has it.
func englishFirst(a, b string) int {
	const english = "lexicon/english.txt"
	switch {
	case a == b:
		return 0
	case a == english:
		return -1
	case b == english:
		return 1
	}
	return strings.Compare(a, b)
}

// declare reads concepts.txt: name | meaning | label.
func (l *Lexicon) declare(body string) (map[string]uint8, error) {
	ids := map[string]uint8{}
	for n, line := range strings.Split(body, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		part := strings.Split(line, "|")
		if len(part) != 3 {
			return nil, fmt.Errorf("concepts.txt:%d: want name | meaning | label", n+1)
		}
		c := Concept{Name: strings.TrimSpace(part[0]), Means: strings.TrimSpace(part[1]), Label: strings.TrimSpace(part[2])}
		if _, twice := ids[c.Name]; twice {
			return nil, fmt.Errorf("concepts.txt:%d: %s is declared twice", n+1, c.Name)
		}
		if len(l.Concepts) > maxConcepts {
			return nil, fmt.Errorf("concepts.txt: more than %d concepts", maxConcepts)
		}
		ids[c.Name] = uint8(len(l.Concepts)) //nolint:gosec // bounded above
		l.Concepts = append(l.Concepts, c)
	}
	if len(ids) == 0 {
		return nil, errors.New("concepts.txt: no concept")
	}
	return ids, nil
}

// add reads a language's file.
func (l *Lexicon) add(body string, ids map[string]uint8) error {
	for n, line := range strings.Split(body, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, words, ok := strings.Cut(line, ":")
		id := ids[strings.TrimSpace(name)]
		if !ok || id == 0 {
			return fmt.Errorf("line %d: %q is no concept", n+1, name)
		}
		entries, err := cut(words)
		if err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		for _, e := range entries {
			l.enter(e, id)
		}
	}
	return nil
}

// cut separates the entries of a line; those in quotation marks have blanks.
func cut(line string) ([]string, error) {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), rest
			continue
		}
		word, rest, ok := strings.Cut(line[1:], `"`)
		if !ok {
			return nil, errors.New("a quotation mark has no partner")
		}
		out, line = append(out, word), rest
	}
	return out, nil
}

// enter files one entry under its concept. An entry that an earlier file has
// keeps its concept.
func (l *Lexicon) enter(entry string, id uint8) {
	stem := strings.HasSuffix(entry, "*")
	text := reading.Fold(strings.TrimSuffix(entry, "*"))
	parts := l.splitter.split(text)
	switch {
	case len(parts) == 0:
	case len(parts) == 1 && parts[0].glyphs:
		l.chain(l.glyphs, glyphHashes(text[parts[0].lo:parts[0].hi]), id)
	case len(parts) == 1 && stem:
		once(l.stems, scramble(parts[0].hash), id)
	case len(parts) == 1:
		once(l.words, scramble(parts[0].hash), id)
	case slices.ContainsFunc(parts, func(p part) bool { return p.glyphs }):
		l.mixed = append(l.mixed, mixed{text, id})
	default:
		l.chain(l.phrases, phraseHashes(parts), id)
	}
}

// A mixed entry has words and glyphs: ai模型.
type mixed struct {
	text    string
	concept uint8
}

// enterMixed files the mixed entries as rows of words, cut as a text is: glyphs
// are cut by what the lexicon knows of them, so this comes last.
func (l *Lexicon) enterMixed() {
	t := &tokeniser{lexicon: l}
	for _, m := range l.mixed {
		t.run([]byte(m.text), 0, nil)
		parts := make([]part, len(t.tokens))
		for i, k := range t.tokens {
			parts[i].hash = k.hash
		}
		l.chain(l.phrases, phraseHashes(parts), m.concept)
	}
}

func once(t *table, key uint64, id uint8) {
	if t.get(key) == 0 {
		t.put(key, uint16(id))
	}
}

// chain enters the last of the keys with the concept and marks the others as
// beginnings of something longer.
func (l *Lexicon) chain(t *table, keys []uint64, id uint8) {
	for _, k := range keys[:len(keys)-1] {
		t.put(k, t.get(k)|longer)
	}
	last := keys[len(keys)-1]
	if v := t.get(last); v&^longer == 0 {
		t.put(last, v|uint16(id))
	}
}

// glyphHashes are the keys of the beginnings of a run of glyphs, the whole last.
func glyphHashes(run string) []uint64 {
	var out []uint64
	h := uint64(wordSeed)
	for _, r := range run {
		h = step(h, r)
		out = append(out, scramble(h))
	}
	return out
}

// phraseHashes are the keys of the beginnings of a row of words, the whole last.
func phraseHashes(parts []part) []uint64 {
	var out []uint64
	h := uint64(0)
	for _, p := range parts {
		h = join(h, p.hash)
		out = append(out, scramble(h))
	}
	return out
}

const (
	wordSeed  = 14695981039346656037 // FNV-1a's offset
	wordPrime = 1099511628211        // FNV-1a's prime
)

// step continues a word's hash with a character.
func step(h uint64, r rune) uint64 { return (h ^ uint64(uint32(r))) * wordPrime } //nolint:gosec // a rune's bits

// join continues a phrase's hash with a word's.
func join(h, word uint64) uint64 { return (h*31 + word) * wordPrime }

// conceptOf tells the concept of one word by the hash of the whole and the
// concept of its longest known beginning.
func (l *Lexicon) conceptOf(hash uint64, stem uint8) uint8 {
	if c := l.words.get(scramble(hash)); c != 0 {
		return uint8(c) //nolint:gosec // words hold concepts only
	}
	return stem
}

// Sum is the SHA-256 of all files of the lexicon in the order in which they are
// read.
func (l *Lexicon) Sum() [sha256.Size]byte { return l.sum }
