package guard

import "strings"

// templates are the control marks of chat formats. No document needs them.
var templates = []string{
	"<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>",
	"<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "<|endofprompt|>", "<|end_of_turn|>",
	"[inst]", "[/inst]", "<<sys>>", "<</sys>>", "<start_of_turn>", "<end_of_turn>", "[system_prompt]",
}

// marks looks for what is not words: control marks, and images whose address
// has a place for data.
func (s *scan) marks(r *reading) {
	t := r.text
	for i := 0; i < len(t); {
		k := strings.IndexAny(t[i:], "<[")
		if k < 0 {
			break
		}
		i += k
		if m := template(t[i:]); m > 0 {
			s.mark(r, "template.control-token", whyTemplate, i, i+m)
			i += m
			continue
		}
		if n := image(t, i); n > 0 {
			s.mark(r, "exfil.image-with-data", whyExfil, i, i+n)
			i += n
			continue
		}
		i++
	}
}

func (s *scan) mark(r *reading, rule, why string, i, j int) {
	lo, hi := r.span(s.original, i, j)
	s.add(sight{rule: rule, kind: "injection", why: why, read: s.name(r, lo, hi, i, j), lo: lo, hi: hi})
}

func template(t string) int {
	for _, m := range templates {
		if len(t) >= len(m) && strings.EqualFold(t[:len(m)], m) {
			return len(m)
		}
	}
	return 0
}

// image measures a Markdown link or image whose query is a place to fill in:
// "![x](https://host/p?d={{data}})". A link with an ordinary query is not one.
func image(t string, i int) int {
	close := strings.Index(t[i:min(len(t), i+200)], "](")
	if close < 0 {
		return 0
	}
	start := i + close + 2
	rest := t[start:min(len(t), start+500)]
	end := strings.IndexAny(rest, ")\n")
	if end < 0 || !strings.HasPrefix(strings.ToLower(rest), "http") {
		return 0
	}
	_, query, ok := strings.Cut(rest[:end], "?")
	if !ok {
		return 0
	}
	for _, pair := range strings.Split(query, "&") {
		_, value, has := strings.Cut(pair, "=")
		if has && placeholder(value) {
			return start + end - i
		}
	}
	return 0
}

// placeholder reports whether a query value is to be filled in.
func placeholder(v string) bool {
	if v == "" {
		return true
	}
	if strings.ContainsAny(v, "{[<$") {
		return true
	}
	for _, c := range []byte(v) {
		if c != '_' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(v) >= 4
}
