package egress

import (
	"fmt"
	"strings"
)

// maxPhrase is the number of words of a phrase.
const maxPhrase = 16

// phrases are the words of all lists, by the hash of their first word.
type phrases struct {
	first map[uint64][]phrase
}

// A phrase is an entry of a list.
type phrase struct {
	words []token
	rule  string
	why   string
}

// lists reads word lists: nil if there are none.
func lists(all []WordList) (*phrases, error) {
	if len(all) == 0 {
		return nil, nil
	}
	p := &phrases{first: map[uint64][]phrase{}}
	for i, l := range all {
		if l.Name == "" || strings.Trim(l.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return nil, fmt.Errorf("list %d: the name %q is not made of lower case letters, digits and dashes", i+1, l.Name)
		}
		for n, w := range l.Words {
			words := wordsOf(w)
			if len(words) == 0 || len(words) > maxPhrase {
				return nil, fmt.Errorf("list %s: entry %d has %d words of letters or digits; it must have 1 to %d", l.Name, n+1, len(words), maxPhrase)
			}
			p.first[words[0].hash] = append(p.first[words[0].hash], phrase{
				words: words, rule: "word." + l.Name, why: "The output contains a word or phrase of the list " + l.Name + ".",
			})
		}
	}
	return p, nil
}

// listed looks for the words of the lists among those of a reading.
func (s *search) listed() {
	for i, w := range s.tokens {
		for _, p := range s.words.first[w.hash] {
			if !same(p.words, s.tokens[i:]) {
				continue
			}
			s.inReading(p.rule, int(w.lo), int(s.tokens[i+len(p.words)-1].hi), p.why, "[removed]")
		}
	}
}

func same(a, b []token) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if a[i].hash != b[i].hash {
			return false
		}
	}
	return true
}
