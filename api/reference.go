package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // the page's template and style
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/policy"
)

//go:embed reference.html
var referenceHTML string

//go:embed reference.css
var referenceCSS string

// A reference is the API's description as a page for people: made once, for the
// first who asks, of the OpenAPI document and nothing else. It loads nothing and
// runs no script, and its policy says so.
type reference struct {
	html   func() ([]byte, error)
	policy string // Content-Security-Policy
}

func newReference(document func() ([]byte, error)) reference {
	sum := sha256.Sum256([]byte(referenceCSS))
	return reference{
		html: sync.OnceValues(func() ([]byte, error) {
			raw, err := document()
			if err != nil {
				return nil, err
			}
			return referenceOf(raw)
		}),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

func (a *API) referenceRoutes() {
	register(a, operation{method: http.MethodGet, path: "/docs", id: "getReference", who: whoPublic, summary: "This description as a page for people"},
		func(context.Context, caller, *struct{}) (*page, error) {
			html, err := a.reference.html()
			return &page{ContentType: "text/html; charset=utf-8", Cache: "public, max-age=300", Policy: a.reference.policy, Body: html}, err
		})
	a.response(http.MethodGet, "/docs", http.StatusOK, "one self-contained page without scripts", map[string]*huma.Schema{"text/html": textSchema("HTML")})
}

// page is the answer with the reference.
type page struct {
	ContentType string `header:"Content-Type"`
	Cache       string `header:"Cache-Control"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

// referenceOf writes the page. Everything in the document is text to the
// template, whatever it looks like.
func referenceOf(document []byte) ([]byte, error) {
	var d document3
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("read the description: %w", err)
	}
	t, err := template.New("reference").Parse(referenceHTML)
	if err != nil {
		return nil, fmt.Errorf("write the reference: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, d.page()); err != nil {
		return nil, fmt.Errorf("write the reference: %w", err)
	}
	return out.Bytes(), nil
}

// What the template shows.
type (
	referencePage struct {
		Title, Version string
		Description    [][]segment // a paragraph each
		Prefix         string      // of problem types
		CSS            template.CSS
		Nouns          []referenceNoun
		Problems       []referenceProblem
		Schemas        []referenceContent
	}
	referenceNoun struct {
		ID, Name   string
		Operations []referenceOperation
	}
	referenceOperation struct {
		ID, Method, Path, Short, Summary, Who, Curl string
		Description                                 [][]segment
		Parameters                                  []referenceField
		Bodies                                      []referenceContent
		Answers                                     []referenceAnswer
	}
	referenceField struct {
		Name, In, Limits string
		Required         bool
		Type             []typeName
		Description      []segment
	}
	referenceContent struct {
		ID, Name, Media string
		Type            []typeName
		Text            []segment
		Fields          []referenceField
	}
	referenceAnswer struct {
		Status      string
		Class       string // first digit; 0 for any
		Description []segment
		Contents    []referenceContent
		Headers     []string
		Problems    []string // types; Description says the same
	}
	// A segment of a text: as it is, or as code.
	segment struct {
		Text string
		Code bool
	}
	// A typeName is a part of a type's name, with the object that it leads to.
	typeName struct{ Text, Object string }
)

func (d document3) page() referencePage {
	p := referencePage{
		Title: d.Info.Title, Version: d.Info.Version, Description: paragraphs(d.Info.Description), Prefix: typePrefix,
		CSS:      template.CSS(referenceCSS), // ours, and whole: its digest is in the policy
		Problems: explained(), Nouns: d.nouns(),
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		p.Schemas = append(p.Schemas, referenceContent{
			ID: "object-" + name, Name: name, Type: s.name(), Text: segments(s.Description), Fields: s.fields(),
		})
	}
	return p
}

// nouns are the operations by what they are about, in the document's order.
func (d document3) nouns() []referenceNoun {
	by := map[string][]referenceOperation{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "delete", "patch"} {
			op, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			tag := other
			if len(op.Tags) > 0 && slices.ContainsFunc(d.Tags, func(t struct{ Name string }) bool { return t.Name == op.Tags[0] }) {
				tag = op.Tags[0]
			}
			by[tag] = append(by[tag], d.operation(strings.ToUpper(method), path, op))
		}
	}
	var out []referenceNoun
	for _, tag := range append(slices.Clone(d.Tags), struct{ Name string }{other}) {
		if len(by[tag.Name]) > 0 {
			out = append(out, referenceNoun{ID: "noun-" + strings.ToLower(tag.Name), Name: tag.Name, Operations: by[tag.Name]})
		}
	}
	return out
}

// other is the noun of an operation that names none.
const other = "Other"

func (d document3) operation(method, path string, op documented) referenceOperation {
	out := referenceOperation{
		ID: op.ID, Method: method, Path: path, Short: strings.TrimPrefix(path, "/v1"), Summary: op.Summary, Who: whoMay(op.Who), Curl: d.curl(method, path, op),
	}
	out.Description = paragraphs(op.Description)
	for _, p := range op.Parameters {
		text := p.Description
		if text == "" {
			text = p.Schema.Description
		}
		out.Parameters = append(out.Parameters, referenceField{
			Name: p.Name, In: p.In, Required: p.Required, Type: p.Schema.name(), Limits: p.Schema.limits(), Description: segments(text),
		})
	}
	for _, kind := range slices.Sorted(maps.Keys(op.Body.Content)) {
		s := op.Body.Content[kind].Schema
		out.Bodies = append(out.Bodies, referenceContent{Media: kind, Type: s.name(), Text: segments(s.Description), Fields: d.resolve(s).fields()})
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		a := referenceAnswer{Status: status, Class: status[:1], Description: segments(r.Description), Problems: r.Problems}
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			if !slices.Contains([]string{"Request-Id", "RateLimit", "RateLimit-Policy"}, name) { // every answer's
				a.Headers = append(a.Headers, name)
			}
		}
		if status == "default" {
			a.Status, a.Class = "else", "0"
		}
		for _, kind := range slices.Sorted(maps.Keys(r.Content)) {
			a.Contents = append(a.Contents, referenceContent{Media: kind, Type: r.Content[kind].Schema.name()})
		}
		out.Answers = append(out.Answers, a)
	}
	return out
}

// whoMay says who may call, in words.
func whoMay(key string) string {
	switch key {
	case string(whoPublic):
		return "anybody, without a token"
	case string(whoAny):
		return "whoever has signed in"
	case "run.submit":
		return "whoever has a role that the workflow requires"
	}
	return policy.Action(key).Who()
}

// fields are an object's: those that are always there first.
func (s schema) fields() []referenceField {
	var out []referenceField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, referenceField{
			Name: name, Required: slices.Contains(s.Required, name), Type: p.name(), Limits: p.limits(), Description: segments(p.Description),
		})
	}
	slices.SortStableFunc(out, func(a, b referenceField) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	return out
}

// name is the type in words.
func (s schema) name() []typeName {
	if s.Ref != "" {
		return []typeName{{objectOf(s.Ref), objectOf(s.Ref)}}
	}
	for _, choice := range [][]schema{s.AnyOf, s.OneOf} {
		var out []typeName
		for i, one := range choice {
			if i > 0 {
				out = append(out, typeName{Text: " or "})
			}
			out = append(out, one.name()...)
		}
		if len(out) > 0 {
			return out
		}
	}
	if s.Items != nil {
		return append([]typeName{{Text: "list of "}}, s.Items.name()...)
	}
	var words []string
	switch t := s.Type.(type) {
	case string:
		words = []string{t}
	case []any:
		for _, one := range t {
			words = append(words, fmt.Sprint(one))
		}
	}
	if len(words) == 0 {
		words = []string{"any JSON"}
	}
	if s.Format != "" && s.Format != "int64" && s.Format != "double" {
		words[0] = s.Format
	}
	return []typeName{{Text: strings.Join(words, " or ")}}
}

// limits are what the schema asks beyond the type.
func (s schema) limits() string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("from %v to %v", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		add("at least %v", *s.Minimum)
	case s.Maximum != nil:
		add("at most %v", *s.Maximum)
	}
	for _, l := range []struct {
		n    *int
		text string
	}{
		{s.MinLength, "length from %d"}, {s.MaxLength, "length at most %d"}, {s.MinItems, "items from %d"}, {s.MaxItems, "items at most %d"},
	} {
		if l.n != nil {
			add(l.text, *l.n)
		}
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, one := range s.Enum {
			words[i] = fmt.Sprint(one)
		}
		add("one of: %s", strings.Join(words, ", "))
	}
	if s.Pattern != "" {
		add("pattern %s", s.Pattern)
	}
	if s.Default != nil {
		add("default %v", s.Default)
	}
	return strings.Join(out, "; ")
}

// paragraphs are separated by empty lines.
func paragraphs(text string) (out [][]segment) {
	for one := range strings.SplitSeq(text, "\n\n") {
		if strings.TrimSpace(one) != "" {
			out = append(out, segments(one))
		}
	}
	return out
}

// segments tells code in back quotes from the text around it.
func segments(text string) []segment {
	var out []segment
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			out = append(out, segment{Text: part, Code: i%2 == 1})
		}
	}
	return out
}

// curl is an example that a reader can paste: CUSTODY_URL and CUSTODY_TOKEN are
// the variables of the command, the others stand for ids.
func (d document3) curl(method, path string, op documented) string {
	var lines []string
	for _, p := range op.Parameters {
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", "$"+strings.ToUpper(p.Name))
		}
	}
	first := "curl"
	if method != http.MethodGet {
		first += " -X " + method
	}
	lines = append(lines, first+` "$CUSTODY_URL`+path+`"`)
	if op.Who != string(whoPublic) {
		lines = append(lines, `-H "Authorization: Bearer $CUSTODY_TOKEN"`)
	}
	if method == http.MethodPost && op.Who != string(whoPublic) {
		lines = append(lines, `-H "Idempotency-Key: $(uuidgen)"`)
	}
	kinds := slices.Sorted(maps.Keys(op.Body.Content))
	switch {
	case slices.Contains(kinds, "application/yaml"):
		lines = append(lines, `-H "Content-Type: application/yaml"`, "--data-binary @workflow.yaml")
	case slices.Contains(kinds, mediaJSON):
		lines = append(lines, `-H "Content-Type: application/json"`, "-d "+shellQuoted(d.sample(op.Body.Content[mediaJSON])))
	case len(kinds) > 0 && kinds[0] == "application/x-www-form-urlencoded":
		lines = append(lines, `-d "logout_token=$LOGOUT_TOKEN"`)
	case len(kinds) > 0:
		lines = append(lines, `-H "Content-Type: `+kinds[0]+`"`, "--data-binary @file")
	}
	return strings.Join(lines, " \\\n  ")
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// A referenceProblem is a row of the table of problem types.
type referenceProblem struct {
	Kind        string
	Status      int
	Why, Remedy string
}

// explained are all problem types by status. The one that is not about a
// resource's operations, and so not in the document, comes along.
func explained() []referenceProblem {
	out := []referenceProblem{{"method-not-allowed", http.StatusMethodNotAllowed, "the resource does not have this method", remedies()["method-not-allowed"]}}
	for kind, t := range problemTypes() {
		out = append(out, referenceProblem{kind, t.status, t.why, remedies()[kind]})
	}
	slices.SortFunc(out, func(a, b referenceProblem) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// remedies say what to do about each problem type; a test finds one that is
// missing.
func remedies() map[string]string {
	return map[string]string{
		"malformed":              "Mend what errors names; pointer says where.",
		"unauthenticated":        "Sign in again; WWW-Authenticate says why and where.",
		"step-up-required":       "Sign in again with a second factor and repeat the request.",
		"denied":                 "Ask for the role that detail names; the denial is in the ledger where receipt says.",
		"not-eligible":           "Let somebody vote whom the approval's rule names.",
		"not-found":              "Check the id, and as whom you are signed in.",
		"method-not-allowed":     "Use a method that Allow names.",
		"run-closed":             "Submit a new run, or retry a failed one.",
		"run-not-failed":         "Wait until the run has ended, or submit a new one.",
		"approval-closed":        "Nothing: there is nothing left to decide.",
		"digest-stale":           "Look at what is shown again and vote with its digest.",
		"already-voted":          "Nothing, or withdraw the vote before the quorum.",
		"erased":                 "Nothing: erasure is for ever, and the entries stay.",
		"precondition-failed":    "Read the object again and repeat the change if it still makes sense.",
		"too-large":              "Send less.",
		"unsupported-media-type": "Send one of the media types named at the operation.",
		"invalid-input":          "Mend the fields that errors names.",
		"invalid-workflow":       "Mend the definition; custody workflow validate says the same offline.",
		"idempotency-mismatch":   "Use a new key for a new request.",
		"rate-limited":           "Wait as many seconds as Retry-After says.",
		"internal":               "Tell the operator the request_id: the log knows more.",
		"unavailable":            "Try again after Retry-After, with the same Idempotency-Key.",
	}
}
