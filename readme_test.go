package custody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/steps/kinds"
	"github.com/custodyhq/custody/workflow"
)

// Every workflow that a page shows loads, without a warning that the page does
// not speak of.
func TestWorkflowsInDocumentsLoad(t *testing.T) {
	t.Parallel()
	found := blocks(t, "yaml")
	if len(found) < 3 {
		t.Fatalf("%d workflows were found", len(found))
	}
	for _, b := range found {
		if _, err := workflow.Parse([]byte(b.text), kinds.Offline()); err != nil {
			t.Errorf("%s:%d:\n%v", b.file, b.line, err)
		}
	}
}

// What `custody workflow new` prints is the first thing that people try.
func TestScaffoldLoads(t *testing.T) {
	t.Parallel()
	if _, err := workflow.Parse(workflow.Scaffold("ask"), kinds.Offline()); err != nil {
		t.Error(err)
	}
}

// Every configuration that a page shows is read.
func TestConfigurationsInDocumentsLoad(t *testing.T) {
	t.Parallel()
	found := blocks(t, "yaml config")
	if len(found) < 2 {
		t.Fatalf("%d configurations were found", len(found))
	}
	for _, b := range found {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := custody.Load(func(string) string { return "" }, path); err != nil {
			t.Errorf("%s:%d: %v", b.file, b.line, err)
		}
	}
}

// The page of settings names every variable that is read, and none besides.
func TestOperationsPageNamesEveryVariable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"CUSTODY_URL", "CUSTODY_TOKEN", "CUSTODY_TOKEN_FILE", "CUSTODY_LOG", "CUSTODY_LOG_LEVEL"}
	for _, name := range []string{
		custody.EnvDatabase, custody.EnvListen, custody.EnvMetrics, custody.EnvConfig, custody.EnvKeyDir, custody.EnvTLSCert,
		custody.EnvTLSKey, custody.EnvIssuer, custody.EnvAudience, custody.EnvClients, custody.EnvProfile, custody.EnvMode, custody.EnvObserve,
	} {
		known = append(known, name)
		if !bytes.Contains(raw, []byte("`"+name+"`")) {
			t.Errorf("%s is not explained", name)
		}
	}
	for _, name := range regexp.MustCompile(`CUSTODY_[A-Z_]+`).FindAllString(string(raw), -1) {
		if !slices.Contains(known, name) {
			t.Errorf("%s does not exist", name)
		}
	}
}

// The reference names every field of the editor's schema and every code that a
// wrong definition can meet.
func TestReferenceIsComplete(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/workflow-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := func(name string) bool {
		return regexp.MustCompile("[`.{ ]" + regexp.QuoteMeta(name) + "[`:,. }]").Match(raw)
	}
	var schema struct {
		Properties map[string]any
		Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(workflow.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields := []map[string]any{schema.Properties}
	for _, def := range schema.Defs {
		fields = append(fields, def.Properties)
	}
	for _, group := range fields {
		for name := range group {
			if !explained(name) {
				t.Errorf("the field %s is not explained", name)
			}
		}
	}
	for code := range codes(t) {
		if !bytes.Contains(raw, []byte("`"+code+"`")) {
			t.Errorf("the code %s is not explained", code)
		}
	}
}

// codes are those that the bad definitions of package workflow meet.
func codes(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("workflow/testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bad definitions, %v", len(files), err)
	}
	out := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var problems workflow.Problems
		if _, err := workflow.Parse(raw, kinds.Offline()); errors.As(err, &problems) {
			for _, p := range problems {
				out[p.Code] = true
			}
		}
	}
	return out
}

