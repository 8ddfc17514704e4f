package egress

import (
	"slices"
	"strings"
)

// maxTag bounds a tag. What is longer is a finding of its own.
const maxTag = 8 << 10

const (
	whyRaw     = "The output contains HTML, which the policy does not allow."
	whyScript  = "The output contains HTML that runs or loads something."
	whyComment = "The output contains text that only programs see."
	whyOpen    = "The output begins an element of HTML and does not end it."
)

// markup looks for HTML where it is no code. The tokens are those of WHATWG HTML,
// section 13.2.5; where a program might read one otherwise, it is a finding.
func (s *search) markup() {
	t := s.clean
	code := walkOf(s.verbatim)
	s.open = s.open[:0]
	for i := 0; i < len(t); {
		n := strings.IndexByte(t[i:], '<')
		if n < 0 {
			return
		}
		i += n
		if end := code.end(i); end > i {
			i = end
			continue
		}
		i += max(1, s.element(i))
	}
}

// element judges what begins with "<" and returns its length: 0 if it is text.
func (s *search) element(i int) int {
	t := s.clean[i:]
	if len(t) < 2 {
		return 0
	}
	switch c := t[1]; {
	case c == '!' || c == '?':
		n := comment(t)
		s.markupAt(HTMLComment, i, i+n, whyComment)
		return n
	case c == '/' && len(t) > 2 && letter(t[2]):
		return s.closingTag(i)
	case letter(c):
		return s.tag(i)
	}
	return 0
}

