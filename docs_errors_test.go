package custody_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The catalogue has what the code can answer with, and nothing else: problem
// types, and the codes of runs, denials, steps and votes.
func TestErrorCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(raw), "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	for title, known := range map[string]map[string]bool{
		"Problem types":                   problemTypes(t),
		"Why a run ended without success": runReasons(t),
		"Why a step was denied":           denials(t),
		"Why a step failed":               constants(t, "Code", "steps", "steps/model"),
		"Why somebody may not vote":       constants(t, "Reason", "security/approval"),
	} {
		text, ok := sections[title]
		if !ok {
			t.Errorf("there is no section %q", title)
			continue
		}
		row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
		if title == "Problem types" {
			row = regexp.MustCompile(`(?m)^### ([a-z-]+)$`)
		}
		explained := map[string]bool{}
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			explained[m[1]] = true
		}
		if len(known) < 5 {
			t.Errorf("%s: only %v were found in the code", title, slices.Collect(maps.Keys(known)))
		}
		for name := range known {
			if !explained[name] {
				t.Errorf("%s: %s is not explained", title, name)
			}
		}
		for name := range explained {
			if !known[name] {
				t.Errorf("%s: %s does not exist", title, name)
			}
		}
	}
}

// Every problem type has its status, what to do, and an example.
func TestEveryProblemHasAnExample(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(string(raw), "\n## Why a run ended")
	parts := strings.Split(page, "\n### ")[1:]
	for _, part := range parts {
		name, text, _ := strings.Cut(part, "\n")
		if !strings.Contains(text, "**"+strconv.Itoa(statusOf()[name])+".**") {
			t.Errorf("%s: the status is not said, or is not %d", name, statusOf()[name])
		}
		if !strings.Contains(text, "**Do**") || !strings.Contains(text, `"type": "urn:custody:problem:`+name+`"`) {
			t.Errorf("%s: there is no word on what to do, or no example", name)
		}
	}
	if len(parts) != len(statusOf()) {
		t.Errorf("%d types are explained, and %d have a status", len(parts), len(statusOf()))
	}
}

// problemTypes are the words that package api makes problems with.
func problemTypes(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	word := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	inspect(t, "api", func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "newProblem" && len(n.Args) > 1 {
				note(out, n.Args[1], word)
			}
		case *ast.CompositeLit: // a row of the table of errors: {error, status, type, detail}
			if len(n.Elts) != 4 {
				return
			}
			if status, ok := n.Elts[1].(*ast.SelectorExpr); ok && strings.HasPrefix(status.Sel.Name, "Status") {
				note(out, n.Elts[2], word)
			}
		}
	})
	return out
}

// runReasons are the codes that the engine closes runs with.
func runReasons(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	word := regexp.MustCompile(`^[a-z_]+$`)
	inspect(t, "workflow/engine", func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Reason" && root(s).Name == "store" {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Code" {
						note(out, kv.Value, word)
					}
				}
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "because" && len(n.Args) == 3 {
				note(out, n.Args[1], word)
			}
		case *ast.AssignStmt: // code := "error"; code = "timeout"
			if v, ok := n.Lhs[0].(*ast.Ident); ok && v.Name == "code" {
				note(out, n.Rhs[0], word)
			}
		}
	})
	return out
}

// denials are the codes of a decision's reasons.
func denials(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	word := regexp.MustCompile(`^[a-z]+$`)
	for _, dir := range []string{"security/policy", "workflow/engine"} {
		inspect(t, dir, func(n ast.Node) {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				if (name == "miss" || name == "doubt" || name == "deny") && len(n.Args) == 3 {
					note(out, n.Args[1], word)
				}
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Reason" && root(s).Name == "security" {
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Code" {
							note(out, kv.Value, word)
						}
					}
				}
			}
		})
	}
	return out
}

// constants are the values of the constants whose name begins so.
func constants(t *testing.T, prefix string, dirs ...string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, dir := range dirs {
		inspect(t, dir, func(n ast.Node) {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return
			}
			for i, name := range v.Names {
				if strings.HasPrefix(name.Name, prefix) && i < len(v.Values) {
					note(out, v.Values[i], regexp.MustCompile(`^[a-z_]+$`))
				}
			}
		})
	}
	return out
}

// note notes a literal that is such a word.
func note(out map[string]bool, e ast.Expr, word *regexp.Regexp) {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		if text, err := strconv.Unquote(l.Value); err == nil && word.MatchString(text) {
			out[text] = true
		}
	}
}

// inspect visits the code of a package without its tests.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}

// nouns are those of the API's page, as far as they are built.
func nouns() []string {
	return []string{
		"agent", "approval", "attempt", "bundle", "call", "caller", "checkpoint", "client", "commitment", "connection", "control stream",
		"definition", "digest", "dry run", "effect", "entry", "event", "guard", "idempotency key", "intent", "issuer", "judge", "key", "kind",
		"label", "ledger", "mandate", "notary", "owner", "payload", "principal", "problem", "provider", "quorum", "receipt", "revocation",
		"role", "run", "second factor", "step", "step-up", "stream", "tenant", "tier", "token", "verification", "version", "vote", "workflow",
	}
}

// The glossary has every noun, in the order of the alphabet.
func TestGlossaryHasEveryNoun(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/glossary.md")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(raw), -1) {
		words = append(words, m[1])
	}
	if !slices.IsSorted(words) {
		t.Error("the words are not in the order of the alphabet")
	}
	for _, n := range nouns() {
		if !slices.Contains(words, n) {
			t.Errorf("%s is not explained", n)
		}
	}
}

// A link to a heading leads to one.
func TestAnchorsLeadToHeadings(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]*)#([^)\s]+)\)`)
	known, found := map[string]map[string]bool{}, 0
	for _, page := range documents(t) {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(strings.ReplaceAll(string(raw), "\n", " "), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			found++
			if known[target] == nil {
				known[target] = anchors(t, target)
			}
			if !known[target][m[2]] {
				t.Errorf("%s: %s has no heading #%s", page, target, m[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links to headings were found", found)
	}
}

// anchors are the headings of a page, as a link names them.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(raw), -1) {
		slug := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return out
}
