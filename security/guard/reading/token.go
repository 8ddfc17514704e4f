package reading

import "bytes"

// maxTokens bounds Signs.Tokens.
const maxTokens = 64

// control finds the control marks of chat formats in a reading.
func (s *Scanner) control(r *Reading) {
	b := r.Text
	for i := 0; i < len(b) && len(s.tokens) < maxTokens; {
		k := bytes.IndexAny(b[i:], "<[#")
		if k < 0 {
			break
		}
		i += k
		if kind, n := token(b[i:]); n > 0 {
			lo, hi := r.Span(i, i+n)
			if kind == "control" || b[i] != '#' || i == 0 || b[i-1] == '\n' {
				s.tokens = append(s.tokens, Token{Kind: kind, Start: lo, End: hi, Reading: r.Name})
			}
			i += n
			continue
		}
		i++
	}
}

// controlMarks are marks that tokenizers of models map to one token each.
var controlMarks = [...]string{
	"[inst]", "[/inst]", "<<sys>>", "<</sys>>", "<start_of_turn>", "<end_of_turn>", "[system_prompt]", "[/system_prompt]",
	"[available_tools]", "[/available_tools]", "[tool_calls]", "[tool_results]", "[/tool_results]", "<bos>", "<eos>", "<unk>",
	"<begin_of_text>", "<end_of_text>",
}

// roleMarks stand for a role in formats that have no tokens for it.
var roleMarks = [...]string{
	"### instruction", "### response", "### system", "### human", "### assistant", "### user", "### input",
	"<system>", "</system>", "<assistant>", "</assistant>", "<user>", "</user>", "<human>", "</human>",
	"<system_prompt>", "</system_prompt>", "<instructions>", "</instructions>", "<tool_response>", "</tool_response>",
	"<function_results>", "</function_results>", "[system](#", "[assistant](#", "[user](#", "[system]", "[/system]",
}

// token measures the mark at the beginning of b.
func token(b []byte) (kind string, n int) {
	if len(b) > 4 && b[0] == '<' && b[1] == '|' {
		return "control", barred(b)
	}
	for _, m := range controlMarks {
		if begins(b, m) {
			return "control", len(m)
		}
	}
	for _, m := range roleMarks {
		if begins(b, m) {
			return "role", len(m)
		}
	}
	return "", 0
}

func begins(b []byte, m string) bool {
	return len(b) >= len(m) && b[1] == m[1] && b[0] == m[0] && string(b[:len(m)]) == m
}

// barred measures "<|name|>".
func barred(b []byte) int {
	for i := 2; i < len(b) && i < 40; i++ {
		switch c := b[i]; {
		case c == '|' && i > 2 && i+1 < len(b) && b[i+1] == '>':
			return i + 2
		case c == '_' || c == '-' || c == ' ' || c >= 0x80 || wordOf[c]&(inLower|inDigit) != 0:
		default:
			return 0
		}
	}
	return 0
}
