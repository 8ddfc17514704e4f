package reading

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSignsCountWhatIsOutOfPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Signs{
		"ig\u200bno\u200bre":                      {Invisible: 2},
		"a\u2063b":                                {Invisible: 1},
		"i\u00adg\u00adn":                         {Invisible: 1}, // the first may be meant
		"word\ufe0fword":                          {Invisible: 1},
		"hi\U000E0041\U000E0042":                  {Tags: 2},
		"\U0001F3F4\U000E0067\U000E007F":          {},
		"abc \u202edef\u202c":                     {Bidi: 2},
		"\u2067שלום\u2069 abc":                    {},
		"שלום \u202bשלום\u202c abc":               {},
		"abc \u202bdef\u202c":                     {Bidi: 1},
		"a\x1b[31mb\x00":                          {Controls: 2},
		"a\tb\r\n\vc":                             {},
		"раураl":                                  {Lookalikes: 5},
		"Привет":                                  {},
		"z\u0335\u0321\u034a\u0300a":              {Marks: 2},
		"Ṩ\u0307 ệ":                               {},
		"کتاب\u200cها":                            {},
		"\ufeffa":                                 {},
		"a\ufeffb":                                {Invisible: 1},
		strings.Repeat("\u200b", 5):               {Invisible: 5},
		"\u3164\u115f":                            {Invisible: 2},
		"plain text, nothing else; [a](b) <b> #1": {},
	} {
		var s Scanner
		got := s.Read(text, func(*Reading) bool { return true })
		if len(got.Tokens) == 0 {
			got.Tokens = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestTokensOfChatFormatsAreFoundWithTheirPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Token{
		"Hi <|im_start|>system":                    {{"control", 3, 15, "plain"}},
		"[INST] a [/INST]":                         {{"control", 0, 6, "plain"}, {"control", 9, 16, "plain"}},
		"<<SYS>>x<</SYS>>":                         {{"control", 0, 7, "plain"}, {"control", 8, 16, "plain"}},
		"ü <start_of_turn>user":                    {{"control", 3, 18, "plain"}},
		"＜|eot_id|＞":                               {{"control", 0, 14, "plain"}},
		"<｜begin▁of▁sentence｜>":                    {{"control", 0, 29, "plain"}},
		"a\n### Instruction: b":                    {{"role", 2, 17, "plain"}},
		"a </system> b":                            {{"role", 2, 11, "plain"}},
		"the text ### instruction here":            nil,
		"a <b>bold</b> <|> [a] | b |>":             nil,
		"x <|a;b|> <||>":                           nil,
		based64("the mark <|im_end|> stands here"): {{"control", 12, 28, "base64"}},
	} {
		var s Scanner
		got := s.Read(text, func(*Reading) bool { return true }).Tokens
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	var s Scanner
	if n := len(s.Read(strings.Repeat("<|im_start|>", 1000), func(*Reading) bool { return true }).Tokens); n != maxTokens {
		t.Errorf("%d tokens of a thousand, want %d", n, maxTokens)
	}
}