func (s *search) markupAt(rule string, i, j int, why string) {
	if !s.off["html"] {
		s.place(rule, i, j, why, " ")
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// comment measures a comment, a declaration or a processing instruction.
func comment(t string) int {
	if !strings.HasPrefix(t, "<!--") {
		if n := strings.IndexByte(t, '>'); n >= 0 {
			return n + 1
		}
		return len(t)
	}
	if strings.HasPrefix(t, "<!-->") || strings.HasPrefix(t, "<!--->") {
		return strings.IndexByte(t, '>') + 1
	}
	end := len(t)
	for _, mark := range [...]string{"-->", "--!>"} {
		if n := strings.Index(t[4:end], mark); n >= 0 {
			end = 4 + n + len(mark)
		}
	}
	return end
}

func (s *search) closingTag(i int) int {
	t := s.clean[i:]
	name := tagName(t[2:])
	n := strings.IndexByte(t[:min(len(t), maxTag)], '>') + 1
	if n == 0 {
		n = 2 + len(name)
	}
	kind := kindOf(name)
	if kind == unknownElement || kind == textElement && s.policy.HTML {
		return n
	}
	s.markupAt(ruleOf(kind), i, i+n, whyRaw)
	return n
}

func tagName(t string) string {
	n := strings.IndexAny(t[:min(len(t), 64)], " \t\n\f\r/>")
	if n < 0 {
		n = min(len(t), 64)
	}
	return strings.ToLower(t[:n])
}

// tag judges an opening tag and what belongs to it.
func (s *search) tag(i int) int {
	t := s.clean[i:]
	name := tagName(t[1:])
	kind := kindOf(name)
	a := attributes{t: t[:min(len(t), maxTag)], at: 1 + len(name)}
	rule, bad := "", false
	for a.next() {
		r, b := s.attribute(kind, name, i, &a)
		rule, bad = worse(rule, r), bad || b
	}
	switch {
	case kind == unknownElement && rule == "":
		if !a.closed {
			return 1 + len(name)
		}
		return a.at
	case !a.closed:
		n := a.at
		s.markupAt(worse(ruleOf(kind), rule), i, i+n, whyOpen)
		return n
	case kind == activeElement:
		n := s.through(i, name, a.at)
		s.markupAt(HTMLScript, i, i+n, whyScript)
		return n
	case rule == HTMLScript:
		s.markupAt(rule, i, i+a.at, whyScript)
	case rule != "" || !s.policy.HTML || kind != textElement:
		s.markupAt(HTMLRaw, i, i+a.at, whyRaw)
	}
	if bad && name == "img" {
		s.done = append(s.done, span{i, i + a.at})
	}
	return a.at
}

// through measures an element whose content is no text: up to its end, or to the
// end of the output if it has none.
func (s *search) through(i int, name string, tag int) int {
	switch name {
	case "script", "style", "iframe", "noscript", "noembed", "noframes", "xmp", "textarea", "svg", "math", "object", "template", "select":
	case "plaintext":
		return len(s.clean) - i
	default:
		return tag
	}
	if !slices.Contains(s.open, name) {
		if n := closed(s.clean[i+tag:], "</"+name); n > 0 {
			return tag + n
		}
		s.open = append(s.open, name) // and need not be looked for again
	}
	if name == "script" || name == "style" {
		return len(s.clean) - i
	}
	return tag
}

// closed measures a text up to the end of a closing tag: 0 if there is none.
func closed(t, mark string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(t[i:], '<')
		if n < 0 {
			return 0
		}
		i += n
		if len(t)-i > len(mark) && strings.EqualFold(t[i:i+len(mark)], mark) {
			if end := strings.IndexByte(t[i:], '>'); end >= 0 {
				return i + end + 1
			}
			return 0
		}
	}
}

// worse is the worse of two rules.
func worse(a, b string) string {
	if a == HTMLScript || b == "" {
		return a
	}
	return b
}

// attribute judges an attribute: the rule of HTML that it breaks, and whether it
// leads where it must not.
func (s *search) attribute(kind element, name string, i int, a *attributes) (rule string, leads bool) {
	key, value := a.name, destination(a.value, false)
	switch {
	case strings.HasPrefix(key, "on") && len(key) > 3:
		return HTMLScript, false
	case key == "style":
		return styled(value), false
	case source(key):
		image := name != "a" && name != "area"
		lo, hi := i+a.lo, i+a.hi
		instead := noPlace
		if name == "img" {
			lo, hi, instead = i, i+a.end(), noImage
		}
		t := resolve(value)
		r := s.link(t, lo, max(hi, lo+1), image, instead)
		s.done = append(s.done, span{i + a.lo, i + a.hi})
		if t.scheme == "javascript" || t.scheme == "vbscript" || t.scheme == "data" && name != "img" {
			return HTMLScript, true
		}
		if name == "a" && key == "href" || name == "img" && key == "src" {
			return "", r != ""
		}
		return HTMLRaw, r != ""
	case described(key):
		return "", false
	case kind == unknownElement && !a.valued:
		return "", false
	}
	return HTMLRaw, false
}

// styled judges a style: one that only sets text is no worse than HTML.
func styled(value string) string {
	v := strings.ToLower(value)
	for _, mark := range [...]string{"url(", "image(", "image-set(", "@import", "expression", "behavior", "binding", "javascript", `\`, "/*"} {
		if strings.Contains(v, mark) {
			return HTMLScript
		}
	}
	return HTMLRaw
}

// source are attributes with an address.
func source(key string) bool {
	switch key {
	case "href", "src", "srcset", "action", "formaction", "background", "poster", "data", "ping", "longdesc", "xlink:href",
		"lowsrc", "dynsrc", "icon", "manifest", "codebase", "archive", "profile", "classid", "cite", "imagesrcset", "srcdoc":
		return true
	}
	return false
}

// described are attributes that only describe what is there.
func described(key string) bool {
	switch key {
	case "title", "lang", "dir", "alt", "width", "height", "align", "valign", "colspan", "rowspan", "span", "start", "type", "datetime", "scope", "abbr":
		return true
	}
	return false
}

// attributes reads the attributes of a tag (WHATWG HTML, sections 13.2.5.32 to
// 13.2.5.40).
type attributes struct {
	t  string
	at int // where the next one begins, or behind the tag

	name   string // lower case
	value  string
	valued bool
	lo, hi int  // of the value
	closed bool // the tag has ended
}

// next reads an attribute. It returns false behind the last one.
func (a *attributes) next() bool {
	for a.at < len(a.t) && strings.IndexByte(" \t\n\f\r/", a.t[a.at]) >= 0 {
		a.at++
	}
	if a.at >= len(a.t) {
		return false
	}
	if a.t[a.at] == '>' {
		a.at++
		a.closed = true
		return false
	}
	begin := a.at
	a.at++ // even a "=" is a name here
	for a.at < len(a.t) && strings.IndexByte(" \t\n\f\r/>=", a.t[a.at]) < 0 {
		a.at++
	}
	a.name, a.value, a.valued = strings.ToLower(a.t[begin:a.at]), "", false
	a.lo, a.hi = begin, a.at
	v := a.at
	for v < len(a.t) && strings.IndexByte(" \t\n\f\r", a.t[v]) >= 0 {
		v++
	}
	if v < len(a.t) && a.t[v] == '=' {
		a.valued, a.at = true, v+1
		a.readValue()
	}
	return true
}

func (a *attributes) readValue() {
	for a.at < len(a.t) && strings.IndexByte(" \t\n\f\r", a.t[a.at]) >= 0 {
		a.at++
	}
	if a.at >= len(a.t) {
		return
	}
	stop := " \t\n\f\r>"
	quoted := a.t[a.at] == '"' || a.t[a.at] == '\''
	if quoted {
		stop = a.t[a.at : a.at+1]
		a.at++
	}
	a.lo = a.at
	if n := strings.IndexAny(a.t[a.at:], stop); n >= 0 {
		a.hi = a.at + n
	} else {
		a.hi = len(a.t)
	}
	a.value, a.at = a.t[a.lo:a.hi], a.hi
	if quoted && a.at < len(a.t) {
		a.at++
	}
}

// end is where the tag ends whose attribute was read last.
func (a *attributes) end() int {
	rest := *a
	for rest.next() {
	}
	return rest.at
}

// An element is known by its name.
type element uint8

const (
	unknownElement element = iota // has no meaning
	textElement                   // sets text
	otherElement                  // changes the page
	activeElement                 // runs or loads
)

func ruleOf(k element) string {
	if k == activeElement {
		return HTMLScript
	}
	return HTMLRaw
}

func kindOf(name string) element {
	switch name {
	case "a", "abbr", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt",
		"em", "figcaption", "figure", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby",
		"s", "samp", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr":
		return textElement
	case "address", "area", "article", "aside", "body", "data", "datalist", "dialog", "dir", "fieldset", "footer", "head", "header", "hgroup", "html", "label", "legend", "main", "map",
		"marquee", "menu", "menuitem", "meter", "nav", "nobr", "optgroup", "option", "output", "progress", "search", "section", "slot", "title":
		return otherElement
	case "applet", "audio", "base", "basefont", "bgsound", "blink", "button", "canvas", "embed", "fencedframe", "form", "frame", "frameset", "iframe", "image", "input", "isindex", "keygen", "layer",
		"link", "math", "meta", "multicol", "noembed", "noframes", "noscript", "object", "param", "picture", "plaintext", "portal", "script", "select", "source", "style", "svg", "template",
		"textarea", "track", "video", "xmp", "animate", "foreignobject", "use", "set":
		return activeElement
	}
	return unknownElement
}
