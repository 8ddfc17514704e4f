package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

func (a *API) entryRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/audit/entries", id: "listEntries", who: action(policy.AuditRead), long: true,
		summary: "The ledger's entries, oldest first; as JSON lines with Accept: application/x-ndjson",
	}, a.listEntries)
	a.response(http.MethodGet, "/v1/audit/entries", http.StatusOK, "entries", map[string]*huma.Schema{
		"application/json":     schemaOf[Page[audit.Entry]](a),
		"application/x-ndjson": textSchema("one Entry a line; all that match, unless limit is given"),
	})
	register(a, operation{
		method: http.MethodGet, path: "/v1/audit/entries/{hash}", id: "getEntry", who: action(policy.AuditRead),
		summary: "One entry",
	}, a.getEntry)
}

// EntryFilter chooses entries.
type EntryFilter struct {
	Run      string    `query:"run" maxLength:"80" doc:"run_…: entries of its stream"`
	Stream   string    `query:"stream" maxLength:"80" doc:"run_… or ctl-…"`
	Step     string    `query:"step" maxLength:"200"`
	Action   string    `query:"action" maxLength:"80"`
	Outcome  string    `query:"outcome" maxLength:"80"`
	Actor    string    `query:"actor" maxLength:"80" doc:"subj_…, or me"`
	Workflow string    `query:"workflow" maxLength:"200" doc:"name"`
	Key      string    `query:"key" maxLength:"1024" doc:"the piece of work"`
	Call     string    `query:"call" maxLength:"80" doc:"call_…"`
	From     time.Time `query:"from"`
	To       time.Time `query:"to"`
}

// filter converts; false means that nothing can match.
func (f EntryFilter) filter(c caller) (store.EntryFilter, bool) {
	out := store.EntryFilter{
		Step: f.Step, Action: f.Action, Outcome: f.Outcome, Actor: f.Actor, Workflow: f.Workflow, Key: f.Key, Call: f.Call, From: f.From, To: f.To,
	}
	if f.Actor == "me" {
		out.Actor = c.ID
	}
	for _, name := range []string{f.Run, f.Stream} {
		if name == "" {
			continue
		}
		id, control, ok := parseStream(name)
		if !ok || !out.Stream.IsZero() && out.Stream != id {
			return out, false
		}
		out.Stream, out.Control = id, control
	}
	return out, true
}

// parseStream reads the name of a run's stream or a control stream.
func parseStream(name string) (id security.ID, control, ok bool) {
	if rest, is := strings.CutPrefix(name, "ctl-"); is {
		name, control = "run_"+rest, true
	}
	id, err := security.ParseID("run", name)
	return id, control, err == nil
}

// place is where a page of entries ended.
type place struct {
	At     int64  `json:"at"`
	Stream idText `json:"stream"`
	Seq    int64  `json:"seq"`
}

func (a *API) listEntries(ctx context.Context, c caller, in *struct {
	EntryFilter
	Paging
	Accept string `header:"Accept"`
},
) (*raw, error) {
	f, possible := in.filter(c)
	if !policy.Do(c.Principal, policy.AuditRead, policy.Target{Tenant: c.Tenant}).Allowed() {
		f.Owner = c.ID
	}
	var at place
	filter := filterOf("entries", f)
	if err := in.place(filter, &at); err != nil {
		return nil, err
	}
	if in.Cursor != "" {
		f.Cursor = store.EntryCursor{AtUS: at.At, Stream: security.ID(at.Stream), Seq: at.Seq}
	}
	if err := a.reading(ctx, c); err != nil {
		return nil, err
	}
	lines := accepts(in.Accept, "application/x-ndjson")
	if lines && possible && in.Limit == 0 {
		return a.allLines(ctx, c, f)
	}
	f.Limit = in.limit()
	page, err := a.entryPage(ctx, c, f, possible, filter)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		if lines {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = w.Write(entryLines(page.Data))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(page) // the client has gone; there is nobody to tell
	}), nil
}

// entryPage reads one page.
func (a *API) entryPage(ctx context.Context, c caller, f store.EntryFilter, possible bool, filter string) (Page[audit.Entry], error) {
	page := Page[audit.Entry]{Data: []audit.Entry{}}
	if !possible {
		return page, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	rows, last, err := a.cfg.Store.Entries(ctx, c.Tenant, f)
	if err != nil {
		return page, err
	}
	if len(rows) == f.Limit {
		page.Next = next(filter, place{At: last.AtUS, Stream: idText(last.Stream), Seq: last.Seq})
	}
	page.Data = append(page.Data, rows...)
	return page, nil
}

// allLines sends every entry that matches, page by page.
func (a *API) allLines(ctx context.Context, c caller, f store.EntryFilter) (*raw, error) {
	f.Limit = eventPage
	rows, last, err := a.cfg.Store.Entries(ctx, c.Tenant, f)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		rc := http.NewResponseController(w)
		defer patient(rc)
		for {
			_ = rc.SetWriteDeadline(time.Now().Add(writeTime))
			_, err := w.Write(entryLines(rows))
			cut(err)
			if len(rows) < f.Limit {
				return
			}
			f.Cursor = last
			rows, last, err = a.cfg.Store.Entries(ctx, c.Tenant, f)
			cut(err)
		}
	}), nil
}

func entryLines(entries []audit.Entry) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, e := range entries {
		_ = enc.Encode(e) // an Entry is strings and numbers, and a Buffer takes all
	}
	return out.Bytes()
}

// reading notes that somebody reads the ledger, once a minute and person. It
// is committed before anything is shown.
func (a *API) reading(ctx context.Context, c caller) error {
	who := c.Tenant + "/" + c.ID
	if !a.readers.first(who) {
		return nil
	}
	if _, err := a.record(ctx, c, audit.Fact{Action: audit.AuditRead, Outcome: "ok"}); err != nil {
		a.readers.forget(who)
		return unavailable()
	}
	return nil
}

// entryOut is one entry. It never changes, so its hash is its validator.
type entryOut struct {
	Status int
	ETag   string `header:"ETag"`
	Body   audit.Entry
}

func (a *API) getEntry(ctx context.Context, c caller, in *struct {
	Hash string `path:"hash" doc:"64 hex digits"`
	None string `header:"If-None-Match" doc:"304 if it is the entry's ETag"`
},
) (*entryOut, error) {
	hash, err := audit.ParseHash(in.Hash)
	if err != nil {
		return nil, store.ErrNotFound
	}
	entry, owner, err := a.cfg.Store.EntryByHash(ctx, c.Tenant, hash)
	if err != nil {
		return nil, err
	}
	if err := a.see(ctx, c, policy.AuditRead, policy.Target{Tenant: c.Tenant, Owner: owner}, in.Hash); err != nil {
		return nil, err
	}
	if err := a.reading(ctx, c); err != nil {
		return nil, err
	}
	out := &entryOut{Status: http.StatusOK, ETag: quoted(in.Hash), Body: entry}
	if in.None != "" && matches(in.None, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}
