package main

import (
	"hash/fnv"
	"strings"
)

// folds is how many models an evaluation trains: each judges the sources that
// it was not trained on.
const folds = 8

// foldSources says which third-party sources stand in which fold. Sources that
// quote each other stand together; every fold has attacks and documents.
var foldSources = []struct {
	prefix string
	fold   int
}{
	{"deepset/", 0},
	{"hatchet-dev/", 0},
	{"microsoft/agent-governance-toolkit", 1},
	{"openai/grade-school-math", 1},
	{"ogulcanaydogan/", 2},
	{"openai/evals", 2},
	{"tatsu-lab/", 2},
	{"yizhongw/", 2},
	{"NVIDIA/garak", 3},
	{"Giskard-AI/", 3},
	{"agencyenterprise/PromptInject", 3},
	{"langchain-ai/", 3},
	{"verazuo/", 4},
	{"f/prompts.chat", 4},
	{"temporalio/", 4},
	{"sherdencooper/", 5},
	{"swisskyrepo/", 5},
	{"HackAPrompt", 5},
	{"LLMail-Inject", 5},
	{"awslabs/", 5},
	{"arnav-gudibande/", 5},
	{"lm-sys/", 5},
	{"ASB ", 6},
	{"clinc/oos-eval wiki", 6},
	{"firebase/", 6},
	{"Enron ", 6},
	{"clinc/oos-eval", 7},
	{"synthetic ", 7},
}

// derivedSources are rows of the development set that were made from its other
// rows: an evaluation that kept them would train on what it judges.
var derivedSources = []string{"encoded dev ", "dev attacks in documents", "synthetic tool-hijack in documents"}

// assign gives every text its fold and drops the derived ones. A source that
// nobody listed, as every batch of the own corpora, gets its fold from its name.
func assign(texts []*Text) []*Text {
	out := texts[:0:0]
	for _, t := range texts {
		if !hasAnyPrefix(t.Source, derivedSources) {
			t.fold = foldOf(t.Source)
			out = append(out, t)
		}
	}
	return out
}

func foldOf(source string) int {
	for _, f := range foldSources {
		if strings.HasPrefix(source, f.prefix) {
			return f.fold
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(source))
	return int(h.Sum32() >> 8 % folds)
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

const (
	shingleWords = 6
	sharedPart   = 0.3 // of a training text's shingles
	sharedRun    = 12  // shingles in a row
)

// near tells which texts share wording with attacks of another fold: near[i][f]
// says that text i must not train the model that judges fold f.
func near(texts []*Text) [][folds]bool {
	shingled := make([][]uint64, len(texts))
	where := map[uint64]uint8{} // which folds have the shingle in an attack
	for i, t := range texts {
		if !t.attack() {
			continue
		}
		shingled[i] = shingles(t.Text)
		for _, s := range shingled[i] {
			where[s] |= 1 << t.fold
		}
	}
	out := make([][folds]bool, len(texts))
	for i, s := range shingled {
		for f := range folds {
			out[i][f] = texts[i].fold != f && shares(s, where, f)
		}
	}
	return out
}

func shares(s []uint64, where map[uint64]uint8, f int) bool {
	n, run := 0, 0
	for _, x := range s {
		if where[x]&(1<<f) == 0 {
			run = 0
			continue
		}
		n++
		if run++; run >= sharedRun {
			return true
		}
	}
	return len(s) > 0 && float64(n) > sharedPart*float64(len(s))
}

func shingles(text string) []uint64 {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x80) })
	var out []uint64
	for i := 0; i+shingleWords <= len(words); i++ {
		h := fnv.New64a()
		for _, w := range words[i : i+shingleWords] {
			_, _ = h.Write([]byte(w))
			_, _ = h.Write([]byte{0})
		}
		out = append(out, h.Sum64())
	}
	return out
}
