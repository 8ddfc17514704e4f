package guard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/custodyhq/custody/security"
)

// maxDepth bounds nesting: a pointer is copied at each level, so without it the
// work would grow with the square of the depth.
const maxDepth = 100

// A reader sees what the rules of one direction see.
type reader interface {
	// text is every sight in a string, in the order of their places. The key is
	// the name of the member that holds it.
	text(s, key string) []sight
	// number is every sight in a number.
	number(s, key string) []sight
}

// A walk reads one value after another and rebuilds each, redacted.
type walk struct {
	reader   reader
	modes    modes
	stop     string // the action of a refusal: block or withhold
	pardon   Pardon
	channel  string // of what is read now, for people
	left     int    // bytes that may still be read
	most     int    // bytes that could be read in all
	room     int    // findings that may still be kept
	worst    int    // the weight of the worst finding
	stopped  bool
	redacted bool
	findings []security.Finding
	texts    []Offending // those with findings
	seam     seam
}

func (g *Guard) walk(stop string, m modes, p Pardon) *walk {
	return &walk{modes: m, stop: stop, pardon: p, left: g.maxBytes, most: g.maxBytes, room: g.maxFindings}
}

// value returns a copy of v without what is to be redacted. The key is the name
// of the member that holds v: it is context for rules such as "a number under
// ssn".
func (w *walk) value(v any, path, key string, depth int) any {
	if depth > maxDepth {
		w.refuse("value.too-deep", path, fmt.Sprintf("The value is nested more than %d levels deep.", maxDepth))
		return nil
	}
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		before := len(w.findings)
		clean := w.text(v, path, key)
		if len(w.findings) == before {
			w.sews(v, path)
		}
		return clean
	case json.Number:
		if !json.Valid([]byte(v)) || strings.ContainsAny(string(v), "\"[{ntf") {
			break // a json.Number can hold any text; this one does
		}
		w.number(v.String(), path, key)
		return v
	case float64:
		w.number(strconv.FormatFloat(v, 'f', -1, 64), path, key)
		return v
	case int:
		w.number(strconv.Itoa(v), path, key)
		return v
	case int64:
		w.number(strconv.FormatInt(v, 10), path, key)
		return v
	case []any:
		return w.list(v, path, key, depth)
	case map[string]any:
		return w.object(v, path, depth)
	}
	w.add(unreadable(w.stop, path))
	return nil
}

func (w *walk) list(v []any, path, key string, depth int) any {
	out := make([]any, len(v))
	for i, e := range v {
		out[i] = w.value(e, path+"/"+strconv.Itoa(i), key, depth+1)
	}
	return out
}

// object walks the members in the order of their names, so that findings do not
// depend on the order of a map.
func (w *walk) object(v map[string]any, path string, depth int) any {
	out := make(map[string]any, len(v))
	for i, key := range slices.Sorted(maps.Keys(v)) {
		name, place := w.key(key, path, i)
		for n := 2; ; n++ {
			if _, taken := out[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s %d", strings.TrimRight(name, " 0123456789"), n)
		}
		out[name] = w.value(v[key], place, key, depth+1)
	}
	return out
}

// key reads a member's name, which is text like any other, and returns what is
// left of it and the pointer to the member. A name that is not a plain word, or
// in which something was found, does not appear in pointers: they are stored
// where content must not be.
func (w *walk) key(key, path string, i int) (string, string) {
	numbered := path + "/*" + strconv.Itoa(i)
	before := len(w.findings)
	clean := w.text(key, numbered, "")
	for j := before; j < len(w.findings); j++ {
		w.findings[j].Start, w.findings[j].End = 0, 0
	}
	if strings.Contains(key, " ") && len(w.findings) == before {
		w.sews(key, numbered)
	}
	if clean != key || len(w.findings) > before || !plainName(key) {
		return clean, numbered
	}
	return clean, path + "/" + escape(key)
}

// maxDigits is how many digits a name may have: that of a year, not a number
// that names somebody, nor a key.
const maxDigits = 4

func plainName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	digits := 0
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
		if '0' <= s[i] && s[i] <= '9' {
			digits++
		}
	}
	return digits <= maxDigits
}

