package detector

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/custodyhq/custody/security/guard/reading"
)

// A Pattern is a row of concepts with a few words between them: what an order to
// a model looks like in any language. A pattern found is a feature; training
// gives it its weight.
type Pattern struct {
	Family string // what it is an example of: override, leak
	Means  string // in words, made from the labels of its concepts

	slots   []slot
	between concepts // harmless if one of these stands inside
	before  concepts // or within three words before
	after   concepts // or within three words after
	across  bool     // may go over the end of a sentence
	certain bool     // stops a text by itself
	foreign bool     // only in what somebody else than the user wrote
	within  int      // more than 0: in any order within so many words
}

// A slot asks for a word of one of the concepts.
type slot struct {
	of    concepts
	gap   int  // words that may stand before it
	order bool // where an order may begin
	start bool // at the beginning of a sentence
	colon bool // before a colon
	end   bool // where an order may end
	name  bool // spoken to by it: before a comma, a dash or a colon
}

// concepts is a set of concepts.
type concepts [4]uint64

func (s *concepts) put(c uint8)      { s[c>>6] |= 1 << (c & 63) }
func (s *concepts) has(c uint8) bool { return s[c>>6]>>(c&63)&1 != 0 }

func (s *concepts) meets(t *concepts) bool {
	return s[0]&t[0]|s[1]&t[1]|s[2]&t[2]|s[3]&t[3] != 0
}

const (
	usualGap = 2
	maxGap   = 15
	// reach is how far a row goes, in words.
	reach = 60
	// around is how far before and after a row is looked.
	around = 3
	// maxMatches bounds the patterns found in a segment.
	maxMatches = 512
	// looseSlots is how many slots a pattern needs to be found loosely, looseReach
	// how far around the first one is looked at least.
	looseSlots = 3
	looseReach = 8

	// Rows is the size of the table of weights for patterns: one for each way in
	// which a pattern can be found.
	Rows        = int(ways) * maxPatterns
	maxPatterns = 768
)

// A way is how a pattern was found. Each is a feature of its own.
type way uint16

const (
	straight way = iota
	spoken       // quoted, or spoken about
	loose        // in another order, further apart, or over the end of a sentence
	ways
)

// leads may stand before the verb of an order; speaks tell that a sentence speaks
// about something; asides are verbs that one also asks about for oneself: "can I
// ignore the earlier rules?"
var (
	leads  = []string{"please", "must", "now", "you", "instead", "urgent", "only", "new", "stop", "condition", "model", "letter", "negation", "continue", "user"}
	speaks = []string{"reporting", "defence", "attacker"}
	asides = []string{"override", "forget", "discard", "disable", "stop"}
	// joins are "and", "then" in languages that put the verb last.
	joins = []string{"ve", "sonra", "ardından", "और", "फिर", "এবং", "اور", "و", "மற்றும்", "మరియు", "आणि", "그리고", "és"}
)

// learnPatterns reads patterns.txt, which says itself how a line looks.
func (l *Lexicon) learnPatterns(body string, ids map[string]uint8) error {
	for n, line := range strings.Split(body, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		p, err := l.parsePattern(line, ids)
		if err != nil {
			return fmt.Errorf("patterns.txt:%d: %w", n+1, err)
		}
		if len(l.Patterns) == maxPatterns {
			return fmt.Errorf("patterns.txt: more than %d patterns", maxPatterns)
		}
		l.Patterns = append(l.Patterns, p)
		l.families = append(l.families, l.familyOf(p.Family))
	}
	l.index()
	for _, word := range joins {
		for _, p := range l.splitter.split(reading.Fold(word)) {
			l.joins = append(l.joins, p.hash)
		}
	}
	var err error
	if l.lead, err = setOf(leads, ids); err != nil {
		return err
	}
	if l.speak, err = setOf(speaks, ids); err != nil {
		return err
	}
	l.aside, err = setOf(asides, ids)
	return err
}

