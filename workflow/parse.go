package workflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/security"
)

// Limits of a definition beyond those of its text.
const (
	maxSteps       = 200
	maxExpressions = 500
	maxProblems    = 100
)

// Parse reads a definition in YAML or JSON and checks everything that can be
// known before it runs: fields, kinds, schemas, the type of every expression,
// and that no effect can be steered by anybody but its author. The error is
// Problems. Parse does no I/O; it is safe for concurrent use.
func Parse(source []byte, kinds Kinds) (*Definition, error) {
	root, src, problems := readSource(source)
	if len(problems) > 0 {
		return nil, problems
	}
	return load(root, src, kinds)
}

// A loader turns a document into a Definition and collects what is wrong.
type loader struct {
	kinds    Kinds
	src      *text
	def      *Definition
	lang     *language
	problems Problems
	broken   bool // the input's schema is wrong: nothing is known about its fields
	with     map[*Kind]*kindSchema
	above    [][]bool // above[i][j]: step j ended before step i begins
	ids      map[string]int
	count    int // of expressions
	nodes    []*node
}

// load checks a document.
func load(root *node, src *text, kinds Kinds) (*Definition, error) {
	l := &loader{kinds: kinds, src: src, def: &Definition{}, with: map[*Kind]*kindSchema{}, ids: map[string]int{}}
	if root.form != mapForm {
		l.fault(root, "type", "a definition is a mapping, and this is "+root.what(), "begin with `name:`")
		return nil, l.problems
	}
	l.storable(root)
	l.header(root)
	l.steps(root)
	if len(l.problems) == 0 {
		l.influences()
		l.labels()
		l.rejections()
	}
	l.output(root)
	l.versions(root.get("kinds"))
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	l.def.warnings = Problems(l.def.warnings).sorted()
	l.def.seal()
	return l.def, nil
}

// fault records what is wrong at a node.
func (l *loader) fault(n *node, code, message, remedy string) {
	l.record(&l.problems, n.line, n.column, n.pointer, code, message, remedy)
}

// faultAt records what is wrong at a field's name.
func (l *loader) faultAt(n *node, f field, code, message, remedy string) {
	l.record(&l.problems, f.line, f.column, join(n.pointer, f.name), code, message, remedy)
}

func (l *loader) warn(n *node, code, message, remedy string) {
	l.record((*Problems)(&l.def.warnings), n.line, n.column, n.pointer, code, message, remedy)
}

// record adds to a list of problems. Nobody reads more than its most, and a
// hostile text could have tens of thousands.
func (l *loader) record(to *Problems, line, column int, pointer, code, message, remedy string) {
	if len(*to) < maxProblems {
		*to = append(*to, l.src.problem(line, column, pointer, code, message, remedy))
	}
}

// storable refuses an escaped U+0000 wherever it stands: no text of PostgreSQL
// holds it, and a run that came to it could neither go on nor end.
func (l *loader) storable(n *node) {
	const message, remedy = "a text may not hold U+0000, which no database keeps", "take it out"
	if s, ok := n.text(); ok && strings.Contains(s, "\x00") {
		l.fault(n, "nul", message, remedy)
	}
	for _, f := range n.fields {
		if strings.Contains(f.name, "\x00") {
			l.faultAt(n, f, "nul", message, remedy)
		}
		l.storable(f.value)
	}
	for _, item := range n.items {
		l.storable(item)
	}
}

// known refuses fields that are not in the list. The hints are for names that
// people bring along from elsewhere.
func (l *loader) known(n *node, where string, names []string, hints map[string]string) {
	if n.form != mapForm {
		l.fault(n, "type", where+" is a mapping, and this is "+n.what(), "")
		return
	}
	for _, f := range n.fields {
		if slices.Contains(names, f.name) || len(l.problems) >= maxProblems {
			continue
		}
		remedy, ok := hints[f.name]
		if !ok {
			remedy = didYouMean(f.name, names)
		}
		l.faultAt(n, f, "unknown_field", fmt.Sprintf("unknown field %s in %s", quote(f.name), where), remedy)
	}
}

// needed returns a required field, or records that it is missing.
func (l *loader) needed(n *node, where, name, remedy string) *node {
	v := n.get(name)
	if v == nil {
		l.fault(n, "required", where+" needs "+name, remedy)
	}
	return v
}

