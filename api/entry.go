package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

func (a *API) entryRoutes() {
	const path = "/v1/audit/entries"
	register(a, operation{
		method: http.MethodGet, path: path, id: "listEntries", who: action(policy.AuditRead), long: true,
		summary: "The ledger's entries, oldest first; as a list, as JSON lines or as a table, in Custody's words or in OCSF's",
	}, a.listEntries)
	a.response(http.MethodGet, path, http.StatusOK, "entries; as lines and as a table all that match, unless limit is given", map[string]*huma.Schema{
		"application/json":     {AnyOf: []*huma.Schema{schemaOf[Page[audit.Entry]](a), schemaOf[Page[OCSFEvent]](a)}},
		"application/x-ndjson": textSchema("one Entry a line, or with schema=ocsf one OCSFEvent"),
		"text/csv":             textSchema("RFC 4180 with a header row, the entry's exact body last; a cell that a spreadsheet would take for a formula has an apostrophe in front"),
	})
	register(a, operation{
		method: http.MethodGet, path: path + "/{hash}", id: "getEntry", who: action(policy.AuditRead),
		summary: "One entry",
	}, a.getEntry)
}

// EntryFilter chooses entries. All that are given must hold.
type EntryFilter struct {
	Run      string    `query:"run" maxLength:"80" doc:"run_…: entries of its stream"`
	Stream   string    `query:"stream" maxLength:"80" doc:"run_… or ctl-…"`
	Step     string    `query:"step" maxLength:"200" doc:"id of a step"`
	Action   string    `query:"action" maxLength:"80" doc:"such as step.blocked" example:"step.blocked"`
	Outcome  string    `query:"outcome" maxLength:"80" doc:"ok, error, denied, blocked, withheld, unknown, …" example:"denied"`
	Actor    string    `query:"actor" maxLength:"80" doc:"subj_…, or me"`
	Workflow string    `query:"workflow" maxLength:"200" doc:"name, or sha256:… of one version"`
	Key      string    `query:"key" maxLength:"1024" doc:"the piece of work"`
	Call     string    `query:"call" maxLength:"80" doc:"call_…"`
	From     time.Time `query:"from" doc:"written at that time or later"`
	To       time.Time `query:"to" doc:"written before that time"`
	MinIndex string    `query:"min_index" pattern:"^[0-9]{1,18}$" doc:"of the place in the log; without a notary no entry has one, so nothing matches"`
}

// filter converts; false means that nothing can match.
func (f EntryFilter) filter(c caller) (store.EntryFilter, bool) {
	out := store.EntryFilter{
		Step: f.Step, Action: f.Action, Outcome: f.Outcome, Actor: f.Actor, Workflow: f.Workflow, Key: f.Key, Call: f.Call, From: f.From, To: f.To,
	}
	if f.Actor == "me" {
		out.Actor = c.ID
	}
	if f.MinIndex != "" {
		return out, false // without a notary no entry has an index
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
	Schema string `query:"schema" enum:"ocsf" doc:"ocsf: events of the Open Cybersecurity Schema Framework, not for text/csv"`
	Accept string `header:"Accept" doc:"application/json, application/x-ndjson or text/csv"`
},
) (*raw, error) {
	form := formOf(in.Accept, in.Schema == "ocsf")
	if form.rows == nil && form.media == mediaCSV {
		p := newProblem(http.StatusBadRequest, "malformed", "events of OCSF are nested and do not fit into a table: ask for application/json or application/x-ndjson")
		p.Errors = []Fault{{Pointer: "/query/schema", Code: "accept", Detail: "not possible with text/csv"}}
		return nil, p
	}
	f, possible := in.filter(c)
	if !policy.Do(c.Principal, policy.AuditRead, policy.Target{Tenant: c.Tenant}).Allowed() {
		f.Owner = c.ID
	}
	var at place
	filter := filterOf("entries", f, in.MinIndex, possible)
	if err := in.place(filter, &at); err != nil {
		return nil, err
	}
	if in.Cursor != "" {
		f.Cursor = store.EntryCursor{AtUS: at.At, Stream: security.ID(at.Stream), Seq: at.Seq}
	}
	if err := a.reading(ctx, c); err != nil {
		return nil, err
	}
	if form.rows != nil && possible && in.Limit == 0 {
		return a.allRows(ctx, c, f, form)
	}
	f.Limit = in.limit()
	page, err := a.entryPage(ctx, c, f, possible, filter)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) { form.write(w, page) }), nil
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

