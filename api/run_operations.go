package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

func (a *API) runRoutes() {
	register(a, operation{
		method: http.MethodPost, path: "/v1/runs", id: "submitRun", who: "run.submit", long: true, status: http.StatusAccepted,
		summary: "Submit a run",
	}, a.submitRun)
	a.response(http.MethodPost, "/v1/runs", http.StatusOK, "with Prefer: wait, once the run has closed; with dry_run", map[string]*huma.Schema{"application/json": schemaOf[Run](a)})
	register(a, operation{
		method: http.MethodGet, path: "/v1/runs", id: "listRuns", who: action(policy.RunList),
		summary: "List runs that one may see, newest first",
	}, a.listRuns)
	register(a, operation{
		method: http.MethodGet, path: "/v1/runs/{run}", id: "getRun", who: action(policy.RunRead),
		summary: "A run's state",
	}, a.getRun)
	a.response(http.MethodGet, "/v1/runs/{run}", http.StatusNotModified, "the version is the one named by If-None-Match", nil)
	register(a, operation{
		method: http.MethodPost, path: "/v1/runs/{run}/cancel", id: "cancelRun", who: action(policy.RunCancel), status: http.StatusAccepted,
		summary: "Ask a run to end",
	}, a.cancelRun)
	register(a, operation{
		method: http.MethodPost, path: "/v1/runs/{run}/retry", id: "retryRun", who: "run.submit", status: http.StatusAccepted,
		summary: "Start a new run from the failed step on",
	}, a.retryRun)
}

// RunPath is the parameter of everything about one run.
type RunPath struct {
	Run string `path:"run" doc:"run_…"`
}

// runOut is the answer to whatever starts or changes a run.
type runOut struct {
	Once
	Status   int
	Location string `header:"Location"`
	Applied  string `header:"Preference-Applied"`
	ETag     string `header:"ETag"`
	Body     Run
}

// submission is the body of a submission.
type submission struct {
	Workflow string          `json:"workflow" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f]+$" doc:"name of the workflow"`
	Digest   string          `json:"digest,omitempty" pattern:"^sha256:[0-9a-f]{64}$" doc:"an older version; default is the current one"`
	Input    json.RawMessage `json:"input,omitempty" doc:"as the workflow's schema says"`
}

func (a *API) submitRun(ctx context.Context, c caller, in *struct {
	Change
	Prefer string `header:"Prefer" doc:"wait=N holds the answer for up to N seconds, at most 60, until the run has closed (RFC 7240)"`
	Body   submission
},
) (*runOut, error) {
	wait := waitOf(in.Prefer)
	ctx, cancel := context.WithTimeout(ctx, requestTime+wait)
	defer cancel()
	input := in.Body.Input
	if string(input) == "null" {
		input = nil
	}
	s, err := a.cfg.Engine.Submit(ctx, c.Principal, engine.Submission{
		Workflow: in.Body.Workflow, Digest: in.Body.Digest, Input: input, Key: in.Key, Request: c.request, DryRun: in.DryRun,
	})
	if err != nil {
		return nil, a.refusal(ctx, c, err, in.Body.Workflow)
	}
	if wait == 0 || in.DryRun {
		return a.started(ctx, c, s, in.DryRun)
	}
	if s.Run, err = a.await(ctx, s.Run, wait); err != nil {
		return nil, err
	}
	if s.Run.State.Closed() {
		s.Receipt = store.Receipt{} // the run's last entry says more now
	}
	out, err := a.started(ctx, c, s, false)
	if err == nil && s.Run.State.Closed() {
		out.Status, out.Applied = http.StatusOK, "wait="+seconds(wait)
	}
	return out, err
}

// started answers with a run that was made or changed just now.
func (a *API) started(ctx context.Context, c caller, s engine.Submitted, dryRun bool) (*runOut, error) {
	shown, err := a.show(ctx, s.Run)
	if dryRun { // the run is in no table
		shown, err = a.rehearsed(ctx, c, s.Run), nil
	}
	if err != nil {
		return nil, err
	}
	if !dryRun {
		exchangeOf(ctx).run = s.Run.ID
	}
	if s.Receipt.Stream != "" {
		shown.Receipt = &s.Receipt
	}
	out := &runOut{Once: replayedHeader(s.Replayed), Status: statusOf(dryRun, http.StatusAccepted), Body: shown}
	if !dryRun {
		out.Location, out.ETag = "/v1/runs/"+shown.ID, versionTag(shown.Version)
	}
	return out, nil
}

// await returns the run once it has closed, or as it is after d. It costs no
// polling: the store's tailer follows all watched runs of the process.
func (a *API) await(ctx context.Context, run store.Run, d time.Duration) (store.Run, error) {
	w := a.cfg.Store.Watch(run.ID, run.Seq)
	defer w.Close()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for over := false; ; {
		fresh, err := a.cfg.Store.Run(ctx, run.Tenant, run.ID)
		if err != nil || over || fresh.State.Closed() {
			return fresh, err
		}
		select {
		case <-w.Changed:
		case <-timer.C:
			over = true
		case <-a.closing:
			over = true
		case <-ctx.Done():
			return fresh, ctx.Err()
		}
	}
}

// versionTag is a run's ETag.
func versionTag(version int64) string { return quoted(strconv.FormatInt(version, 10)) }

