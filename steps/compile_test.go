package steps_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each file of testdata/cheat leaves a stage out or makes by hand what only the
// stage before can make. Its first line says what the compiler must answer;
// "compiles" stands in the twin that goes the whole way.
func TestLeavingAStageOutDoesNotCompile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cheat/*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d programs, %v", len(files), err)
	}
	packages := exported(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(source), "\n")
			want := strings.TrimPrefix(first, "// want: ")
			got := compile(t, file, source, packages)
			if want == "compiles" && got != nil || want != "compiles" && (got == nil || !strings.Contains(got.Error(), want)) {
				t.Errorf("want %q, the compiler says: %v", want, got)
			}
		})
	}
}

func compile(t *testing.T, file string, source []byte, packages map[string]string) error {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		archive, ok := packages[path]
		if !ok {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(archive)
	}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", lookup)}
	_, err = config.Check("cheat", set, []*ast.File{parsed}, nil)
	return err
}

// exported finds the compiler's export data of this package and all below it.
func exported(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.String())
	}
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		path, archive, _ := strings.Cut(strings.TrimSpace(line), "=")
		out[path] = archive
	}
	return out
}
