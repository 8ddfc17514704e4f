package custody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/custodyhq/custody"

// A row says what one package may be.
//
// A package imports only packages of a lower layer, so siblings never import
// each other and no arrow returns. A new package changes this table first.
type row struct {
	layer int
	std   bool     // nothing outside the standard library, not even through others
	pure  bool     // no files, no network, no processes
	only  []string // who alone may import it outside of tests; nil = anybody above
}

// nobody is for packages that exist for tests.
var nobody = []string{}

func packages() map[string]row {
	return map[string]row{
		"security":          {layer: 0, std: true, pure: true},
		"security/approval": {layer: 1, std: true, pure: true},
		"security/audit":    {layer: 1, std: true, pure: true},
		"security/guard":    {layer: 3, pure: true},
		"security/policy":   {layer: 1, std: true, pure: true},
		"security/vault":    {layer: 1, std: true, pure: true},
		"security/waiver":   {layer: 1, std: true, pure: true},
		"migrations":        {layer: 1},
		"store/localpg":     {layer: 1},
		"api/client":        {layer: 0, std: true},
		"internal/devidp":   {layer: 5, only: []string{"cmd/custody", "internal/bench"}},
		"internal/signin":   {layer: 1, std: true, only: []string{"cmd/custody"}},
		"internal/keycloak": {layer: 9, only: nobody},

		"security/guard/sensitive": {layer: 1, pure: true},

		"workflow": {layer: 4, pure: true},

		"security/guard/egress":  {layer: 2, pure: true},
		"security/guard/reading": {layer: 1, pure: true},

		"security/guard/detector": {layer: 2, pure: true},

		"security/guard/train":            {layer: 9, only: nobody},
		"security/guard/detector/lexicon": {layer: 0, pure: true},

		"security/oidc":   {layer: 5},
		"steps":           {layer: 5},
		"steps/model":     {layer: 5},
		"store":           {layer: 5},
		"steps/stepstest": {layer: 6, only: nobody},
		"store/storetest": {layer: 6, only: []string{"internal/bench"}},

		"steps/kinds":     {layer: 6},
		"workflow/engine": {layer: 6},

		"api":                {layer: 7},
		"internal/telemetry": {layer: 7, only: []string{""}},

		"": {layer: 8}, // custody: the wiring

		"examples/contractreview": {layer: 5, only: nobody},
		"examples/embed":          {layer: 9, only: nobody},
		"examples":                {layer: 9, only: nobody},
		"examples/documents":      {layer: 9, only: nobody},
		"internal/bench":          {layer: 9, only: nobody},
		"cmd/custody":             {layer: 9, only: nobody},
	}
}

// A library is a module with one home, or a part of one with a home of its own:
// the longest prefix counts.
type library struct {
	prefix string
	homes  []string
	tests  bool // any test may use it
}

func libraries() []library {
	return []library{
		{prefix: "cel.dev/cel-go", homes: []string{"workflow"}},
		{prefix: "github.com/alecthomas/kong", homes: []string{"cmd/custody"}},
		{prefix: "github.com/coreos/go-oidc/v3", homes: []string{"security/oidc"}},
		{prefix: "github.com/danielgtaylor/huma/v2", homes: []string{"api"}},
		{prefix: "github.com/go-chi/chi/v5", homes: []string{"api"}},
		{prefix: "github.com/go-jose/go-jose/v4", homes: []string{"security/oidc", "internal/devidp"}},
		{prefix: "github.com/goccy/go-yaml", homes: []string{"workflow", ""}, tests: true},
		// The engine names pgx's transaction type and nothing else of it.
		{prefix: "github.com/jackc/pgx/v5", homes: []string{"store", "store/localpg", "store/storetest", "migrations", "workflow/engine", "internal/bench"}, tests: true},
		{prefix: "github.com/jackc/pgx/v5/", homes: []string{"store", "store/localpg", "store/storetest", "migrations", "internal/bench"}, tests: true},
		{prefix: "github.com/pressly/goose/v3", homes: []string{"migrations"}},
		{prefix: "github.com/prometheus/client_golang", homes: []string{"internal/telemetry"}},
		{prefix: "github.com/riverqueue/river", homes: []string{"workflow/engine", "migrations", "internal/bench"}},
		{prefix: "github.com/santhosh-tekuri/jsonschema/v6", homes: []string{"workflow"}, tests: true},
		{prefix: "github.com/tmc/langchaingo", homes: []string{"steps/model"}},
		{prefix: "github.com/ulikunitz/xz", homes: []string{"store/localpg"}},
		{prefix: "github.com/yuin/goldmark", homes: []string{"security/guard/egress"}},
		{prefix: "go.opentelemetry.io", homes: []string{"internal/telemetry"}, tests: true},
		{prefix: "golang.org/x/net/publicsuffix", homes: []string{"security/guard/sensitive"}},
		{prefix: "golang.org/x/net/idna", homes: []string{"security/guard/egress"}},
		{prefix: "golang.org/x/text", homes: []string{"security/guard/reading"}},
		{prefix: "golang.org/x/term", homes: []string{"cmd/custody"}},
		{prefix: "golang.org/x/text/width", homes: []string{"cmd/custody"}},

		// goose speaks it, and the demo's attacker, who comes in behind our back.
		{prefix: "database/sql", homes: []string{"migrations", "cmd/custody"}},
		{prefix: "github.com/go-json-experiment/json", tests: true},
		{prefix: "github.com/google/go-cmp", tests: true},
		{prefix: "github.com/gowebpki/jcs", tests: true},
		{prefix: "google.golang.org/protobuf", tests: true},
		{prefix: "pgregory.net/rapid", tests: true},
	}
}

