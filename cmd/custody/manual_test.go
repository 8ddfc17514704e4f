package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/cli.md")

// grammar is the model of the command line.
func grammar(t *testing.T) *kong.Application {
	t.Helper()
	term, _ := terminalOf(0, nil)
	parser, err := newParser(&program{}, term)
	must(t, err)
	return parser.Model
}

// leaves are the commands that do something.
func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	return grammar(t).Leaves(true)
}

// typed are the command lines among the examples of a help text.
func typed(detail string) []string {
	var out []string
	_, after, _ := strings.Cut(detail, "Example:")
	for line := range strings.SplitSeq(after, "\n") {
		if !strings.HasPrefix(line, "    ") {
			continue
		}
		if _, behind, piped := strings.Cut(line, "| custody "); piped {
			line = "custody " + behind
		}
		for word := range strings.FieldsSeq(line) { // settings stand in front
			if !strings.Contains(word, "=") {
				break
			}
			line = strings.Replace(line, word, "", 1)
		}
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "custody "); ok {
			out = append(out, command)
		}
	}
	return out
}

// argumentsOf are the words of a command line as a shell would give them, up to
// a redirection or a pipe.
func argumentsOf(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	var word strings.Builder
	quote, inWord := rune(0), false
	end := func() {
		if inWord {
			out = append(out, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ':
			end()
		case r == '>' || r == '|':
			end()
			return out
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	if quote != 0 {
		t.Errorf("a quote is open: %s", line)
	}
	return out
}

func TestEveryCommandHasASentenceAndAnExampleThatParses(t *testing.T) {
	t.Parallel()
	for _, leaf := range leaves(t) {
		path := leaf.FullPath()
		if !strings.HasSuffix(leaf.Help, ".") {
			t.Errorf("%s: its help is not a sentence: %q", path, leaf.Help)
		}
		examples := typed(leaf.Detail)
		if len(examples) == 0 {
			t.Errorf("%s has no example", path)
		}
		for i, example := range examples {
			if i == 0 && !strings.Contains("custody "+example, strings.TrimPrefix(path, "custody ")) {
				t.Errorf("%s: its first example is of another command: %s", path, example)
			}
			term, _ := terminalOf(0, nil)
			parser, err := newParser(&program{}, term)
			must(t, err)
			if _, err := parser.Parse(argumentsOf(t, example)); err != nil {
				t.Errorf("%s: custody %s: %v", path, example, err)
			}
		}
		for _, f := range leaf.Flags {
			if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s --%s: its help is not a sentence: %q", path, f.Name, f.Help)
			}
		}
		for _, a := range leaf.Positional {
			if a.Help == "" || !strings.HasSuffix(a.Help, ".") {
				t.Errorf("%s <%s>: its help is not a sentence: %q", path, a.Name, a.Help)
			}
		}
	}
}

func TestExamplesWithAMistakeAreFound(t *testing.T) {
	t.Parallel()
	term, _ := terminalOf(0, nil)
	parser, err := newParser(&program{}, term)
	must(t, err)
	line := typed("Example:\n\n    custody run lsit --state \"failed\" > x\n")
	if len(line) != 1 {
		t.Fatal(line)
	}
	if _, err := parser.Parse(argumentsOf(t, line[0])); err == nil {
		t.Error("it parses")
	}
}

const manualFile = "../../docs/cli.md"

func TestTheCommandPageIsThatOfTheCommands(t *testing.T) {
	t.Parallel()
	want := manual(t)
	if *update {
		must(t, os.WriteFile(manualFile, want, 0o644))
	}
	got, err := os.ReadFile(manualFile)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is not what the commands say: go test ./cmd/custody -run CommandPage -update")
	}
}

// manual is docs/cli.md.
func manual(t *testing.T) []byte {
	var b bytes.Buffer
	app := grammar(t)
	fmt.Fprintf(&b, "# The command line\n\nThis page is made from the help of the commands: `custody --help`, and `--help` behind each of them.\n\n")
	fmt.Fprintf(&b, "Results go to stdout, everything else to stderr. On a terminal lists are aligned and cut to its width, and say\n"+
		"how long ago something was; in a pipe each row is one line with its cells between tabs, whole, with times in\n"+
		"RFC 3339. With `--json` stdout holds exactly one JSON document (`run watch` and `guard scan`: one a line), and an\nerror is a problem object on stderr.\n\n")
	manualFlags(&b, "These flags stand before or behind every command:", app.Flags)
	manualPairs(&b, "## Exit codes", "Code", exits())
	manualPairs(&b, "## Environment", "Variable", environment())
	fmt.Fprintf(&b, "`custody serve` and `custody migrate up` read more: see [Running it for others](operations.md).\n\n## Commands\n\n")
	for _, leaf := range app.Leaves(true) {
		fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", leaf.FullPath(), strings.ReplaceAll(leaf.FullPath(), " ", "-"), leaf.Help)
	}
	for _, leaf := range app.Leaves(true) {
		manualCommand(&b, leaf)
	}
	return append(bytes.TrimSpace(bytes.ReplaceAll(b.Bytes(), []byte("\n\n\n"), []byte("\n\n"))), '\n')
}

func manualCommand(b *bytes.Buffer, leaf *kong.Node) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", leaf.FullPath(), leaf.Help)
	example, rest, _ := strings.Cut(strings.TrimPrefix(leaf.Detail, "Example:\n\n"), "\n\n")
	fmt.Fprintf(b, "```text\n")
	for line := range strings.SplitSeq(example, "\n") {
		fmt.Fprintf(b, "%s\n", strings.TrimSpace(line))
	}
	fmt.Fprintf(b, "```\n\n")
	if rest != "" {
		fmt.Fprintf(b, "%s\n\n", rest)
	}
	for _, a := range leaf.Positional {
		fmt.Fprintf(b, "- `%s`: %s\n", a.Summary(), a.Help)
	}
	if len(leaf.Positional) > 0 && len(leaf.Flags) > 0 {
		fmt.Fprintln(b)
	}
	if len(leaf.Flags) > 0 {
		manualFlags(b, "", leaf.Flags)
	}
}

func manualFlags(b *bytes.Buffer, title string, flags []*kong.Flag) {
	if title != "" {
		fmt.Fprintf(b, "%s\n\n", title)
	}
	fmt.Fprintf(b, "| Flag | Meaning | Default |\n|---|---|---|\n")
	for _, f := range flags {
		if f.Hidden || f.Name == "help" {
			continue
		}
		name, fallback := "--"+f.Name, ""
		if !f.IsBool() {
			name += " " + strings.ToUpper(f.FormatPlaceHolder())
			if f.HasDefault && f.Default != "" {
				name, fallback = "--"+f.Name, "`"+f.Default+"`"
			}
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, strings.ReplaceAll(f.Help, "|", `\|`), fallback)
	}
	fmt.Fprintln(b)
}

func manualPairs(b *bytes.Buffer, title, name string, of [][2]string) {
	fmt.Fprintf(b, "%s\n\n| %s | Meaning |\n|---|---|\n", title, name)
	for _, p := range of {
		fmt.Fprintf(b, "| `%s` | %s |\n", p[0], p[1])
	}
	fmt.Fprintln(b)
}
