package egress

import (
	"cmp"
	"fmt"
	"strings"
)

// allowed is an allow-list.
type allowed []entry

// An entry is a host that links may lead to.
type entry struct {
	scheme string // "" is http and https
	host   string // as canonical
	below  bool   // and what is below it
	port   string
	path   string // "" is all of them, else ends in '/' or is a whole path
}

// allow reads an allow-list.
func allow(list []string) (allowed, error) {
	var out allowed
	for i, written := range list {
		e, err := readEntry(written)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func readEntry(written string) (entry, error) {
	var e entry
	link := written
	if scheme, rest, ok := strings.Cut(written, "://"); ok {
		if !special(scheme) {
			return e, fmt.Errorf("%q has a scheme that an allow-list cannot allow; write a host, or http:// or https:// and a host", written)
		}
		e.scheme, link = scheme, rest
	}
	link, e.below = strings.CutPrefix(link, ".")
	t := resolve(cmp.Or(e.scheme, "https") + "://" + link)
	if !t.plain || t.host == "" || t.query != "" || e.below && number(t.host[strings.LastIndexByte(t.host, '.')+1:]) {
		return e, fmt.Errorf("%q is no host, and no host with a scheme and a path; write it like example.com, .example.com or https://example.com/docs/", written)
	}
	e.host, e.port = t.host, t.port
	if t.path != "/" {
		e.path = t.path
	}
	return e, nil
}

// has says whether the list allows a target that is written plainly.
func (a allowed) has(t target) bool {
	for i := range a {
		if a[i].has(t) {
			return true
		}
	}
	return false
}

func (e *entry) has(t target) bool {
	if e.scheme != t.scheme && (e.scheme != "" || t.scheme != "http" && t.scheme != "https" && t.scheme != "mailto") {
		return false
	}
	if e.port != t.port {
		return false
	}
	if e.host != t.host && !(e.below && strings.HasSuffix(t.host, "."+e.host)) {
		return false
	}
	return e.path == "" || t.scheme != "mailto" && begins(t.path, e.path)
}

// begins says whether a path is the allowed one or below it. A path that a server
// could read as another one is not.
func begins(path, allowed string) bool {
	lower := strings.ToLower(path)
	for _, trick := range [...]string{"%2e", "%2f", "%5c", "%00", "//", "/./", "/../"} {
		if strings.Contains(lower, trick) {
			return false
		}
	}
	if strings.HasSuffix(path, "/..") || strings.HasSuffix(path, "/.") {
		return false
	}
	if !strings.HasPrefix(path, allowed) {
		return false
	}
	return len(path) == len(allowed) || strings.HasSuffix(allowed, "/") || path[len(allowed)] == '/'
}

// excess says whether the part of a link that its author chooses freely is more
// than a link needs.
func (l Limits) excess(t target) bool {
	if len(t.query) > cmp.Or(l.Query, 200) || len(t.path) > cmp.Or(l.Path, 300) {
		return true
	}
	most := cmp.Or(l.Run, 40)
	return longestRun(t.path) > most || longestRun(t.query) > most
}

// longestRun is the length of the longest row of characters without a separator
// that is no word: it has digits, or letters of both cases.
func longestRun(s string) int {
	longest, run := 0, 0
	var digits, upper, lower int
	for i := range len(s) + 1 {
		c := byte('/')
		if i < len(s) {
			c = s[i]
		}
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c == '+' || c >= 0x80 || c == '%':
		default:
			if digits >= 3 || upper >= 3 && lower >= 3 {
				longest = max(longest, run)
			}
			run, digits, upper, lower = -1, 0, 0, 0
		}
		run++
	}
	return longest
}
