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
	Injection Mode // Default is Block, or Review for what only needs one; Redact is Block, an instruction has no harmless rest
	PII       Mode // Default is Off
	Secrets   Mode // Default is Off
}

// modes are the rules with the defaults filled in.
func (r Rules) modes() modes {
	m := modes{injection: r.Injection.or(Block), personal: r.PII.or(Off), secrets: r.Secrets.or(Off)}
	if m[injection] == Redact || m[injection] == Revise {
		m[injection] = Block
	}
	return m
}

// OutRules says what Screen does about a draft. The zero OutRules are those for
// what a model wrote; each default has its reason.
type OutRules struct {
	PII     Mode // Default is Redact: the rest of the text keeps its use, and nothing leaks
	Secrets Mode // Default is Withhold: a leaked key means that something has already gone wrong, and a person should look
	Leak    Mode // Default is Withhold: who makes a model tell its instructions is preparing something
	Hidden  Mode // Default is Redact: nobody misses what nobody sees
	HTML    Mode // Default is Redact: a browser that shows the text must not run it
	Links   Mode // Default is Redact where hosts are allowed, here or in the Config; else Off: people click by choice
	Images  Mode // Default is Redact: an image is fetched without a click, and its address can carry data away
	Code    Mode // Default is Off, or Withhold where CodeRules are given
	Copies  Mode // Default is Off: an output is labelled at least as sensitive as what it was made from
	Words   Mode // Default is Redact

	Kinds      []string // further kinds of personal data, or countries
	LinkHosts  []string // allowed besides those of the Config
	ImageHosts []string
	CodeRules  []string // empty means all of them
	Prompts    []string // texts of the author that the model was given
	Canary     string   // a mark in the prompt that must not come back; "" if there is none
	Sources    []Source // what must not be copied

	// Schema checks the draft, and again what redaction left of it. Nil means
	// that the step declares no schema. Its error may name places, never content.
	Schema func(value any) error
	// ReviseSchema asks the model again for a draft that does not fit the schema.
	ReviseSchema bool
	// Judge says that the step has a judge: then NoJudge releases nothing, and
	// orders in the draft are looked for before the judge reads them.
	Judge bool
}

// A Source is a text that must not be copied into an output.
type Source struct{ Path, Text string }

// modes are the rules with the defaults filled in.
func (r *OutRules) modes(hosts bool) modes {
	m := modes{
		injection: Off, personal: r.PII.or(Redact), secrets: r.Secrets.or(Withhold), leak: r.Leak.or(Withhold),
		hidden: r.Hidden.or(Redact), html: r.HTML.or(Redact), links: r.Links.or(Off), images: r.Images.or(Redact),
		code: r.Code.or(Off), copies: r.Copies.or(Off), words: r.Words.or(Redact),
	}
	if hosts || r.LinkHosts != nil {
		m[links] = r.Links.or(Redact)
	}
	if r.CodeRules != nil {
		m[code] = r.Code.or(Withhold)
	}
	for _, c := range []concern{leak, copies} {
		if m[c] == Redact {
			m[c] = Withhold // what is left around it may be the rest of it
		}
	}
	if r.Judge {
		m[injection] = Withhold
	}
	return m
}
