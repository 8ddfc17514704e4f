package egress

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Bounds of the Markdown parser. Its time is more than linear in the number of
// marks of a paragraph, and in the depth of quotes and lists.
const (
	maxMarkdown = 4 << 20 // bytes
	maxDepth    = 24      // quotes and lists that begin in one line
	maxIndent   = 96      // columns before a list in a list
	workBase    = 8 << 20 // marks times bytes of their paragraph
	workPerByte = 200
)

// markdown looks for links, images and definitions, and for what is code and
// therefore no HTML.
func (s *search) markdown() {
	s.verbatim = s.verbatim[:0]
	s.done = s.done[:0]
	t := s.clean
	links := strings.Contains(t, "](") || strings.Contains(t, "]:")
	code := strings.Contains(t, "<") && (strings.Contains(t, "`") || strings.Contains(t, "~~~"))
	if !links && !code {
		return
	}
	if tooComplex(t) {
		s.add(Finding{
			Rule: BoundMarkdown, End: len(s.text), Replacement: "[text removed]",
			Why: "The output nests or repeats marks of Markdown so often that it cannot be read within the bound.",
		})
		s.strict()
		return
	}
	seen := parse([]byte(t))
	for _, l := range seen.links {
		s.marked(l)
	}
	s.verbatim = append(s.verbatim, seen.code...)
	s.strict()
}

// tooComplex estimates the work of the parser.
func tooComplex(t string) bool {
	if len(t) > maxMarkdown {
		return true
	}
	work, marks, size := 0, 0, 0
	for len(t) > 0 {
		line := t
		if n := strings.IndexByte(t, '\n'); n >= 0 {
			line = t[:n+1]
		}
		t = t[len(line):]
		if deep(line) {
			return true
		}
		if blank(line) || item(line) {
			work += marks * size
			marks, size = 0, 0
		}
		marks += strings.Count(line, "[") + strings.Count(line, "`") + strings.Count(line, "<")
		size += len(line)
	}
	work += marks * size
	return work > workBase+workPerByte*len(t)
}

func blank(line string) bool { return strings.Trim(line, " \t\r\n") == "" }

// item says whether a line begins a paragraph of its own whatever stands before.
func item(line string) bool {
	l := strings.TrimLeft(line, " ")
	return len(l) > 2 && (l[0] == '-' || l[0] == '*' || l[0] == '+') && l[1] == ' ' && l[2] > ' '
}

// deep says whether quotes and lists begin too often in a line.
func deep(line string) bool {
	marks, column := 0, 0
	for i := 0; i < len(line); i++ {
		next := byte('\n')
		if i+1 < len(line) {
			next = line[i+1]
		}
		switch c := line[i]; {
		case c == ' ':
			column++
		case c == '\t':
			column += 4
		case c == '>', (c == '-' || c == '*' || c == '+' || c == '.' || c == ')') && next <= ' ':
			if marks++; column > maxIndent {
				return true
			}
		case c >= '0' && c <= '9':
		case c == '\n', c == '\r':
			return strings.Count(line, ">") > maxDepth // else a line of dashes
		default:
			return marks > maxDepth || marks > 0 && column > maxIndent
		}
	}
	return marks > maxDepth
}

// A marked link is one that the parser saw.
type marked struct {
	span
	destination string
	at          int // of the destination in the text: -1 if it stands elsewhere
	image       bool
	definition  bool
}

// seen is what the parser saw of one text.
type seen struct {
	links []marked
	code  []span
}

// marks is where the parsers below leave what they see.
var marks = parser.NewContextKey()

// parse runs the parser. Emphasis is left out: it changes no link.
func parse(source []byte) seen {
	var out seen
	context := parser.NewContext()
	context.Set(marks, &out)
	doc := reader.Parse(text.NewReader(source), parser.WithContext(context))
	for n := doc.FirstChild(); n != nil; n = after(n) {
		switch b := n.(type) {
		case *ast.LinkReferenceDefinition:
			out.define(source, b)
		case *ast.FencedCodeBlock:
			out.fenced(source, b)
		}
	}
	return out
}

// after is the next block of a document, in the order of the text.
func after(n ast.Node) ast.Node {
	if c := n.FirstChild(); c != nil && c.Type() == ast.TypeBlock {
		return c
	}
	for n != nil {
		if next := n.NextSibling(); next != nil {
			return next
		}
		n = n.Parent()
	}
	return nil
}

// reader is safe for concurrent use: what it sees is kept in the context of a
// call.
var reader = parser.NewParser(
	parser.WithBlockParsers(parser.DefaultBlockParsers()...),
	parser.WithInlineParsers(
		util.Prioritized(watched{parser.NewCodeSpanParser()}, 100),
		util.Prioritized(watched{parser.NewLinkParser()}, 200),
		util.Prioritized(parser.NewAutoLinkParser(), 300),
		util.Prioritized(parser.NewRawHTMLParser(), 400),
	),
	parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
)

// watched is a parser that says where in the source its nodes end, which nodes do
// not keep.
type watched struct{ parser.InlineParser }

