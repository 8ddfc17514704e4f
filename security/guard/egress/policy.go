package egress

import (
	"fmt"
	"slices"
)

// The classes of unsafe code.
const (
	Shell    = "shell"    // commands that destroy, fetch and run, or open a way in
	SQL      = "sql"      // statements that drop, grant or break out of a query
	Script   = "script"   // code for browsers
	Template = "template" // expressions of template engines
	ANSI     = "ansi"     // terminal controls in the escapes of a programming language
	Formula  = "formula"  // formulas at the beginning of a cell
	Path     = "path"     // ways out of a directory
)

// Classes are the classes of unsafe code that Policy.Code may name.
func Classes() []string {
	return []string{Shell, SQL, Script, Template, ANSI, Formula, Path}
}

// A Policy says what an output may carry. Its zero value allows no link, no image
// and no HTML, and looks for no code and no words.
type Policy struct {
	// Links is the allow-list of links. An entry is a host ("example.com"), a host
	// and all below it (".example.com"), or one of them with a scheme and a path
	// ("https://example.com/docs/"); a path allows what begins with it, in whole
	// segments. Without a scheme, http and https are meant. Relative links are
	// always allowed: they lead to where the reader already is.
	Links []string
	// Images is the allow-list of images and of whatever else is fetched without a
	// click. Links says nothing about it.
	Images []string
	// Data bounds what a link to an allowed host may carry.
	Data Limits
	// HTML allows the elements that only set text, with the attributes that only
	// describe it. What runs or loads stays a finding.
	HTML bool
	// Code are the classes of unsafe code to look for.
	Code []string
	// Words are an organisation's lists.
	Words []WordList
	// Off are families of rules that are not looked for: link, image, html, text,
	// leak, copy, word.
	Off []string
	// Protected is what must not appear. See Rules.Protect.
	Protected Protected
}

// Limits bound the part of a link that its author chooses freely.
type Limits struct {
	Query int // bytes of query and fragment; 0 means 200
	Path  int // bytes of path; 0 means 300
	Run   int // characters in a row, without a separator, that are no word; 0 means 40
}

// A WordList is a named list of words and phrases.
type WordList struct {
	// Name is part of the rule's name: lower case letters, digits and dashes.
	Name string
	// Words are words or phrases, at most 16 words each. They are compared folded
	// (case, accents, look-alikes) and whole; between the words of a phrase may
	// stand anything but letters and digits.
	Words []string
}

// Protected is what must not appear in an output.
type Protected struct {
	// Canaries are random tokens of at least 8 letters and digits. They are looked
	// for in every reading, however they are split or encoded.
	Canaries []string
	// Prompts are texts of which no passage may be repeated. A text of less than
	// eight words is no secret and is ignored.
	Prompts []string
	// Confidential are labelled inputs.
	Confidential []Source
}

// A Source is an input from which nothing may be copied.
type Source struct {
	Name string // its name or path, for findings
	Text string
}

func (p *Policy) validate() error {
	for _, c := range p.Code {
		if !slices.Contains(Classes(), c) {
			return fmt.Errorf("code: %q is no class of unsafe code; the classes are %v", c, Classes())
		}
	}
	for _, f := range p.Off {
		if !slices.Contains(families(), f) {
			return fmt.Errorf("off: %q is no family of rules that can be off; these can: %v", f, families())
		}
	}
	for _, n := range []struct {
		field string
		value int
	}{{"query", p.Data.Query}, {"path", p.Data.Path}, {"run", p.Data.Run}} {
		if n.value < 0 {
			return fmt.Errorf("data: %s is negative", n.field)
		}
	}
	return nil
}

func families() []string {
	return []string{"link", "image", "html", "text", "leak", "copy", "word"}
}
