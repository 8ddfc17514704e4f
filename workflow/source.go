package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a definition's text. They bound the time and memory of Parse.
const (
	maxSource  = 256 << 10
	maxDepth   = 64
	maxNodes   = 50_000
	maxTokens  = 30_000
	maxNesting = 400 // open brackets in the text before it is parsed
)

// A node is a value of the document with its place in the text. Exactly one of
// fields, items and scalar is meant, as form says.
type node struct {
	form    form
	scalar  any // nil, bool, int64, float64, string
	fields  []field
	items   []*node
	pointer string
	line    int
	column  int
	quoted  bool // the text starts one column after the place
}

type form byte

const (
	scalarForm form = iota
	mapForm
	listForm
)

type field struct {
	name   string
	line   int
	column int
	value  *node
}

// get returns the value of a field, nil if it is not there.
func (n *node) get(name string) *node {
	for _, f := range n.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// child is get for callers to whom an absent field is an empty one.
func (n *node) child(name string) *node {
	if v := n.get(name); v != nil {
		return v
	}
	return &node{}
}

// text returns a string's value; false if the node is something else.
func (n *node) text() (string, bool) {
	s, ok := n.scalar.(string)
	return s, ok && n.form == scalarForm
}

// what names the form for messages, never the content.
func (n *node) what() string {
	switch n.form {
	case mapForm:
		return "a mapping"
	case listForm:
		return "a list"
	}
	switch n.scalar.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	}
	return "a number"
}

// plain is the node without its places.
func (n *node) plain() any {
	switch n.form {
	case mapForm:
		m := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			m[f.name] = f.value.plain()
		}
		return m
	case listForm:
		l := make([]any, len(n.items))
		for i, item := range n.items {
			l[i] = item.plain()
		}
		return l
	}
	return n.scalar
}

// readSource reads a definition's text, which is JSON or YAML.
func readSource(source []byte) (*node, *text, Problems) {
	src := newText(source)
	switch {
	case len(source) > maxSource:
		return nil, src, Problems{src.problem(1, 1, "", "too_large", "the definition is larger than 256 KiB", "split it, or pass long texts as input")}
	case !utf8.Valid(source):
		return nil, src, Problems{src.problem(1, 1, "", "not_utf8", "the text is not UTF-8", "save the file as UTF-8")}
	case bytes.IndexByte(source, 0) >= 0:
		line := 1 + bytes.Count(source[:bytes.IndexByte(source, 0)], []byte("\n"))
		return nil, src, Problems{src.problem(line, 1, "", "nul", "the text holds U+0000, which no database keeps", "take it out")}
	}
	if strings.HasPrefix(strings.TrimLeft(src.all, " \t\n"), "{") {
		// A canonical definition is JSON. Flow YAML starts like it and is
		// tried as YAML if it is not.
		root, err := parseJSON(src.all, jsonLimits{depth: maxDepth, values: maxNodes})
		if err == nil {
			return root, src, nil
		}
		if err.code != "syntax" {
			return nil, src, Problems{src.problem(err.line, err.column, "", err.code, err.message, err.remedy)}
		}
	}
	return readYAML(src)
}

// readYAML parses one YAML document.
func readYAML(src *text) (root *node, _ *text, problems Problems) {
	if p, bad := src.tooNested(); bad {
		return nil, src, Problems{p}
	}
	// The parser is not ours and its input is hostile: a panic in it is a
	// syntax error, not the end of the process.
	defer func() {
		if recover() != nil {
			root, problems = nil, Problems{src.problem(1, 1, "", "syntax", "the text cannot be read as YAML", "check the indentation and the quotes")}
		}
	}()
	tokens := lexer.Tokenize(src.all)
	if len(tokens) > maxTokens { // the parser's time grows with the square of a mapping's fields
		line, column := place(tokens[maxTokens])
		return nil, src, Problems{src.problem(line, column, "", "too_large", "the definition has too many values", "split the workflow")}
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, src, Problems{src.syntax(err)}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, src, Problems{src.problem(1, 1, "", "empty", "the definition is empty", "`custody workflow new NAME` prints a first one")}
	}
	if len(file.Docs) > 1 {
		line, column := 1, 1
		if t := file.Docs[1].Start; t != nil {
			line, column = t.Position.Line, t.Position.Column
		} else if b := file.Docs[1].Body; b != nil {
			line, column = place(b.GetToken())
		}
		return nil, src, Problems{src.problem(line, column, "", "second_document", "a second document begins here", "keep one definition in a file")}
	}
	y := yamlReader{src: src}
	root = y.read(file.Docs[0].Body, "", 0)
	if len(y.problems) > 0 {
		return nil, src, y.problems
	}
	return root, src, nil
}