// visible returns a run that the caller may see.
func (a *API) visible(ctx context.Context, c caller, name string) (store.Run, error) {
	id, err := security.ParseID("run", name)
	if err != nil {
		return store.Run{}, store.ErrNotFound
	}
	run, err := a.cfg.Store.Run(ctx, c.Tenant, id)
	if err != nil {
		return store.Run{}, err
	}
	exchangeOf(ctx).run = run.ID
	return run, a.see(ctx, c, policy.RunRead, targetOf(run), run.Name())
}

func targetOf(r store.Run) policy.Target { return policy.Target{Tenant: r.Tenant, Owner: r.Caller} }

func (a *API) getRun(ctx context.Context, c caller, in *struct {
	RunPath
	None string `header:"If-None-Match"`
},
) (*runOut, error) {
	run, err := a.visible(ctx, c, in.Run)
	if err != nil {
		return nil, err
	}
	out := &runOut{Status: http.StatusOK, ETag: versionTag(run.Version)}
	if in.None != "" && matches(in.None, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body, err = a.show(ctx, run)
	return out, err
}

// RunFilter chooses runs.
type RunFilter struct {
	State    string    `query:"state" enum:"queued,running,waiting,succeeded,failed,cancelled"`
	Workflow string    `query:"workflow" maxLength:"200" doc:"name"`
	Digest   string    `query:"digest" maxLength:"80" doc:"of the workflow's version"`
	Caller   string    `query:"caller" maxLength:"80" doc:"subj_…, or me"`
	Waiting  string    `query:"waiting_for" enum:"approval,timer"`
	After    time.Time `query:"created_after"`
	Before   time.Time `query:"created_before"`
}

func (a *API) listRuns(ctx context.Context, c caller, in *struct {
	RunFilter
	Paging
},
) (*output[Run], error) {
	if in.Caller == "me" {
		in.Caller = c.ID
	}
	everybody := policy.Do(c.Principal, policy.RunRead, policy.Target{Tenant: c.Tenant}).Allowed()
	filter := filterOf("runs", c.ID, everybody, in.RunFilter)
	f := store.RunFilter{
		Caller: in.Caller, Workflow: in.Workflow, Digest: in.Digest, State: store.RunState(in.State), WaitingFor: in.Waiting,
		After: in.After, Before: in.Before, Limit: in.limit() + 1,
	}
	if !everybody {
		f.Caller = c.ID
	}
	if err := in.place(filter, (*idText)(&f.Cursor)); err != nil {
		return nil, err
	}
	if !everybody && in.Caller != "" && in.Caller != c.ID {
		return &output[Run]{Body: Page[Run]{Data: []Run{}}}, nil // rows of others are left out
	}
	rows, err := a.cfg.Store.Runs(ctx, c.Tenant, f)
	if err != nil {
		return nil, err
	}
	rows, more := paged(rows, in.limit())
	out := &output[Run]{}
	if more {
		out.Body.Next = next(filter, idText(rows[len(rows)-1].ID))
	}
	out.Body.Data, err = a.showAll(ctx, rows)
	return out, err
}

// idText is an ID in a cursor.
type idText security.ID

// MarshalText writes it.
func (t idText) MarshalText() ([]byte, error) { return []byte(security.ID(t).Name("id")), nil }

// UnmarshalText reads it.
func (t *idText) UnmarshalText(text []byte) error {
	id, err := security.ParseID("id", string(text))
	*t = idText(id)
	return err
}

func (a *API) cancelRun(ctx context.Context, c caller, in *struct {
	Change
	RunPath
	Match string `header:"If-Match" doc:"the run's ETag; 412 if it has changed since"`
	Body  *struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"kept sealed beside the run"`
	}
},
) (*runOut, error) {
	run, err := a.visible(ctx, c, in.Run)
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, c, policy.RunCancel, targetOf(run), run.Name()); err != nil {
		return nil, err
	}
	x := engine.Cancellation{Run: run.ID, Key: in.Key, Request: c.request, DryRun: in.DryRun}
	if in.Match != "" {
		x.Fits = func(version int64) bool { return matches(in.Match, versionTag(version)) }
	}
	if in.Body != nil {
		x.Reason = in.Body.Reason
	}
	s, err := a.cfg.Engine.Cancel(ctx, c.Principal, x)
	if err != nil {
		return nil, a.refusal(ctx, c, err, run.Name())
	}
	out, err := a.started(ctx, c, s, false)
	if err == nil {
		out.Status, out.Location = statusOf(in.DryRun, http.StatusAccepted), ""
	}
	return out, err
}

func (a *API) retryRun(ctx context.Context, c caller, in *struct {
	Change
	RunPath
	Match string `header:"If-Match" doc:"the run's ETag; 412 if it has changed since"`
	Body  *struct{}
},
) (*runOut, error) {
	run, err := a.visible(ctx, c, in.Run)
	if err != nil {
		return nil, err
	}
	if in.Match != "" && !matches(in.Match, versionTag(run.Version)) { // a run that can be retried does not change any more
		return nil, store.ErrChanged
	}
	s, err := a.cfg.Engine.Retry(ctx, c.Principal, engine.Retry{Run: run.ID, Key: in.Key, Request: c.request, DryRun: in.DryRun})
	if err != nil {
		return nil, a.refusal(ctx, c, err, run.Name())
	}
	return a.started(ctx, c, s, in.DryRun)
}
