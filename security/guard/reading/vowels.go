package reading

import "bytes"

// A skeleton of a word is its letters without vowels; only a vowel that begins it
// counts.

// skeletons are the words of wordList by their skeletons; the hashes of later
// words of one skeleton have the number of earlier ones mixed in.
var skeletons = func() gallery {
	t := make(gallery, 1<<14)
	for w := range eachWord(wordList) {
		if len(w) < 3 {
			continue
		}
		h, n := skeleton([]byte(w))
		if n == 0 || n == len(w) {
			continue
		}
		for k := range sameSkeleton {
			if t.hang(h+uint64(k)*letterWeights[7], w) {
				break
			}
		}
	}
	return t
}()

// sameSkeleton is how many words of one skeleton are kept.
const sameSkeleton = 6

// veilOf are signs that stand for letters that were left out.
var veilOf = [256]bool{'*': true, '_': true, '#': true, '@': true, '%': true, '.': true, '?': true, '-': true, '~': true, '^': true, '$': true, '+': true}

// starOf is veilOf where other signs are no sign of anything.
var starOf = [256]bool{'*': true}

// skeleton hashes the consonants of a word and counts them. A sign stands for a
// letter that was left out.
func skeleton(w []byte) (h uint64, n int) {
	h = letterSeed
	for _, c := range w {
		c = lowerOf[c]
		if veilOf[c] || c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' {
			continue
		}
		h = letterStep(h, c)
		n++
	}
	return h ^ h>>29, n
}

// vowels puts back what was left out of words: "gnr prvs nstrctns", "ign*re".
func (s *Scanner) vowels(layer int, v *survey) {
	b := s.frames[layer].reading.Cased
	s.work += 4 * len(b)
	f := s.begin(layer)
	filled, row, longest := 0, 0, 0
	veil := &starOf
	if v.veils >= 8 {
		veil = &veilOf
	}
	from := 0
	for i := 0; i < len(b); {
		if wordOf[b[i]]&(inLower|inUpper) == 0 && !veil[b[i]] {
			i++
			continue
		}
		end, letters := i, 0
		for end < len(b) && (wordOf[b[end]]&(inLower|inUpper) != 0 || veil[b[end]]) {
			if !veil[b[end]] {
				letters++
			}
			end++
		}
		if end > i+2 && b[end-1] == '.' && (b[end-2] != '.' || veilOf[b[i]] || end == len(b)) && !(end < len(b) && dotted(b[i:end])) {
			end-- // of a sentence
		}
		if w := b[i:end]; letters > 0 && len(w) <= longestKnown {
			if whole := filledIn(w); whole != "" {
				f.copy(b[from:i], from)
				f.up.add(len(f.raw), i, len(whole), end-i, 1)
				f.raw = append(f.raw, whole...)
				from = end
				filled++
				row += 2
				longest = max(longest, row)
			} else if row > 0 {
				row--
			}
		}
		i = end
	}
	f.copy(b[from:], from)
	least := 6
	if v.bare < 8 && v.stars < 3 && v.words > 12 {
		least = 12 // signs in words are usual in programs
	}
	if longest >= least && filled >= 3 {
		s.offer(layer, "vowels", language)
	}
}

// dotted reports whether a dot stands for a letter before the last one.
func dotted(w []byte) bool { return bytes.IndexByte(w[:len(w)-1], '.') >= 0 }

// filledIn returns the most frequent word that could be meant, "" if none or if w
// is one.
func filledIn(w []byte) string {
	stars := 0
	for _, c := range w {
		if veilOf[c] {
			stars++
		}
	}
	h, n := skeleton(w)
	if stars == 0 && (n < len(w)-1 || known.has(w) || n < 2) || n < 1 {
		return ""
	}
	for k := range sameSkeleton {
		word := skeletons.find(h + uint64(k)*letterWeights[7])
		if word == "" {
			return ""
		}
		if stars > 0 && !matches(word, w) || stars == 0 && wordOf[w[0]]&inVowel != 0 && word[0] != lowerOf[w[0]] {
			continue
		}
		return word
	}
	return ""
}

// matches reports whether a word has the letters of w, and any at its stars.
func matches(word string, w []byte) bool {
	if len(word) != len(w) {
		return false
	}
	for i, c := range w {
		if !veilOf[c] && lowerOf[c] != word[i] || veilOf[c] && wordOf[word[i]]&inVowel == 0 && c != '*' {
			return false
		}
	}
	return true
}
