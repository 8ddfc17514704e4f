package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

// A Release lets texts pass that the firewall stopped.
type Release struct {
	ID        string         `json:"id" doc:"rel_…"`
	Texts     []string       `json:"texts" doc:"keyed fingerprints of the texts, as in findings; never the texts"`
	Run       *string        `json:"run" doc:"whose stopped texts they are; null: the text was handed in"`
	Step      string         `json:"step,omitempty"`
	Reason    string         `json:"reason"`
	By        string         `json:"by" doc:"subj_…; in this person's own runs it does nothing"`
	CreatedAt string         `json:"created_at" format:"date-time"`
	Until     string         `json:"until" format:"date-time" doc:"from then on it does nothing"`
	LiftedAt  *string        `json:"lifted_at" format:"date-time" doc:"null: it was not lifted"`
	Receipt   *store.Receipt `json:"receipt,omitempty" doc:"only in the answer to a request that caused an entry"`
}

// NewRelease says which texts may pass: one that is handed in, or all for which
// the last attempt of a step was blocked or withheld.
type NewRelease struct {
	Text   string    `json:"text,omitempty" maxLength:"1000000" doc:"the whole text, exactly as it was stopped; instead of run and step"`
	Run    string    `json:"run,omitempty" maxLength:"80" doc:"run_…; not one that you submitted"`
	Step   string    `json:"step,omitempty" maxLength:"255" pattern:"^[^\\x00]*$"`
	Reason string    `json:"reason" minLength:"1" maxLength:"500" pattern:"^[^\\x00]*[^\\x00\\s][^\\x00]*$" doc:"for people; kept beside the release, not in the ledger"`
	Until  time.Time `json:"until" format:"date-time" doc:"at most a year ahead"`
}

func (a *API) releaseRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/guard/releases", id: "listReleases", who: action(policy.ReleaseRead),
		summary: "Releases of texts that the firewall stopped, newest first",
	}, a.listReleases)
	register(a, operation{
		method: http.MethodPost, path: "/v1/guard/releases", id: "releaseText", who: action(policy.ReleaseAdd), status: http.StatusCreated,
		summary: "Let texts pass that the firewall stopped",
	}, a.release)
	register(a, operation{
		method: http.MethodDelete, path: "/v1/guard/releases/{release}", id: "liftRelease", who: action(policy.ReleaseLift),
		summary: "Lift a release",
	}, a.liftRelease)
}

func showRelease(r store.Release) Release {
	out := Release{
		ID: r.ID.Name("rel"), Texts: list(r.Texts), Step: r.Step, Reason: r.Reason, By: r.By,
		CreatedAt: stamp(r.AtUS), Until: stamp(r.UntilUS), LiftedAt: stampOf(r.LiftedUS),
	}
	if !r.Run.IsZero() {
		run := r.Run.Name("run")
		out.Run = &run
	}
	return out
}

func (a *API) listReleases(ctx context.Context, c caller, in *Paging) (*output[Release], error) {
	if err := a.allow(ctx, c, policy.ReleaseRead, policy.Target{Tenant: c.Tenant}, "releases"); err != nil {
		return nil, err
	}
	filter := filterOf("releases")
	var before security.ID
	if err := in.place(filter, (*idText)(&before)); err != nil {
		return nil, err
	}
	rows, err := a.cfg.Store.Releases(ctx, c.Tenant, before, in.limit()+1)
	if err != nil {
		return nil, err
	}
	return listed(rows, in.limit(), filter, showRelease, func(r store.Release) any { return idText(r.ID) }), nil
}

// releaseOut is the answer to a release.
type releaseOut struct {
	Once
	Status   int
	Location string `header:"Location"`
	Body     Release
}

func (a *API) release(ctx context.Context, c caller, in *struct {
	Change
	Body NewRelease
},
) (*releaseOut, error) {
	if err := a.allow(ctx, c, policy.ReleaseAdd, policy.Target{Tenant: c.Tenant}, "releases"); err != nil {
		return nil, err
	}
	n := engine.NewRelease{
		Text: in.Body.Text, Step: in.Body.Step, Reason: in.Body.Reason, Until: in.Body.Until,
		Key: in.Key, Request: c.request, DryRun: in.DryRun,
	}
	if err := a.stepUp(ctx, c, "releases"); err != nil {
		return nil, err
	}
	ofRun := in.Body.Run != "" || in.Body.Step != ""
	if (in.Body.Text != "") == ofRun || ofRun && (in.Body.Run == "" || in.Body.Step == "") {
		return nil, invalid("/text", "either text is needed, or run and step")
	}
	if ofRun {
		var err error
		if n.Run, err = security.ParseID("run", in.Body.Run); err != nil {
			return nil, invalid("/run", "the id of a run is needed: run_…")
		}
	}
	r, err := a.cfg.Engine.Release(ctx, c.Principal, n)
	if err != nil {
		return nil, a.unreleased(ctx, c, err)
	}
	out := &releaseOut{Once: replayedHeader(r.Replayed), Status: http.StatusOK, Body: showRelease(r.Release)}
	if in.DryRun {
		return out, nil
	}
	out.Status, out.Location = http.StatusCreated, "/v1/guard/releases/"+out.Body.ID
	if r.Receipt.Stream != "" {
		out.Body.Receipt = &r.Receipt
	}
	return out, nil
}

// unreleased says why texts were not released.
func (a *API) unreleased(ctx context.Context, c caller, err error) error {
	var self *engine.NotEligible
	switch {
	case errors.Is(err, engine.ErrUntil):
		return invalid("/until", "an end in the future is needed, at most a year ahead")
	case errors.Is(err, engine.ErrNothingStopped):
		return invalid("/step", "the firewall stopped no text of this step that could be released; nobody releases a secret")
	case errors.As(err, &self):
		receipt, err := a.record(ctx, c, audit.Fact{
			Action: audit.AccessDenied, Outcome: "denied", Target: "releases",
			Decision: &audit.Decision{Effect: "deny", Policies: []string{"action." + string(policy.ReleaseAdd)}, Missing: self.Reasons},
		})
		if err != nil {
			return unavailable()
		}
		p := newProblem(http.StatusForbidden, "not-eligible", "somebody else must release the texts of a run that you submitted")
		p.Reason, p.Reasons, p.Receipt = self.Reasons[0], self.Reasons, &receipt
		return p
	}
	return a.refusal(ctx, c, err, "releases")
}

// invalid is the problem of one value that does not fit.
func invalid(pointer, detail string) error {
	p := newProblem(http.StatusUnprocessableEntity, "invalid-input", "a value does not fit")
	p.Errors = []Fault{{Pointer: pointer, Code: "value", Detail: detail}}
	return p
}

func (a *API) liftRelease(ctx context.Context, c caller, in *struct {
	Rehearsal
	Release string `path:"release" doc:"rel_…"`
},
) (*removedOut, error) {
	if err := a.allow(ctx, c, policy.ReleaseLift, policy.Target{Tenant: c.Tenant}, "releases"); err != nil {
		return nil, err
	}
	if err := a.stepUp(ctx, c, "releases"); err != nil {
		return nil, err
	}
	id, err := security.ParseID("rel", in.Release)
	if err != nil {
		return nil, store.ErrNotFound
	}
	receipt, err := a.cfg.Engine.LiftRelease(ctx, c.Principal, engine.Lifting{Release: id, Request: c.request, DryRun: in.DryRun})
	switch {
	case err != nil:
		return nil, a.refusal(ctx, c, err, "releases")
	case in.DryRun:
		return &removedOut{}, nil
	}
	return &removedOut{Removed{Receipt: &receipt}}, nil
}
