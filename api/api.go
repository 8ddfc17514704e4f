package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// Config is what an API works with.
type Config struct {
	Engine   *engine.Engine
	Store    *store.DB
	Verifier *oidc.Verifier
	Observer Observer // told of requests; nil: nobody
	// Metrics answers /metrics in the text format of Prometheus; nil: a 404.
	Metrics http.Handler
	// URL is the server's own base URL, as clients reach it, for its metadata.
	URL string
	// Issuers are where tokens come from, for the metadata (RFC 9728).
	Issuers []string
	// Version of this program; may be empty.
	Version string
	// Ready makes further checks for /readyz: keys, provider. It may be nil. Its
	// details are public.
	Ready func(ctx context.Context) []Check
	Log   *slog.Logger
	// Limits hold callers to a number of requests a minute; zero is none.
	Limits Limits
}

func (c *Config) validate() error {
	switch u, err := url.Parse(c.URL); {
	case c.Engine == nil:
		return errors.New("api config: Engine is missing")
	case c.Store == nil:
		return errors.New("api config: Store is missing")
	case c.Verifier == nil:
		return errors.New("api config: Verifier is missing")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("api config: URL must be the server's own base URL, such as https://custody.example")
	case len(c.Issuers) == 0:
		return errors.New("api config: Issuers is empty: without it nobody learns where to sign in")
	}
	if err := c.Limits.validate(); err != nil {
		return err
	}
	c.URL = strings.TrimSuffix(c.URL, "/")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With(slog.String("component", "api"))
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	return nil
}

// requestTime bounds every request except those that are long by design.
const requestTime = 30 * time.Second

// An API answers HTTP requests. It is safe for concurrent use.
type API struct {
	cfg       Config
	handler   http.Handler
	router    *chi.Mux
	huma      huma.API
	public    map[string]bool // paths that need no token
	closing   chan struct{}
	strict    map[string]bool // query parameters that cannot be empty
	once      sync.Once
	spec      spec
	reference reference
	ready     readiness
	names     stepNames
	standing  standing
	readers   coalescer // audit.read: once a minute and person
	failed    coalescer // auth.denied: once in ten seconds and reason
	gates     gates     // limits

	verifying chan struct{} // room for one
	bundles   chan struct{} // room for those that are sent to be verified
}

// New makes an API. It fails if an operation does not say who may call it.
func New(cfg Config) (*API, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	prepareHuma()
	a := &API{cfg: cfg, public: map[string]bool{}, closing: make(chan struct{}), verifying: make(chan struct{}, 1), bundles: make(chan struct{}, maxBundles)}
	a.readers.every, a.failed.every = time.Minute, 10*time.Second
	a.router = chi.NewRouter()
	a.router.NotFound(a.notFound)
	a.router.MethodNotAllowed(a.methodNotAllowed)
	a.huma = newHuma(a.router, cfg)
	a.huma.UseMiddleware(routed)
	a.routes()
	a.strict = a.strictParameters()
	a.describe()
	if err := a.declared(); err != nil {
		return nil, err
	}
	a.spec = newSpec(a.huma.OpenAPI())
	a.reference = newReference(a.spec.json)
	a.handler = a.recovering(a.identifying(a.securing(a.authenticating(a.limiting(a.router)))))
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Shutdown ends event streams and answers waiting requests as things stand, so
// that a server can drain. It may be called more than once and concurrently.
func (a *API) Shutdown() { a.once.Do(func() { close(a.closing) }) }

// routes registers every operation.
func (a *API) routes() {
	a.systemRoutes()
	a.metricsRoutes()
	a.principalRoutes()
	a.workflowRoutes()
	a.runRoutes()
	a.contentRoutes()
	a.eventRoutes()
	a.approvalRoutes()
	a.entryRoutes()
	a.bundleRoutes()
	a.reportRoutes()
	a.revocationRoutes()
	a.releaseRoutes()
	a.modeRoutes()
	a.labelRoutes()
	a.logoutRoutes()
	a.referenceRoutes()
}

// notFound is for paths that no route has. Outside /v1 it is answered without
// a token: there is nothing to protect.
func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, newProblem(http.StatusNotFound, "not-found", "there is no such resource"))
}

// methodNotAllowed lists what would have been allowed (RFC 9110, section
// 15.5.6). It is a 404 problem's sibling and has no type of its own.
func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if a.router.Match(chi.NewRouteContext(), m, r.URL.EscapedPath()) {
			w.Header().Add("Allow", m)
		}
	}
	writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "the resource does not have this method"))
}
