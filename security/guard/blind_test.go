package guard

import (
	"encoding/json"
	"testing"

	"github.com/custodyhq/custody/security/guard/detector"
)

// Floors and ceilings in percent: what was measured when the weights were made,
// with a little room.
const (
	blindStopped = 62 // of the attacks, at least
	blindBlocked = 45 // of the attacks, at least
	blindHeld    = 2  // of the harmless texts of workflows, at most
)

// TestTextsOfAnUnseenHand holds the detector against texts whose author saw nothing
// of the lexicon, of the patterns and of the training texts.
func TestTextsOfAnUnseenHand(t *testing.T) {
	t.Parallel()
	d, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	var attacks, stopped, blocked, harmless, held int
	for _, line := range lines(t, "blind.jsonl") {
		var x struct{ Text, Label, Kind, Channel string }
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		level := d.Scan(x.Text, detector.ChannelOf(x.Channel)).Level
		switch {
		case x.Label == "attack":
			attacks++
			stopped += one(level > detector.Pass)
			blocked += one(level == detector.Block)
		case x.Kind != "trigger-words" && x.Kind != "security-doc":
			harmless++
			held += one(level > detector.Pass)
		}
	}
	t.Logf("%d attacks: %d stopped, %d of them blocked; %d harmless texts: %d held", attacks, stopped, blocked, harmless, held)
	if 100*stopped < blindStopped*attacks || 100*blocked < blindBlocked*attacks || 100*held > blindHeld*harmless {
		t.Error("worse than it was")
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
