package egress

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	noLink  = "[link removed]"
	noImage = "[image removed]"
	noPlace = "#link-removed" // where a destination must stand
)

// judge says which rule a target breaks, as an image or as a link: "" if none.
func (r *Rules) judge(t target, image bool) string {
	list, family := r.links, "link."
	if image {
		list, family = r.images, "image."
	}
	rule := ""
	switch {
	case r.off[family[:len(family)-1]], t.relative():
		return ""
	case t.scheme != "" && !special(t.scheme) && t.scheme != "mailto":
		rule = "scheme"
	case !t.plain || t.host == "":
		rule = "disguised"
	case !list.has(t):
		rule = "host"
	case r.policy.Data.excess(t):
		rule = "data"
	default:
		return ""
	}
	return family + rule
}

// explain is what a rule of links and images says.
func explain(rule string) string {
	thing, what, _ := strings.Cut(rule, ".")
	if thing == "link" {
		thing = "a link"
	} else {
		thing = "an image"
	}
	switch what {
	case "scheme":
		return "The output contains " + thing + " that does not lead to a web page."
	case "disguised":
		return "The output contains " + thing + " that is not written plainly, so that programs disagree about where it leads."
	case "data":
		return "The output contains " + thing + " that carries more data than the policy allows."
	}
	return "The output contains " + thing + " to a place that the policy does not allow."
}

// link judges a link at bytes i to j of the clean text. It returns the rule that
// is broken: "" if none is.
func (s *search) link(t target, i, j int, image bool, instead string) string {
	rule := s.judge(t, image)
	if rule != "" {
		s.place(rule, i, j, explain(rule), instead)
	}
	return rule
}

// destination is a destination or an attribute as a browser gets it. A link of
// which anything but & was escaped is none that everybody reads alike.
func destination(raw string, markdown bool) string {
	out := raw
	if markdown && strings.Contains(out, `\`) {
		out = unescape(out)
	}
	if strings.Contains(out, "&") {
		out = html.UnescapeString(out)
	}
	return out
}

// unescape takes away the backslashes of Markdown (CommonMark, section 2.4).
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && punctuation(s[i+1]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func punctuation(c byte) bool {
	return c > ' ' && c < 0x7F && (c < '0' || c > '9') && !letter(c)
}

// addresses looks for addresses in plain text, as programs do that make links of
// them: with a scheme, with "www." or with nothing but a name that ends as names
// of the web do.
func (s *search) addresses() {
	t := s.clean
	for i := 0; i < len(t); {
		n := strings.IndexAny(t[i:], ":.")
		if n < 0 {
			return
		}
		at := i + n
		i = at + 1
		if end := s.passed(at); end > at {
			i = end
			continue
		}
		if t[at] == ':' {
			if end := s.withScheme(at); end > 0 {
				i = end
			}
			continue
		}
		if end := s.bare(at); end > 0 {
			i = end
		}
	}
}

// withScheme judges the address whose scheme ends at a colon, and returns its end:
// 0 if there is none.
func (s *search) withScheme(colon int) int {
	t := s.clean
	begin := schemeBefore(t, colon, colon)
	// "[:]//" is how a link is written so that nobody follows it by accident.
	rest := t[colon+1:]
	if begin == colon && colon > 1 && t[colon-1] == '[' && strings.HasPrefix(rest, "]") {
		rest = rest[1:]
		begin = schemeBefore(t, colon-1, colon)
	}
	for begin < colon && !letter(t[begin]) {
		begin++
	}
	scheme := strings.ToLower(strings.TrimRight(t[begin:colon], "["))
	if !starts(scheme, rest) {
		return 0
	}
	end := len(t) - len(rest) + extent(rest)
	raw := t[begin:end]
	if len(rest) != len(t)-colon-1 {
		raw = scheme + ":" + rest[:end-(len(t)-len(rest))]
	}
	s.address(raw, begin, end)
	return end
}

// schemeBefore goes back from a place to where the scheme of a colon may begin.
func schemeBefore(t string, at, colon int) int {
	for at > 0 && colon-at < 24 && schemeByte(t[at-1]) {
		at--
	}
	return at
}

// starts says whether a scheme and what follows it begin an address that some
// program would follow.
func starts(scheme, rest string) bool {
	switch scheme {
	case "":
		return false
	case "javascript", "vbscript":
		return rest != "" && rest[0] > ' ' && rest[0] != '"' && rest[0] != '\'' && rest[0] != '`'
	case "data":
		return mediaType(rest)
	case "mailto":
		n := strings.IndexAny(rest[:min(len(rest), 256)], "@ \n")
		return n > 0 && rest[n] == '@'
	}
	return slashes(rest) >= 2 && len(rest) > 2 && rest[2] > ' '
}

