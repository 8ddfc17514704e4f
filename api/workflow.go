package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
	"github.com/custodyhq/custody/workflow/engine"
)

// A Workflow is one registered version of a workflow.
type Workflow struct {
	Name        string          `json:"name"`
	Digest      string          `json:"digest" doc:"sha256:…: the version, and the ETag"`
	Description string          `json:"description,omitempty"`
	Current     bool            `json:"current"`
	Author      string          `json:"author" doc:"subj_…"`
	CreatedAt   string          `json:"created_at" format:"date-time"`
	Input       json.RawMessage `json:"input,omitempty" doc:"JSON Schema of the input; only of a single workflow"`
	Requires    *Requires       `json:"requires,omitempty" doc:"what the caller needs; only of a single workflow"`
	Steps       []WorkflowStep  `json:"steps,omitempty" doc:"only of a single workflow"`
	Warnings    []Fault         `json:"warnings,omitempty" doc:"only in the answer to a publication"`
	Receipt     *store.Receipt  `json:"receipt,omitempty" doc:"only in the answer to a publication"`
}

// Requires is what the caller of a workflow needs.
type Requires struct {
	Roles []string `json:"roles"`
	MFA   bool     `json:"mfa"`
}

// A WorkflowStep names a step and its kind.
type WorkflowStep struct {
	ID   string `json:"id"`
	Uses string `json:"uses"`
}

// A Validation is the answer to a rehearsed publication.
type Validation struct {
	Digest   string  `json:"digest"`
	Warnings []Fault `json:"warnings"`
}

func (a *API) workflowRoutes() {
	register(a, operation{
		method: http.MethodPost, path: "/v1/workflows", id: "publishWorkflow", who: action(policy.WorkflowPublish), status: http.StatusCreated,
		summary: "Register a version of a workflow; with dry_run anybody may validate one",
	}, a.publish)
	a.response(http.MethodPost, "/v1/workflows", http.StatusCreated, "registered; 200 if the version was there", map[string]*huma.Schema{"application/json": schemaOf[Workflow](a)})
	a.response(http.MethodPost, "/v1/workflows", http.StatusOK, "the version was there; with dry_run a Validation", map[string]*huma.Schema{
		"application/json": {OneOf: []*huma.Schema{schemaOf[Workflow](a), schemaOf[Validation](a)}},
	})
	body := a.operation(http.MethodPost, "/v1/workflows").RequestBody
	body.Content["application/json"] = &huma.MediaType{
		Schema:  &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "the definition; its JSON Schema is that of `custody workflow schema`"},
		Example: json.RawMessage(`{"name": "hello", "requires": {"roles": ["analyst"]}, "steps": [{"id": "say", "uses": "set", "with": {"text": "hello"}}]}`),
	}
	body.Content["application/yaml"].Schema = textSchema("the definition as YAML; its JSON Schema is that of `custody workflow schema`")
	register(a, operation{
		method: http.MethodGet, path: "/v1/workflows", id: "listWorkflows", who: action(policy.WorkflowRead),
		summary: "Current versions, by name",
	}, a.listWorkflows)
	register(a, operation{
		method: http.MethodGet, path: "/v1/workflows/{name}", id: "getWorkflow", who: action(policy.WorkflowRead),
		summary: "A workflow; as registered with Accept: application/yaml",
	}, a.getWorkflow)
	a.response(http.MethodGet, "/v1/workflows/{name}", http.StatusOK, "a version", map[string]*huma.Schema{
		"application/json": schemaOf[Workflow](a), "application/yaml": textSchema("the text as it was registered"),
	})
	a.response(http.MethodGet, "/v1/workflows/{name}", http.StatusNotModified, "the version is the one named by If-None-Match", nil)
	register(a, operation{
		method: http.MethodGet, path: "/v1/workflows/{name}/versions", id: "listWorkflowVersions", who: action(policy.WorkflowRead),
		summary: "All versions, newest first",
	}, a.listVersions)
	register(a, operation{
		method: http.MethodPut, path: "/v1/workflows/{name}/current", id: "chooseWorkflow", who: action(policy.WorkflowPublish),
		summary: "Choose the current version",
	}, a.choose)
}

// publication is the answer to a publication, rehearsed or not.
type publication struct {
	Once
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     any
}

