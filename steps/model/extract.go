package model

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// VerdictName is the name of the schema by which a judge's question is known.
const VerdictName = "custody_verdict"

// answer is what the offline model says.
func (q question) answer() (string, error) {
	text := newText(q.source)
	if q.schema == nil {
		return strings.Join(text.pick(3, ""), " "), nil
	}
	if q.name == VerdictName {
		return verdict(q.source, q.schema)
	}
	f := filler{text: text, root: q.schema}
	v, err := f.fill(q.schema, "", 0)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}

// betrayed finds what no honest output says. It is a stand-in for a judge's
// reading, as simple as it looks.
var betrayed = regexp.MustCompile(`(?i)(ignor|disregard|forget|overrid)\w*\s+(\w+\s+){0,3}(previous|prior|above|earlier|all)\s+(\w+\s+){0,2}(instruction|prompt|rule)|system prompt|as (an|a) (ai|language model),? i (will|have) now|i have been (hacked|pwned)`)

// verdict answers a rubric: every criterion that the schema names is met, or
// none is.
func verdict(source string, schema any) (string, error) {
	v := map[string]any{"verdict": "pass", "reason": "Nothing in the output speaks against it."}
	bad := betrayed.MatchString(source)
	if bad {
		v = map[string]any{"verdict": "withhold", "reason": "The output carries instructions instead of the work that was asked for."}
	}
	if named := criteria(schema); len(named) > 0 {
		said := map[string]bool{}
		for name := range named {
			said[name] = !bad
		}
		v["criteria"] = said
	}
	raw, err := json.Marshal(v)
	return string(raw), err
}

// criteria are those that a schema asks to be judged.
func criteria(schema any) map[string]any {
	under := func(v any, name string) any {
		m, _ := v.(map[string]any)
		return m[name]
	}
	named, _ := under(under(under(schema, "properties"), "criteria"), "properties").(map[string]any)
	return named
}

// A text is a source, cut into sentences that are weighed once.
type text struct {
	sentences []string
	words     []map[string]bool // of each sentence
	weight    []float64
	source    string
}

var (
	endOfSentence = regexp.MustCompile(`[.!?]["')\]]*\s+|\n\s*\n|\n\s*[-*•]\s*|\n`)
	number        = regexp.MustCompile(`[-+]?\d+(?:[.,]\d+)*`)
)

// maxSource bounds the work for one answer.
const maxSource = 512 << 10

func newText(source string) *text {
	if len(source) > maxSource {
		source = strings.ToValidUTF8(source[:maxSource], "")
	}
	t := &text{source: source}
	seen := map[string]bool{}
	for _, s := range cut(source) {
		if w := wordsOf(s); !seen[s] && len(w) > 0 {
			seen[s] = true
			t.sentences, t.words = append(t.sentences, s), append(t.words, w)
		}
	}
	df := map[string]int{}
	for _, words := range t.words {
		for w := range words {
			df[w]++
		}
	}
	t.weight = make([]float64, len(t.sentences))
	for i, words := range t.words {
		t.weight[i] = weigh(words, df, i)
	}
	return t
}

// weigh prefers sentences whose words come up again, that are neither very
// short nor very long, hold a number, and stand early.
func weigh(words map[string]bool, df map[string]int, at int) float64 {
	sum := 0.0
	names := make([]string, 0, len(words))
	for w := range words {
		names = append(names, w)
	}
	slices.Sort(names) // adding floats in another order gives another sum
	for _, w := range names {
		if len(w) > 3 {
			sum += math.Log1p(float64(df[w]))
		}
		if w[0] >= '0' && w[0] <= '9' {
			sum++
		}
	}
	length := float64(len(words))
	return sum / math.Sqrt(length+4) * (1 + 1/float64(at+2))
}

func cut(source string) []string {
	var out []string
	from := 0
	add := func(s string) {
		if s = strings.Join(strings.Fields(s), " "); s != "" {
			out = append(out, s)
		}
	}
	for _, at := range endOfSentence.FindAllStringIndex(source, -1) {
		add(source[from:at[1]])
		from = at[1]
	}
	add(source[from:])
	return out
}

func wordsOf(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out[w] = true
	}
	return out
}

