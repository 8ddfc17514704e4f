package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/custodyhq/custody/security"
)

// A Mode says what a guard does about what it finds. The zero Mode is Default,
// which never means Off for a guard that protects by itself.
type Mode uint8

// The modes, weakest first. Withhold and Block are the same refusal: the first
// word is used for output, the second for input.
const (
	Default  Mode = iota // what the rules of this kind say
	Off                  // do not look
	Note                 // report it, let it pass
	Redact               // replace it by its kind, for example [redacted:email]
	Revise               // ask the model again, and withhold the output if that does not help
	Review               // let a person decide, and refuse where nobody is asked
	Withhold             // refuse the output
	Block                // refuse the input
)

var modeNames = []string{"default", "off", "note", "redact", "revise", "review", "withhold", "block"}

// ParseMode reads a mode as a workflow writes it.
func ParseMode(name string) (Mode, error) {
	if i := slices.Index(modeNames, name); i >= 0 {
		return Mode(i), nil
	}
	return Default, fmt.Errorf("unknown guard mode %q: one of %s", name, strings.Join(modeNames[1:], ", "))
}

// String is the mode's name; an unknown mode reads as "block".
func (m Mode) String() string {
	if int(m) >= len(modeNames) {
		return modeNames[Block]
	}
	return modeNames[m]
}

// or is the mode, or the given one where nothing was said.
func (m Mode) or(d Mode) Mode {
	if m == Default {
		return d
	}
	return m
}

// refuses reports whether a finding under this mode stops the value. A mode
// that nobody defined does.
func (m Mode) refuses() bool { return m >= Revise }

// action is the word that a Finding carries under this mode. What stops an
// input is a block, what stops an output is withheld, whatever the rule said.
func (m Mode) action(stop string) string {
	switch {
	case m == Review:
		return security.Review
	case m == Revise && stop == security.Withhold:
		return security.Revise
	case m.refuses():
		return stop
	case m == Redact:
		return security.Redact
	default:
		return security.Note
	}
}

// Rules says what Check does about what it finds in arguments. The zero Rules
// block instructions and leave personal data and secrets alone: a contract is
// full of names, and its reader is meant to see them. What the author alone wrote
// is never looked at.
type Rules struct {
	Injection Mode // Default is Block; Redact is Block too, an instruction has no harmless rest
	PII       Mode // Default is Off
	Secrets   Mode // Default is Off
}

// OutRules says what Screen does about a draft. The zero OutRules redact
// personal data (the rest of the text keeps its use, and nothing leaks), and
// withhold secrets (a leaked key means that something has already gone wrong,
// and a person should look).
type OutRules struct {
	PII     Mode // Default is Redact
	Secrets Mode // Default is Withhold
	// Schema checks the draft, and again what redaction left of it. Nil means
	// that the step declares no schema. Its error may name places, never content.
	Schema func(value any) error
	// Judge says that the step has a judge: then NoJudge releases nothing.
	Judge bool
}
