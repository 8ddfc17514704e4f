package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/custodyhq/custody/internal/devidp"
)

// document decodes the committed description.
func document(t *testing.T) (d document3, text []byte) {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	must(t, err)
	must(t, json.Unmarshal(text, &d))
	return d, text
}

// written is the page of a description.
func written(t *testing.T, document []byte) string {
	t.Helper()
	page, err := referenceOf(document)
	must(t, err)
	return string(page)
}

// The description is made for the first who asks, whoever that is and whatever
// others do meanwhile, and is the same for everybody.
func TestTheDescriptionIsMadeForWhoeverAsksFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.token(devidp.TokenRequest{Person: "alice"})
	var mu sync.Mutex
	seen := map[string]string{}
	var group sync.WaitGroup
	for range 3 {
		for _, path := range []string{"/docs", "/openapi.yaml", "/openapi.json", "/v1/runs?limit=5"} {
			group.Go(func() {
				got := b.sendToken(token, "GET", path, "")
				mu.Lock()
				defer mu.Unlock()
				if before, asked := seen[path]; got.StatusCode != 200 || asked && before != string(got.body) {
					t.Errorf("%s: %d, %d bytes after %d", path, got.StatusCode, len(got.body), len(before))
				}
				seen[path] = string(got.body)
			})
		}
	}
	group.Wait()
}

