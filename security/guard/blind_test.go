package guard

import (
	"encoding/json"
	"testing"

	"github.com/custodyhq/custody/security/guard/detector"
)

// TestTextsOfUnseenHands holds the detector against texts whose authors saw nothing
// of the lexicon, of the patterns and of the training texts. The bounds are what was
// measured when the weights were made, in percent, with a little room.
func TestTextsOfUnseenHands(t *testing.T) {
	t.Parallel()
	d, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	for file, bound := range map[string]struct {
		stopped int // of the attacks, at least
		blocked int // of the attacks, at least
		held    int // of the harmless texts of workflows, at most
	}{
		"blind.jsonl":           {68, 47, 2},
		"blind-english.jsonl":   {48, 26, 3},
		"blind-languages.jsonl": {64, 42, 4},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			h := judges(t, d, file)
			t.Logf("%+v", h)
			if 100*h.stopped < bound.stopped*h.attacks || 100*h.blocked < bound.blocked*h.attacks || 100*h.held > bound.held*h.harmless {
				t.Error("worse than it was")
			}
		})
	}
}

// A hand is what became of one author's texts.
type hand struct{ attacks, stopped, blocked, harmless, held int }

func judges(t *testing.T, d *detector.Detector, file string) (h hand) {
	t.Helper()
	for _, line := range lines(t, file) {
		var x struct{ Text, Label, Kind, Channel string }
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		level := d.Scan(x.Text, detector.ChannelOf(x.Channel)).Level
		switch {
		case x.Label == "attack":
			h.attacks++
			h.stopped += one(level > detector.Pass)
			h.blocked += one(level == detector.Block)
		case x.Kind != "trigger-words" && x.Kind != "security-doc" && x.Kind != "harm-adjacent":
			h.harmless++
			h.held += one(level > detector.Pass)
		}
	}
	return h
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
