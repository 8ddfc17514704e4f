package custody

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A line is one kind of line that processes log.
type line struct{ Message, Level, Component, Fields string }

// components of the packages that log.
var components = map[string]string{"api": "api", "store": "store", "workflow/engine": "engine", "internal/telemetry": "telemetry", ".": ""} //nolint:gochecknoglobals // a constant

// logged collects every call of a *slog.Logger in the source of the packages
// that have one.
func logged(t *testing.T) []line {
	t.Helper()
	var out []line
	for dir, component := range components {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			out = append(out, linesOf(t, file, component)...)
		}
	}
	sortLines(out)
	return slices.Compact(out)
}

func sortLines(l []line) {
	slices.SortFunc(l, func(a, b line) int { return strings.Compare(a.Message+a.Component, b.Message+b.Component) })
}

func linesOf(t *testing.T, file, component string) (out []line) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(t, err)
	for _, decl := range parsed.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			level, at := levelOf(call)
			if level == "" {
				return true
			}
			message, ok := text(call.Args[at])
			if !ok {
				t.Errorf("%s: a message that is not constant", file)
				return true
			}
			var from ast.Node = &ast.CallExpr{Fun: call.Fun, Args: call.Args[at+1:]}
			if call.Ellipsis.IsValid() {
				from = decl // the attributes were collected before
			}
			out = append(out, line{message, level, component, strings.Join(keysIn(from), ", ")})
			return true
		})
	}
	return out
}

var levels = map[string]string{"Debug": "DEBUG", "Info": "INFO", "Warn": "WARN", "Error": "ERROR"} //nolint:gochecknoglobals // a constant

// levelOf recognises x.Log.WarnContext(ctx, "message", ...) and x.log.Warn("message", ...).
func levelOf(call *ast.CallExpr) (level string, at int) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", 0
	}
	name, withContext := strings.CutSuffix(method.Sel.Name, "Context")
	if withContext {
		at = 1
	}
	if of, ok := method.X.(*ast.SelectorExpr); !ok || !strings.EqualFold(of.Sel.Name, "log") || len(call.Args) <= at {
		return "", 0
	}
	return levels[name], at
}

// keysIn are the keys of slog.String("key", ...) and the like.
func keysIn(n ast.Node) (keys []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if of, ok := call.Fun.(*ast.SelectorExpr); ok && len(call.Args) == 2 {
			if pkg, ok := of.X.(*ast.Ident); ok && pkg.Name == "slog" {
				if key, ok := text(call.Args[0]); ok && !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
		}
		return true
	})
	return keys
}

func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

var logRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (DEBUG|INFO|WARN|ERROR) \\| *([a-z]*) *\\|(.*)\\|$")

func TestEveryLineOfTheLogIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("docs/observability.md")
	must(t, err)
	var documented []line
	for _, m := range logRow.FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, line{m[1], m[2], m[3], strings.TrimSpace(strings.ReplaceAll(m[4], "`", ""))})
	}
	sortLines(documented)
	have := logged(t)
	if len(have) < 15 {
		t.Errorf("%d lines found: the search is broken", len(have))
	}
	if d := cmp.Diff(documented, have); d != "" {
		t.Errorf("the table of docs/observability.md (-) and the code (+):\n%s\nThe rows must be:\n%s", d, rows(have))
	}
}

// rows is the table as it must be.
func rows(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		fields := ""
		if l.Fields != "" {
			fields = "`" + strings.ReplaceAll(l.Fields, ", ", "`, `") + "`"
		}
		fmt.Fprintln(&b, strings.ReplaceAll(fmt.Sprintf("| `%s` | %s | %s | %s |", l.Message, l.Level, l.Component, fields), "|  |", "| |"))
	}
	return b.String()
}

func TestNoLineOfTheLogHasContent(t *testing.T) {
	t.Parallel()
	banned := regexp.MustCompile(`(?i)content|prompt|token|secret|password|input|output|body|answer|comment|document|header|authorization|url`)
	for _, l := range logged(t) {
		for _, field := range strings.Split(l.Fields, ", ") {
			if banned.MatchString(field) {
				t.Errorf("%q has the field %s", l.Message, field)
			}
		}
	}
	if !banned.MatchString("prompt_text") {
		t.Error("the expression finds nothing")
	}
}