// unclean are the packages of the standard library that a pure package does
// without.
var unclean = []string{"database/sql", "net", "net/http", "os", "os/exec", "syscall"}

// A listed package is what `go list` says about it.
type listed struct {
	ImportPath, Dir                                   string
	GoFiles, Imports, TestImports, XTestImports, Deps []string
}

// violations holds an import graph against the tables.
func violations(pkgs []listed, rows map[string]row, libs []library) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range pkgs {
		name := ours(p.ImportPath)
		seen[name] = true
		out = append(out, badName(name)...)
		if _, ok := rows[name]; !ok {
			out = append(out, show(name)+" is not in the table of arch_test.go")
			continue
		}
		c := checker{name, rows, libs}
		for _, i := range p.Imports {
			out = append(out, c.production(i)...)
		}
		for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
			out = append(out, c.test(i)...)
		}
		out = append(out, c.dependencies(p.Deps)...)
	}
	for name := range rows {
		if !seen[name] {
			out = append(out, show(name)+" is in the table of arch_test.go and does not exist")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// badName refuses names that say nothing, wherever they stand in the path.
func badName(name string) []string {
	for _, part := range strings.Split(name, "/") {
		switch part {
		case "util", "utils", "common", "helper", "helpers", "manager", "models", "pkg", "misc", "shared":
			return []string{show(name) + ": a package is named after what it is, not " + part}
		}
	}
	return nil
}

// A checker looks at the imports of one package.
type checker struct {
	name string
	rows map[string]row
	libs []library
}

func (c checker) production(i string) []string {
	me := c.rows[c.name]
	if me.pure && slices.Contains(unclean, i) {
		return []string{show(c.name) + " is pure and imports " + i}
	}
	if !isOurs(i) {
		return c.library(i, false)
	}
	target := ours(i)
	other, ok := c.rows[target]
	switch {
	case !ok:
		return nil // it is named itself
	case other.layer >= me.layer:
		return []string{show(c.name) + " imports " + show(target) + ", which is not below it"}
	case other.only != nil && !slices.Contains(other.only, c.name):
		return []string{show(c.name) + " imports " + show(target) + ", which is not for it"}
	}
	return nil
}

// test is looser: a test may use what is beside its package and whatever exists
// for tests, but nothing above.
func (c checker) test(i string) []string {
	if !isOurs(i) {
		return c.library(i, true)
	}
	target := ours(i)
	other, ok := c.rows[target]
	if ok && other.only == nil && other.layer > c.rows[c.name].layer {
		return []string{"the tests of " + show(c.name) + " import " + show(target) + ", which is above it"}
	}
	return nil
}

func (c checker) library(i string, inTest bool) []string {
	lib := c.find(i)
	switch {
	case lib == nil && isStandard(i):
		return nil
	case lib == nil:
		return []string{show(c.name) + " imports " + i + ", which has no home in arch_test.go"}
	case slices.Contains(lib.homes, c.name) || inTest && (lib.tests || isStandard(i)):
		return nil
	}
	return []string{show(c.name) + " imports " + i + ", whose home is " + homes(lib.homes)}
}

func (c checker) find(i string) *library {
	var best *library
	for n := range c.libs {
		l := &c.libs[n]
		inside := i == l.prefix || strings.HasPrefix(i, strings.TrimSuffix(l.prefix, "/")+"/")
		if strings.HasSuffix(l.prefix, "/") {
			inside = strings.HasPrefix(i, l.prefix)
		}
		if inside && (best == nil || len(l.prefix) > len(best.prefix)) {
			best = l
		}
	}
	return best
}

// dependencies looks through other packages, too.
func (c checker) dependencies(deps []string) []string {
	if !c.rows[c.name].std {
		return nil
	}
	var out []string
	for _, d := range deps {
		if !isOurs(d) && !isStandard(d) {
			out = append(out, show(c.name)+" uses the standard library only and needs "+d)
		}
	}
	return out
}

func isOurs(i string) bool { return i == module || strings.HasPrefix(i, module+"/") }

func ours(i string) string { return strings.TrimPrefix(strings.TrimPrefix(i, module), "/") }

// isStandard knows the standard library by its first element: it has no dot.
func isStandard(i string) bool {
	first, _, _ := strings.Cut(i, "/")
	return !strings.Contains(first, ".")
}

func show(name string) string { return path.Join("custody", name) }

func homes(names []string) string {
	if len(names) == 0 {
		return "tests only"
	}
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = show(n)
	}
	return strings.Join(shown, ", ")
}

func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	for _, v := range violations(list(t), packages(), libraries()) {
		t.Error(v)
	}
}

