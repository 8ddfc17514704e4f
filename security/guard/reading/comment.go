package reading

import "bytes"

// comments reads what a page or a document does not show or shows only on
// demand: comments, hidden elements, alternative texts and titles. All of a text
// is one reading, one piece on each line.
func (s *Scanner) comments(layer int, v *survey) {
	if s.frames[layer].reading.Name == "comment" {
		return
	}
	b := s.frames[layer].reading.Cased
	s.work += 3 * len(b)
	f := s.begin(layer)
	m := marks{b: b}
	for i := 0; i < len(b); {
		k := bytes.IndexAny(b[i:], "<[")
		if k < 0 {
			break
		}
		i += k
		if b[i] == '<' {
			i = s.tag(f, b, i)
		} else {
			i = markdown(f, &m, i)
		}
	}
	s.offer(layer, "comment", text)
}

// piece adds a piece if there are words in it.
func (f *frame) piece(b []byte, lo, hi int) {
	letters, blanks := 0, 0
	for _, c := range b[lo:hi] {
		if c == ' ' || c == '\n' {
			blanks++
		} else if wordByte(c) {
			letters++
		}
	}
	if letters < 8 || blanks < 1 && letters < 24 {
		return
	}
	f.copy(b[lo:hi], lo)
	f.emit('\n', hi, 0)
}

// tag reads the HTML at i and returns where to go on.
func (s *Scanner) tag(f *frame, b []byte, i int) int {
	if bytes.HasPrefix(b[i:], []byte("<!--")) {
		end := bytes.Index(b[i+4:], []byte("-->"))
		if end < 0 { // a browser hides the rest, too
			f.piece(b, i+4, len(b))
			return len(b)
		}
		f.piece(b, i+4, i+4+end)
		return i + 4 + end + 3
	}
	if i+1 >= len(b) || wordOf[b[i+1]]&(inLower|inUpper) == 0 {
		return i + 1
	}
	end := i + 1
	for end < len(b) && wordOf[b[end]]&(inLower|inUpper|inDigit) != 0 {
		end++
	}
	name := b[i+1 : end]
	close, hides := attributes(f, b, end)
	if close < 0 {
		return end
	}
	if !hides && !hiddenElement(name) {
		return close
	}
	stop := bytes.Index(b[close:], []byte("</"))
	if stop < 0 {
		stop = len(b) - close
	}
	f.piece(b, close, close+stop)
	return close + stop
}

// hiddenElement reports elements whose content is no text of the page.
func hiddenElement(name []byte) bool {
	switch string(name) {
	case "title", "desc", "metadata", "noscript", "template", "noframes", "noembed":
		return true
	}
	return false
}

// attributes reads the attributes of a tag up to its end: texts in some are
// pieces, others hide the element. The end is -1 if there is none nearby.
func attributes(f *frame, b []byte, i int) (end int, hides bool) {
	for limit := min(len(b), i+4096); i < limit; {
		c := b[i]
		if c == '>' {
			return i + 1, hides
		}
		if c == '<' {
			return -1, false
		}
		if wordOf[c]&(inLower|inUpper) == 0 {
			i++
			continue
		}
		start := i
		for i < limit && (wordOf[b[i]]&(inLower|inUpper|inDigit) != 0 || b[i] == '-') {
			i++
		}
		name := b[start:i]
		lo, hi, next := value(b, i, limit)
		i = next
		switch {
		case fold3(name, "alt") || fold3(name, "title") || fold3(name, "aria-label") || fold3(name, "aria-description") || fold3(name, "placeholder") || fold3(name, "summary") || fold3(name, "content") || len(name) > 5 && fold3(name[:5], "data-"):
			f.piece(b, lo, hi)
		case fold3(name, "hidden"):
			hides = true
		case fold3(name, "aria-hidden"):
			hides = hides || fold3(b[lo:hi], "true")
		case fold3(name, "style"):
			hides = hides || unseenStyle(b[lo:hi])
		}
	}
	return -1, false
}

// fold3 compares without case.
func fold3(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }

// value reads "= value" of an attribute, in quotes or not.
func value(b []byte, i, limit int) (lo, hi, next int) {
	for i < limit && b[i] == ' ' {
		i++
	}
	if i >= limit || b[i] != '=' {
		return i, i, i
	}
	i++
	for i < limit && b[i] == ' ' {
		i++
	}
	if i < limit && (b[i] == '"' || b[i] == '\'') {
		if k := bytes.IndexByte(b[i+1:limit], b[i]); k >= 0 {
			return i + 1, i + 1 + k, i + k + 2
		}
	}
	lo = i
	for i < limit && b[i] != ' ' && b[i] != '>' && b[i] != '\n' {
		i++
	}
	return lo, i, i
}

// unseenStyle reports styles that make a text invisible.
func unseenStyle(style []byte) bool {
	var small [256]byte
	n := 0
	for _, c := range style {
		if c != ' ' && n < len(small) {
			small[n] = lowerOf[c]
			n++
		}
	}
	t := small[:n]
	for _, sign := range hidingStyles {
		if bytes.Contains(t, []byte(sign)) {
			return true
		}
	}
	return false
}

var hidingStyles = [...]string{
	"display:none", "visibility:hidden", "visibility:collapse", "font-size:0", "font-size:1px", "opacity:0;", "opacity:0.0",
	"color:white", "color:#fff", "color:transparent", "left:-9", "top:-9", "text-indent:-9", "clip:rect(0", "clip-path:inset(100",
	"height:0", "width:0", "max-height:0", "color:rgba(0,0,0,0", "mso-hide:all",
}

// marks remembers where the next closing marks are, so that a text of opening
// ones is read once.
type marks struct {
	b            []byte
	square, curl int // places up to which the next is known
}

// next returns the first c at or after i, by what *known says.
func (m *marks) next(c byte, i int, known *int) int {
	if *known < i || *known == 0 {
		*known = len(m.b)
		if k := bytes.IndexByte(m.b[i:], c); k >= 0 {
			*known = i + k
		}
	}
	return *known
}

// markdown reads a comment of Markdown, "[//]: # (text)", or the title of a link
// or image and the text for an image that is not shown, and returns where to go
// on.
func markdown(f *frame, m *marks, i int) int {
	b := m.b
	end := m.next(']', i, &m.square)
	if end-i > 2048 || end+1 >= len(b) {
		return i + 1
	}
	if k := bytes.IndexByte(b[i+1:end], '['); k >= 0 { // the inner one first
		return i + 1 + k
	}
	if i > 0 && b[i-1] == '!' {
		f.piece(b, i+1, end)
	}
	switch b[end+1] {
	case ':':
		if i == 0 || b[i-1] == '\n' {
			close := len(b)
			if k := bytes.IndexByte(b[end:], '\n'); k >= 0 {
				close = end + k
			}
			title(f, b, end+2, close)
			return close
		}
	case '(':
		if close := m.next(')', end, &m.curl); close-end < 2048 {
			title(f, b, end+2, close)
			return close
		}
	}
	return end + 1
}

// title reads the title after an address.
func title(f *frame, b []byte, i, end int) {
	if i >= end {
		return
	}
	k := bytes.IndexAny(b[i:end], "\"'(")
	if k < 0 {
		return
	}
	lo, hi := i+k+1, end
	for hi > lo && (b[hi-1] == '"' || b[hi-1] == '\'' || b[hi-1] == ')' || b[hi-1] == ' ') {
		hi--
	}
	f.piece(b, lo, hi)
}
