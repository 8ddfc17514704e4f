package reading

import (
	"strings"
	"sync"
)

// telling are words that attacks can hardly do without. A text in which one of
// them is cut in two or misspelt is mended around it.
const telling = `ignore ignoring disregard override overrides overriding overlook forget bypass bypassing circumvent disobey violate
disable disabled deactivate without abandon cancel cancelled obey refuse refusing
instruction instructions directive directives directions command commands guideline guidelines guardrails policies policy regulations protocol
prompt prompts system message messages rules restrictions restriction restricted unrestricted limitation limitations constraints filter filters
previous previously preceding earlier before original initial everything anything whatever completely above
instead always important following exactly verbatim reveal reveals disclose display repeat answer respond response output translate summarize
secret secrets confidential hidden password passwords credential credentials sensitive private
unfiltered uncensored unlimited ethical unethical harmful illegal jailbreak pretend imagine forbidden safety
developer administrator configuration parameters assistant chatbot language execute transfer delete upload forward customer records
database request warnings training context content conversation identity character persona print write never nothing
words reply users approve document documents unlock remove enable server filters limits answers token tokens`

// namesakes are words of their own, in any language, that look like a slip in a
// telling one.
const namesakes = `administrador assistent assistente caracter caracters comando comandos commandes configuracion contains contexts contient
contraintes conversacion credencials credentiales databaser databaze developed developper directivas direktive direttive dokument
dokuments executa execute executie ejecute filer filler filtar filtres filtros fisier fitxer fitxers fuller fyller halden hadden imaging imitation
immagine importants inicial initiale inizial instruccion instruccions isolate langage limite limites margine original originale originals
originais oryginal orijinal parametres parametri parametros passord passwort passworts persone persoa precious massage privates protokol
refuser remover repete reponds responde respons retval reused reuses reusing requete rlimit ulimit safest semver serveur server servery
serwer servir sistem systeem trailing hadoop violante constrains commend commends principales repeal reheat`

const (
	leastTelling = 6 // letters of a word that one slip is seen in
	leastCut     = 5 // letters of a word that is seen in pieces
)

// tellingShapes are the telling words by their shapes; tellingEnds has a bit for
// each length of them, by first and last letter, and slipEnds for each length that
// they have after a slip.
var (
	tellingShapes = hung(512, leastCut, telling)

	tellingEnds, slipEnds = func() (cut, slip [32 << 5]uint32) {
		for w := range eachWord(telling) {
			n, last := len(w), uint(w[len(w)-1]&31)
			if n >= leastCut {
				cut[uint(w[0]&31)<<5|last] |= 1 << n
			}
			for v := range variants(w) {
				slip[uint(v[0]&31)<<5|last] |= 7 << (len(v) - 1)
			}
			if n >= leastTelling {
				slip[uint(w[1]&31)<<5|last] |= 1 << n // its first two letters the other way round
			}
		}
		return cut, slip
	}()

	tellingStarts = func() (t [32 << 5]uint32) { // by the first two letters, which may be one, or be shaken
		for w := range eachWord(telling) {
			if n, first := len(w), uint(w[0]&31)<<5; n >= leastCut {
				t[first] |= 1 << n
				t[first|uint(w[1]&31)] |= 1 << n
				t[first|uint(w[2]&31)] |= 1 << n
			}
		}
		return t
	}()

	canonEnds = func() (t [32][32]uint32) {
		for w := range eachWord(telling) {
			t[canonOf[w[0]]&31][canonOf[w[len(w)-1]]&31] |= 7 << (len(w) - 1)
		}
		return t
	}()

	tellingSlips = func() *slipTable {
		t := newSlipTable(1 << 13)
		for w := range eachWord(namesakes) {
			t.put(slipSum([]byte(w)), namesake)
		}
		for w := range eachWord(telling) {
			for v := range variants(w) {
				t.learn([]byte(v), tells)
			}
		}
		return t
	}()
)

// variants yields a word that is long enough for a slip to be seen in it, and
// what looks like it.
func variants(w string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if len(w) < leastTelling || len(w) >= longestKnown || !yield(w) {
			return
		}
		for _, r := range lookPairs {
			if v := strings.ReplaceAll(w, r[0], r[1]); v != w && len(v) <= longestKnown && !yield(v) {
				return
			}
		}
	}
}