// list asks the go command for every package of the module.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// The import rule is itself under test: a graph that breaks it in one way, and
// the words that must come back.
func TestImportRuleFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	rows := map[string]row{
		"security": {layer: 0, std: true, pure: true}, "steps": {layer: 3}, "store": {layer: 3},
		"store/storetest": {layer: 4, only: nobody}, "workflow/engine": {layer: 4}, "": {layer: 6},
	}
	libs := []library{
		{prefix: "example.org/pgx", homes: []string{"store", "workflow/engine"}, tests: true},
		{prefix: "example.org/pgx/", homes: []string{"store"}, tests: true},
		{prefix: "example.org/river", homes: []string{"workflow/engine"}},
		{prefix: "example.org/cmp", tests: true},
		{prefix: "database/sql", homes: []string{"migrations"}},
	}
	good := func() map[string]*listed {
		return map[string]*listed{
			"security":        {Imports: []string{"errors", "crypto/sha256"}, Deps: []string{"errors", "vendor/golang.org/x/crypto"}},
			"steps":           {Imports: []string{module + "/security"}, XTestImports: []string{module + "/steps", module + "/store/storetest", "example.org/cmp/cmp"}},
			"store":           {Imports: []string{module + "/security", "example.org/pgx", "example.org/pgx/pool", "os"}, TestImports: []string{module + "/steps"}},
			"store/storetest": {Imports: []string{module + "/store"}},
			"workflow/engine": {Imports: []string{module + "/steps", module + "/store", "example.org/pgx", "example.org/river/driver"}, XTestImports: []string{"example.org/pgx/pool"}},
			"":                {Imports: []string{module + "/workflow/engine"}},
		}
	}
	for name, c := range map[string]struct {
		change func(map[string]*listed)
		want   string
	}{
		"nothing":          {func(map[string]*listed) {}, ""},
		"a sibling":        {add("steps", module+"/store"), "custody/steps imports custody/store, which is not below it"},
		"an arrow upward":  {add("store", module+"/workflow/engine"), "custody/store imports custody/workflow/engine, which is not below it"},
		"the root":         {add("workflow/engine", module), "custody/workflow/engine imports custody, which is not below it"},
		"a test's helper":  {add("", module+"/store/storetest"), "custody imports custody/store/storetest, which is not for it"},
		"another's home":   {add("store", "example.org/river"), "custody/store imports example.org/river, whose home is custody/workflow/engine"},
		"a part too much":  {add("workflow/engine", "example.org/pgx/pool"), "custody/workflow/engine imports example.org/pgx/pool, whose home is custody/store"},
		"a test's library": {add("store", "example.org/cmp/cmp"), "custody/store imports example.org/cmp/cmp, whose home is tests only"},
		"no home":          {add("store", "example.org/new"), "custody/store imports example.org/new, which has no home in arch_test.go"},
		"like a home":      {add("store", "example.org/pgxpool"), "custody/store imports example.org/pgxpool, which has no home in arch_test.go"},
		"SQL elsewhere":    {add("steps", "database/sql"), "custody/steps imports database/sql, whose home is custody/migrations"},
		"an unclean one":   {add("security", "os"), "custody/security is pure and imports os"},
		"through others":   {func(g map[string]*listed) { g["security"].Deps = []string{"example.org/x"} }, "custody/security uses the standard library only and needs example.org/x"},
		"a test upward":    {func(g map[string]*listed) { g["store"].TestImports = []string{module + "/workflow/engine"} }, "the tests of custody/store import custody/workflow/engine, which is above it"},
		"a new package":    {func(g map[string]*listed) { g["new"] = &listed{} }, "custody/new is not in the table of arch_test.go"},
		"a gone package":   {func(g map[string]*listed) { delete(g, "steps") }, "custody/steps is in the table of arch_test.go and does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			graph := good()
			c.change(graph)
			var pkgs []listed
			for p, l := range graph {
				l.ImportPath = strings.TrimSuffix(module+"/"+p, "/")
				pkgs = append(pkgs, *l)
			}
			if diff := cmp.Diff(c.want, strings.Join(violations(pkgs, rows, libs), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := violations([]listed{{ImportPath: module + "/store/utils"}}, map[string]row{"store/utils": {}}, nil); len(got) != 1 {
		t.Errorf("a package named utils: %v", got)
	}
}

func add(name, path string) func(map[string]*listed) {
	return func(g map[string]*listed) { g[name].Imports = append(g[name].Imports, path) }
}

// The table itself keeps its promises: what is pure or bound to the standard
// library is not also the home of a library.
func TestTableAgreesWithItself(t *testing.T) {
	t.Parallel()
	rows := packages()
	for _, l := range libraries() {
		for _, home := range l.homes {
			r, ok := rows[home]
			if !ok || r.std && !isStandard(l.prefix) {
				t.Errorf("%s cannot be at home in %s", l.prefix, show(home))
			}
		}
	}
	for name, r := range rows {
		for _, who := range r.only {
			if w, ok := rows[who]; !ok || w.layer <= r.layer {
				t.Errorf("%s cannot import %s", show(who), show(name))
			}
		}
	}
}

// No package keeps state in a variable of its own: a table is written once, in
// its declaration.
func TestPackageVariablesNeverChange(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := ours(p.ImportPath)
		if name == "store/storetest" { // one server for all tests of a program
			continue
		}
		var files []*ast.File
		fset := token.NewFileSet()
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, at := range changed(files) {
			t.Errorf("%s: a variable of the package is changed", fset.Position(at))
		}
	}
}

func TestChangedVariablesAreFound(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]int{
		`var a int; func f() { a = 1 }`:                       1,
		`var a int; func f() { a++ }`:                         1,
		`var a = map[int]int{}; func f() { a[1] = 2 }`:        1,
		`var a struct{ b []int }; func f() { a.b[0] = 2 }`:    1,
		`var a int; func f() { a := 1; a = 2; a++; _ = a }`:   0,
		`var a int; func f(a int) { a = 2 }`:                  0,
		`var a = []int{1}; func f() { b := a; _ = b; _ = a }`: 0,
		`func f() { other = 1 }`:                              0,
		`var _ = 1; func f() { _ = 1 }`:                       0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x; "+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := changed([]*ast.File{f}); len(got) != want {
			t.Errorf("%s: %d found, want %d", src, len(got), want)
		}
	}
}

// changed finds assignments to variables of the package. The parser resolves
// names within a file; what it leaves open and a file declares is the package's.
func changed(files []*ast.File) []token.Pos {
	vars := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						vars[n.Name] = true
					}
				}
			}
		}
	}
	var out []token.Pos
	for _, f := range files {
		note := func(left ast.Expr) {
			n := root(left)
			if n != nil && n.Name != "_" && vars[n.Name] && (n.Obj == nil || f.Scope.Lookup(n.Name) == n.Obj) {
				out = append(out, n.Pos())
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, left := range n.Lhs {
						note(left)
					}
				}
			case *ast.IncDecStmt:
				note(n.X)
			}
			return true
		})
	}
	return out
}

// root is the variable at the bottom of what is assigned to.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
