package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// random is a generator that depends on nothing but its name.
func random(name string, n int) *rand.Rand {
	seed := uint64(14695981039346656037)
	for i := range len(name) {
		seed = (seed ^ uint64(name[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // repeatable, nothing secret
}

// Kinds that are encoded and put into documents: those that say themselves that
// they are attacks.
var explicit = map[string]bool{"direct": true, "leak": true, "indirect": true, "exfil": true, "jailbreak": true}

const (
	maxEncoded  = 600 // longest attack that is encoded or inserted, in bytes
	minDocument = 400
	maxDocument = 10000
)

// derive makes encodings of attacks and of harmless texts, and attacks that
// stand in documents. The parts of a derived text are of one fold, and so is it.
func derive(texts []*Text) []*Text {
	var out []*Text
	for f := range folds {
		var attacks, benign, documents []*Text
		for _, t := range texts {
			switch {
			case t.fold != f:
			case t.attack():
				if explicit[t.Kind] && len(t.Text) <= maxEncoded && len(t.Span) == 0 {
					attacks = append(attacks, t)
				}
			default:
				if len(t.Text) <= maxEncoded && workflow[t.Kind] {
					benign = append(benign, t)
				}
				if isDocument(t) {
					documents = append(documents, t)
				}
			}
		}
		out = append(out, encodeSome(f, attacks, 160)...)
		out = append(out, encodeSome(f, benign, 80)...)
		out = append(out, insertSome(f, attacks, documents, 200)...)
	}
	return out
}

func isDocument(t *Text) bool {
	if len(t.Text) < minDocument || len(t.Text) > maxDocument {
		return false
	}
	switch t.Kind {
	case "document", "email", "llm-docs", "long-document", "code", "support":
		return true
	}
	return false
}

// encodeSome encodes some of the texts, each encoder in turn.
func encodeSome(f int, texts []*Text, limit int) []*Text {
	if len(texts) == 0 {
		return nil
	}
	r := random("encode", f*1000+limit)
	order := pick(r, texts, limit)
	out := make([]*Text, 0, len(order))
	for i, t := range order {
		e := encoders[i%len(encoders)]
		d := *t
		d.ID = fmt.Sprintf("%s %s", t.ID, e.name)
		d.Text, d.Variant, d.derived = e.make(r, t.Text), e.name, true
		if d.Kind = "encoded"; t.attack() {
			d.Kind = "obfuscation"
		}
		out = append(out, &d)
	}
	return out
}

// pick takes at most limit of the texts, third-party ones first, so that the
// evaluation has rows of every source.
func pick(r *rand.Rand, texts []*Text, limit int) []*Text {
	order := make([]*Text, len(texts))
	for i, k := range r.Perm(len(texts)) {
		order[i] = texts[k]
	}
	var out []*Text
	for _, want := range []bool{false, true} {
		n := 0
		for _, t := range order {
			if t.own() == want && n < limit/2 {
				out = append(out, t)
				n++
			}
		}
	}
	return out
}

// insertSome puts attacks into documents, between two lines or sentences.
func insertSome(f int, attacks, documents []*Text, limit int) []*Text {
	if len(attacks) == 0 || len(documents) == 0 {
		return nil
	}
	r := random("insert", f)
	var out []*Text
	for _, a := range pick(r, attacks, limit) {
		d := documents[r.IntN(len(documents))]
		t := *a
		t.ID, t.Kind, t.Channel, t.derived = a.ID+" in "+d.ID, "indirect-override", "document", true
		t.Text, t.Span = insert(r, d.Text, a.Text)
		out = append(out, &t)
	}
	return out
}

// insert returns the document with the attack in it and where it stands, in
// characters.
func insert(r *rand.Rand, document, attack string) (string, []int) {
	var places []int
	for i := range len(document) - 1 {
		if document[i] == '\n' || document[i] == ' ' && i > 0 && strings.IndexByte(".!?", document[i-1]) >= 0 {
			places = append(places, i+1)
		}
	}
	at := len(document)
	if len(places) > 0 && r.IntN(6) > 0 {
		at = places[r.IntN(len(places))]
	}
	before, after := "\n", "\n"
	if r.IntN(2) == 0 {
		before, after = " ", " "
	}
	lo := utf8.RuneCountInString(document[:at]) + 1
	return document[:at] + before + attack + after + document[at:], []int{lo, lo + utf8.RuneCountInString(attack)}
}