func TestEveryOperationAndEveryFieldIsOnThePage(t *testing.T) {
	t.Parallel()
	d, text := document(t)
	shown := written(t, text)
	article := func(id string) string {
		_, rest, ok := strings.Cut(shown, `<article id="`+id+`">`)
		if !ok {
			t.Errorf("%s has no place of its own", id)
		}
		part, _, _ := strings.Cut(rest, "</article>")
		return part
	}
	for path, item := range d.Paths {
		for method, op := range item {
			part := article(op.ID)
			for _, want := range []string{strings.ToUpper(method), path, op.Summary, "Who may call:", "curl"} {
				if !strings.Contains(part, html.EscapeString(want)) {
					t.Errorf("%s lacks %q", op.ID, want)
				}
			}
			for _, p := range op.Parameters {
				if !strings.Contains(part, "<code>"+p.Name+"</code>") {
					t.Errorf("%s lacks the parameter %s", op.ID, p.Name)
				}
			}
			for status := range op.Responses {
				if status != "default" && !strings.Contains(part, ">"+status+"<") {
					t.Errorf("%s lacks the answer %s", op.ID, status)
				}
			}
			if !strings.Contains(shown, `href="#`+op.ID+`"`) {
				t.Errorf("%s is not in the contents", op.ID)
			}
		}
	}
	for name, s := range d.Components.Schemas {
		part := article("object-" + name)
		for field := range s.Properties {
			if !strings.Contains(part, "<code>"+field+"</code>") {
				t.Errorf("%s lacks the field %s", name, field)
			}
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(shown, -1) {
		if !strings.Contains(shown, `id="`+link[1]+`"`) {
			t.Errorf("#%s leads nowhere", link[1])
		}
	}
}

func TestThePageLoadsNothingAndRunsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send("", "GET", "/docs", "")
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", got.StatusCode, got.Header)
	}
	shown := string(got.body)
	if bad := regexp.MustCompile(`(?i)<(script|img|iframe|object|embed|link|form|base)\b|\bstyle=|\bon[a-z]+=|\bsrc=|@import|url\(`).FindString(shown); bad != "" {
		t.Errorf("the page has %q", bad)
	}
	for _, link := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(shown, -1) {
		if !strings.HasPrefix(link[1], "#") && !strings.HasPrefix(link[1], "/") || strings.HasPrefix(link[1], "//") {
			t.Errorf("a link leads away: %s", link[1])
		}
	}
	_, style, _ := strings.Cut(shown, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := got.Header.Values("Content-Security-Policy")
	if len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || strings.Contains(policy[0], "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestHostileTextInTheDescriptionIsText(t *testing.T) {
	t.Parallel()
	const attack = "</style></code><script>alert(1)</script>\" onload=\"x `</code><img src=x>`"
	quoted, err := json.Marshal(attack)
	must(t, err)
	hostile := `{"info": {"title": T, "version": T, "description": T}, "paths": {"/v1/runs/{run}": {"post": {"operationId": T, "summary": T, "description": T,
"x-custody-who": T, "parameters": [{"name": T, "in": T, "description": T, "schema": {"type": T, "pattern": T, "enum": [T], "default": T}}],
"requestBody": {"content": {"application/json": {"schema": {"properties": {"x": {"description": T, "examples": [T]}}, "required": ["x"]}}}},
"responses": {"200": {"description": T, "headers": {"X": {}}, "content": {"text/x": {"schema": {"$ref": T}}}}}}}},
"components": {"schemas": {"X": {"description": T, "properties": {"y": {"$ref": T}}}}}}`
	shown := written(t, []byte(strings.ReplaceAll(hostile, "T", string(quoted))))
	if bad := regexp.MustCompile(`<script|<img|" onload`).FindString(shown); bad != "" || !strings.Contains(shown, "&lt;script&gt;alert(1)") {
		t.Errorf("the page has %q", bad)
	}
	if strings.Count(shown, "</style>") != 1 || strings.Contains(shown, "ZgotmplZ") {
		t.Error("the style was left, or something was dropped")
	}
	harmless := written(t, []byte(strings.ReplaceAll(hostile, "T", `"with `+"`code`"+` & more"`)))
	if !strings.Contains(harmless, "with <code>code</code> &amp; more") {
		t.Error("a harmless description is not shown as it is")
	}
}

// kinds are the problem types that the code can make.
func problemKinds(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	must(t, err)
	var out []string
	made := regexp.MustCompile(`(?:newProblem\(|, )(?:http\.Status[A-Za-z]+|status), "([a-z-]+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range made.FindAllStringSubmatch(string(text), -1) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestEveryProblemTypeIsExplained(t *testing.T) {
	t.Parallel()
	_, text := document(t)
	shown := written(t, text)
	var shownKinds []string
	for _, p := range explained() {
		shownKinds = append(shownKinds, p.Kind)
		if p.Status < 400 || p.Why == "" || p.Remedy == "" || !strings.Contains(shown, `<tr id="problem-`+p.Kind+`">`) {
			t.Errorf("%+v", p)
		}
	}
	slices.Sort(shownKinds)
	if made := problemKinds(t); !slices.Equal(made, shownKinds) {
		t.Errorf("the code makes\n%q\nand the table of reference.go explains\n%q", made, shownKinds)
	}
}

func TestLimitsAndTypesAreInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type": "integer", "format": "int64", "minimum": 1, "maximum": 200}`:  "integer: from 1 to 200",
		`{"type": ["string", "null"], "format": "date-time"}`:                   "date-time or null: ",
		`{"type": "array", "items": {"$ref": "#/components/schemas/Run"}}`:      "list of Run: ",
		`{"type": "string", "enum": ["a", "b"], "default": "a"}`:                "string: one of: a, b; default a",
		`{"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/Run"}]}`: "string or Run: ",
		`{"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^x$"}`:  "string: length from 1; length at most 5; pattern ^x$",
		`{}`: "any JSON: ",
	} {
		var s schema
		must(t, json.Unmarshal([]byte(text), &s))
		var name strings.Builder
		for _, part := range s.name() {
			name.WriteString(part.Text)
		}
		if got := name.String() + ": " + s.limits(); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// Paper is narrower than the width below which a screen gets the short menu and
// tables without columns.
func TestTheNarrowLayoutIsForScreensOnly(t *testing.T) {
	t.Parallel()
	_, text := document(t)
	shown := written(t, text)
	for _, m := range regexp.MustCompile(`@media ([^{]*)max-width`).FindAllStringSubmatch(shown, -1) {
		if m[1] != "screen and (" {
			t.Errorf("@media %smax-width applies to paper, too", m[1])
		}
	}
	if !strings.Contains(shown, "@media screen and (max-width") || !strings.Contains(shown, "@media print") {
		t.Error("the page has no layout for narrow screens, or none for paper")
	}
}
