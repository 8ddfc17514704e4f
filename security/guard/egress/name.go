package egress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// bare judges a name without a scheme around a dot, and returns its end: 0 if
// there is none. Names of files and the members of programs look like names of
// the web, so only endings that hardly anything else has count by themselves; the
// others count with "www." before or a path behind them.
func (s *search) bare(dot int) int {
	t := s.clean
	if dot == 0 || dot+1 == len(t) {
		return 0
	}
	begin := hostBefore(t, dot)
	if begin == dot {
		return s.brackets(dot)
	}
	if begin > 0 && strings.IndexByte(`@/\=#$&%.`, t[begin-1]) >= 0 {
		return begin + nameLength(t[begin:])
	}
	end := begin + nameLength(t[begin:])
	name := strings.ToLower(strings.TrimRight(t[begin:end], ".-_"))
	if end = begin + len(name); end <= dot {
		return 0
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	path := end < len(t) && t[end] == '/' && end+1 < len(t) && t[end+1] > ' '
	switch {
	case strings.HasPrefix(name, "www.") && len(name) > 6:
	case webEnding(last):
	case path && (countryEnding(last) || strings.HasPrefix(last, "xn--")) && !strings.Contains(name, "_"):
	default:
		return end
	}
	if end < len(t) && t[end] == '@' || strings.HasPrefix(t[end:], "(") {
		return end // an address of mail, or a call
	}
	stop := end
	if end < len(t) && (t[end] == '/' || t[end] == '?' || t[end] == ':' && end+1 < len(t) && t[end+1] >= '0' && t[end+1] <= '9') {
		stop = begin + extent(t[begin:])
	}
	s.link(resolve("https://"+t[begin:stop]), begin, stop, false, noLink)
	return stop
}

// hostBefore goes back to where a name begins.
func hostBefore(t string, at int) int {
	for at > 0 {
		r, n := utf8.DecodeLastRuneInString(t[:at])
		if !nameRune(r) {
			break
		}
		at -= n
	}
	return at
}

func nameLength(t string) int {
	if n := strings.IndexFunc(t, func(r rune) bool { return !nameRune(r) && r != '.' }); n >= 0 {
		return n
	}
	return len(t)
}

func nameRune(r rune) bool {
	return r == '-' || r == '_' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r))
}

// brackets judges a name whose dots are written so that nobody follows it by
// accident: evil[.]example.
func (s *search) brackets(dot int) int {
	t := s.clean
	if dot == 0 || dot+2 >= len(t) || !strings.Contains("[.] (.) {.}", t[dot-1:dot+2]) {
		return 0
	}
	begin := hostBefore(t, dot-1)
	end := dot + 2 + nameLength(t[dot+2:])
	if begin == dot-1 || end == dot+2 {
		return 0
	}
	name := t[begin:dot-1] + "." + strings.TrimRight(t[dot+2:end], ".-_")
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	if (webEnding(last) || countryEnding(last)) && s.judge(resolve("https://"+name), false) != "" {
		s.place(LinkDisguised, begin, end, explain(LinkDisguised), noLink)
	}
	return end
}

// webEnding are endings of names that hardly anything else has.
func webEnding(last string) bool {
	switch last {
	case "com", "org", "net", "edu", "gov", "mil", "int", "biz", "info", "io", "dev", "app", "xyz", "online", "site", "shop", "store",
		"tech", "cloud", "click", "link", "live", "space", "website", "icu", "top", "club", "eu", "de", "uk", "fr", "nl", "ch",
		"ru", "cn", "jp", "kr", "br", "au", "ca", "se", "dk", "fi", "cz", "ro", "gr", "hu", "ua", "tr", "ir", "ae", "za", "mx", "nz", "ai", "gg", "onion":
		return true
	}
	return false
}

// countryEnding are the two letters of a country and whatever else ends names
// when a path follows.
func countryEnding(last string) bool {
	if len(last) == 2 {
		switch last {
		case "go", "py", "js", "ts", "rs", "cs", "vb", "pl", "rb", "sh", "md", "hs", "kt", "mk", "cc", "so", "db", "gz", "xz", "am", "pm", "ac", "in":
			return false
		}
		return letter(last[0]) && letter(last[1])
	}
	switch last {
	case "page", "blog", "news", "zone", "world", "today", "life", "agency", "digital", "email", "support", "services", "solutions", "systems",
		"network", "host", "press", "fun", "run", "works", "work", "one", "pro", "me", "tv", "example", "test", "zip", "mov", "finance", "money", "bank":
		return true
	}
	return false
}
