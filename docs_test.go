package custody_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/vault"
)

// A block is one fenced piece of a document.
type block struct {
	file   string
	line   int
	info   string // what stands behind the fence, such as "yaml config"
	text   string
	before string // the last line with text above the fence
}

// documents are the pages that people read, and whose blocks are checked.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	err := filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// blocks reads the fenced blocks of one kind, of all documents or of those that
// are named.
func blocks(t *testing.T, info string, files ...string) []block {
	t.Helper()
	if len(files) == 0 {
		files = documents(t)
	}
	var out []block
	for _, file := range files {
		out = append(out, fences(t, file)...)
	}
	return slices.DeleteFunc(out, func(b block) bool { return b.info != info })
}

// fences reads every fenced block of a document.
func fences(t *testing.T, file string) []block {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	above := ""
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch fence, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "```"); {
		case ok && open == nil:
			open = &block{file: file, line: n, info: strings.TrimSpace(fence), before: above}
		case ok:
			out = append(out, *open)
			open, above = nil, ""
		case open != nil:
			open.text += line + "\n"
		case strings.TrimSpace(line) != "":
			above = strings.TrimSpace(line)
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: a block is not closed", file, open.line)
	}
	return out
}

// The worked example is what the page says it is: recomputed by the code, and
// from the page's own words by a second hand in the audit package's tests.
func TestLedgerExampleHolds(t *testing.T) {
	t.Parallel()
	const page = "docs/ledger-format.md"
	found := blocks(t, "json ledger", page)
	if len(found) != 1 {
		t.Fatalf("%d worked examples", len(found))
	}
	commitments := map[string]string{}
	v := audit.NewVerifier()
	var first audit.Entry
	for n, line := range strings.Split(strings.TrimSpace(found[0].text), "\n") {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if err := e.Check(); err != nil {
			t.Errorf("entry %d: %v", n, err)
		}
		if n == 0 {
			first = e
		}
		body, err := audit.ParseBody(e.Body)
		if err != nil {
			t.Fatalf("entry %d: %v", n, err)
		}
		v.Entry(e, nil)
		for _, p := range body.Payloads {
			commitments[p.Commit.String()] = p.ID
			v.Payload(audit.SeenPayload{ID: p.ID, Run: e.Stream, Kind: p.Kind, Commit: p.Commit, Sum: p.Sum})
		}
	}
	if r := v.Report(); r.Verdict != audit.Intact || r.Entries != 2 {
		t.Errorf("the example does not verify: %v", r.Findings)
	}
	for _, b := range blocks(t, "json payload", page) {
		var p struct{ Commitment, Salt, Content string }
		if err := json.Unmarshal([]byte(b.text), &p); err != nil {
			t.Fatal(err)
		}
		salt, err := hex.DecodeString(p.Salt)
		if err != nil {
			t.Fatal(err)
		}
		commit := vault.Commitment(salt, []byte(p.Content))
		if got := hex.EncodeToString(commit[:]); got != p.Commitment || commitments[got] == "" {
			t.Errorf("%s:%d: the commitment is %s", b.file, b.line, got)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "`"+first.Hash.String()+"`") {
		t.Errorf("the page says another hash than %s", first.Hash)
	}
}

// Every action and every kind of finding is explained, and none is invented.
func TestLedgerPageNamesEveryAction(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/ledger-format.md")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, a := range audit.Actions() {
		known = append(known, string(a))
	}
	known = append(known, audit.EntryAltered, audit.EntryMissing, audit.ChainBroken, audit.StreamForked, audit.StreamReopened,
		audit.ColumnMismatch, audit.PayloadAltered, audit.PayloadMissing, audit.BundleAltered)
	for _, name := range known {
		if !strings.Contains(string(raw), "`"+name+"`") {
			t.Errorf("%s is not explained", name)
		}
	}
	for _, m := range regexp.MustCompile("`((?:run|step|call|approval|ctl|auth|access|payload|audit|workflow|key|revocation|entry|chain|stream|column|bundle)\\.[a-z_]+)`").FindAllStringSubmatch(string(raw), -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s does not exist", m[1])
		}
	}
}

// The model's page says which function keeps which rule. A function that was
// renamed is renamed there.
func TestModelPageNamesRealCode(t *testing.T) {
	t.Parallel()
	names := declared(t, "store", "workflow/engine", "workflow")
	raw, err := os.ReadFile("docs/model/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.SplitSeq(string(raw), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(line, "|---") || strings.Contains(line, "| Rule |") {
			continue
		}
		rows++
		for _, m := range regexp.MustCompile("`([A-Za-z.]+)`").FindAllStringSubmatch(cells[2], -1) {
			if !names[m[1]] {
				t.Errorf("%s: there is no %s", strings.TrimSpace(cells[1]), m[1])
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d rules were read", rows)
	}
	for _, file := range []string{"run.tla", "lease.tla", "safety.cfg", "frozen.cfg", "live.cfg", "hang.cfg", "lease.cfg", "check.sh"} {
		if _, err := os.Stat(filepath.Join("docs/model", file)); err != nil {
			t.Error(err)
		}
	}
}

// Rules of the model that no mutant removes would be decoration.
func TestEveryRuleOfTheModelHasAMutant(t *testing.T) {
	t.Parallel()
	model, err := os.ReadFile("docs/model/run.tla")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("docs/model/check.sh")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/model/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, m := range regexp.MustCompile(`On\("([a-z_]+)"\)`).FindAllStringSubmatch(string(model), -1) {
		rules[m[1]] = true
	}
	if len(rules) < 20 {
		t.Fatalf("%d rules were found", len(rules))
	}
	for rule := range rules {
		if !regexp.MustCompile(`(?m)^([a-z_]+\+)?` + rule + `(\.[a-z0-9]+)?(\+[a-z_]+)? +\|`).Match(script) {
			t.Errorf("no mutant removes %s", rule)
		}
		if !strings.Contains(string(page), "`"+rule+"`") {
			t.Errorf("%s is not on the page", rule)
		}
	}
}

// declared collects the names of some packages: F, T, T.M, T.F, pkg, pkg.F.
func declared(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, dir := range dirs {
		pkg := filepath.Base(dir)
		out[pkg] = true
		add := func(name string) { out[name], out[pkg+"."+name] = true, true }
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				declare(d, add)
			}
		}
	}
	return out
}

func declare(d ast.Decl, add func(string)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add(d.Name.Name)
			return
		}
		if receiver := root(d.Recv.List[0].Type); receiver != nil {
			add(receiver.Name + "." + d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				add(s.Name.Name)
				if st, ok := s.Type.(*ast.StructType); ok {
					for _, f := range st.Fields.List {
						for _, n := range f.Names {
							add(s.Name.Name + "." + n.Name)
						}
					}
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					add(n.Name)
				}
			}
		}
	}
}

// Links between documents lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, file := range append(documents(t), "CHANGELOG.md") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(raw), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", file, m[1])
			}
		}
	}
}
