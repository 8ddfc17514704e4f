package main

import (
	"fmt"
	"slices"

	"github.com/custodyhq/custody/security/guard/detector"
)

type guardCommand struct {
	Explain guardExplainCommand `cmd:"" help:"What the firewall sees in a file."`
	Scan    guardScanCommand    `cmd:"" help:"JSON lines in, JSON lines out."`

	Release  guardReleaseCommand  `cmd:"" help:"Let a text pass that was stopped."`
	Releases guardReleasesCommand `cmd:"" help:"List what was released."`
	Lift     guardLiftCommand     `cmd:"" help:"Take a release back."`
	Mode     guardModeCommand     `cmd:"" help:"Show whether the firewall enforces, or change it."`
	Labels   guardLabelsCommand   `cmd:"" help:"What people decided about stopped texts, as JSON lines."`
}

// channelHelp is what the flags and fields named channel take.
const channelHelp = "person, document, tool or model"

// channelNamed reads a channel's name. None is a text of unknown origin, which is
// held against the strictest thresholds.
func channelNamed(name string) (detector.Channel, error) {
	ch := detector.ChannelOf(name)
	if ch == detector.Unknown && name != "" {
		return ch, fmt.Errorf("channel is none of %s", channelHelp)
	}
	return ch, nil
}

// reasonsOf says why a text is over a threshold, the heaviest reason first: hard
// signs, then what weighed most in the worst window. They are words of our
// lexicon, never of the text.
func reasonsOf(x detector.Explanation) []string {
	out := []string{}
	add := func(reason string) {
		if len(out) < maxReasons && !slices.Contains(out, reason) {
			out = append(out, reason)
		}
	}
	for _, h := range x.Hits {
		if h.Sign != detector.NoSign {
			add(h.Sign.String())
		}
	}
	if len(x.Windows) > 0 {
		for _, c := range x.Windows[0].Telling() {
			add(c.What)
		}
	}
	return out
}

// maxReasons bounds what is said of one text.
const maxReasons = 5