func (a *API) publish(ctx context.Context, c caller, in *struct {
	Change
	Current string `query:"current" enum:"true,false" doc:"false: only register; default true"`
	Type    string `header:"Content-Type"`
	RawBody []byte `contentType:"application/yaml"`
},
) (*publication, error) {
	act := policy.WorkflowPublish
	if in.DryRun {
		act = policy.WorkflowValidate
	}
	if err := a.allow(ctx, c, act, policy.Target{Tenant: c.Tenant}, "workflow"); err != nil {
		return nil, err
	}
	if !definitionType(in.Type) {
		return nil, newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "a definition is application/yaml or application/json")
	}
	p, err := a.cfg.Engine.Publish(ctx, c.Principal, engine.Publication{Source: in.RawBody, Current: in.Current != "false", Key: in.Key, Request: c.request, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	warnings := faults(p.Definition.Warnings())
	if in.DryRun {
		return &publication{Status: http.StatusOK, Body: Validation{Digest: p.Definition.Digest(), Warnings: warnings}}, nil
	}
	shown := describe(p.Row, p.Definition)
	shown.Warnings = warnings
	if !p.Replayed {
		shown.Receipt = &p.Receipt
	}
	out := &publication{Once: replayedHeader(p.Replayed), Status: http.StatusOK, ETag: quoted(shown.Digest), Location: "/v1/workflows/" + shown.Name + "?digest=" + shown.Digest, Body: shown}
	if p.Created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// definitionType reports whether a body may be a definition. YAML had no media
// type until RFC 9512, so its old names count.
func definitionType(header string) bool {
	switch mediaOf(header) {
	case "", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "application/json":
		return true
	}
	return false
}

// describe is a version for people; def may be nil.
func describe(row store.Definition, def *workflow.Definition) Workflow {
	out := Workflow{
		Name: row.Name, Digest: row.Digest, Description: row.Title, Current: row.Current, Author: row.Author, CreatedAt: stamp(row.AtUS),
	}
	if def == nil {
		return out
	}
	out.Input = def.Input
	out.Requires = &Requires{Roles: list(def.Requires.Roles), MFA: def.Requires.MFA}
	for _, s := range def.Steps {
		out.Steps = append(out.Steps, WorkflowStep{ID: s.ID, Uses: s.Uses})
	}
	return out
}

func (a *API) listWorkflows(ctx context.Context, c caller, in *struct {
	Paging
	Prefix string `query:"name_prefix" maxLength:"200"`
},
) (*output[Workflow], error) {
	filter, after := filterOf("workflows", in.Prefix), ""
	if err := in.place(filter, &after); err != nil {
		return nil, err
	}
	rows, err := a.cfg.Store.Definitions(ctx, c.Tenant, in.Prefix, after, in.limit()+1)
	if err != nil {
		return nil, err
	}
	return listed(rows, in.limit(), filter, outline, func(r store.Definition) any { return r.Name }), nil
}

// outline describes a version without what its definition says.
func outline(row store.Definition) Workflow { return describe(row, nil) }

func (a *API) getWorkflow(ctx context.Context, c caller, in *struct {
	Name   string `path:"name"`
	Digest string `query:"digest" maxLength:"80" doc:"an older version; default is the current one"`
	Accept string `header:"Accept"`
	None   string `header:"If-None-Match"`
},
) (*text, error) {
	row, err := a.cfg.Store.Definition(ctx, c.Tenant, in.Name, in.Digest)
	if err != nil {
		return nil, err
	}
	out := &text{ETag: quoted(row.Digest), Status: http.StatusOK}
	switch yaml := accepts(in.Accept, "application/yaml"); {
	case in.None != "" && matches(in.None, out.ETag):
		out.Status = http.StatusNotModified
		return out, nil
	case yaml:
		out.ContentType, out.Body = "application/yaml", []byte(row.Source)
		return out, nil
	}
	// A version that needs a kind which this process lacks is shown without its parts.
	def, _, err := a.cfg.Engine.Definition(ctx, c.Tenant, row.Name, row.Digest)
	if err != nil {
		def = nil
	}
	out.ContentType = "application/json"
	out.Body, err = json.Marshal(describe(row, def))
	return out, err
}

// version is a place in the list of versions.
type version struct {
	At     int64  `json:"at"`
	Digest string `json:"digest"`
}

func (a *API) listVersions(ctx context.Context, c caller, in *struct {
	Paging
	Name string `path:"name"`
},
) (*output[Workflow], error) {
	var after version
	filter := filterOf("versions", in.Name)
	if err := in.place(filter, &after); err != nil {
		return nil, err
	}
	rows, err := a.cfg.Store.Versions(ctx, c.Tenant, in.Name, after.At, after.Digest, in.limit()+1)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && after.At == 0 {
		return nil, store.ErrNotFound
	}
	return listed(rows, in.limit(), filter, outline, func(r store.Definition) any { return version{r.AtUS, r.Digest} }), nil
}

// chosenOut is the version that is current now.
type chosenOut struct {
	ETag string `header:"ETag"`
	Body Workflow
}

// choose makes a registered version the current one. New runs use it from then
// on; runs under way keep theirs.
func (a *API) choose(ctx context.Context, c caller, in *struct {
	Rehearsal
	Name  string `path:"name" doc:"of the workflow"`
	Match string `header:"If-Match" doc:"the ETag of the version that is thought to be current"`
	Body  struct {
		Digest string `json:"digest" pattern:"^sha256:[0-9a-f]{64}$" doc:"of a registered version"`
	}
},
) (*chosenOut, error) {
	if err := a.allow(ctx, c, policy.WorkflowPublish, policy.Target{Tenant: c.Tenant}, "workflow"); err != nil {
		return nil, err
	}
	choice := store.Choice{Tenant: c.Tenant, Name: in.Name, Digest: in.Body.Digest}
	if in.Match != "" {
		choice.Fits = func(current string) bool { return current != "" && matches(in.Match, quoted(current)) }
	}
	var receipt *store.Receipt
	if !in.DryRun {
		r, err := a.cfg.Store.Choose(ctx, choice, a.fact(c, audit.Fact{}))
		if err != nil {
			return nil, err
		}
		receipt = &r
	} else if err := a.wouldChoose(ctx, choice); err != nil {
		return nil, err
	}
	row, err := a.cfg.Store.Definition(ctx, c.Tenant, in.Name, in.Body.Digest)
	if err != nil {
		return nil, err
	}
	row.Current = row.Current || in.DryRun
	shown := describe(row, nil)
	shown.Receipt = receipt
	return &chosenOut{ETag: quoted(row.Digest), Body: shown}, nil
}

// wouldChoose makes the checks of a choice.
func (a *API) wouldChoose(ctx context.Context, choice store.Choice) error {
	if _, err := a.cfg.Store.Definition(ctx, choice.Tenant, choice.Name, choice.Digest); err != nil || choice.Fits == nil {
		return err
	}
	current, err := a.cfg.Store.Current(ctx, choice.Tenant, choice.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !choice.Fits(current) {
		return store.ErrChanged
	}
	return nil
}
