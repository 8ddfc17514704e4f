package egress

import (
	"slices"
	"testing"
)

// What redaction leaves breaks no rule again: taking something out makes no link
// and no element that was not there.
func TestRedactionLeavesNothingToFind(t *testing.T) {
	t.Parallel()
	for _, row := range rows() {
		r, err := New(row.policy)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range row.bad {
			left := redacted(r, text)
			r.Find(left, func(f Finding) bool {
				t.Errorf("%q is %q after redaction, and %s finds something at %d:%d", text, left, f.Rule, f.Start, f.End)
				return true
			})
		}
	}
}

// What was split by something that redaction takes out is found before it is
// whole.
func TestWhatRemovalWouldMakeIsFound(t *testing.T) {
	t.Parallel()
	p := Policy{Links: []string{"good.example"}}
	for text, want := range map[string]string{
		"<scr\u200bipt>x</script>":                  HTMLScript,
		"https://ev\u200bil.example/":               LinkHost,
		"www.good.example\x1b[0m.evil.com":          LinkHost,
		"[x](java\u200bscript:alert(1))":            LinkScheme,
		"![x](//ev\u202eil.example)":                ImageHost,
		"<\x00img src=x onerror=a>":                 HTMLScript,
		"htt\x1b[0mps://evil.example/":              LinkHost,
		"[a]\u200b(https:\x08//evil.example/?q=x)":  LinkHost,
		"<b <script>alert(1)</script>":              HTMLRaw,
		"<!-- a --!> <img src=//evil.example> -->x": ImageHost,
	} {
		if got := found(t, p, text); !slices.Contains(got, want) {
			t.Errorf("%q: found %v, want %s", text, got, want)
		}
	}
}

func TestAFamilyCanBeOffAndBoundsCannot(t *testing.T) {
	t.Parallel()
	text := "<b>x</b> ![x](//evil.example) https://evil.example a\u200bb"
	if got := found(t, Policy{Off: []string{"link", "image", "html", "text", "leak", "copy", "word"}}, text); len(got) > 0 {
		t.Errorf("with all families off: %v", got)
	}
	if got := found(t, Policy{Off: []string{"link", "html"}}, text); !slices.Equal(got, []string{ImageHost, TextHidden}) {
		t.Errorf("with links and HTML off: %v", got)
	}
	deep := ""
	for range 200 {
		deep += "> "
	}
	if got := found(t, Policy{Off: []string{"text"}}, deep+"[a](b)"); !slices.Contains(got, BoundMarkdown) {
		t.Errorf("two hundred quotes in each other: %v", got)
	}
	many := ""
	for range maxFindings + 1 {
		many += "a\u200bb "
	}
	if got := found(t, Policy{}, many); !slices.Contains(got, BoundFindings) {
		t.Errorf("%d findings: no word of it", len(got))
	}
}

// A policy that cannot be meant is refused, and the error names the field.
func TestABadPolicyIsRefused(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Policy{
		`egress policy: code: "bash" is no class of unsafe code; the classes are [shell sql script template ansi formula path]`: {Code: []string{"bash"}},
		`egress policy: off: "code" is no family of rules that can be off; these can: [link image html text leak copy word]`:    {Off: []string{"code"}},
		`egress policy: data: query is negative`: {Data: Limits{Query: -1}},
		`egress policy: links: entry 1: "https://a@b.example" is no host, and no host with a scheme and a path; write it like example.com, .example.com or https://example.com/docs/`: {Links: []string{"https://a@b.example"}},
		`egress policy: images: entry 2: "javascript://x" has a scheme that an allow-list cannot allow; write a host, or http:// or https:// and a host`:                              {Images: []string{"a.example", "javascript://x"}},
		`egress policy: words: list 1: the name "A b" is not made of lower case letters, digits and dashes`:                                                                           {Words: []WordList{{Name: "A b"}}},
		`egress policy: words: list x: entry 1 has 0 words of letters or digits; it must have 1 to 16`:                                                                                {Words: []WordList{{Name: "x", Words: []string{"!"}}}},
		`egress policy: protected: canary 1: a canary has 8 letters or digits of ASCII at least and 256 bytes at most`:                                                                {Protected: Protected{Canaries: []string{"short"}}},
	} {
		if _, err := New(p); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// An input of any size is kept in bounded memory, and a long copy out of it is
// found all the same.
func TestALongInputIsSampled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hashes five million bytes")
	}
	long := []byte{}
	x := uint32(1)
	for len(long) < 5<<20 {
		x = x*1664525 + 1013904223
		long = append(long, []string{"ten ", "lots ", "of ", "goods ", "were ", "sent ", "by ", "sea ", "and ", "rail ", "to ", "many ", "towns ", "in ", "spring ", "rain "}[x>>28]...)
	}
	r, err := New(Policy{Protected: Protected{Confidential: []Source{{Name: "ledger", Text: string(long)}}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.guarded.copied); n > 2*maxCopied {
		t.Errorf("%d shingles are kept", n)
	}
	var got []string
	r.Find("He wrote: "+string(long[2<<20:2<<20+600]), func(f Finding) bool {
		got = append(got, f.Rule)
		return true
	})
	if !slices.Contains(got, CopyConfidential) {
		t.Errorf("found %v", got)
	}
}

func TestRulesAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := everything(t)
	for range 4 {
		t.Run("one of four", func(t *testing.T) {
			t.Parallel()
			for range 20 {
				n := 0
				r.Find("[a](https://evil.example) `x` "+canary+" rm -rf /", func(Finding) bool { n++; return true })
				if n != 3 {
					t.Fatalf("%d findings", n)
				}
			}
		})
	}
}
