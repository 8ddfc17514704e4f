// Package lexicon_test checks the word lists of the prompt firewall as data.
package lexicon_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// An entry is one word, beginning or row of words of a concept.
type entry struct {
	file, concept, text string
	line                int
	quoted              bool
}

// core are the concepts without which an attack in a language goes unseen.
var core = strings.Fields(`override forget negation without obey remember instead new now become
	prior beginning all instructions rules prompt system-prompt system developer configuration task mode
	disclose show repeat say start-with transform encode verbatim only secret credential question condition
	model you your my user please must urgent
	persona unrestricted restriction ethics refuse caveat enable fiction reward threat emotion illegal weapon hacking
	send forward delete pay upload download execute grant change email link file account money attacker
	conversation data conceal inform access note-to-ai reading text this boundary request authority authorised
	rating candidate software contract office reporting support howto letter calendar`)

// heart is what every file must know: without it not even the plainest attack
// is seen.
var heart = strings.Fields(`override forget negation all prior new now instructions rules show repeat say secret
	question you please must persona restriction send text request`)

// leading are the languages that must know the core.
var leading = strings.Fields(`english german french spanish italian portuguese dutch polish russian turkish arabic
	hindi chinese japanese korean`)

func concepts(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for n, line := range lines(t, "concepts.txt") {
		fields := strings.Split(line, "|")
		if len(fields) != 3 {
			t.Fatalf("concepts.txt, declaration %d: %d fields and not name | meaning | label", n, len(fields))
		}
		name := strings.TrimSpace(fields[0])
		if names[name] {
			t.Errorf("concept %s is declared twice", name)
		}
		names[name] = true
		for _, f := range fields[1:] {
			if strings.TrimSpace(f) == "" {
				t.Errorf("concept %s has an empty meaning or label", name)
			}
		}
	}
	return names
}

// lines returns what stands in a file: an empty string for a comment, so that
// an index is a line's number less one.
func lines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(strings.NewReader(string(data))); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if strings.HasPrefix(line, "#") || line == "" {
			if file != "concepts.txt" {
				out = append(out, "")
			}
			continue
		}
		out = append(out, line)
	}
	return out
}

func entries(t *testing.T) []entry {
	t.Helper()
	files, err := filepath.Glob("*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for _, file := range files {
		if file == "concepts.txt" {
			continue
		}
		for n, line := range lines(t, file) {
			concept, rest, ok := strings.Cut(line, ":")
			if !ok {
				if line != "" {
					t.Errorf("%s:%d: no concept before a colon", file, n+1)
				}
				continue
			}
			for _, text := range split(rest) {
				word := strings.Trim(text, `"`)
				out = append(out, entry{strings.TrimSuffix(file, ".txt"), concept, word, n + 1, word != text})
			}
		}
	}
	return out
}

// split separates entries at blanks outside of quotation marks.
func split(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return unicode.IsSpace(r) && !quoted
	})
}

func TestEveryEntryIsWellFormed(t *testing.T) {
	t.Parallel()
	known := concepts(t)
	if len(known) > 200 {
		t.Errorf("%d concepts, and at most 200 are allowed", len(known))
	}
	for _, e := range entries(t) {
		if !known[e.concept] {
			t.Errorf("%s:%d: concept %q is not declared", e.file, e.line, e.concept)
		}
		if why := malformed(e); why != "" {
			t.Errorf("%s:%d: %q %s", e.file, e.line, e.text, why)
		}
	}
}

func malformed(e entry) string {
	stem, star := strings.CutSuffix(e.text, "*")
	switch {
	case stem == "":
		return "is empty"
	case stem != strings.ToLower(stem):
		return "is not in lower case"
	case strings.ContainsAny(stem, `*"|:;,()!?-_`):
		return "holds a mark that separates words or entries"
	case star && e.quoted:
		return "is a row of words and cannot be a beginning"
	case e.quoted && strings.Join(strings.Fields(stem), " ") != stem:
		return "has more than one blank in a row"
	case !e.quoted && strings.ContainsFunc(stem, unicode.IsSpace):
		return "has blanks without quotation marks"
	case star && utf8.RuneCountInString(stem) < shortest(stem):
		return "is too short for a beginning"
	}
	return ""
}

// shortest is the least length of a beginning: a Chinese character or a Korean
// syllable says as much as two letters.
func shortest(stem string) int {
	r, _ := utf8.DecodeRuneInString(stem)
	if unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) {
		return 2
	}
	return 4
}

// plain is an entry without the accents of the commonest Latin letters: entries
// that differ in nothing else are one entry to the detector.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if i := strings.IndexRune(accented, r); i >= 0 {
			return rune(unaccented[utf8.RuneCountInString(accented[:i])])
		}
		return r
	}, text)
}

const (
	accented   = "áàâäãåăąāạảấầẩậắặẵçćčďéèêëěęēẹẻẽếềểệễğíìîïīịỉĩñńňóòôöõőọỏốồổộỗớờởợơřśšşșťţțúùûüůűūụủũứừửữựưýỳỷỹźżž"
	unaccented = "aaaaaaaaaaaaaaaaaacccdeeeeeeeeeeeeeeegiiiiiiiinnnoooooooooooooooooorsssstttuuuuuuuuuuuuuuuuyyyyzzz"
)

// An explanation must name one concept for a word, whatever the language.
func TestAnEntryStandsForOneConcept(t *testing.T) {
	t.Parallel()
	first := map[string]entry{}
	inFile := map[string]entry{}
	for _, e := range entries(t) {
		if was, ok := inFile[e.file+"\n"+plain(e.text)]; ok {
			t.Errorf("%s:%d: %q stands on line %d too", e.file, e.line, e.text, was.line)
		}
		inFile[e.file+"\n"+plain(e.text)] = e
		if was, ok := first[plain(e.text)]; ok && was.concept != e.concept {
			t.Errorf("%s:%d: %q is %s here and %s in %s:%d", e.file, e.line, e.text, e.concept, was.concept, was.file, was.line)
		}
		first[plain(e.text)] = e
	}
}

func TestEnglishKnowsEveryConcept(t *testing.T) {
	t.Parallel()
	count := counts(t)
	for name := range concepts(t) {
		if count["english"][name] == 0 {
			t.Errorf("concept %s has no English entry", name)
		}
	}
}

func TestLeadingLanguagesKnowTheCore(t *testing.T) {
	t.Parallel()
	known, count := concepts(t), counts(t)
	for _, name := range core {
		if !known[name] {
			t.Errorf("core concept %s is not declared", name)
		}
		for _, language := range leading {
			if count[language][name] == 0 {
				t.Errorf("%s has no entry for %s", language, name)
			}
		}
	}
}

func TestEveryFileKnowsTheHeart(t *testing.T) {
	t.Parallel()
	for file, count := range counts(t) {
		for _, name := range heart {
			if count[name] == 0 {
				t.Errorf("%s.txt has no entry for %s", file, name)
			}
		}
	}
}

func counts(t *testing.T) map[string]map[string]int {
	t.Helper()
	out := map[string]map[string]int{}
	for _, e := range entries(t) {
		if out[e.file] == nil {
			out[e.file] = map[string]int{}
		}
		out[e.file][e.concept]++
	}
	return out
}
