package custody_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// How the blocks of the pages are kept true. What stands behind the fence says
// which way a block is checked; a fence that says anything else fails the test:
//
//	sh               typed into a shell, command by command; `# exit 3` behind a
//	                 command says how it ends when that is not 0
//	sh terminal      the same in a terminal of its own, where it goes on
//	console          what the commands of the block above print
//	json answer      what the last command printed, by its shape
//	json             one JSON value; a problem's status is the one of its type
//	json ledger      the worked example of the ledger's page
//	json payload     the same
//	yaml             a workflow, complete
//	yaml config      a configuration, complete
//	yaml prometheus  a configuration of Prometheus that scrapes something
//	go               a package that compiles
//	LANGUAGE FILE    a part of that file, word for word
//	LANGUAGE save=F  a file that the reader keeps under that name
//
// A block that nothing runs has `<!-- not run: REASON -->` above it, and stands
// in testdata/docs/not-run.txt.

// ways names the test behind each tag without a file.
func ways() map[string]string {
	return map[string]string{
		"sh":           "TestPagesWorkWordForWord",
		"sh terminal":  "TestPagesWorkWordForWord",
		"console":      "TestPagesWorkWordForWord",
		"json answer":  "TestPagesWorkWordForWord",
		"json":         "TestBlocksAreKnown",
		"json ledger":  "TestLedgerExampleHolds",
		"json payload": "TestLedgerExampleHolds",
		"yaml":         "TestWorkflowsInDocumentsLoad",
		"yaml config":  "TestConfigurationsInDocumentsLoad",
		"go":           "TestGoInDocumentsCompiles",

		"yaml prometheus": "TestBlocksAreKnown",
	}
}

// elsewhere are commands that something else runs as they stand, with the
// reason why not here.
func elsewhere() map[string]string {
	return map[string]string{
		"go run ./cmd/custody demo": "the section demo of .ci/run, and TestDemo",
		"go test ./...":             "the section test of .ci/run: this test is a part of it",
		"make bench":                "takes ten minutes and an idle machine",
	}
}

// owned are pages with a test of their own, which runs or makes every block:
// where it stands, and its name.
func owned() map[string]string {
	return map[string]string{
		"docs/operations.md": "TestOperationsPageWorksWordForWord in .",
		"docs/keycloak.md":   "TestThePageIsTrueWordForWord in internal/keycloak",
		"docs/cli.md":        "TestTheCommandPageIsThatOfTheCommands in cmd/custody",
	}
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// excused reports why a block is not run, if its page says so.
func excused(b block) string {
	if m := notRun.FindStringSubmatch(b.before); m != nil {
		return m[1]
	}
	return ""
}

// attached splits a tag such as "yaml examples/a.yaml" or "sh save=b.sh".
func attached(info string) (file string, save, ok bool) {
	words := strings.Fields(info)
	if len(words) != 2 {
		return "", false, false
	}
	if name, found := strings.CutPrefix(words[1], "save="); found {
		return name, true, name != ""
	}
	return words[1], false, strings.ContainsAny(words[1], "./")
}

// Nothing in the documents is there for decoration.
func TestBlocksAreKnown(t *testing.T) {
	t.Parallel()
	var excuses []string
	for _, page := range documents(t) {
		if test, dir, ok := strings.Cut(owned()[page], " in "); ok {
			if !hasTest(t, dir, test) {
				t.Errorf("%s: there is no %s in %s", page, test, dir)
			}
			continue
		}
		for _, b := range fences(t, page) {
			if reason := excused(b); reason != "" {
				first, _, _ := strings.Cut(b.text, "\n")
				excuses = append(excuses, fmt.Sprintf("%s: %s: %s", page, first, reason))
				continue
			}
			if problem := known(b); problem != "" {
				t.Errorf("%s:%d: %s", b.file, b.line, problem)
			}
		}
	}
	for tag, test := range ways() {
		if !hasTest(t, ".", test) {
			t.Errorf("%s: there is no %s", tag, test)
		}
	}
	raw, err := os.ReadFile("testdata/docs/not-run.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, e := range excuses {
		if !slices.Contains(listed, e) {
			t.Errorf("not in testdata/docs/not-run.txt:\n%s", e)
		}
	}
	for _, l := range listed {
		if !strings.HasPrefix(l, "#") && !slices.Contains(excuses, l) {
			t.Errorf("testdata/docs/not-run.txt: there is no such block:\n%s", l)
		}
	}
}

// hasTest reports whether a test stands in a folder.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		raw, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(raw), "\nfunc "+name+"(")
	})
}