// familyOf numbers the families in the order in which they come.
func (l *Lexicon) familyOf(name string) uint8 {
	var last uint8
	for i, f := range l.families {
		if l.Patterns[i].Family == name {
			return f
		}
		last = max(last, f)
	}
	return last + 1
}

func (l *Lexicon) parsePattern(line string, ids map[string]uint8) (Pattern, error) {
	family, rest, ok := strings.Cut(line, ":")
	if !ok {
		return Pattern{}, errors.New("want family: row")
	}
	p := Pattern{Family: strings.TrimSpace(family)}
	row, unless, _ := strings.Cut(rest, ";")
	if err := p.parseRow(strings.Fields(row), ids); err != nil {
		return p, err
	}
	for _, f := range strings.Fields(unless) {
		if err := p.parseUnless(f, ids); err != nil {
			return p, err
		}
	}
	p.Means = p.Family + ": " + l.say(p.slots)
	return p, nil
}

// parseRow reads "slot ~gap slot" or "within N slot & slot".
func (p *Pattern) parseRow(fields []string, ids map[string]uint8) error {
	var err error
	if len(fields) > 1 && fields[0] == "within" {
		if p.within, err = strconv.Atoi(fields[1]); err != nil {
			return fmt.Errorf("within: %w", err)
		}
		fields = fields[2:]
	}
	gap, total := 0, 0
	for _, f := range fields {
		if n, ok := strings.CutPrefix(f, "~"); ok {
			if gap, err = strconv.Atoi(n); err != nil {
				return fmt.Errorf("gap: %w", err)
			}
			if gap > maxGap {
				return fmt.Errorf("a gap of more than %d words", maxGap)
			}
			continue
		}
		if f == "&" {
			continue
		}
		s, err := parseSlot(f, ids)
		if err != nil {
			return err
		}
		s.gap = gap
		total += gap + 1
		p.slots = append(p.slots, s)
		gap = usualGap
	}
	if len(p.slots) == 0 || total > reach || p.within > maxGap {
		return fmt.Errorf("a row has at least one slot and at most %d words", reach)
	}
	return nil
}

// parseSlot reads concepts divided by | with the signs ! ^ : $ , behind them.
func parseSlot(f string, ids map[string]uint8) (s slot, err error) {
	for len(f) > 0 && strings.IndexByte("!^:$,", f[len(f)-1]) >= 0 {
		switch f[len(f)-1] {
		case '!':
			s.order = true
		case '^':
			s.start = true
		case '$':
			s.end = true
		case ',':
			s.name = true
		default:
			s.colon = true
		}
		f = f[:len(f)-1]
	}
	s.of, err = setOf(strings.Split(f, "|"), ids)
	return s, err
}

// parseUnless reads "across=", "certain=", "foreign=" or a place and the concepts that make a row
// harmless there.
func (p *Pattern) parseUnless(f string, ids map[string]uint8) error {
	where, names, _ := strings.Cut(f, "=")
	switch where {
	case "across":
		p.across = true
		return nil
	case "certain":
		p.certain = true
		return nil
	case "foreign":
		p.foreign = true
		return nil
	}
	set, ok := map[string]*concepts{"between": &p.between, "before": &p.before, "after": &p.after}[where]
	if !ok {
		return fmt.Errorf("unknown place %q", where)
	}
	var err error
	*set, err = setOf(strings.Split(names, "|"), ids)
	return err
}

func setOf(names []string, ids map[string]uint8) (concepts, error) {
	var out concepts
	for _, name := range names {
		id, ok := ids[name]
		if !ok {
			return out, fmt.Errorf("%q is no concept", name)
		}
		out.put(id)
	}
	return out, nil
}

// say writes a row with the labels of its concepts.
func (l *Lexicon) say(slots []slot) string {
	words := make([]string, len(slots))
	for i, s := range slots {
		var labels []string
		for c := range l.Concepts {
			if s.of.has(uint8(c)) { //nolint:gosec // a concept
				labels = append(labels, l.Concepts[c].Label)
			}
		}
		words[i] = strings.Join(labels[:min(3, len(labels))], "/")
	}
	return strings.Join(words, " … ")
}

