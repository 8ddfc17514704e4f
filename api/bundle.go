package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

func (a *API) bundleRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/audit/bundle", id: "getBundle", who: action(policy.AuditExport), long: true,
		summary: "Evidence to take away: of one run, of a person's runs, of a time, or of the whole ledger",
	}, a.getBundle)
	a.response(http.MethodGet, "/v1/audit/bundle", http.StatusOK, "a zip; one that broke off on the way does not verify", map[string]*huma.Schema{
		"application/zip": {Type: huma.TypeString, Format: "binary"},
	})
}

// bundleScope says what a bundle shall hold.
type bundleScope struct {
	Run      string    `query:"run" maxLength:"80" doc:"run_…"`
	Subject  string    `query:"subject" pattern:"^subj_[0-9a-z]{26}$" doc:"subj_…: every run that this person submitted"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
	All      bool      `query:"all" doc:"the whole ledger"`
	Payloads bool      `query:"payloads" doc:"the content behind the entries, too"`
}

// scope names it for the manifest; an empty name is a scope that makes no sense.
func (s bundleScope) scope() (out audit.Scope, name string) {
	timed := !s.From.IsZero() || !s.To.IsZero()
	out.Payloads = s.Payloads
	switch {
	case s.Run != "" && s.Subject == "" && !timed && !s.All:
		out.Run, name = s.Run, s.Run
	case s.Subject != "" && s.Run == "" && !timed && !s.All:
		out.Subject, name = s.Subject, s.Subject
	case s.All && s.Run == "" && s.Subject == "" && !timed:
		out.All, name = true, "all"
	case timed && s.Run == "" && s.Subject == "" && !s.All:
		if !s.From.IsZero() {
			out.From = s.From.UTC().Format(layout)
		}
		if !s.To.IsZero() {
			out.To = s.To.UTC().Format(layout)
		}
		name = out.From + "/" + out.To
	}
	return out, name
}

// getBundle streams a bundle. Taking evidence away is recorded first, content
// or not.
func (a *API) getBundle(ctx context.Context, c caller, in *bundleScope) (*raw, error) {
	scope, name := in.scope()
	if name == "" {
		p := newProblem(http.StatusBadRequest, "malformed", "choose one of run=…, subject=…, from=… and to=…, or all=true")
		p.Errors = []Fault{{Pointer: "/query", Code: "scope", Detail: "exactly one scope is needed"}}
		return nil, p
	}
	streams, target, err := a.scoped(ctx, c, *in)
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, c, policy.AuditExport, target, name); err != nil {
		return nil, err
	}
	code := ""
	if in.Payloads {
		code = "payloads"
	}
	receipt, err := a.record(ctx, c, audit.Fact{Action: audit.AuditExported, Outcome: "ok", Run: scope.Run, Target: name, Code: code})
	if err != nil {
		return nil, unavailable()
	}
	x := export{a: a, c: c, in: *in, payloads: map[string]disclosure{}, workflows: map[string]string{}}
	x.streams = streams
	origin, err := x.origin(ctx, receipt)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", `attachment; filename="custody-evidence.zip"`)
		w.Header().Set("Cache-Control", "no-store")
		rc := http.NewResponseController(w)
		defer patient(rc)
		x.zip = audit.NewBundleWriter(&patientWriter{w: w, rc: rc}, origin, scope, time.Now())
		err := x.write(ctx)
		if err != nil {
			a.cfg.Log.WarnContext(ctx, "an export broke off", slog.String("request", c.request), slog.Any("error", err))
		}
		cut(err)
	}), nil
}

// scoped finds what the scope is about: a run that the caller may see, the runs
// of a person, else everything of the tenant.
func (a *API) scoped(ctx context.Context, c caller, in bundleScope) (func(context.Context, security.ID) ([]store.Stream, error), policy.Target, error) {
	if in.Subject != "" {
		return func(ctx context.Context, after security.ID) ([]store.Stream, error) {
			return a.submitted(ctx, c.Tenant, in.Subject, after)
		}, policy.Target{Tenant: c.Tenant, Owner: in.Subject}, nil
	}
	if in.Run == "" {
		return func(ctx context.Context, after security.ID) ([]store.Stream, error) {
			return a.cfg.Store.Streams(ctx, c.Tenant, in.From, in.To, after, eventPage)
		}, policy.Target{Tenant: c.Tenant}, nil
	}
	run, err := a.visible(ctx, c, in.Run)
	one := func(_ context.Context, after security.ID) ([]store.Stream, error) {
		if after.IsZero() {
			return []store.Stream{{ID: run.ID}}, nil
		}
		return nil, nil
	}
	return one, targetOf(run), err
}

// submitted lists the streams of a person's runs, newest first.
func (a *API) submitted(ctx context.Context, tenant, subject string, before security.ID) ([]store.Stream, error) {
	runs, err := a.cfg.Store.Runs(ctx, tenant, store.RunFilter{Caller: subject, Cursor: before, Limit: eventPage})
	out := make([]store.Stream, len(runs))
	for i, run := range runs {
		out[i].ID = run.ID
	}
	return out, err
}

// A patientWriter gives each write its own time: an export is as long as the
// ledger, but a reader that has stopped is let go.
type patientWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(writeTime)) // a writer without deadlines is a test's
	return p.w.Write(b)
}

// A disclosure is content that goes into a bundle once its entries are in.
type disclosure struct {
	run  security.ID
	kind string
}

// An export is a bundle on its way out: entries stream by stream, then the
// content and the definitions that they named.
type export struct {
	a         *API
	c         caller
	in        bundleScope
	streams   func(ctx context.Context, after security.ID) ([]store.Stream, error)
	zip       *audit.BundleWriter
	order     []string // payload ids as they came
	payloads  map[string]disclosure
	workflows map[string]string // digest -> name
}

// origin is the name of the ledger, which every entry carries: the export's own
// does.
func (x *export) origin(ctx context.Context, own store.Receipt) (string, error) {
	e, _, err := x.a.cfg.Store.EntryByHash(ctx, x.c.Tenant, own.Hash)
	return e.Log, err
}

func (x *export) write(ctx context.Context) error {
	var after security.ID
	for {
		streams, err := x.streams(ctx, after)
		if err != nil {
			return err
		}
		for _, s := range streams {
			if err := x.stream(ctx, s); err != nil {
				return err
			}
			after = s.ID
		}
		if len(streams) == 0 {
			break
		}
	}
	if err := x.disclose(ctx); err != nil {
		return err
	}
	for digest, name := range x.workflows {
		d, err := x.a.cfg.Store.Definition(ctx, x.c.Tenant, name, digest)
		if errors.Is(err, store.ErrNotFound) {
			continue // adding one is not part of the record's truth
		}
		if err != nil {
			return err
		}
		if err := x.zip.Workflow(digest, d.Source); err != nil {
			return err
		}
	}
	return x.zip.Close()
}

// stream writes the entries of one stream. They are read in the order of seq,
// in which they were committed, so what is read is without gaps.
func (x *export) stream(ctx context.Context, s store.Stream) error {
	f := store.EntryFilter{Stream: s.ID, Control: s.Control, From: x.in.From, To: x.in.To, Limit: eventPage}
	for {
		entries, last, err := x.a.cfg.Store.Entries(ctx, x.c.Tenant, f)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := x.zip.Entry(e); err != nil {
				return err
			}
			x.note(s, e)
		}
		if len(entries) < f.Limit {
			return nil
		}
		f.Cursor = last
	}
}

// note remembers what an entry of a run brought into the vault.
func (x *export) note(s store.Stream, e audit.Entry) {
	body, err := audit.ParseBody(e.Body)
	if err != nil || s.Control {
		return // altered: the verifier will say so
	}
	if body.Action == audit.RunSubmitted && body.Workflow != "" {
		x.workflows[body.Workflow] = body.Name
	}
	if !x.in.Payloads || body.Adopted != "" {
		return
	}
	for _, p := range body.Payloads {
		if _, seen := x.payloads[p.ID]; !seen && audit.Disclosed(p.Kind) {
			x.payloads[p.ID] = disclosure{run: s.ID, kind: p.Kind}
			x.order = append(x.order, p.ID)
		}
	}
}

// disclose writes the content. What is not there any more is left out, and the
// verifier says whether an entry accounts for it.
func (x *export) disclose(ctx context.Context) error {
	for _, name := range x.order {
		id, err := security.ParseID("pay", name)
		if err != nil {
			continue // altered: the verifier will say so
		}
		d := x.payloads[name]
		content, err := x.a.cfg.Engine.Open(ctx, x.c.Tenant, d.run, id, d.kind)
		if errors.Is(err, engine.ErrGone) {
			continue
		}
		if err != nil {
			return err
		}
		if err := x.zip.Payload(audit.DisclosedPayload{ID: name, Commit: content.Commit, Salt: content.Salt, Content: content.JSON}); err != nil {
			return err
		}
	}
	return nil
}