// Go in the documents compiles, each block as a package of this module.
func TestGoInDocumentsCompiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds packages")
	}
	found := blocks(t, "go")
	if len(found) == 0 {
		t.Fatal("no Go was found")
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	args := []string{"build", "-buildvcs=false", "-overlay", filepath.Join(t.TempDir(), "overlay.json")}
	for n, b := range found {
		path := filepath.Join(t.TempDir(), "block.go")
		// The line directive makes the compiler speak of the page.
		text := fmt.Sprintf("//line %s:%d\n%s", filepath.Join(root, b.file), b.line+1, b.text)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := fmt.Sprintf("document%d", n)
		overlay["Replace"][filepath.Join(root, dir, "block.go")] = path
		args = append(args, "./"+dir)
	}
	raw, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(args[3], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Commands in the documents exist, with the flags that they show.
func TestCommandsInDocumentsExist(t *testing.T) {
	t.Parallel()
	program := build(t)
	targets, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, c := range commands(t) {
		switch c.words[0] {
		case "make":
			if len(c.words) > 1 && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(c.words[1])+`:`).Match(targets) {
				t.Errorf("%s: make has no %s", c.place, c.words[1])
			}
		case "custody":
			found++
			for _, problem := range program.check(c.words[1:]) {
				t.Errorf("%s: %s: %s", c.place, strings.Join(c.words, " "), problem)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d commands were found", found)
	}
	// The check itself must be able to say no.
	for _, wrong := range [][]string{{"serv"}, {"run", "submitt"}, {"run", "list", "--wait-a-minute"}, {"audit"}, {"--ass", "alice", "run", "list"}} {
		if len(program.check(wrong)) == 0 {
			t.Errorf("custody %s passes", strings.Join(wrong, " "))
		}
	}
}

// The README's test command is the one that CI runs.
func TestReadmeSaysHowToTest(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^go test \./\.\.\.$`).Match(raw) {
		t.Error("CI runs the README's line that begins with `go test `, and there is none")
	}
}

// A command is what a page tells people to type.
type command struct {
	place string
	words []string
}

var (
	inline   = regexp.MustCompile("`((?:custody|make) [^`]+)`")
	indented = regexp.MustCompile(`(?m)^    ((?:custody|make) .*)$`)
)

// commands collects the shell blocks, indented lines and inline commands.
func commands(t *testing.T) []command {
	t.Helper()
	var out []command
	note := func(place, line string) {
		for _, words := range split(line) {
			words[0] = filepath.Base(words[0])
			if words[0] == "go" && len(words) > 2 && words[1] == "run" && words[2] == "./cmd/custody" {
				words = slices.Concat([]string{"custody"}, words[3:])
			}
			out = append(out, command{place, words})
		}
	}
	for _, b := range slices.Concat(blocks(t, "sh"), blocks(t, "sh terminal")) {
		text := strings.ReplaceAll(b.text, "\\\n", " ")
		text = strings.NewReplacer("$(", "\n", ")", "\n").Replace(text)
		for line := range strings.SplitSeq(text, "\n") {
			note(fmt.Sprintf("%s:%d", b.file, b.line), line)
		}
	}
	for _, file := range documents(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range slices.Concat(inline.FindAllSubmatch(raw, -1), indented.FindAllSubmatch(raw, -1)) {
			note(file, string(m[1]))
		}
	}
	return out
}

// split takes a line of shell apart: commands, and their words. It knows quotes,
// comments, pipes and redirections, which is what the documents use.
func split(line string) [][]string {
	var out [][]string
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	endWord := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	endCommand := func() {
		endWord()
		for i, w := range words { // what follows a redirection is a file
			if w == ">" {
				words = words[:i]
				break
			}
		}
		if len(words) > 0 {
			out = append(out, words)
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			endCommand()
			return out
		case r == ' ' || r == '\t':
			endWord()
		case r == '|' || r == ';' || r == '&':
			endCommand()
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	endCommand()
	return out
}

// A built program answers what it understands.
type built struct {
	path string
	mu   sync.Mutex
	help map[string]string
}

// TestMain removes what build made.
func TestMain(m *testing.M) {
	code := m.Run()
	if dir := program.dir; dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program is built once for every test that asks it something.
var program struct {
	sync.Once
	dir string
	err error
	built
}

func build(t *testing.T) *built {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the program")
	}
	program.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "custody-built-"); program.err != nil {
			return
		}
		program.path, program.help = filepath.Join(program.dir, "custody"), map[string]string{}
		if runtime.GOOS == "windows" {
			program.path += ".exe"
		}
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program.path, "./cmd/custody").CombinedOutput(); err != nil {
			program.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return &program.built
}

// groups are the commands that have commands below them.
func groups() []string { return []string{"migrate", "workflow", "run", "audit", "token", "guard"} }

// check says what of a command line the program does not know.
func (b *built) check(args []string) []string {
	var words, flags []string
	for i := 0; i < len(args); i++ {
		switch name, _, valued := strings.Cut(args[i], "="); {
		case !strings.HasPrefix(name, "-"):
			words = append(words, name)
		default:
			flags = append(flags, name)
			if !valued && slices.Contains([]string{"--as", "--url", "--token-file"}, name) {
				i++
			}
		}
	}
	depth := min(1, len(words))
	if depth == 1 && slices.Contains(groups(), words[0]) {
		if len(words) < 2 {
			return []string{"needs one of its commands"}
		}
		depth = 2
	}
	help := b.of(words[:depth])
	if help == "" {
		return []string{"there is no such command"}
	}
	var out []string
	for _, f := range flags {
		if !regexp.MustCompile(`(?m)(^|[\s,\[])`+regexp.QuoteMeta(f)+`($|[\s=,\]])`).MatchString(help) && f != "--help" {
			out = append(out, "there is no "+f)
		}
	}
	return out
}

// of is the help of a command; "" if there is no such command.
func (b *built) of(words []string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := strings.Join(words, " ")
	if text, ok := b.help[name]; ok {
		return text
	}
	out, err := exec.Command(b.path, slices.Concat(words, []string{"--help"})...).CombinedOutput()
	text := string(out)
	if err != nil || len(words) > 0 && !strings.Contains(text, "custody "+name) {
		text = ""
	}
	b.help[name] = text
	return text
}