// A match is a pattern found between two tokens.
type match struct {
	pattern     uint16
	loose       bool
	first, last int32
}

// A mark is a token with a concept. Its place is its number among the tokens, where
// a phrase counts as one.
type mark struct{ token, place int32 }

// match finds the patterns of the segment. The work for a word is bounded by the
// number of patterns that begin with its concept and by reach.
func (e *Extractor) match() {
	e.found = e.found[:0]
	l := e.cutter.lexicon
	e.mark()
	for k, m := range e.marked {
		f := &l.fans[e.concept(m)]
		if f.words == 0 {
			continue
		}
		for w, going := range e.open(f, k)[:f.words] {
			for ; going != 0; going &= going - 1 {
				e.try(f.patterns[w<<6+bits.TrailingZeros64(going)], k)
			}
		}
	}
	slices.SortStableFunc(e.found, func(a, b match) int { return int(a.last - b.last) })
}

// mark lists the tokens with a concept.
func (e *Extractor) mark() {
	e.marked, e.present = e.marked[:0], concepts{}
	place := int32(0)
	for i := range e.cutter.tokens {
		t := &e.cutter.tokens[i]
		if t.concept != 0 {
			e.marked = append(e.marked, mark{int32(i), place}) //nolint:gosec // a segment is short
			e.present.put(t.concept)
		} else if t.flags&known != 0 {
			continue // the rest of a phrase
		}
		place++
	}
}

func (e *Extractor) concept(m mark) uint8 { return e.cutter.tokens[m.token].concept }

// try looks for a pattern that begins with mark k.
func (e *Extractor) try(n uint16, k int) {
	p, i := &e.cutter.lexicon.Patterns[n], int(e.marked[k].token)
	if p.foreign && !e.Foreign || !e.able(p) || !e.fits(&p.slots[0], i) {
		return
	}
	last := e.find(p, k)
	m := match{pattern: n, loose: last < 0}
	if m.loose && len(p.slots) >= looseSlots {
		last = e.near(p, k, p.about(), 1)
	}
	if last < 0 || e.harmless(p, i, last) || len(e.found) == maxMatches {
		return
	}
	m.first, m.last = int32(i), int32(last) //nolint:gosec // a segment is short
	if !m.loose || !e.spoken(m) {
		e.found = append(e.found, m)
	}
}

// find returns the last token of a pattern that begins with mark k, -1 for none.
func (e *Extractor) find(p *Pattern, k int) int {
	if p.within > 0 {
		return e.near(p, k, int32(p.within), 0) //nolint:gosec // at most maxGap
	}
	return e.row(p, k)
}

// able tells whether there is a word for every slot of a row at all. The fan has
// seen to the second one.
func (e *Extractor) able(p *Pattern) bool {
	for n := 2; n < len(p.slots); n++ {
		if !p.slots[n].of.meets(&e.present) {
			return false
		}
	}
	return true
}

func (e *Extractor) fits(s *slot, i int) bool {
	t := &e.cutter.tokens[i]
	return t.concept != 0 && s.of.has(t.concept) &&
		(!s.start || t.flags&sentenceStart != 0) &&
		(!s.colon || t.flags&colon != 0) &&
		(!s.order || e.ordered(i)) &&
		(!s.end || e.closing(i)) &&
		(!s.name || e.called(i))
}

// ordered tells whether an order may begin at token i: at the beginning of a
// sentence or a clause, or after words that lead to one.
func (e *Extractor) ordered(i int) bool {
	tokens := e.cutter.tokens
	if e.cutter.lexicon.aside.has(tokens[i].concept) && e.first(i-1) {
		return false
	}
	for k := i; k > i-6; k-- {
		if k == 0 || tokens[k].flags&(sentenceStart|clauseStart) != 0 {
			return true
		}
		before := &tokens[k-1]
		if short := before.concept == 0 && before.hi-before.lo <= 5; !short && !e.cutter.lexicon.lead.has(before.concept) {
			return false
		}
	}
	return false
}

