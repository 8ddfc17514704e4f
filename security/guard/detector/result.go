package detector

import "github.com/custodyhq/custody/security/guard/reading"

// A Channel says where a text came from. It chooses the thresholds; what a
// verdict leads to is the guard's policy.
type Channel uint8

// The channels. The zero value is a text of unknown origin: it gets the lowest
// of all thresholds.
const (
	Unknown  Channel = iota
	Person           // somebody typed it
	Document         // somebody handed it in, or it was retrieved
	Tool             // the reply of an API or a tool
	Model            // the output of a model

	channels = iota
)

// Channels is how many channels there are.
const Channels = channels

var channelNames = [channels]string{"unknown", "person", "document", "tool", "model"}

// Foreign tells whether what comes on the channel may be from somebody else than
// the user or the model; of a channel that nobody named it may.
func (c Channel) Foreign() bool { return c != Person && c != Model }

// String names the channel as the command line and the API do.
func (c Channel) String() string {
	if int(c) < len(channelNames) {
		return channelNames[c]
	}
	return channelNames[Unknown]
}

// ChannelOf is the channel of that name, Unknown for every other name.
func ChannelOf(name string) Channel {
	for i, n := range channelNames {
		if n == name {
			return Channel(i) //nolint:gosec // a handful
		}
	}
	return Unknown
}

// A Level is what the detector makes of a text.
type Level uint8

// The levels, in the order of severity.
const (
	Pass Level = iota
	Review
	Block
)

var levelNames = [...]string{"pass", "review", "block"}

// String names the level.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return levelNames[Block]
}

// A Result is the verdict on one text.
type Result struct {
	Level Level
	// Score is from 0 to 1 and means the same on every channel and at every
	// length: 0.5 is the threshold for a review, 0.9 the one for a block, so equal
	// scores promise equal rates of false alarms. Hard signs raise the level, not
	// the score, but for a plain order, with which it is at least 0.95.
	Score float64
	// Points is the sum that Score was made from: what Explain takes apart.
	Points float64
	// Reading, Start and End say where the score comes from: the name of the
	// reading and bytes of the original text.
	Reading    string
	Start, End int
	// Hits are the places over the review threshold and the hard signs, at most
	// 16, in the order in which they were found.
	Hits []Hit
	// Signs counts what is remarkable beside the words. Its Tokens are nil: those
	// that matter are Hits.
	Signs reading.Signs
	// Version names the weights: a format and their SHA-256.
	Version string
}

// A Hit is a place in the original text that speaks against it.
type Hit struct {
	Start, End int // bytes of the original, on rune boundaries
	Level      Level
	Reading    string
	// Sign is empty for a place that scored, else the hard sign that was found.
	Sign  Sign
	Score float64 // as Result.Score, of this place; 0 for a sign
}

// maxHits bounds Result.Hits.
const maxHits = 16