// known says what is wrong with a block that needs no server to be judged.
func known(b block) string {
	if file, save, ok := attached(b.info); ok {
		if save {
			return ""
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(string(raw), b.text) {
			return "this is not in " + file + ", word for word"
		}
		return ""
	}
	if ways()[b.info] == "" {
		return fmt.Sprintf("nothing checks a block that says %q", b.info)
	}
	switch {
	case strings.HasPrefix(b.info, "json") && b.info != "json ledger":
		return plausible(b.text)
	case b.info == "yaml prometheus":
		return scrapes(b.text)
	}
	return ""
}

// scrapes judges a configuration of Prometheus by what it must have.
func scrapes(text string) string {
	var c struct {
		Jobs []struct {
			Name    string `yaml:"job_name"`
			Targets []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return err.Error()
	}
	if len(c.Jobs) == 0 || c.Jobs[0].Name == "" || len(c.Jobs[0].Targets) == 0 || len(c.Jobs[0].Targets[0].Targets) == 0 {
		return "it scrapes nothing"
	}
	return ""
}

// plausible judges JSON: well-formed, and a problem has the status of its type.
func plausible(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err.Error()
	}
	o, _ := v.(map[string]any)
	kind, problem := strings.CutPrefix(fmt.Sprint(o["type"]), "urn:custody:problem:")
	if status, _ := o["status"].(float64); problem && statusOf()[kind] != int(status) {
		return fmt.Sprintf("the problem %s has the status %d", kind, statusOf()[kind])
	}
	return ""
}

// statusOf is the status of each problem type (API.md, section 4).
func statusOf() map[string]int {
	return map[string]int{
		"malformed":       400,
		"unauthenticated": 401, "step-up-required": 401,
		"denied": 403, "not-eligible": 403,
		"not-found": 404, "method-not-allowed": 405,
		"run-closed": 409, "run-not-failed": 409, "approval-closed": 409, "digest-stale": 409, "already-voted": 409,
		"erased":                 410,
		"precondition-failed":    412,
		"too-large":              413,
		"unsupported-media-type": 415,
		"invalid-input":          422, "invalid-workflow": 422, "idempotency-mismatch": 422,
		"rate-limited": 429, "internal": 500, "unavailable": 503,
	}
}

// The checks themselves must be able to say no.
func TestWrongBlocksAreFound(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]block{
		"an unknown tag":         {info: "bash", text: "true\n"},
		"no tag":                 {text: "true\n"},
		"broken JSON":            {info: "json", text: "{\n"},
		"a wrong status":         {info: "json", text: `{"type": "urn:custody:problem:denied", "status": 404}`},
		"an unknown problem":     {info: "json", text: `{"type": "urn:custody:problem:nonsense", "status": 404}`},
		"a scrape of nothing":    {info: "yaml prometheus", text: "scrape_configs: []\n"},
		"not in the file":        {info: "go custody.go", text: "package nonsense\n"},
		"of a file that is gone": {info: "go gone.go", text: "package gone\n"},
	} {
		if known(b) == "" {
			t.Errorf("%s passes", name)
		}
	}
	for name, b := range map[string]block{
		"a shell block":    {info: "sh", text: "true\n"},
		"JSON":             {info: "json", text: "{}\n"},
		"a right status":   {info: "json", text: `{"type": "urn:custody:problem:denied", "status": 403}`},
		"in the file":      {info: "go ./docs_blocks_test.go", text: "package custody_test\n"},
		"a file to keep":   {info: "yaml save=mine.yaml", text: "name: mine\n"},
		"a scrape":         {info: "yaml prometheus", text: "scrape_configs: [{job_name: a, static_configs: [{targets: [b]}]}]\n"},
		"a whole workflow": {info: "yaml", text: "name: a\n"}, // another test loads it
	} {
		if problem := known(b); problem != "" {
			t.Errorf("%s fails: %s", name, problem)
		}
	}
}