// first tells whether token i is "I" within a sentence. Some languages write "and"
// like that, in small letters, and English at the beginning what may be a command
// too: "I override".
func (e *Extractor) first(i int) bool {
	if i < 0 || e.upper == nil {
		return false
	}
	t := &e.cutter.tokens[i]
	return t.hi-t.lo == 1 && e.cutter.text[t.lo] == 'i' && t.flags&sentenceStart == 0 && e.upper(e.base+int(t.lo))
}

// closing tells whether an order may end with token i, as it does where the verb
// stands last: before the end of a sentence or a clause, before an "and", or
// before please and the like.
func (e *Extractor) closing(i int) bool {
	tokens := e.cutter.tokens
	k := i + 1
	for k < len(tokens) && tokens[k].concept == 0 && tokens[k].flags&known != 0 {
		k++ // the rest of a phrase
	}
	for end := k + around; k < end; k++ {
		if k >= len(tokens) || tokens[k].flags&(sentenceStart|clauseStart) != 0 || slices.Contains(e.cutter.lexicon.joins, tokens[k].hash) {
			return true
		}
		if !e.cutter.lexicon.lead.has(tokens[k].concept) {
			return false
		}
	}
	return false
}

// called tells whether somebody is spoken to by the name that begins with token
// i: a comma, a dash or a colon stands behind it.
func (e *Extractor) called(i int) bool {
	tokens := e.cutter.tokens
	for i+1 < len(tokens) && tokens[i+1].concept == 0 && tokens[i+1].flags&known != 0 {
		i++ // the rest of a phrase
	}
	if tokens[i].flags&colon != 0 {
		return true
	}
	// What a hyphen joins is one word.
	return i+1 < len(tokens) && tokens[i+1].flags&(clauseStart|sentenceStart) == clauseStart && tokens[i+1].lo > tokens[i].hi+1
}

// row follows a row from mark k and returns its last token, -1 for none. What
// it may have reached after each slot is a set of bits, so that no text makes it
// try the same twice.
func (e *Extractor) row(p *Pattern, k int) int {
	tokens, from := e.cutter.tokens, e.marked[k]
	reached, sentence, last := uint64(1), tokens[from.token].line, -1
	for n := 1; n < len(p.slots); n++ {
		s := &p.slots[n]
		if p.slots[n-1].colon || p.slots[n-1].name {
			sentence++ // a colon ends one
		}
		var next uint64
		lowest, highest := bits.TrailingZeros64(reached), 63-bits.LeadingZeros64(reached)
		for _, m := range e.marked[k+1:] {
			d := int(m.place - from.place)
			if d > highest+s.gap+1 || tokens[m.token].line > sentence && !p.across {
				break
			}
			window := uint64(1)<<d - 1 // everything before
			if d > s.gap+1 {
				window &^= uint64(1)<<(d-s.gap-1) - 1
			}
			if d <= lowest || reached&window == 0 || !e.fits(s, int(m.token)) {
				continue
			}
			if next == 0 {
				last = int(m.token)
			}
			next |= 1 << d
		}
		if reached = next; reached == 0 {
			return -1
		}
	}
	return max(last, int(from.token))
}

// near finds the other slots within some words and sentences around mark k and
// returns the last token, -1 if one is missing.
func (e *Extractor) near(p *Pattern, k int, within, sentences int32) int {
	last := int(e.marked[k].token)
	for n := 1; n < len(p.slots); n++ {
		found := e.nearest(&p.slots[n], k, within, sentences)
		if found < 0 {
			return -1
		}
		last = max(last, found)
	}
	return last
}

