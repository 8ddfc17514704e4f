package reading

import "bytes"

// unmarked reads a text without the marks of a markup language between its
// letters: "ig<b></b>nore", "ig**no**re", "ig[b]nore[/b]". Such marks show
// nothing, so a word goes on after them.
func (s *Scanner) unmarked(layer int) {
	b := s.frames[layer].reading.Cased
	s.work += 4 * len(b)
	f := s.begin(layer)
	g := gluer{b: b}
	inside := 0
	for i := 0; i < len(b); {
		start := i
		for i < len(b) && wordOf[b[i]]&(inLower|inUpper) != 0 {
			i++
		}
		if i > start {
			g.pieces[g.n] = span{start, i}
			g.n++
		}
		next := i
		for next < len(b) {
			n := mark(b, next)
			if n == 0 {
				break
			}
			if n > 3 && b[next] == '/' {
				inside++
			}
			next += n
			s.work += n
		}
		goesOn := next > i && next < len(b) && wordOf[b[next]]&(inLower|inUpper) != 0
		if g.n > 0 && goesOn && g.n < len(g.pieces) {
			inside++
			i = next
			continue
		}
		if g.n > 0 {
			s.compound(f, &g, 0, g.n-1)
			g.n = 0
		}
		if i = next; i < len(b) && !goesOn {
			f.emit(b[i], i, 1)
			i++
		}
	}
	if g.n > 0 {
		s.compound(f, &g, 0, g.n-1)
	}
	if inside >= 3 {
		s.offer(layer, "unmarked", language)
	}
}

// longestMark is how many bytes a mark may have.
const longestMark = 96

// mark returns the length of the mark at i, 0 if there is none.
func mark(b []byte, i int) int {
	near := b[i:min(len(b), i+longestMark)]
	switch b[i] {
	case '<':
		if bytes.HasPrefix(near, []byte("<!--")) {
			return after(near, "-->")
		}
		if len(near) > 2 && (wordOf[near[1]]&(inLower|inUpper) != 0 || near[1] == '/') {
			return after(near, ">")
		}
	case '/':
		if len(near) > 1 && near[1] == '*' {
			return after(near, "*/")
		}
	case '[':
		return bracketed(near)
	case '*', '~', '`':
		n := 1
		for n < len(near) && n < 3 && near[n] == b[i] {
			n++
		}
		return n
	}
	return 0
}

func after(b []byte, end string) int {
	if k := bytes.Index(b, []byte(end)); k >= 0 {
		return k + len(end)
	}
	return 0
}

// bracketed returns the length of a tag of bulletin boards: [b], [/b], [size=3].
func bracketed(b []byte) int {
	k := 1
	if k < len(b) && b[k] == '/' {
		k++
	}
	letters := k
	for k < len(b) && wordOf[b[k]]&(inLower|inUpper) != 0 {
		k++
	}
	if k == letters || k-letters > 6 || k == len(b) || b[k] != ']' && b[k] != '=' {
		return 0
	}
	return after(b[:min(len(b), 24)], "]")
}