// word returns a text field's value; "" if it is absent or something else.
func (l *loader) word(n *node, what string) string {
	if n == nil {
		return ""
	}
	s, ok := n.text()
	if !ok {
		l.fault(n, "type", fmt.Sprintf("%s is a text, and this is %s", what, n.what()), "quote it")
	}
	return s
}

// words returns a list of texts.
func (l *loader) words(n *node, what string) []string {
	if n == nil {
		return nil
	}
	if n.form != listForm {
		l.fault(n, "type", fmt.Sprintf("%s is a list, and this is %s", what, n.what()), "write [a, b]")
		return nil
	}
	out := []string{}
	for _, item := range n.items {
		s := l.word(item, "an item of "+what)
		if s != "" && slices.Contains(out, s) {
			l.fault(item, "duplicate", fmt.Sprintf("%s stands twice in %s", quote(s), what), "keep one of them")
			continue
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// duration returns a length of time within bounds; 0 if it is absent or wrong.
func (l *loader) duration(n *node, what string, least, most time.Duration) time.Duration {
	if n == nil {
		return 0
	}
	s, _ := n.text()
	d, err := time.ParseDuration(s)
	if err != nil {
		l.fault(n, "duration", what+" is not a length of time", "write one such as 30s, 5m or 48h")
		return 0
	}
	if d < least || d > most {
		l.fault(n, "duration", fmt.Sprintf("%s is from %s to %s", what, least, most), "")
		return 0
	}
	return d
}

var (
	workflowName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	stepName     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// reserved are words of CEL, which cannot be selected as `steps.<id>`.
func reserved(id string) bool {
	return slices.Contains(strings.Fields("as break const continue else false for function if import in let loop null package namespace return true var void while"), id)
}

// topFields are the fields of a definition, and hints for those of GitHub.
func topFields() ([]string, map[string]string) {
	return []string{"name", "description", "input", "sensitivity", "requires", "steps", "output", "kinds"},
		map[string]string{
			"on":          "a run begins when somebody submits it (`custody run submit`); remove this field",
			"jobs":        "write `steps:` at the top; steps without a path between them run at the same time",
			"env":         "pass values through `input:`; secrets stay in the server's configuration",
			"secrets":     "secrets stay in the server's configuration; a step names a model or a connection",
			"inputs":      "write `input:`, a JSON Schema",
			"outputs":     "write `output:`, one expression",
			"permissions": "write `requires: {roles: […]}`",
			"run-name":    "write `name:`",
			"defaults":    "write the settings at each step",
			"concurrency": "steps run together unless one needs the other; remove this field",
			"runs-on":     "steps run wherever Custody runs; remove this field",
			"version":     "the digest is the version; remove this field",
			"require":     "write `requires:`",
		}
}

// header reads everything but the steps.
func (l *loader) header(root *node) {
	names, hints := topFields()
	l.known(root, "a definition", names, hints)
	d := l.def
	if n := l.needed(root, "a definition", "name", "add `name: my-workflow`"); n != nil {
		d.Name = l.word(n, "name")
		if !workflowName.MatchString(d.Name) {
			l.fault(n, "name", "a name has lower-case letters, digits and hyphens, begins with a letter, and is at most 63 long", "")
		}
	}
	d.Description = l.word(root.get("description"), "description")
	if n := l.needed(root, "a definition", "requires", "add `requires: {roles: [analyst]}`: who may submit it"); n != nil {
		d.Requires = l.requirement(n)
		if len(d.Requires.Roles) == 0 {
			l.fault(n, "requires", "a definition needs at least one role, or nobody may run it", "add `roles: [analyst]`")
		}
	}
	l.input(root.get("input"))
	lang, err := newLanguage(d.input, l.broken)
	if err != nil {
		l.fault(root, "internal", "the types of this definition cannot be set up", "report this to the makers of Custody")
		return
	}
	l.lang = lang
}

// input compiles the input's schema.
func (l *loader) input(n *node) {
	if n == nil {
		return
	}
	doc := n.plain()
	compiled, fail := compileSchema(doc)
	if fail != nil {
		l.schemaFault(n, fail)
		l.broken = true
		return
	}
	if m, ok := doc.(map[string]any); !ok || m["type"] != "object" {
		l.fault(n, "input", "the input's schema needs `type: object`", "put its values under `properties:`")
		l.broken = true
	}
	l.def.input, l.def.inputDoc = compiled, doc
	l.def.Input = appendJSON(nil, doc)
}

// schemaFault records a mistake inside a schema at its own place.
func (l *loader) schemaFault(n *node, e *schemaError) {
	if e.name {
		parent := nearest(n, e.pointer[:strings.LastIndexByte(e.pointer, '/')])
		for _, f := range parent.fields {
			if strings.HasSuffix(e.pointer, join("", f.name)) {
				l.faultAt(parent, f, "schema", e.message, e.remedy)
				return
			}
		}
	}
	l.fault(nearest(n, e.pointer), "schema", e.message, e.remedy)
}

// nearest follows a JSON Pointer as far down as the document goes.
func nearest(n *node, pointer string) *node {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, name := range strings.Split(pointer, "/")[min(1, len(pointer)):] {
		name = unescape.Replace(name)
		next := n.get(name)
		if next == nil && n.form == listForm {
			for i, item := range n.items {
				if fmt.Sprint(i) == name {
					next = item
				}
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// requirement reads `requires`.
func (l *loader) requirement(n *node) security.Requirement {
	l.known(n, "requires", []string{"roles", "mfa"}, map[string]string{"role": "write `roles: [name]`"})
	r := security.Requirement{Roles: l.words(n.get("roles"), "roles")}
	if m := n.get("mfa"); m != nil {
		yes, ok := m.scalar.(bool)
		if !ok {
			l.fault(m, "type", "mfa is true or false, and this is "+m.what(), "")
		}
		r.MFA = yes
	}
	return security.Requirement{}.And(r) // sorts, so that the order of writing makes no other digest
}

// requirement writes what the loader's method reads.
func requirement(r security.Requirement) map[string]any {
	doc := map[string]any{}
	if len(r.Roles) > 0 {
		doc["roles"] = anyList(r.Roles)
	}
	if r.MFA {
		doc["mfa"] = true
	}
	return doc
}

// sensitivity reads what the author declares of the input and of outputs.
func (l *loader) sensitivity(n *node) {
	if n == nil {
		return
	}
	if n.form != mapForm {
		l.fault(n, "type", "sensitivity is a mapping, and this is "+n.what(), "write `sensitivity: {input: internal}`")
		return
	}
	l.def.Sensitivity = map[string]security.Sensitivity{}
	for _, f := range n.fields {
		if _, ok := l.ids[f.name]; !ok && f.name != inputRoot {
			l.faultAt(n, f, "sensitivity", fmt.Sprintf("%s is neither input nor a step", quote(f.name)), didYouMean(f.name, append(sortedKeys(l.ids), inputRoot)))
			continue
		}
		s, err := security.ParseSensitivity(l.word(f.value, "a sensitivity"))
		if err != nil {
			l.fault(f.value, "sensitivity", "this is not a sensitivity", "it is one of public, internal, confidential, restricted")
		}
		l.def.Sensitivity[f.name] = s
	}
}

// output compiles the run's output.
func (l *loader) output(root *node) {
	n := root.get("output")
	if n == nil || l.lang == nil {
		return
	}
	source, ok := n.text()
	if !ok {
		l.fault(n, "type", "output is one expression, and this is "+n.what(), "write `output: ${{ steps.<id>.output }}`")
		return
	}
	if !strings.Contains(source, opening) {
		l.fault(n, "expression", "output is an expression", "write `output: ${{ … }}`")
		return
	}
	l.def.output = l.condition(n, "output", len(l.def.Steps))
	if l.def.output != nil {
		l.def.Output = l.def.output.source
	}
}

// versions holds pinned versions of kinds against those of this process. The
// canonical form carries them, so a run never goes on with another version
// than it began with.
func (l *loader) versions(n *node) {
	if n == nil {
		return
	}
	if n.form != mapForm {
		l.fault(n, "type", "kinds is a mapping, and this is "+n.what(), "remove it; the canonical form writes it")
		return
	}
	for _, f := range n.fields {
		version := l.word(f.value, "a version")
		kind, ok := l.kinds.find(f.name)
		switch {
		case !ok:
			l.faultAt(n, f, "unknown_kind", fmt.Sprintf("this process has no kind %s", quote(f.name)), "run it on a process that has")
		case kind.Version != version:
			l.faultAt(n, f, "kind_version", fmt.Sprintf("the definition was made with version %s of %s and this process has %s", quote(version), f.name, quote(kind.Version)), "run it on a process with that version, or apply the definition again")
		}
	}
}
