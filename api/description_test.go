package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// operations calls f with every operation of the description.
func (b *bench) operations(f func(method, path string, op *huma.Operation)) {
	for path, item := range b.api.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if op != nil {
				f(method, path, op)
			}
		}
	}
}

func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	types := problemTypes()
	who := regexp.MustCompile(`Public\.|For (the|people|whoever)|[Nn]eeds? the role|Anybody who signed in|one's own|that they may see|the authority|Needs the roles|The role auditor`)
	b.operations(func(method, path string, op *huma.Operation) {
		name := method + " " + path
		if op.Summary == "" || op.Description == "" || len(op.Tags) != 1 {
			t.Errorf("%s: it lacks a summary, a description or a tag", name)
		}
		if !who.MatchString(op.Description) {
			t.Errorf("%s does not say who may", name)
		}
		dry := false
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s: %s is not described", name, p.Name)
			}
			dry = dry || p.Name == "dry_run"
			if p.Name == "If-None-Match" && op.Responses["200"].Headers["ETag"] == nil {
				t.Errorf("%s does not say that there is an ETag", name)
			}
		}
		if want := method != "GET" && path != logoutPath && path != verifyPath; dry != want {
			t.Errorf("%s: dry_run %t, want %t", name, dry, want)
		}
		if method == "GET" && op.RequestBody != nil || op.Responses["default"] != nil {
			t.Errorf("%s: a body on a GET, or an answer to everything", name)
		}
		for status, r := range op.Responses {
			if r.Description == "" || r.Headers["Request-Id"] == nil {
				t.Errorf("%s: %s has no description or no Request-Id", name, status)
			}
			for media, content := range r.Content {
				if content.Example == nil && strings.Contains(media, "json") && !strings.Contains(media, "openapi") {
					t.Errorf("%s: %s %s has no example", name, status, media)
				}
			}
			if named, _ := r.Extensions["x-custody-problems"].([]string); status >= "400" && path != "/readyz" {
				if len(named) == 0 || slices.ContainsFunc(named, func(n string) bool { return types[n].status == 0 }) {
					t.Errorf("%s: the problems of %s are %v", name, status, named)
				}
			}
		}
	})
}

// A request whose example is refused, or an answer that cannot come, would
// mislead whoever begins with the description.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	registry := b.api.huma.OpenAPI().Components.Schemas
	check := func(name string, m *huma.MediaType, mode huma.ValidateMode) {
		t.Helper()
		if m.Example == nil || m.Schema == nil {
			return
		}
		text, err := json.Marshal(m.Example)
		must(t, err)
		var value any
		must(t, json.Unmarshal(text, &value))
		result := &huma.ValidateResult{}
		huma.Validate(registry, m.Schema, huma.NewPathBuffer(nil, 0), mode, value, result)
		for _, err := range result.Errors {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.operations(func(method, path string, op *huma.Operation) {
		if op.RequestBody != nil {
			for media, m := range op.RequestBody.Content {
				check(method+" "+path+" "+media, m, huma.ModeWriteToServer)
			}
		}
		for status, r := range op.Responses {
			for media, m := range r.Content {
				check(method+" "+path+" "+status+" "+media, m, huma.ModeReadFromServer)
			}
		}
	})
	for name, schema := range registry.Map() {
		if schema.Type == huma.TypeObject && schema.AdditionalProperties != false {
			t.Errorf("%s lets unknown fields pass", name)
		}
	}
}

func TestTheRequestOfTheDescriptionWorks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := b.api.operation(http.MethodPost, "/v1/workflows").RequestBody
	for media, m := range body.Content {
		text, ok := m.Example.(string)
		if !ok {
			raw, err := json.Marshal(m.Example)
			must(t, err)
			text = string(raw)
		}
		if got := b.send("erin", "POST", "/v1/workflows", text, "Content-Type", media); got.StatusCode/100 != 2 {
			t.Errorf("%s: %d %s", media, got.StatusCode, got.body)
		}
	}
}

func TestNullIsAbsentInBodiesAndTheDescriptionSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	schemas := b.api.huma.OpenAPI().Components.Schemas.Map()
	for name, fields := range map[string][]string{"Submission": {"digest"}, "CancelRunRequest": {"reason"}, "Ballot": {"comment"}} {
		for field, s := range schemas[name].Properties {
			if want := slices.Contains(fields, field); s.Nullable != want {
				t.Errorf("%s: %s may be null: %t, want %t", name, field, s.Nullable, want)
			}
		}
	}
	for body, want := range map[string]int{
		`{"workflow": "plain", "digest": null, "input": {"text": "x"}}`: 200,
		`{"workflow": null, "input": {"text": "x"}}`:                    400,
	} {
		if got := b.send("alice", "POST", "/v1/runs?dry_run=true", body); got.StatusCode != want {
			t.Errorf("%s: %d %s", body, got.StatusCode, got.body)
		}
	}
}
