package reading

// dictionary are English words in which instructions to a model are written, and
// the small words between them. It is no detector: it only says where words end
// in a text without blanks, what a word was before its letters were shaken, and
// where pig latin put its beginning.
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

// known are the words of the dictionary.
var known = func() map[string]bool {
	t := map[string]bool{}
	for w := range eachWord {
		t[w] = true
	}
	return t
}()

// A shape is a word of the dictionary and what stays the same when its inner
// letters change places.
type wordShape struct {
	shape uint64
	word  string
}

// shapes is a table of the longer words with open addressing: looking up every
// longer word of a text must cost next to nothing.
var shapes = func() (t [2048]wordShape) {
	for w := range eachWord {
		if len(w) < shortestShaken {
			continue
		}
		h := shape([]byte(w))
		i := h % uint64(len(t))
		for t[i].word != "" {
			i = (i + 1) % uint64(len(t))
		}
		t[i] = wordShape{h, w}
	}
	return t
}()

// restored returns the word that w was before its inner letters changed places;
// "" if there is none, or if they did not.
func restored(w []byte) string {
	if len(w) < shortestShaken || len(w) > longestKnown {
		return ""
	}
	h := shape(w)
	for i := h % uint64(len(shapes)); shapes[i].word != ""; i = (i + 1) % uint64(len(shapes)) {
		if shapes[i].shape == h {
			if shapes[i].word == string(w) {
				return ""
			}
			return shapes[i].word
		}
	}
	return ""
}

// eachWord yields the words of the dictionary.
func eachWord(yield func(string) bool) {
	for start, i := 0, 0; i <= len(dictionary); i++ {
		if i == len(dictionary) || dictionary[i] == ' ' || dictionary[i] == '\n' {
			if i > start && !yield(dictionary[start:i]) {
				return
			}
			start = i + 1
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
	longestKnown   = 14
	shortestShaken = 6
)

// cut cuts a word without blanks into the fewest words of the dictionary that
// cover it. It writes to begins, for each place, where the word that ends there
// begins. A word that is known, or that would fall into splinters, is not cut:
// "documentation" is no document at i on.
func (s *Scanner) cut(w []byte) bool {
	s.begins, s.pieces = append(s.begins[:0], 0), append(s.pieces[:0], 0)
	last := 0
	for i := 1; i <= len(w); i++ {
		if i-last > longestKnown {
			return false
		}
		from, fewest := int32(-1), int32(1<<30)
		s.work += longestKnown
		for n := min(i, longestKnown); n > 0; n-- {
			if s.begins[i-n] >= 0 && s.pieces[i-n]+1 < fewest && (n > 1 || w[i-1] == 'a' || w[i-1] == 'i') && known[string(w[i-n:i])] {
				from, fewest, last = int32(i-n), s.pieces[i-n]+1, i
			}
		}
		s.begins, s.pieces = append(s.begins, from), append(s.pieces, fewest)
	}
	n := int(s.pieces[len(w)])
	return s.begins[len(w)] >= 0 && n >= 3 && 2*len(w) >= 7*n
}
