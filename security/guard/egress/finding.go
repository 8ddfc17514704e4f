package egress

import "strings"

// The rules. A rule's name is its family, a dot and what was found; the names of
// word lists follow "word.".
const (
	// LinkHost is a link to a host, scheme or path outside of the allow-list.
	LinkHost = "link.host"
	// LinkScheme is a link that does not lead to a web page: javascript:, data:,
	// file: and whatever else has no host to compare.
	LinkScheme = "link.scheme"
	// LinkDisguised is a link that is not written plainly, so that programs
	// disagree about where it leads, or that leads elsewhere than it says.
	LinkDisguised = "link.disguised"
	// LinkData is a link to an allowed host that carries too much with it.
	LinkData = "link.data"

	// ImageHost to ImageData are the same for what is fetched without a click.
	ImageHost      = "image.host"
	ImageScheme    = "image.scheme"
	ImageDisguised = "image.disguised"
	ImageData      = "image.data"

	// HTMLRaw is an element of HTML where none is allowed.
	HTMLRaw = "html.raw"
	// HTMLScript is what runs or loads: script, event handlers, styles, frames,
	// forms, objects. It is a finding even where HTML is allowed.
	HTMLScript = "html.script"
	// HTMLComment is text that only programs see.
	HTMLComment = "html.comment"

	// TextHidden are characters that show nothing, where they do not belong.
	TextHidden = "text.hidden"
	// TextBidi are marks that show a text in another order than it has.
	TextBidi = "text.bidi"
	// TextControl are control characters and bytes that are no text.
	TextControl = "text.control"
	// TextANSI are control sequences of terminals.
	TextANSI = "text.ansi"

	// LeakCanary is a canary in any reading.
	LeakCanary = "leak.canary"
	// LeakPrompt is a passage of a system prompt.
	LeakPrompt = "leak.prompt"
	// CopyConfidential is a passage of a labelled input.
	CopyConfidential = "copy.confidential"

	// BoundMarkdown, BoundReadings and BoundFindings are texts that cannot be read
	// within the bounds. They are never off: what was not looked at does not pass.
	BoundMarkdown = "bound.markdown"
	BoundReadings = "bound.readings"
	BoundFindings = "bound.findings"
)

// A Finding is one place of an output.
type Finding struct {
	// Rule is one of the names above, "code." and a class of Policy.Code, or
	// "word." and the name of a list.
	Rule string
	// Start and End are bytes of the text that was given, both on the border of a
	// character, Start < End.
	Start, End int
	// Why is a sentence for people. It names a rule, an input or a list, and never
	// a part of the text.
	Why string
	// Replacement is what redaction puts in the place of the bytes.
	Replacement string
	// Read is the name of the reading in which it was found, as package reading
	// names them; "plain" for the text as it stands.
	Read string
}

// Family is the part of the rule's name before the dot: link, image, html, text,
// leak, copy, code, word or bound.
func (f Finding) Family() string {
	family, _, _ := strings.Cut(f.Rule, ".")
	return family
}
