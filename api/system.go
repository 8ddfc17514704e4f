package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

const metadataPath = "/.well-known/oauth-protected-resource"

func (a *API) systemRoutes() {
	register(a, operation{method: http.MethodGet, path: "/livez", id: "livez", who: whoPublic, summary: "The process lives"}, a.getLive)
	register(a, operation{
		method: http.MethodGet, path: "/readyz", id: "readyz", who: whoPublic,
		summary: "Database, schema, keys and provider are usable: 200, else 503",
	}, a.getReady)
	a.response(http.MethodGet, "/readyz", http.StatusServiceUnavailable, "one of the checks failed", map[string]*huma.Schema{"application/json": schemaOf[Readiness](a)})
	register(a, operation{
		method: http.MethodGet, path: metadataPath, id: "getResourceMetadata", who: whoPublic,
		summary: "Where one can sign in (RFC 9728)",
	}, a.getMetadata)
	describe := func(id, path, media string, body func() ([]byte, error)) {
		register(a, operation{method: http.MethodGet, path: path, id: id, who: whoPublic, summary: "This description"},
			func(context.Context, caller, *struct{}) (*text, error) {
				raw, err := body()
				return &text{ContentType: media, Cache: "public, max-age=300", Status: http.StatusOK, Body: raw}, err
			})
		a.response(http.MethodGet, path, http.StatusOK, "OpenAPI 3.1", map[string]*huma.Schema{media: {Type: huma.TypeObject, AdditionalProperties: true, Description: "OpenAPI 3.1"}})
	}
	describe("getOpenAPI", "/openapi.json", "application/openapi+json", func() ([]byte, error) { return a.spec.json() })
	describe("getOpenAPIYAML", "/openapi.yaml", "application/openapi+yaml", func() ([]byte, error) { return a.spec.yaml() })
	register(a, operation{
		method: http.MethodGet, path: "/v1/status", id: "getStatus", who: action(policy.StatusRead),
		summary: "Processes, heartbeats and the ledger's tier of trust",
	}, a.getStatus)
}

// A Check is one thing that a process needs.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty" doc:"what is wrong, without names of machines"`
}

// Readiness says whether a process can do its work.
type Readiness struct {
	Status string  `json:"status" enum:"ok,unavailable"`
	Checks []Check `json:"checks"`
}

type readyOut struct {
	Status int
	Cache  string `header:"Cache-Control"`
	Retry  string `header:"Retry-After"`
	Body   Readiness
}

func (a *API) getLive(context.Context, caller, *struct{}) (*readyOut, error) {
	return &readyOut{Status: http.StatusOK, Cache: "no-store", Body: Readiness{Status: "ok", Checks: []Check{}}}, nil
}

func (a *API) getReady(ctx context.Context, _ caller, _ *struct{}) (*readyOut, error) {
	out := &readyOut{Status: http.StatusOK, Cache: "no-store", Body: Readiness{Status: "ok", Checks: a.ready.checks(ctx, a.check)}}
	for _, c := range out.Body.Checks {
		if !c.OK {
			out.Status, out.Retry, out.Body.Status = http.StatusServiceUnavailable, "1", "unavailable"
		}
	}
	return out, nil
}

// check looks at everything that a process needs.
func (a *API) check(ctx context.Context) []Check {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	database := Check{Name: "database", OK: a.cfg.Store.Ping(ctx) == nil}
	if !database.OK {
		database.Detail = "the database does not answer"
	}
	checks := []Check{database}
	select {
	case <-a.closing:
		checks = append(checks, Check{Name: "serving", Detail: "the process is ending"})
	default:
	}
	if a.cfg.Ready != nil && database.OK {
		checks = append(checks, a.cfg.Ready(ctx)...)
	}
	return checks
}

// A readiness keeps the last answer for a second: anybody may ask, and asking
// costs the database and the provider.
type readiness struct {
	mu   sync.Mutex
	at   time.Time
	last []Check
}

func (r *readiness) checks(ctx context.Context, look func(context.Context) []Check) []Check {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) > time.Second {
		r.last = look(ctx)
		r.at = time.Now()
	}
	return r.last
}

// standingFor is how long an answer about the whole database is given again:
// counting reads every run's row.
const standingFor = 5 * time.Second

// A standing keeps the last count.
type standing struct {
	mu   sync.Mutex
	at   time.Time
	last store.Standing
}

func (s *standing) get(ctx context.Context, count func(context.Context) (store.Standing, error)) (store.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < standingFor {
		return s.last, nil
	}
	last, err := count(ctx)
	if err == nil {
		s.last, s.at = last, time.Now()
	}
	return last, err
}

// Resource is what this server says about itself (RFC 9728, section 2). There
// are no scopes: what a caller may do is a matter of roles.
type Resource struct {
	Resource string   `json:"resource" format:"uri"`
	Servers  []string `json:"authorization_servers"`
	Methods  []string `json:"bearer_methods_supported"`
	Name     string   `json:"resource_name"`
	Docs     string   `json:"resource_documentation" format:"uri" doc:"for people who write programs"`
}