// escape writes a name as a token of a JSON Pointer (RFC 6901, section 3).
func escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// text reads one string and returns it redacted.
func (w *walk) text(s, path, key string) string {
	if w.left -= len(s); w.left < 0 {
		if w.left+len(s) >= 0 {
			w.refuse("size.too-large", path, fmt.Sprintf("The text is longer than the guard reads, which is %d bytes.", w.most))
		}
		return s
	}
	sights := w.reader.text(s, key)
	if len(sights) == 0 {
		return s
	}
	before := len(w.findings)
	clean := w.act(sights, s, s, path)
	// What is left may read differently without what was cut out: <scr‧ipt> has
	// become a tag. It has no places in the original any more.
	for n := 0; clean != s && n < maxPasses; n++ {
		sights = w.reader.text(clean, key)
		for i := range sights {
			sights[i].reread = true
		}
		left := w.act(sights, clean, s, path)
		if left == clean {
			break
		}
		if n == maxPasses-1 {
			w.refuse("value.unredactable", path, "Each redaction of the text shows more that has to be redacted.")
		}
		clean = left
	}
	w.offends(s, path, before)
	return clean
}

// maxPasses is how often a text is read again after something was cut out.
const maxPasses = 3

// act does about the sights what their modes say, and returns what is left of
// the text. Original is the text as it came.
func (w *walk) act(sights []sight, text, original, path string) string {
	var cut []sight
	for _, n := range sights {
		m := w.modes.of(&n)
		if m == Off || n.reread && m == Note {
			continue
		}
		f := n.finding(path, m.action(w.stop))
		if n.reread {
			f.Start, f.End = 0, 0
		}
		w.found(f, original)
		if m == Redact {
			cut = append(cut, n)
		}
	}
	return w.redact(text, cut)
}

// redact replaces what was seen, which is in the order of its places, by what
// it is. Where two overlap, the text of both goes.
func (w *walk) redact(s string, cut []sight) string {
	if len(cut) == 0 {
		return s
	}
	w.redacted = true
	var b strings.Builder
	done := 0
	for _, n := range cut {
		if n.hi <= done {
			continue
		}
		if n.lo >= done {
			b.WriteString(s[done:n.lo])
			b.WriteString(n.instead)
		}
		done = n.hi
	}
	b.WriteString(s[done:])
	return b.String()
}

// number reads a number. It cannot be redacted without becoming a text, so
// Redact refuses it.
func (w *walk) number(s, path, key string) {
	for _, n := range w.reader.number(s, key) {
		m := w.modes.of(&n)
		switch m {
		case Off:
			continue
		case Redact:
			m = Withhold
		}
		n.lo, n.hi = 0, 0
		w.found(n.finding(path, m.action(w.stop)), s)
	}
}

func (w *walk) refuse(rule, path, why string) {
	w.add(security.Finding{Rule: rule, Kind: "schema", Action: w.stop, Path: path, Why: why})
}

// found adds what was found in a text, unless something pardons it: then it is
// a note.
func (w *walk) found(f security.Finding, text string) {
	if by := w.pardon.lets(f, text); by != "" {
		f.Action, f.Pardon = security.Note, by
	}
	w.add(f)
}

func (w *walk) add(f security.Finding) {
	// Beyond the bound only what is worse than all before is kept: otherwise a
	// hundred small things would hide the one that needs more than a review.
	worse := weight(f.Action) > w.worst
	if len(w.findings) < w.room || worse && stops(f.Action) {
		w.findings = append(w.findings, f)
	}
	w.worst = max(w.worst, weight(f.Action))
	w.stopped = w.stopped || stops(f.Action)
}

// offends keeps a text whose findings begin at the given place.
func (w *walk) offends(text, path string, from int) {
	if len(w.findings) == from {
		return
	}
	o := Offending{Path: path, Channel: w.channel, Text: text}
	for i := from; i < len(w.findings); i++ {
		o.Findings = append(o.Findings, i)
	}
	w.texts = append(w.texts, o)
}

// clone copies decoded JSON. Strings and numbers cannot change and are shared.
func clone(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	}
	return v
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
