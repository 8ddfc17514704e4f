package api

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"reflect" //nolint:depguard // huma asks for a reflect.Type
	"slices"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/policy"
)

// who may call an operation: one of the two below, or a policy.Action.
type who string

const (
	whoPublic who = "public" // needs no token
	whoAny    who = "any"    // whoever signed in
)

func action(a policy.Action) who { return who(a) }

// whoKey is where an operation's who stands in the OpenAPI description.
const whoKey = "x-custody-who"

// scheme is the name of the one security scheme.
const scheme = "bearer"

// A caller is whoever sent a request, once verified. It is handed on as an
// argument.
type caller struct {
	security.Principal
	request string // Request-Id
}

// An operation is a route's description.
type operation struct {
	method, path string
	id, summary  string
	who          who
	long         bool // may take longer than requestTime
	status       int  // when it succeeds; 0 is 200
}

// register adds an operation. The handler gets the caller as an argument; on
// the way through chi and huma there is no other place for it than the
// exchange.
func register[I, O any](a *API, op operation, handle func(context.Context, caller, *I) (*O, error)) {
	described := huma.Operation{
		Method: op.method, Path: op.path, OperationID: op.id, Summary: op.summary, DefaultStatus: op.status,
		BodyReadTimeout: -1,            // the body is in memory by then; huma's deadline would end long answers
		MaxBodyBytes:    maxBundle + 1, // limiting has seen to it; huma's limit is one short
		Extensions:      map[string]any{whoKey: string(op.who)},
		Middlewares:     a.limited(op),
		Security:        []map[string][]string{{scheme: {}}},
	}
	if op.who == whoPublic {
		described.Security = []map[string][]string{}
		a.public[op.path] = true
	}
	huma.Register(a.huma, described, func(ctx context.Context, in *I) (*O, error) {
		x := exchangeOf(ctx)
		if !op.long {
			bounded, cancel := context.WithTimeout(ctx, requestTime)
			defer cancel()
			ctx = bounded
		}
		out, err := handle(ctx, caller{Principal: x.who, request: x.id}, in)
		if err != nil {
			return nil, a.problemOf(ctx, x, err)
		}
		return out, nil
	})
}

// declared checks that every operation says who may call it, and that exactly
// the public ones need no token.
func (a *API) declared() error {
	for op := range a.operations() {
		may, _ := op.Extensions[whoKey].(string)
		switch {
		case may == "":
			return fmt.Errorf("api: %s %s does not say who may call it", op.Method, op.Path)
		case op.Security == nil:
			return fmt.Errorf("api: %s %s does not say whether it needs a token", op.Method, op.Path)
		case (may == string(whoPublic)) != (len(op.Security) == 0) || (may == string(whoPublic)) != a.public[op.Path]:
			return fmt.Errorf("api: %s %s contradicts itself about who may call it", op.Method, op.Path)
		}
	}
	return nil
}

// prepareHuma sets the settings that huma keeps in package variables: once, to
// constants, before anything is registered.
var prepareHuma = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true // else WORKFLOW would pass for workflow
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return malformed(status, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := malformed(status, errs)
		p.complete(exchangeOf(ctx.Context()))
		return p
	}
})

func newHuma(router *chi.Mux, cfg Config) huma.API {
	c := huma.DefaultConfig("Custody", cfg.Version)
	c.CreateHooks = nil                                   // no $schema in answers
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // served by us; the page would load scripts from elsewhere
	c.Formats = map[string]huma.Format{"application/json": strict(), "json": strict()}
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "Durable LLM workflows with a provable record."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		scheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "an access token (RFC 6750, RFC 9068)"},
	}
	return humachi.New(router, c)
}

// strict is JSON that has one meaning.
func strict() huma.Format {
	return huma.Format{
		Marshal:   huma.DefaultJSONFormat.Marshal,
		Unmarshal: decodeStrict,
	}
}

// raw is the answer of an operation that writes for itself.
type raw struct{ Body func(huma.Context) }

// writing makes a raw answer of a function on the ResponseWriter.
func writing(write func(http.ResponseWriter)) *raw {
	return &raw{Body: func(ctx huma.Context) {
		_, w := humachi.Unwrap(ctx)
		write(w)
	}}
}

// text is an answer that is not one of our JSON objects.
type text struct {
	ContentType string `header:"Content-Type"`
	Cache       string `header:"Cache-Control"`
	ETag        string `header:"ETag"`
	Status      int
	Body        []byte
}

// cut ends a connection in the middle of an answer, so that its reader does
// not take it for a whole one.
func cut(err error) {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// response adds an answer to an operation's description: what it says in other
// formats, and with other statuses than the usual one.
func (a *API) response(method, path string, status int, description string, content map[string]*huma.Schema) {
	op := a.operation(method, path)
	r := &huma.Response{Description: description}
	conditional := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "If-None-Match" })
	if usual := op.Responses[strconv.Itoa(status)]; usual != nil && conditional {
		r.Headers = map[string]*huma.Header{"ETag": usual.Headers["ETag"]}
	}
	for media, schema := range content {
		if r.Content == nil {
			r.Content = map[string]*huma.MediaType{}
		}
		r.Content[media] = &huma.MediaType{Schema: schema}
	}
	op.Responses[strconv.Itoa(status)] = r
}

// operations are the descriptions of all that are registered.
func (a *API) operations() iter.Seq[*huma.Operation] {
	return func(yield func(*huma.Operation) bool) {
		for _, item := range a.huma.OpenAPI().Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete, item.Patch} {
				if op != nil && !yield(op) {
					return
				}
			}
		}
	}
}

// operation is the description of one that is registered.
func (a *API) operation(method, path string) *huma.Operation {
	item := a.huma.OpenAPI().Paths[path]
	switch method {
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodDelete:
		return item.Delete
	}
	return item.Get
}

// schemaOf is a reference to a type's schema.
func schemaOf[T any](a *API) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// textSchema describes an answer that is not JSON.
func textSchema(description string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: description}
}