func (a *API) getMetadata(context.Context, caller, *struct{}) (*struct{ Body Resource }, error) {
	return &struct{ Body Resource }{Resource{Resource: a.cfg.URL, Servers: a.cfg.Issuers, Methods: []string{"header"}, Name: "Custody", Docs: a.cfg.URL + "/docs"}}, nil
}

// A Status is what an operator wants to know.
type Status struct {
	Version   string    `json:"version"`
	Process   string    `json:"process" doc:"that answers"`
	Tier      string    `json:"tier" doc:"of trust; T0: chained, not anchored"`
	Driving   int       `json:"driving" doc:"runs that this process drives now"`
	Processes []Process `json:"processes"`
	Runs      RunCounts `json:"runs"`
	Queue     Queue     `json:"queue"`
	Ledger    Ledger    `json:"ledger"`
	Notary    *Notary   `json:"notary,omitempty" doc:"absent: there is none"`
	Figures   Figures   `json:"figures" doc:"of this process, since it started"`
}

// RunCounts says how many runs there are in each state, at most five seconds
// ago.
type RunCounts struct {
	Queued    int64 `json:"queued"`
	Running   int64 `json:"running"`
	Waiting   int64 `json:"waiting"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
}

// A Queue is what is to be done.
type Queue struct {
	OldestAge float64 `json:"oldest_age" doc:"seconds since the oldest queued run was submitted; 0: none is queued"`
	Due       int64   `json:"due" doc:"runs whose time has come and that no process has looked at yet"`
	Later     int64   `json:"later" doc:"runs that wait for a time to come: a back-off, the expiry of an approval"`
}

// A Ledger is how large the record is.
type Ledger struct {
	Entries int64 `json:"entries"`
	Streams int64 `json:"streams"`
	Bytes   int64 `json:"bytes" doc:"of entries and sealed payloads on disk, with indexes"`
}

// A Notary is who signs the ledger's checkpoints.
type Notary struct {
	Lag float64 `json:"lag" doc:"seconds"`
}

// A Process is a Custody process that shares the database.
type Process struct {
	ID           string  `json:"id"`
	Version      string  `json:"version"`
	StartedAt    string  `json:"started_at" format:"date-time"`
	HeartbeatAge float64 `json:"heartbeat_age" doc:"seconds"`
}

// Figures are counts of the committer.
type Figures struct {
	Batches int64 `json:"batches"`
	Changes int64 `json:"changes"`
	Lost    int64 `json:"lost" doc:"commits whose fate had to be looked up"`
	Halved  int64 `json:"halved" doc:"batches that PostgreSQL refused for their data"`
}

func (a *API) getStatus(ctx context.Context, c caller, _ *struct{}) (*struct{ Body Status }, error) {
	if err := a.allow(ctx, c, policy.StatusRead, policy.Target{Tenant: c.Tenant}, "status"); err != nil {
		return nil, err
	}
	processes, err := a.cfg.Store.Processes(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.standing.get(ctx, a.cfg.Store.Standing)
	if err != nil {
		return nil, err
	}
	f := a.cfg.Store.Figures()
	out := Status{
		Version: a.cfg.Version, Process: a.cfg.Store.Process().Name("proc"), Tier: "T0", Driving: a.cfg.Engine.Driving(),
		Processes: make([]Process, len(processes)), Figures: Figures{f.Batches, f.Changes, f.Lost, f.Halved},
		Runs: RunCounts{
			Queued: s.Runs[store.Queued], Running: s.Runs[store.Running], Waiting: s.Runs[store.Waiting],
			Succeeded: s.Runs[store.Succeeded], Failed: s.Runs[store.Failed], Cancelled: s.Runs[store.Cancelled],
		},
		Queue:  Queue{OldestAge: s.OldestQueued.Seconds(), Due: s.Due, Later: s.Later},
		Ledger: Ledger{Entries: s.Entries, Streams: s.Streams, Bytes: s.Bytes},
	}
	for i, p := range processes {
		out.Processes[i] = Process{ID: p.ID.Name("proc"), Version: p.Version, StartedAt: stamp(p.Started.UnixMicro()), HeartbeatAge: p.Age.Seconds()}
	}
	return &struct{ Body Status }{out}, nil
}

// A spec is the API's description. Each form is made once, for the first who
// asks: a process starts without.
type spec struct{ json, yaml func() ([]byte, error) }

func newSpec(o *huma.OpenAPI) spec {
	return spec{
		json: sync.OnceValues(func() ([]byte, error) { return specJSON(o) }),
		yaml: sync.OnceValues(o.YAML),
	}
}

// specJSON goes through a tree, so that the keys are sorted and the text is
// stable.
func specJSON(o *huma.OpenAPI) ([]byte, error) {
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	if raw, err = json.MarshalIndent(tree, "", "  "); err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return append(raw, '\n'), nil
}