// mediaType says whether the rest of a data: address begins with a media type
// (RFC 2397).
func mediaType(s string) bool {
	n := strings.IndexAny(s[:min(len(s), 64)], ";, \n\"")
	return n > 0 && (s[n] == ';' || s[n] == ',') && strings.Count(s[:n], "/") == 1
}

// extent measures an address: up to a blank or a character that ends one, less
// the punctuation that ends the sentence.
func extent(t string) int {
	n := 0
	for n < len(t) {
		c := t[n]
		if c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7F {
			break
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(t[n:])
			if unicode.IsSpace(r) || r == '»' || r == '«' || r == '“' || r == '”' || r == '„' || r == '」' || r == '』' || r == '）' || r == '】' {
				break
			}
			n += size
			continue
		}
		n++
	}
	return closing(t[:n])
}

// closing leaves out what closes the sentence: full stops and such, and brackets
// that were not opened in the address.
func closing(t string) int {
	var open [3]int // brackets that are open at the end, by kind: less than 0 if too many close
	for i := range len(t) {
		if k := strings.IndexByte("([{)]}", t[i]); k >= 3 {
			open[k-3]--
		} else if k >= 0 {
			open[k]++
		}
	}
	n := len(t)
	for n > 0 {
		r, size := utf8.DecodeLastRuneInString(t[:n])
		if k := strings.IndexRune(")]}", r); k >= 0 {
			if open[k] >= 0 {
				return n
			}
			open[k]++
		} else if r < utf8.RuneSelf && strings.IndexByte(".,;:!?'*_~`|\\", byte(r)) < 0 || r >= utf8.RuneSelf && !unicode.IsPunct(r) {
			return n
		}
		n -= size
	}
	return n
}

// address judges an address in plain text.
func (s *search) address(raw string, i, j int) {
	host := len(raw)
	if scheme, rest := cutScheme(raw); special(scheme) || defanged(scheme) {
		if defanged(scheme) {
			if s.judge(resolve("https:"+refang(rest)), false) != "" {
				s.place(LinkDisguised, i, j, explain(LinkDisguised), noLink)
			}
			return
		}
		skip := slashes(rest)
		if host = len(raw) - len(rest) + skip + cutHost(rest[skip:]); host == len(raw)-len(rest)+skip {
			return // a scheme, and a place where a name will be filled in
		}
	}
	if host < len(raw) {
		j -= len(raw) - host
		raw = raw[:host]
	}
	s.link(resolve(raw), i, j, false, noLink)
}

// cutHost measures an address after its slashes. Where the characters of a host
// end before its authority does, the host has ended if nothing after it can be
// read as another host; else the address stays whole, and is not plain.
func cutHost(t string) int {
	end := strings.IndexAny(t, `/\?#`)
	if end < 0 {
		end = len(t)
	}
	cut := strings.IndexFunc(t[:end], func(r rune) bool {
		return r < utf8.RuneSelf && r != ':' && r != '%' && r != '@' && notHost(r|0x20) && notHost(r) ||
			r >= utf8.RuneSelf && unicode.IsPunct(r) && r != '。' && r != '．' && r != '｡'
	})
	if cut < 0 || strings.HasPrefix(t, "[") || strings.Contains(t[:end], "@") {
		return len(t)
	}
	switch t[cut] {
	case '[', ']', '^', '|': // no browser takes one into a host
		return cut
	}
	if strings.ContainsAny(t[cut:end], ".。．｡%") {
		return len(t)
	}
	return cut
}

// defanged are the schemes that nothing follows and everybody understands.
func defanged(scheme string) bool {
	return len(scheme) < 8 && (strings.HasPrefix(scheme, "hxxp") || strings.HasPrefix(scheme, "hxtp") || strings.HasPrefix(scheme, "htxp") || scheme == "fxp")
}

// refang writes the dots of a defanged address as dots.
func refang(s string) string {
	return strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[:]", ":", "[://]", "://", "[/]", "/").Replace(s)
}

func schemeByte(c byte) bool {
	return letter(c) || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
}
