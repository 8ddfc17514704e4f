package egress

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func everything(t testing.TB) *Rules {
	t.Helper()
	r, err := New(Policy{
		Links: []string{"good.example", "https://docs.example/manual/"}, Images: []string{"img.example"}, Code: Classes(),
		Words: []WordList{{Name: "projects", Words: []string{"blue heron"}}},
		Protected: Protected{
			Canaries: []string{canary}, Prompts: []string{orders}, Confidential: []Source{{Name: "contract", Text: contract}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever the bytes: a finding lies in the text, on the borders of characters,
// findings come in order, twice the same ones, and what redaction leaves has no
// link, image or element that may not be there.
func FuzzFind(f *testing.F) {
	for _, row := range rows() {
		for _, text := range append(row.bad, row.good...) {
			f.Add(text)
		}
	}
	r := everything(f)
	places, err := New(Policy{Links: []string{"good.example"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		var all []Finding
		from := 0
		r.Find(text, func(f Finding) bool {
			if f.Start < from || f.Start >= f.End || f.End > len(text) || !border(text, f.Start) || !border(text, f.End) {
				t.Fatalf("%q: %s at %d:%d after %d", text, f.Rule, f.Start, f.End, from)
			}
			if f.Why == "" || f.Read == "" || f.Rule == "" {
				t.Fatalf("%q: %+v", text, f)
			}
			from = f.Start
			all = append(all, f)
			return true
		})
		n := 0
		r.Find(text, func(f Finding) bool {
			if n >= len(all) || f != all[n] {
				t.Fatalf("%q: not the same findings twice", text)
			}
			n++
			return true
		})
		left := redacted(places, text)
		places.Find(left, func(f Finding) bool {
			if f.Rule == HTMLScript || f.Rule == LinkScheme || f.Family() == "image" {
				t.Fatalf("%q is %q after redaction, and %s finds something at %d:%d", text, left, f.Rule, f.Start, f.End)
			}
			return true
		})
	})
}

func border(text string, i int) bool {
	return i == len(text) || utf8.RuneStart(text[i]) || !utf8.ValidString(text)
}

// An allowed link leads to an allowed host whoever parses it: the standard
// library, a parser that follows RFC 3986 to the letter, or one that takes a
// backslash for a slash.
func FuzzHost(f *testing.F) {
	for _, row := range linkRows() {
		for _, text := range append(row.bad, row.good...) {
			f.Add(text)
		}
	}
	for _, link := range []string{"https://good.example", `https://good.example\@evil.example`, "https://good.example:443/a?b#c", "//good.example", "https://good.example%00.evil.example"} {
		f.Add(link)
	}
	list, err := allow([]string{"good.example", "bücher.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, link string) {
		to := resolve(link)
		if !to.plain || to.host == "" || to.scheme == "mailto" || !list.has(to) {
			return
		}
		u, err := url.Parse(strings.Trim(link, " "))
		if err != nil {
			if strings.Contains(err.Error(), "invalid URL escape") || strings.Contains(err.Error(), "invalid control") {
				return // in the path, which leads nowhere else
			}
			t.Fatalf("%q is allowed and cannot be parsed: %v", link, err)
		}
		host, plain := canonical(u.Hostname())
		if !plain || host != to.host || u.User != nil {
			t.Fatalf("%q is allowed as %s and leads to %q", link, to.host, u.Host)
		}
		other := strings.ReplaceAll(strings.Trim(link, " "), `\`, "/")
		_, after, _ := strings.Cut(other, "//")
		end := strings.IndexAny(after, "/?#")
		if end < 0 {
			end = len(after)
		}
		if name, _, _ := strings.Cut(after[:end], ":"); !strings.EqualFold(name, to.host) && to.host != "xn--bcher-kva.example" {
			t.Fatalf("%q is allowed as %s and names %q", link, to.host, name)
		}
	})
}

// The time is linear in the text, whatever the text is: four times the text may
// take twelve times the time, where a quadratic search takes sixteen times. What a
// busy machine does to one measurement it does not do to each of five.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	r := everything(t)
	took := func(unit string, n int) time.Duration {
		text := strings.Repeat(unit, n/len(unit))
		begin := time.Now()
		r.Find(text, func(Finding) bool { return true })
		return time.Since(begin)
	}
	for _, unit := range []string{
		"a", " ", "\n", "[", "](", "[](", "[a](b", "[a](b \"", "![", "[a][", "]", "> ", ">", "- ", "1. ", "`", "`a``b```c", "<a ", "<a \"", "<a '", "<!-- ", "<script>", "<svg>", "<!", "</b", "&#x;", "&amp;",
		"[x]: y\n", "[a\n", "https://", "https://a)", "a://", "mailto:", "data:", ".", "a.", "@a.", "www.", "[.]", "a[.]", "\u200b", "a\u200b", "\u202e", "\u2067\n", "\x1b]", "\x1b[", "\u009d", "\xff", "\U000E0041",
		"rm -", "rm -rf / ", "curl ", "union select ", "' or ", "{{", "${", "on", "../", "=a(", "'", "blue heron ", "blue ", canary, canary[:8], "\\x1b", "%25", "東",
	} {
		small, large := took(unit, 24<<10), took(unit, 96<<10)
		for try := 0; try < 4 && large > 12*small; try++ {
			small, large = max(small, took(unit, 24<<10)), min(large, took(unit, 96<<10))
		}
		if large > 12*small && large > 500*time.Millisecond {
			t.Errorf("%q: %v for 24 KB, %v for 96 KB", unit, small, large)
		}
	}
}