// lookPairs are letters and what looks like them.
var lookPairs = [...][2]string{{"i", "l"}, {"l", "i"}, {"m", "rn"}, {"w", "vv"}}

// What tellingSlips says of a word.
const (
	tells = 1 + iota
	namesake
)

// slipped reports whether a word is a telling one with a slip.
func slipped(w []byte) bool {
	return !known.has(w) && slips(w)
}

// slips reports whether a word, known or not, is a telling one with a slip.
func slips(w []byte) bool {
	sum := slipSum(w)
	id := tellingSlips.get(sum)
	found := id == tells
	if id == 0 {
		eachSlip(w, sum, func(h uint64) bool {
			found = tellingSlips.get(h) == tells
			return !found
		})
	}
	return found
}

// canonOf maps letters, digits and signs that look alike to one of them.
var canonOf = func() (t [256]byte) {
	for c := range 256 {
		if l := letterOf[c]; l < noLetter {
			t[c] = 'a' + l
		} else if l := leetOf[c]; l != 0 {
			t[c] = l
		}
	}
	t['i'], t['I'], t['1'], t['|'], t['!'] = 'l', 'l', 'l', 'l', 'l'
	return t
}()

// canonical writes what w looks like to out, in which it has room: rn is m, vv
// is w.
func canonical(out, w []byte) []byte {
	out = out[:0]
	for _, c := range w {
		c = canonOf[c]
		if n := len(out); n > 0 && (c == 'n' && out[n-1] == 'r' || c == 'v' && out[n-1] == 'v') {
			out[n-1] = 'm'
			if c == 'v' {
				out[n-1] = 'w'
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

// disguised reports whether a word with digits is a telling one with its letters
// replaced by what looks like them, perhaps with a slip.
func disguised(w []byte) bool {
	l := canonOf[w[0]]
	last := canonOf[w[len(w)-1]]
	if n := len(w); l == 0 || last == 0 || canonEnds[l&31][last&31]>>n&1 == 0 {
		return false
	}
	var room [longestKnown]byte
	return slips(canonical(room[:], w))
}

// leetAlone reports whether a long word could be several in leetspeak: digits that
// stand for letters between letters of one case.
func leetAlone(w []byte, rest uint8) bool {
	if rest&inDigit == 0 || rest&(inBase|inHigh) != 0 || rest&inLower != 0 && rest&inUpper != 0 {
		return false
	}
	if w[1] == 'x' || w[1] == 'X' {
		return false
	}
	digits := 0
	for i, c := range w {
		if wordOf[c]&inDigit == 0 {
			continue
		}
		if c == '2' || c == '6' || c == '8' || c == '9' {
			return false
		}
		if i > 0 && wordOf[w[i-1]]&inDigit == 0 {
			digits++
		}
	}
	return digits >= 4
}

// A thesaurus finds the words of wordList by what is left of them after a
// mistake.
type thesaurus struct {
	words []string
	alike *vocabulary // by what they look like
	slips *slipTable  // by what they look like, with a slip
	shake *slipTable  // by what they look like, inner letters in any order
}

// mostSlipped is how many words are found in spite of a slip: those that are rare
// are more likely another slip.
const mostSlipped = 4500

// thesaurusOf is made when a text is mended for the first time: hardly any is.
var thesaurusOf = sync.OnceValue(func() *thesaurus {
	t := &thesaurus{alike: &vocabulary{}, slips: newSlipTable(1 << 16), shake: newSlipTable(1 << 14)}
	var room [longestKnown + 2]byte
	for w := range eachWord(wordList) {
		c := canonical(room[:], []byte(w))
		rank := len(t.words)
		t.words = append(t.words, w)
		t.alike.put(letterHash(letterSeed, c), rank)
		if len(c) < shortestShaken || len(c) > longestKnown {
			continue
		}
		t.shake.put(shape(c), uint16(rank+1)) //nolint:gosec // the words are few
		if rank < mostSlipped {
			t.slips.learn(c, uint16(rank+1)) //nolint:gosec // the words are few
		}
	}
	return t
})

// What mistakes cost, in quarters of a bit.
const (
	alikeCost = 12
	blankCost = 20 // one too many
	gluedCost = 24 // one too few
	slipCost  = 36
)

// A mender holds a row of letters that is mended, without its blanks.
type mender struct {
	letters []byte
	at      []int32  // where each stands, and where the row ends
	parted  []bool   // a blank stands before it
	costs   []int32  // of the letters before
	begins  []int32  // of the piece that ends before
	picks   []uint16 // the rank of the word that it stands for, plus one; 0 as it is
}

// reset empties a mender.
func (m *mender) reset() {
	m.letters, m.at, m.parted = m.letters[:0], m.at[:0], m.parted[:0]
}

// mend reads the parts of a text in which telling words are cut, run together or
// misspelt, as the likeliest row of words.
func (s *Scanner) mend(layer int, v *survey) {
	b := s.frames[layer].reading.Cased
	for _, part := range v.hinted.list() {
		lo, hi := lines(b, part, 6*block)
		for lo > 0 && wordByte(b[lo]) && wordByte(b[lo-1]) && part.lo-lo < 7*block {
			lo--
		}
		for hi < len(b) && wordByte(b[hi-1]) && wordByte(b[hi]) && hi-part.hi < 7*block {
			hi++
		}
		s.mendPart(layer, b, lo, hi)
		if s.stopped {
			return
		}
	}
}

// mendPart mends b[lo:hi], one row of letters and blanks after another.
func (s *Scanner) mendPart(layer int, b []byte, lo, hi int) {
	s.work += 2 * (hi - lo)
	if !english(b[lo:hi]) {
		return
	}
	s.work += 24 * (hi - lo)
	f := s.begin(layer)
	m := &s.mender
	all, right, changes := 0, 0, 0
	for i := lo; i < hi; {
		if !mends[b[i]] {
			f.copy(b[i:i+1], i)
			i++
			continue
		}
		i = m.take(b, i, hi)
		m.solve()
		a, r, c := m.write(f, b)
		all, right, changes = all+a, right+r, changes+c
	}
	if changes >= 1 && 4*right >= 3*all {
		s.offer(layer, "mended", language)
	}
}

// english reports whether a fair share of the words of a text are known ones: what
// is cut everywhere has fewer than what is not, and other languages have few.
func english(b []byte) bool {
	words, right := 0, 0
	for i := 0; i < len(b); {
		if !mends[b[i]] {
			i++
			continue
		}
		start, plain := i, true
		for i < len(b) && mends[b[i]] {
			plain = plain && letterOf[b[i]] < noLetter
			i++
		}
		if !plain {
			continue
		}
		words++
		if known.has(b[start:i]) {
			right++
		}
	}
	return 5*right >= words || words <= 3
}

// mends are what can stand for a letter.
var mends = func() (t [256]bool) {
	for c := range 256 {
		t[c] = letterOf[c] < noLetter || c >= '0' && c <= '9' && leetOf[c] != 0 || c == '@' || c == '$' || c == '|'
	}
	return t
}()

// longestRow is how many letters are mended together.
const longestRow = 1 << 10

// take reads the row of letters at i and returns where it ends: at whatever is
// neither a letter nor a blank.
func (m *mender) take(b []byte, i, hi int) int {
	m.reset()
	end, parted := i, false
	for i < hi && len(m.letters) < longestRow {
		switch c := b[i]; {
		case mends[c]:
			m.letters = append(m.letters, lowerOf[c])
			m.at = append(m.at, int32(i)) //nolint:gosec // a text is shorter
			m.parted = append(m.parted, parted)
			i++
			parted, end = false, i
			continue
		case c == ' ' || c == '\n' || i > 0 && i+1 < hi && mends[b[i-1]] && mends[b[i+1]] && c < 0x7F:
			i++
			parted = true
			continue
		}
		break
	}
	m.at = append(m.at, int32(end)) //nolint:gosec // a text is shorter
	return end
}

// solve finds the pieces of the row that cost least.
func (m *mender) solve() {
	n := len(m.letters)
	m.costs, m.begins, m.picks = m.costs[:0], m.begins[:0], m.picks[:0]
	for range n + 1 {
		m.costs, m.begins, m.picks = append(m.costs, 1<<30), append(m.begins, 0), append(m.picks, 0)
	}
	m.costs[0] = 0
	t := thesaurusOf()
	for i := range n {
		m.from(t, i)
	}
}

// from tries every piece that begins at i.
func (m *mender) from(t *thesaurus, i int) {
	n := len(m.letters)
	base := m.costs[i]
	whole := i == 0 || m.parted[i]
	if !whole {
		base += gluedCost
	}
	exact, like, liked := letterSeed, letterSeed, letterSeed // liked is like without the last letter
	last := byte(0)
	for k := i; k < n && k < i+longestKnown+2; k++ {
		c := m.letters[k]
		if k > i && m.parted[k] {
			base += blankCost
			if base > m.costs[i]+5*blankCost {
				return
			}
		}
		exact = letterStep(exact, c)
		switch l := canonOf[c]; {
		case l == 'n' && last == 'r':
			like, last = letterStep(liked, 'm'), 'm'
		case l == 'v' && last == 'v':
			like, last = letterStep(liked, 'w'), 'w'
		default:
			liked, last = like, l
			like = letterStep(like, l)
		}
		ends := k+1 == n || m.parted[k+1]
		if k > i || c == 'a' || c == 'i' {
			if rank := known.rank(exact); rank >= 0 {
				m.offer(i, k+1, base+wordCost[rank], rank+1)
				continue
			}
			if rank := t.alike.rank(like); rank >= 0 {
				m.offer(i, k+1, base+wordCost[rank]+alikeCost, rank+1)
				continue
			}
		}
		m.offer(i, k+1, base+strangeWord+strangeLetter*int32(k+1-i), 0) //nolint:gosec // a word is short
		if whole && ends && k+1-i >= shortestShaken {
			if rank := t.meant(m.letters[i : k+1]); rank >= 0 {
				m.offer(i, k+1, base+wordCost[rank]+slipCost, rank+1)
			}
		}
	}
}

func (m *mender) offer(i, k int, cost int32, pick int) {
	if cost < m.costs[k] {
		m.costs[k], m.begins[k], m.picks[k] = cost, int32(i), uint16(pick) //nolint:gosec // a row is short, the words are few
	}
}

// meant returns the rank of the word that w is with a slip or with its letters
// shaken, -1 if there is none.
func (t *thesaurus) meant(w []byte) int {
	var room [longestKnown + 4]byte
	w = canonical(room[:], w)
	if len(w) < shortestShaken || len(w) > longestKnown {
		return -1
	}
	sum := slipSum(w)
	id := t.slips.get(sum)
	if id == 0 {
		eachSlip(w, sum, func(h uint64) bool {
			id = t.slips.get(h)
			return id == 0
		})
	}
	if shaken := t.shake.get(shape(w)); shaken != 0 && (id == 0 || shaken < id) {
		id = shaken
	}
	return int(id) - 1
}

// write writes the words of a row. It counts its letters, those in words, and the
// pieces that are other than they were.
func (m *mender) write(f *frame, b []byte) (all, right, changes int) {
	n := len(m.letters)
	for k := n; k > 0; { // turn the chain around: begins now says where the piece ends
		i := int(m.begins[k])
		m.costs[i], m.parted[i] = int32(k), i == 0 || m.parted[i] //nolint:gosec // a row is short
		k = i
	}
	words := thesaurusOf().words
	for i := 0; i < n; {
		k := int(m.costs[i])
		pick := int(m.picks[k])
		lo, hi := int(m.at[i]), int(m.at[k-1])+1
		if i > 0 {
			f.emit(' ', int(m.at[i-1])+1, lo-int(m.at[i-1])-1)
		}
		all += k - i
		switch {
		case pick == 0:
			f.copy(b[lo:hi], lo)
		case same(b[lo:hi], words[pick-1]):
			f.copy(b[lo:hi], lo)
			right += k - i
			if !m.parted[i] {
				changes++
			}
		default:
			f.up.add(len(f.raw), lo, len(words[pick-1]), hi-lo, 1)
			f.raw = append(f.raw, words[pick-1]...)
			right += k - i
			changes++
		}
		i = k
	}
	return all, right, changes
}

// same reports whether b is a word, in either case.
func same(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if lowerOf[c] != word[i] {
			return false
		}
	}
	return true
}
