package workflow

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A text is the source of a definition, by lines, for places and excerpts. The
// zero text belongs to a definition that was built in Go and has none.
type text struct {
	all   string
	lines []string
}

// newText reads line ends as YAML does, so that places and content agree.
func newText(source []byte) *text {
	all := strings.ReplaceAll(strings.TrimPrefix(string(source), "\ufeff"), "\r\n", "\n")
	return &text{all: all, lines: strings.Split(all, "\n")}
}

// problem makes a Problem with its excerpt.
func (t *text) problem(line, column int, pointer, code, message, remedy string) Problem {
	p := Problem{Pointer: pointer, Code: code, Message: message, Remedy: remedy}
	if len(t.lines) > 0 {
		p.Line, p.Column = line, column
		p.Excerpt = t.excerpt(line, column)
	}
	return p
}

// excerptWidth is how much of a long line an excerpt shows.
const excerptWidth = 120

// excerpt shows the line, two lines before it, and a caret under the column.
func (t *text) excerpt(line, column int) string {
	var b strings.Builder
	for n := max(1, line-2); n <= min(line, len(t.lines)); n++ {
		mark := " "
		if n == line {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %3d | %s\n", mark, n, shorten(t.lines[n-1]))
	}
	if column <= excerptWidth {
		b.WriteString(strings.Repeat(" ", 8+max(column-1, 0)) + "^\n")
	}
	return b.String()
}

// shorten cuts a line for an excerpt and keeps the caret's column true: a tab
// is one column, and control characters do not reach a terminal.
func shorten(line string) string {
	cut := len(line) > 4*excerptWidth // no more is looked at: a megabyte may be one line
	runes := []rune(line[:min(len(line), 4*excerptWidth)])
	cut = cut || len(runes) > excerptWidth
	runes = runes[:min(len(runes), excerptWidth)]
	for i, r := range runes {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			runes[i] = ' '
		}
	}
	if cut {
		return string(runes) + " …"
	}
	return string(runes)
}

// locate finds the place in the text of something inside a string value: the
// nth `${{` after the node's start, and within its expression a line and a
// column, both counted from 0. Escapes before it on the same line shift the
// column; the line is always right.
func (t *text) locate(n *node, nth, line, column int) (int, int) {
	if len(t.lines) == 0 || n.line > len(t.lines) {
		return n.line, n.column
	}
	at := t.offset(n.line, n.column)
	for range nth + 1 {
		i := strings.Index(t.all[at:], opening)
		if i < 0 {
			return n.line, n.column
		}
		at += i + len(opening)
	}
	if line == 0 {
		before := t.all[:at]
		start := strings.LastIndexByte(before, '\n') + 1
		return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1 + column
	}
	row := strings.Count(t.all[:at], "\n") + 1 + line
	if row > len(t.lines) {
		return n.line, n.column
	}
	indent := len(t.lines[row-1]) - len(strings.TrimLeft(t.lines[row-1], " "))
	return row, indent + column + 1
}

// offset is where a line and column (from 1, in runes) begin.
func (t *text) offset(line, column int) int {
	at := 0
	for _, l := range t.lines[:line-1] {
		at += len(l) + 1
	}
	rest := t.lines[line-1]
	for i := 1; i < column && rest != ""; i++ {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		at += size
	}
	return min(at, len(t.all))
}

// tooNested finds texts that would keep the YAML parser busy for seconds: its
// time grows with the square of the depth.
func (t *text) tooNested() (Problem, bool) {
	depth := 0
	for i, line := range t.lines {
		run := 0
		for _, word := range strings.Fields(line) {
			if word == "-" || word == "?" || strings.ContainsRune("&*!", rune(word[0])) {
				run++
			} else {
				run = 0
			}
			if run > maxDepth {
				return t.problem(i+1, 1, "", "too_deep", "the definition is nested too deeply", "flatten it"), true
			}
		}
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
		}
		if depth > maxNesting {
			return t.problem(i+1, 1, "", "too_deep", "too many brackets are open", "close them, or flatten the definition"), true
		}
	}
	return Problem{}, false
}

// join appends a name to a JSON Pointer (RFC 6901).
func join(pointer, name string) string {
	if !strings.ContainsAny(name, "~/") {
		return pointer + "/" + name
	}
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// quote shows a name of the author's in a message, shortened.
func quote(name string) string {
	const most = 60
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", name)
}