// A yamlReader turns the parser's tree into nodes and refuses what has more
// than one reading.
type yamlReader struct {
	src      *text
	problems Problems
	count    int
}

func (y *yamlReader) refuse(n ast.Node, pointer, code, message, remedy string) *node {
	line, column := place(n.GetToken())
	if len(y.problems) < maxProblems {
		y.problems = append(y.problems, y.src.problem(line, column, pointer, code, message, remedy))
	}
	return &node{pointer: pointer, line: line, column: column}
}

// read converts one value.
func (y *yamlReader) read(n ast.Node, pointer string, depth int) *node {
	if y.count++; depth > maxDepth || y.count > maxNodes {
		if len(y.problems) > 0 {
			return &node{}
		}
		return y.refuse(n, pointer, "too_deep", "the definition is nested too deeply or has too many values", "flatten it")
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return y.mapping(n, n.Values, pointer, depth)
	case *ast.MappingValueNode:
		return y.mapping(n, []*ast.MappingValueNode{n}, pointer, depth)
	case *ast.SequenceNode:
		return y.sequence(n, pointer, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return y.refuse(n, pointer, "alias", "anchors, aliases and merge keys are not allowed", "write the value out where it is used")
	case *ast.TagNode:
		return y.refuse(n, pointer, "tag", "tags are not allowed", "quote the value if it is a text")
	}
	return y.value(n, pointer)
}

func (y *yamlReader) mapping(at ast.Node, values []*ast.MappingValueNode, pointer string, depth int) *node {
	line, column := place(at.GetToken())
	if len(values) > 0 {
		line, column = place(values[0].Key.GetToken())
	}
	out := &node{form: mapForm, pointer: pointer, line: line, column: column}
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			y.badKey(v.Key, pointer)
			continue
		}
		line, column := place(key.GetToken())
		if seen[key.Value] {
			y.refuse(key, pointer, "duplicate_key", fmt.Sprintf("%s is written twice", quote(key.Value)), "keep one of them")
			continue
		}
		seen[key.Value] = true
		out.fields = append(out.fields, field{key.Value, line, column, y.read(v.Value, join(pointer, key.Value), depth+1)})
	}
	return out
}

func (y *yamlReader) badKey(key ast.Node, pointer string) {
	if _, merge := key.(*ast.MergeKeyNode); merge {
		y.read(key, pointer, 0)
		return
	}
	y.refuse(key, pointer, "bad_key", "a field's name must be a text", "quote it")
}

func (y *yamlReader) sequence(n *ast.SequenceNode, pointer string, depth int) *node {
	line, column := place(n.GetToken())
	out := &node{form: listForm, pointer: pointer, line: line, column: column}
	for i, v := range n.Values {
		out.items = append(out.items, y.read(v, fmt.Sprintf("%s/%d", pointer, i), depth+1))
	}
	return out
}

// value converts a scalar. Numbers must be written as JSON writes them: 0777,
// 1_000 and .inf mean different things to different readers.
func (y *yamlReader) value(n ast.Node, pointer string) *node {
	tok := n.GetToken()
	line, column := place(tok)
	out := &node{pointer: pointer, line: line, column: column}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		out.scalar = n.Value
	case *ast.StringNode:
		out.scalar = n.Value
		out.quoted = tok.Type == token.DoubleQuoteType || tok.Type == token.SingleQuoteType
	case *ast.LiteralNode:
		out.scalar = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		v, err := parseNumber(tok.Value)
		if err != nil {
			return y.number(n, pointer, err)
		}
		out.scalar = v
	default:
		return y.refuse(n, pointer, "value", "this value has no JSON form", "quote it if it is a text")
	}
	return out
}

// number refuses a number that JSON does not write, or not exactly.
func (y *yamlReader) number(n ast.Node, pointer string, err *jsonError) *node {
	if err.code == "syntax" {
		return y.refuse(n, pointer, "number", "this number has more than one reading", "write it in plain decimals, or quote it if it is a text")
	}
	return y.refuse(n, pointer, "number", err.message, "quote it if it is a text")
}

// place is where a token stands, counted from 1.
func place(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}

// syntax turns the parser's complaint into a Problem.
func (t *text) syntax(err error) Problem {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return t.problem(1, 1, "", "syntax", "the text cannot be read as YAML", "check the indentation and the quotes")
	}
	line, column := place(syntax.GetToken())
	message := strings.ReplaceAll(syntax.GetMessage(), "'\t'", "tab")
	return t.problem(line, column, "", "syntax", "not YAML: "+message, yamlRemedy(message))
}

// yamlRemedy says what to do about the commonest mistakes.
func yamlRemedy(message string) string {
	switch {
	case strings.Contains(message, "already defined"):
		return "keep one of them"
	case strings.Contains(message, "tab"):
		return "indent with spaces"
	}
	return "check the indentation and the quotes"
}