// Parse parses and remembers.
func (w watched) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	_, begin := block.Position()
	n := w.InlineParser.Parse(parent, block, pc)
	if n == nil {
		return nil
	}
	out, _ := pc.Get(marks).(*seen)
	_, end := block.Position()
	stop := end.Start
	if stop < begin.Start { // at the end of the block
		stop = begin.Stop
	}
	switch l := n.(type) {
	case *ast.CodeSpan:
		out.code = append(out.code, span{begin.Start, stop})
	case *ast.Link:
		out.link(block.Source(), marked{span: span{l.Pos(), stop}}, begin.Start, l.Destination, l.Reference)
	case *ast.Image:
		out.link(block.Source(), marked{span: span{l.Pos(), stop}, image: true}, begin.Start, l.Destination, l.Reference)
	}
	return n
}

// CloseBlock is part of parsers that keep something for a block.
func (w watched) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if c, ok := w.InlineParser.(parser.CloseBlocker); ok {
		c.CloseBlock(parent, block, pc)
	}
}

// link remembers a link whose text ends at a bracket.
func (o *seen) link(source []byte, l marked, bracket int, destination []byte, reference *ast.ReferenceLink) {
	l.destination, l.at = string(destination), -1
	if l.lo < 0 || l.lo > l.hi {
		l.lo = bracket
	}
	if reference == nil && len(destination) > 0 {
		if n := strings.Index(string(source[bracket:l.hi]), l.destination); n >= 0 {
			l.at = bracket + n
		}
	}
	o.links = append(o.links, l)
}

// define remembers a definition.
func (o *seen) define(source []byte, d *ast.LinkReferenceDefinition) {
	at := d.Pos()
	if at < 0 || at >= len(source) {
		return
	}
	rest := string(source[at:min(len(source), at+len(d.Label)+2*len(d.Destination)+4096)])
	colon := strings.Index(rest, "]:")
	if colon < 0 {
		return
	}
	n := strings.Index(rest[colon:], string(d.Destination))
	if n < 0 {
		return
	}
	lo := at + colon + n
	o.links = append(o.links, marked{span: span{lo, lo + len(d.Destination)}, destination: string(d.Destination), at: lo, definition: true})
}

// fenced remembers the lines of a code block whose fence was closed. What follows
// an open fence is code to some programs only.
func (o *seen) fenced(source []byte, b *ast.FencedCodeBlock) {
	lines := b.Lines()
	if lines.Len() == 0 {
		return
	}
	lo, hi := lines.At(0).Start, lines.At(lines.Len()-1).Stop
	rest := strings.TrimLeft(string(source[hi:min(len(source), hi+64)]), " \t>\r\n")
	if strings.HasPrefix(rest, "```") || strings.HasPrefix(rest, "~~~") {
		o.code = append(o.code, span{lo, hi})
	}
}

// marked judges a link that the parser saw.
func (s *search) marked(l marked) {
	t := resolve(destination(l.destination, true))
	switch {
	case l.definition:
		// Whether it is for links or for images, what uses it says.
		if s.judge(t, true) != "" {
			s.link(t, l.lo, l.hi, false, noPlace)
		}
	case l.image:
		if s.link(t, l.lo, l.hi, true, noImage) != "" {
			s.done = append(s.done, l.span)
		}
	case l.at >= 0:
		s.link(t, l.at, l.at+len(l.destination), false, noPlace)
	default:
		s.link(t, l.lo, l.hi, false, noLink)
	}
	if l.at >= 0 {
		s.done = append(s.done, span{l.at, l.at + len(l.destination)})
	}
}

// strict looks at what other programs may take for a link: whatever stands in the
// brackets after a bracket, or behind a definition's colon. It sees what the
// parser saw as well, and says it only where the parser did not.
func (s *search) strict() {
	t := s.clean
	done := walkOf(s.done)
	for i := 0; ; {
		n := strings.IndexByte(t[i:], ']')
		if n < 0 || i+n+2 > len(t) {
			return
		}
		i += n + 1
		if t[i] != '(' && t[i] != ':' {
			continue
		}
		lo := i + 1
		for lo < len(t) && lo < i+64 && strings.IndexByte(" \t\r\n<", t[lo]) >= 0 {
			lo++
		}
		if done.end(lo) > lo {
			continue
		}
		hi := lo
		for hi < len(t) && hi-lo < 4096 && strings.IndexByte(" \t\r\n<>)\"", t[hi]) < 0 {
			hi++
		}
		if to := resolve(destination(t[lo:hi], true)); hi > lo && (leaves(to) || slashes(t[lo:hi]) >= 2) {
			s.link(to, lo, hi, false, noPlace)
		}
		i = max(i, hi-1)
	}
}

// leaves says whether what may be a destination may lead anywhere else: to a host,
// or by a scheme that needs none.
func leaves(t target) bool {
	return t.host != "" || t.scheme == "javascript" || t.scheme == "vbscript" || t.scheme == "data" || t.scheme == "file"
}
