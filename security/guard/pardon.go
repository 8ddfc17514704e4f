package guard

import "github.com/custodyhq/custody/security"

// A Pardon says what lets pass a value that the rules would stop. What is
// pardoned is still found and reported, as a note that names what pardoned it. A
// pardon never loosens what has nothing to do with the meaning of a text: the
// schema, the size, a value that cannot be read, the judge. The zero Pardon
// pardons nothing.
type Pardon struct {
	// Observe names the order under which the firewall only observes, or is "".
	Observe string
	// Texts are the exact texts that an authorised person has released as
	// harmless, with the name of the release (rel_…). A secret is not released
	// with the text in which it stands: that a key is real is not an error of
	// reading.
	Texts map[string]string
	// Review names the review (apr_…) in which people let pass what needed only
	// that; what must be blocked or withheld is so all the same.
	Review string
}

// lets says what pardons a finding in a text, "" if nothing does.
func (p Pardon) lets(f security.Finding, text string) string {
	if !ofMeaning(f.Kind) || !stops(f.Action) {
		return ""
	}
	if name := p.Texts[text]; name != "" && f.Kind != "secret" {
		return name
	}
	if p.Review != "" && (f.Action == security.Review || f.Action == security.Revise) {
		return p.Review
	}
	return p.Observe
}

// ofMeaning reports whether findings of the kind come from reading what a text
// says, where a rule can be wrong.
func ofMeaning(kind string) bool {
	switch kind {
	case "injection", "personal", "secret", "leak", "link", "code", "word":
		return true
	}
	return false
}

// stops reports whether a finding with this action keeps the value back.
func stops(action string) bool {
	switch action {
	case security.Note, security.Redact:
		return false
	}
	return true
}

// weight orders the actions, the weakest first. One that nobody knows weighs
// most.
func weight(action string) int {
	for i, a := range []string{security.Note, security.Redact, security.Revise, security.Review} {
		if a == action {
			return i + 1
		}
	}
	return 5
}
