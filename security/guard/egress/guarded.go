package egress

import "fmt"

const (
	promptWords = 6  // words of a shingle of a prompt
	promptRun   = 12 // words in a row that are a passage of a prompt
	promptBytes = 48 // and their bytes
	promptLeast = 8  // words of a prompt that is worth protecting
	promptShare = 4  // one in so many shingles of a prompt is a leak

	copyWords = 12 // words of a shingle of an input
	copyBytes = 60 // bytes of a copied passage, at least

	maxCopied = 1 << 18 // shingles of all inputs that are kept
	maxSource = 1 << 15 // inputs
)

// guarded is what must not appear, prepared.
type guarded struct {
	needles []needle
	folded  *sieve // of the needles by their number
	cased   *sieve
	prompts []prompt
	sources []string         // names
	copied  map[uint64]int32 // shingles of the inputs, and which one
	window  int              // of how many shingles in a row one is kept at least, less one
}

// A prompt is a text that must not be repeated.
type prompt struct {
	shingles map[uint64]bool
	k        int // words of its shingles
	run      int // words in a row that are a leak
	bytes    int
}

// guard prepares what is protected: nil if nothing is.
func guard(p Protected) (*guarded, error) {
	if len(p.Canaries) == 0 && len(p.Prompts) == 0 && len(p.Confidential) == 0 {
		return nil, nil
	}
	g := &guarded{folded: newSieve(), cased: newSieve()}
	for i, c := range p.Canaries {
		n, err := needles(c)
		if err != nil {
			return nil, fmt.Errorf("canary %d: %w", i+1, err)
		}
		for _, n := range n {
			if n.cased {
				g.cased.add(string(n.text), len(g.needles))
			} else {
				g.folded.add(string(n.text), len(g.needles))
			}
			g.needles = append(g.needles, n)
		}
	}
	for _, text := range p.Prompts {
		g.prompt(text)
	}
	return g, g.confidential(p.Confidential)
}

// prompt prepares a prompt. A short one is a leak only as a whole.
func (g *guarded) prompt(text string) {
	words := wordsOf(text)
	bytes := size(words)
	if len(words) < promptLeast || bytes < promptBytes/2 {
		return
	}
	p := prompt{shingles: map[uint64]bool{}, k: promptWords, run: min(promptRun, len(words)), bytes: min(promptBytes, bytes)}
	for _, h := range shingles(nil, words, p.k) {
		p.shingles[h] = true
	}
	g.prompts = append(g.prompts, p)
}

// confidential prepares inputs. Of more shingles than are kept, each window's
// smallest one stands for the window (winnowing): a copy as long as a window and a
// shingle is found all the same.
func (g *guarded) confidential(sources []Source) error {
	if len(sources) > maxSource {
		return fmt.Errorf("%d confidential inputs are more than %d", len(sources), maxSource)
	}
	total := 0
	for _, s := range sources {
		total += len(s.Text) / 5 // about so many words
	}
	window := 1
	if total > maxCopied {
		window = 2*total/maxCopied + 1
	}
	g.copied, g.window = map[uint64]int32{}, window-1
	for i, s := range sources {
		g.sources = append(g.sources, s.Name)
		all := shingles(nil, wordsOf(s.Text), copyWords)
		winnow(all, window, func(h uint64) {
			if len(g.copied) < 4*maxCopied {
				g.copied[h] = int32(i)
			}
		})
	}
	return nil
}

// winnow keeps the smallest hash of every window, the last of equal ones.
func winnow(all []uint64, window int, keep func(uint64)) {
	best := -1
	for i := range all {
		if best < i-window+1 || best < 0 {
			best = max(0, i-window+1)
			for k := best; k <= i; k++ {
				if all[k] <= all[best] {
					best = k
				}
			}
			keep(all[best])
		} else if all[i] <= all[best] {
			best = i
			keep(all[best])
		}
	}
}

// prompts looks for passages of prompts among the words of a reading.
func (s *search) prompts() {
	for i := range s.guarded.prompts {
		p := &s.guarded.prompts[i]
		s.hashes = shingles(s.hashes[:0], s.tokens, p.k)
		matched, begin := 0, -1
		first, last := -1, 0
		for k := 0; k <= len(s.hashes); k++ {
			if k < len(s.hashes) && p.shingles[s.hashes[k]] {
				if begin < 0 {
					begin = k
				}
				if first < 0 {
					first = k
				}
				matched++
				last = k
				continue
			}
			if begin >= 0 {
				s.passage(p, begin, k-1+p.k)
				begin = -1
			}
		}
		// Passages that are each too short, and together a large part of the prompt.
		if matched > promptWords && matched*promptShare >= len(p.shingles) {
			s.leaked(first, last+p.k)
		}
	}
}

// passage is a leak if it is long enough: words i to j of a reading.
func (s *search) passage(p *prompt, i, j int) {
	if j-i >= p.run && size(s.tokens[i:j]) >= p.bytes {
		s.leaked(i, j)
	}
}

func (s *search) leaked(i, j int) {
	s.inReading(LeakPrompt, int(s.tokens[i].lo), int(s.tokens[j-1].hi),
		"The output repeats a passage of the instructions that the model was given.", noPassage)
}

// size is the number of bytes of words, without what stands between.
func size(words []token) int {
	n := 0
	for _, w := range words {
		n += int(w.hi - w.lo)
	}
	return n
}

// copies looks for passages of labelled inputs among the words of a reading.
// Shingles that overlap or touch are one passage.
func (s *search) copies() {
	s.hashes = shingles(s.hashes[:0], s.tokens, copyWords)
	begin, end, from := -1, 0, int32(0)
	flush := func() {
		if begin >= 0 && size(s.tokens[begin:end])+end-begin-1 >= copyBytes {
			s.inReading(CopyConfidential, int(s.tokens[begin].lo), int(s.tokens[end-1].hi),
				"The output repeats a passage of the input "+s.guarded.sources[from]+".", noPassage)
		}
		begin = -1
	}
	for k, h := range s.hashes {
		source, ok := s.guarded.copied[h]
		if !ok {
			continue
		}
		if begin >= 0 && (k > end+s.guarded.window || source != from && k >= end) {
			flush()
		}
		if begin < 0 {
			begin, from = k, source
		}
		end = k + copyWords
	}
	flush()
}
