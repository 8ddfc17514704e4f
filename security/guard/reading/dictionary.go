package reading

import (
	_ "embed" // the words
	"math"
)

// dictionary are English words in which instructions to a model are written, and
// the small words between them. Every longer word of every text is compared with
// them, so they are few: they only say that something was done to the words of a
// text. What was done is undone with the vocabulary.
const dictionary = `a about above absolutely access according account act action actions activate address admin administrator
after again against agent ai all allow allowed also always am an and another answer any anything api appear approve are as ask asked
assistant at attach attachment authorized automatically away bank be because been before begin beginning behave below best between bomb bot
break build but by bypass call can cannot card change chat chatbot check clear code command commands complete completely comply
concealed conditions confidential configuration confirm constraints contact contacts content contents context continue conversation copy could create
credential credentials credit customer dan data database date decode delete deleted describe detail details developer did directive directives
directly disable disclose discard display disregard do document documents does done dont down download drop drug each email emails enable encode end enter erase
ethical ethics ever every everything evil execute exactly explain export external fact false file files filter filters
find first follow following for forget form former forward free from full function game get give given go god good grant guard guardrails guideline guidelines had
hack hacker has have he hello help her hereby hidden high him his history home how however human i id if ignore ignored ignoring illegal image important in include
including info inform information initial input inside instead instruct instructed instruction instructions internal into is it its
jailbreak just keep key keys kill know language last latest leak let letter like limit limitations limits link list load log login longer look made mail make
malware manager many may me member memory mention message messages method mode model money more most must my name need never new next no none normal not note
nothing notice now number obey of off on once one only open operator or order orders original other our out output over override overwrite own owner page
paragraph parameters part pass password passwords past pay payment people perform permission permissions persona person personal please policies policy possible prevent
previous previously print prior private privileged privileges proceed program prompt prompts protocol provide public purpose put question questions read ready
real recall receive record records refuse regardless release remember remove repeat replace reply report request requests reset respond response restricted restriction restrictions return
reveal rewrite role root rule rules run safe safety same save say screen script search secret secrets secure security see send sentence server set
share shell should show silent simulate skip so some start state statement stay step stop story submit such summary system
systems take task tasks tell tells test text than that the their them then there these they thing things think this those through time to today token
tokens told tool tools transfer translate true trust truth type uncensored under unfiltered unlock unrestricted until up upload url us use used user users using verbatim
very violence was we weapon web website well were what when where which while who why will with within without word words work would write written yes you your yourself`

// wordList holds English words, the most frequent first, counted in texts of our
// own. They are no detector: they say where words end in a text without blanks,
// and what a word was before its letters were shaken or left out.
//
//go:embed words.txt
var wordList string

// A vocabulary maps words to their ranks by open addressing. Only hashes are
// kept: a collision makes one word too many known.
type vocabulary struct {
	sieve [1 << 10]uint64 // one bit a word: most others end here
	keys  [1 << 14]uint32
	ranks [1 << 14]uint16
}

// known are the words of wordList.
var known = func() *vocabulary {
	v := &vocabulary{}
	rank := 0
	for w := range eachWord(wordList) {
		v.put(letterHash(letterSeed, []byte(w)), rank)
		rank++
	}
	return v
}()

const letterSeed = uint64(14695981039346656037) // FNV-1a

func letterStep(h uint64, c byte) uint64 { return (h ^ uint64(c)) * 1099511628211 }

// letterHash goes on with a hash over letters in either case.
func letterHash(h uint64, w []byte) uint64 {
	for _, c := range w {
		h = letterStep(h, lowerOf[c])
	}
	return h
}

// place spreads a hash: the bit of the sieve, the first slot, and what is kept.
func place(h uint64) (bit, slot, key uint32) {
	h = (h ^ h>>32) * 0x9E3779B97F4A7C15
	return uint32(h >> 48), uint32(h>>34) & (1<<14 - 1), uint32(h) | 1
}

func (v *vocabulary) put(h uint64, rank int) {
	bit, slot, key := place(h)
	v.sieve[bit>>6] |= 1 << (bit & 63)
	for v.keys[slot] != 0 {
		if v.keys[slot] == key {
			return
		}
		slot = (slot + 1) & (1<<14 - 1)
	}
	v.keys[slot], v.ranks[slot] = key, uint16(rank)
}

// rank returns how many words are more frequent than the one with a hash, -1 if
// it is no word.
func (v *vocabulary) rank(h uint64) int {
	bit, slot, key := place(h)
	if v.sieve[bit>>6]&(1<<(bit&63)) == 0 {
		return -1
	}
	for v.keys[slot] != 0 {
		if v.keys[slot] == key {
			return int(v.ranks[slot])
		}
		slot = (slot + 1) & (1<<14 - 1)
	}
	return -1
}

// has reports whether w, in either case, is a word. Of single letters, a and i
// are.
func (v *vocabulary) has(w []byte) bool {
	if len(w) > longestKnown {
		return false
	}
	return v.rank(letterHash(letterSeed, w)) >= 0
}

// A wordShape is a word and what stays the same when its inner letters change
// places.
type wordShape struct {
	shape uint64
	word  string
}

// A gallery is a table of longer words by their shape, with open addressing.
type gallery []wordShape