// rank orders the sentences by what they say about the hint, then by weight.
func (t *text) rank(hint string) []int {
	wanted := wordsOf(hint)
	score := make([]float64, len(t.sentences))
	order := make([]int, len(t.sentences))
	for i := range t.sentences {
		order[i], score[i] = i, t.weight[i]
		for w := range wanted {
			if len(w) > 2 && t.words[i][w] {
				score[i] += 100
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return a - b
	})
	return order
}

// pick returns the n best sentences in the order of the text.
func (t *text) pick(n int, hint string) []string {
	best := t.rank(hint)
	best = slices.Sorted(slices.Values(best[:min(n, len(best))]))
	out := make([]string, len(best))
	for i, at := range best {
		out[i] = t.sentences[at]
	}
	if len(out) == 0 {
		return []string{"There is nothing to read."}
	}
	return out
}

// A filler makes a value that fits a JSON Schema out of a text.
type filler struct {
	text *text
	root any
	used int // texts handed out, so that members do not all get the same
}

var errSchema = errors.New("a schema that the offline model cannot fill")

const maxFill = 16 // levels

func (f *filler) fill(schema any, hint string, depth int) (any, error) {
	if depth > maxFill {
		return nil, errSchema
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return "", nil
	}
	if ref, ok := s["$ref"].(string); ok {
		target, err := f.find(ref)
		if err != nil {
			return nil, err
		}
		return f.fill(target, hint, depth+1)
	}
	if v, ok := s["const"]; ok {
		return v, nil
	}
	if d, ok := s["description"].(string); ok {
		hint += " " + d
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		return f.choose(list), nil
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		if list, ok := s[union].([]any); ok && len(list) > 0 {
			return f.fill(list[0], hint, depth+1)
		}
	}
	return f.typed(s, hint, depth)
}

func (f *filler) typed(s map[string]any, hint string, depth int) (any, error) {
	switch typeOf(s) {
	case "object":
		return f.object(s, depth)
	case "array":
		return f.array(s, hint, depth)
	case "integer":
		return math.Round(f.number(s, hint)), nil
	case "number":
		return f.number(s, hint), nil
	case "boolean":
		return false, nil
	case "null":
		return nil, nil
	}
	return f.string(s, hint), nil
}

func typeOf(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		for _, e := range t {
			if name, ok := e.(string); ok && name != "null" {
				return name
			}
		}
	}
	if _, ok := s["properties"]; ok {
		return "object"
	}
	if _, ok := s["items"]; ok {
		return "array"
	}
	return "string"
}

func (f *filler) object(s map[string]any, depth int) (any, error) {
	props, _ := s["properties"].(map[string]any)
	names := make([]string, 0, len(props))
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	out := map[string]any{}
	for _, name := range names {
		v, err := f.fill(props[name], strings.NewReplacer("_", " ", "-", " ").Replace(name), depth+1)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// fiveItems is how many items there are where nobody says.
const fiveItems = 5

func (f *filler) array(s map[string]any, hint string, depth int) (any, error) {
	least, most := int(limit(s, "minItems", 0)), int(limit(s, "maxItems", fiveItems))
	most = max(min(most, 100), least)
	items, _ := s["items"].(map[string]any)
	if items == nil || typeOf(items) == "string" && items["enum"] == nil && items["$ref"] == nil && items["const"] == nil {
		picked := f.text.pick(max(min(most, fiveItems), least), hint)
		out := make([]any, 0, len(picked))
		for _, p := range picked {
			out = append(out, fit(p, items))
		}
		for len(out) < least && len(out) < 100 {
			out = append(out, fit(picked[len(out)%len(picked)], items))
		}
		return out, nil
	}
	out := []any{}
	for range max(least, min(most, 1)) {
		v, err := f.fill(items, hint, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// string is the best sentence for the hint that was not handed out before.
func (f *filler) string(s map[string]any, hint string) string {
	order := f.text.rank(hint)
	if len(order) == 0 {
		return fit("There is nothing to read.", s)
	}
	at := order[0]
	if !slices.ContainsFunc(wordList(hint), func(w string) bool { return f.text.words[at][w] }) {
		at = order[f.used%len(order)]
		f.used++
	}
	return fit(f.text.sentences[at], s)
}

func wordList(hint string) []string {
	var out []string
	for w := range wordsOf(hint) {
		if len(w) > 2 {
			out = append(out, w)
		}
	}
	return out
}

// fit shortens a text to maxLength, at a word where it can, and pads it to
// minLength. Lengths count characters, as JSON Schema does.
func fit(s string, schema map[string]any) string {
	most := int(limit(schema, "maxLength", 2000))
	if r := []rune(s); len(r) > most {
		s = string(r[:most])
		if at := strings.LastIndexByte(s, ' '); at > len(s)/2 {
			s = s[:at]
		}
	}
	least := min(int(limit(schema, "minLength", 0)), 10000)
	for n := len([]rune(s)); n < least; n++ {
		s += "."
	}
	return s
}

// choose is the value that the text names most often; the first if none is.
func (f *filler) choose(list []any) any {
	best, most := list[0], 0
	lower := strings.ToLower(f.text.source)
	for _, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			continue
		}
		if n := strings.Count(lower, strings.ToLower(s)); n > most {
			best, most = v, n
		}
	}
	return best
}

// number is the first number of the best sentence that holds one, brought
// between the schema's limits.
func (f *filler) number(s map[string]any, hint string) float64 {
	v := 0.0
	for _, at := range f.text.rank(hint) {
		if found := number.FindString(f.text.sentences[at]); found != "" {
			v, _ = strconv.ParseFloat(strings.ReplaceAll(found, ",", ""), 64)
			break
		}
	}
	v = math.Min(math.Max(v, limit(s, "minimum", -1e15)), limit(s, "maximum", 1e15))
	return v
}

func limit(s map[string]any, name string, otherwise float64) float64 {
	if v, ok := s[name].(float64); ok {
		return v
	}
	return otherwise
}

// find follows a reference within the schema, such as #/$defs/party.
func (f *filler) find(ref string) (any, error) {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, errSchema
	}
	at := f.root
	for name := range strings.SplitSeq(rest, "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil, errSchema
		}
		at = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	if at == nil {
		return nil, errSchema
	}
	return at, nil
}