// about is how far around its first slot the others may lie where a pattern is
// found loosely.
func (p *Pattern) about() int32 {
	n := p.within
	for _, s := range p.slots[1:] {
		n += s.gap + 1
	}
	return int32(min(max(n, looseReach), farTier)) //nolint:gosec // small
}

// nearest is the token nearest to mark k that fits a slot, -1 if none does within
// so many words and no more than so many ends of sentences away.
func (e *Extractor) nearest(s *slot, k int, within, sentences int32) int {
	tokens, at := e.cutter.tokens, e.marked[k]
	found := -1
	for n := k - 1; n >= 0 && found < 0; n-- {
		m := e.marked[n]
		if at.place-m.place > within || tokens[at.token].line-tokens[m.token].line > sentences {
			break
		}
		if e.fits(s, int(m.token)) {
			found, within = int(m.token), at.place-m.place-1
		}
	}
	for _, m := range e.marked[k+1:] {
		if m.place-at.place > within || tokens[m.token].line-tokens[at.token].line > sentences {
			break
		}
		if e.fits(s, int(m.token)) {
			return int(m.token)
		}
	}
	return found
}

// harmless tells whether a word inside or beside a row makes it innocent: my
// instructions, the instructions of the contract.
func (e *Extractor) harmless(p *Pattern, first, last int) bool {
	return e.any(&p.between, first+1, last, first) || e.any(&p.before, first-around, first, first) || e.any(&p.after, last+1, last+1+around, last)
}

// any tells whether a token from lo to hi has one of the concepts, in the
// sentence of token of.
func (e *Extractor) any(set *concepts, lo, hi, of int) bool {
	if *set == (concepts{}) {
		return false
	}
	tokens := e.cutter.tokens
	for k := max(0, lo); k < min(hi, len(tokens)); k++ {
		if tokens[k].concept != 0 && tokens[k].line == tokens[of].line && set.has(tokens[k].concept) {
			return true
		}
	}
	return false
}

// spoken tells whether a match is quoted, or in a sentence that speaks about
// something.
func (e *Extractor) spoken(m match) bool {
	tokens := e.cutter.tokens
	if tokens[m.first].flags&tokens[m.last].flags&quoted != 0 {
		return true
	}
	return e.any(&e.cutter.lexicon.speak, int(m.first)-8, int(m.first), int(m.first))
}

// Certain finds the first pattern of the segment that stops a text by itself, and
// where in the reading it stands.
func (e *Extractor) Certain() (lo, hi int, ok bool) {
	for _, m := range e.found {
		if e.cutter.lexicon.Patterns[m.pattern].certain && !m.loose && !e.spoken(m) {
			return e.base + int(e.cutter.tokens[m.first].lo), e.base + int(e.cutter.tokens[m.last].hi), true
		}
	}
	return 0, 0, false
}

// weightOf is the row of the table of weights that a match stands for.
func (e *Extractor) weightOf(m match) uint16 {
	w := straight
	switch {
	case m.loose:
		w = loose
	case e.spoken(m):
		w = spoken
	}
	return m.pattern*uint16(ways) + uint16(w)
}

// Loose tells whether a row of the table of weights is of a pattern found loosely.
func Loose(row int) bool { return way(row)%ways == loose } //nolint:gosec // less than Rows

// patternOf is the pattern of a row of the table of weights.
func patternOf(row uint16) uint16 { return row / uint16(ways) }

// Strongest keeps of each family of patterns the row with the largest weight and
// appends it to out: patterns of a family are ways to see the same thing, and
// five of them in one sentence are not five things.
func Strongest[T cmp.Ordered](l *Lexicon, rows []uint16, weights []T, out []uint16) []uint16 {
	from := len(out)
next:
	for _, x := range rows {
		for k, y := range out[from:] {
			if l.families[patternOf(x)] != l.families[patternOf(y)] {
				continue
			}
			if weights[x] > weights[y] || weights[x] == weights[y] && x < y {
				out[from+k] = x
			}
			continue next
		}
		out = append(out, x)
	}
	return out
}