// hung makes a gallery of at least twice as many places as words. Of two words of
// one shape, the first stays.
func hung(size, shortest int, list string) gallery {
	t := make(gallery, size)
	for w := range eachWord(list) {
		if len(w) < shortest {
			continue
		}
		t.hang(shape([]byte(w)), w)
	}
	return t
}

// hang adds a word unless its shape is taken.
func (t gallery) hang(h uint64, w string) bool {
	i := h & uint64(len(t)-1)
	for t[i].word != "" {
		if t[i].shape == h {
			return false
		}
		i = (i + 1) & uint64(len(t)-1)
	}
	t[i] = wordShape{h, w}
	return true
}

// find returns the word of a shape, "" if there is none.
func (t gallery) find(h uint64) string {
	for i := h & uint64(len(t)-1); t[i].word != ""; i = (i + 1) & uint64(len(t)-1) {
		if t[i].shape == h {
			return t[i].word
		}
	}
	return ""
}

// shapes are the words that shaken ones are noticed by, allShapes those that
// they are put back with.
var (
	shapes    = hung(2048, leastShaken, dictionary)
	allShapes = hung(1<<14, shortestShaken, wordList)
)

// restored returns the word that w was before its inner letters changed places;
// "" if there is none, or if they did not.
func (t gallery) restored(w []byte) string {
	if len(w) < shortestShaken || len(w) > longestKnown {
		return ""
	}
	if word := t.find(shape(w)); word != string(w) {
		return word
	}
	return ""
}

// shapeEnds has a bit for each length of the words of shapes, by their first and
// last letter: most words need not be hashed.
var shapeEnds = func() (t [32][32]uint32) {
	for _, s := range shapes {
		if n := len(s.word); n > 0 {
			t[s.word[0]&31][s.word[n-1]&31] |= 1 << n
		}
	}
	return t
}()

// eachWord yields the words of a list.
func eachWord(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for start, i := 0, 0; i <= len(list); i++ {
			if i == len(list) || list[i] == ' ' || list[i] == '\n' {
				if i > start && !yield(list[start:i]) {
					return
				}
				start = i + 1
			}
		}
	}
}

// shape is the same for words of the same first, last and inner letters.
func shape(w []byte) uint64 {
	h := uint64(w[0])<<8 | uint64(w[len(w)-1]) + uint64(len(w))<<16
	for _, c := range w[1 : len(w)-1] {
		h += letterWeights[c&31]
	}
	return h
}

// letterWeights make sums of different letters different, in all likelihood.
var letterWeights = func() (t [32]uint64) {
	x := uint64(0x9E3779B97F4A7C15)
	for i := range t {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		t[i] = x
	}
	return t
}()

// Lengths of words. A short one can be another when it is shaken: cloud, could.
const (
	longestKnown   = 16
	leastShaken    = 5 // to be noticed
	shortestShaken = 4
)

// wordCost is how many quarters of a bit a word of a rank takes (Zipf's law), and
// what letters take that are no word.
var wordCost = func() (t [1 << 14]int32) {
	for rank := range t {
		t[rank] = int32(4 * math.Log2(12*float64(rank+4)))
	}
	return t
}()

const (
	strangeWord   = 4 * 9
	strangeLetter = 4 * 5
)

// cut cuts a word without blanks where English words end, so that its letters
// cost least. It writes to begins, for each place, where the piece that ends
// there begins. What is known, or stays strange for the most part, is not cut:
// "documentation" is no document at i on.
func (s *Scanner) cut(w []byte) bool {
	s.begins, s.costs = append(s.begins[:0], 0), append(s.costs[:0], 0)
	for i := 1; i <= len(w); i++ {
		s.begins, s.costs = append(s.begins, 0), append(s.costs, 1<<30)
	}
	s.work += longestKnown * len(w)
	for i := range len(w) {
		h, base := letterSeed, s.costs[i]
		for k := i; k < len(w) && k < i+longestKnown; k++ {
			c := lowerOf[w[k]]
			h = letterStep(h, c)
			cost := base + strangeWord + strangeLetter*int32(k+1-i)
			if k > i || c == 'a' || c == 'i' {
				if rank := known.rank(h); rank >= 0 {
					cost = base + wordCost[rank]
				}
			}
			if cost < s.costs[k+1] {
				s.costs[k+1], s.begins[k+1] = cost, int32(i)
			}
		}
	}
	return s.sensible(w)
}

// markCuts turns what cut wrote for a word of n letters into marks: begins is less
// than nothing where a piece of it ends.
func (s *Scanner) markCuts(n int) {
	for k := n; k > 0; {
		start := int(s.begins[k])
		s.begins[k] = -1
		k = start
	}
}

// sensible judges what cut found: at least three words, of letters most of which
// are in words.
func (s *Scanner) sensible(w []byte) bool {
	words, letters := 0, 0
	for k := len(w); k > 0; {
		start := int(s.begins[k])
		if n := k - start; known.has(w[start:k]) {
			words++
			letters += n
			if n == 1 {
				letters--
			}
		}
		k = start
	}
	return words >= 3 && 4*letters >= 3*len(w) && 2*letters >= 5*words
}

// putBack returns the word that w was before its inner letters changed places,
// unless it is a word as it is.
func putBack(w []byte) string {
	if known.has(w) {
		return ""
	}
	return allShapes.restored(w)
}