// allRows sends every entry that matches, page by page. If it breaks off, the
// connection is cut: nobody takes a part for the whole.
func (a *API) allRows(ctx context.Context, c caller, f store.EntryFilter, form form) (*raw, error) {
	f.Limit = eventPage
	rows, last, err := a.cfg.Store.Entries(ctx, c.Tenant, f)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		form.begin(w)
		rc := http.NewResponseController(w)
		defer patient(rc)
		_, err := w.Write(form.head)
		cut(err)
		for {
			_ = rc.SetWriteDeadline(time.Now().Add(writeTime))
			_, err := w.Write(form.rows(rows))
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

// The media types of a list of entries.
const (
	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
	mediaCSV   = "text/csv"
)

// A form is how entries are written.
type form struct {
	media string
	head  []byte                      // before the first row
	rows  func([]audit.Entry) []byte  // nil: one JSON object, page by page
	page  func(Page[audit.Entry]) any // of that object
}

// formOf chooses a form. A table has no form for OCSF: its rows are nil.
func formOf(accept string, ocsf bool) form {
	switch media := preferred(accept, mediaJSON, mediaLines, mediaCSV); {
	case media == mediaLines && ocsf:
		return form{media: mediaLines, rows: ocsfLines}
	case media == mediaLines:
		return form{media: mediaLines, rows: entryLines}
	case media == mediaCSV && ocsf:
		return form{media: mediaCSV}
	case media == mediaCSV:
		return form{media: mediaCSV, head: csvHead(), rows: csvEntries}
	case ocsf:
		return form{media: mediaJSON, page: func(p Page[audit.Entry]) any {
			out := Page[OCSFEvent]{Data: make([]OCSFEvent, len(p.Data)), Next: p.Next}
			for i, e := range p.Data {
				out.Data[i] = ocsfOf(e)
			}
			return out
		}}
	}
	return form{media: mediaJSON, page: func(p Page[audit.Entry]) any { return p }}
}

func (f form) begin(w http.ResponseWriter) {
	w.Header().Set("Content-Type", f.media)
	if f.media == mediaCSV {
		w.Header().Set("Content-Type", mediaCSV+"; charset=utf-8; header=present")
		w.Header().Set("Content-Disposition", `attachment; filename="custody-entries.csv"`)
	}
}

// write sends one page. If the client has gone there is nobody to tell.
func (f form) write(w http.ResponseWriter, page Page[audit.Entry]) {
	f.begin(w)
	if f.rows == nil {
		_ = json.NewEncoder(w).Encode(f.page(page))
		return
	}
	_, _ = w.Write(append(f.head, f.rows(page.Data)...))
}

func entryLines(entries []audit.Entry) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, e := range entries {
		_ = enc.Encode(e) // an Entry is strings and numbers, and a Buffer takes all
	}
	return out.Bytes()
}

// preferred is the media type of an Accept header (RFC 9110, section 12.5.1)
// among those offered: the one with the highest weight, of equals the first
// offered. It is the first one offered if none is named.
func preferred(accept string, offered ...string) string {
	best, weight := offered[0], 0.0
	for _, media := range offered {
		for one := range strings.SplitSeq(accept, ",") {
			kind, params, _ := strings.Cut(one, ";")
			if q := weightOf(params); strings.EqualFold(strings.TrimSpace(kind), media) && q > weight {
				best, weight = media, q
			}
		}
	}
	return best
}

// weightOf reads q of a media range's parameters, 1 without one.
func weightOf(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
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
