package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow/engine"
)

func (a *API) contentRoutes() {
	for _, o := range []struct {
		path, id, summary string
		open              func(context.Context, store.Run, string) (engine.Content, error)
	}{
		{"/v1/runs/{run}/input", "getRunInput", "What a run was given", func(ctx context.Context, r store.Run, _ string) (engine.Content, error) {
			return a.cfg.Engine.Input(ctx, r)
		}},
		{"/v1/runs/{run}/output", "getRunOutput", "What a run returned", func(ctx context.Context, r store.Run, _ string) (engine.Content, error) {
			return a.cfg.Engine.Output(ctx, r)
		}},
	} {
		register(a, operation{method: http.MethodGet, path: o.path, id: o.id, who: action(policy.PayloadRead), summary: o.summary},
			func(ctx context.Context, c caller, in *RunPath) (*text, error) {
				return a.content(ctx, c, in.Run, "", o.open)
			})
		a.response(http.MethodGet, o.path, http.StatusOK, "the value, as the schema says", map[string]*huma.Schema{"application/json": {}})
	}
	register(a, operation{
		method: http.MethodGet, path: "/v1/runs/{run}/steps/{step}/output", id: "getStepOutput", who: action(policy.PayloadRead),
		summary: "What a step returned",
	},
		func(ctx context.Context, c caller, in *struct {
			RunPath
			Step string `path:"step"`
		},
		) (*text, error) {
			return a.content(ctx, c, in.Run, in.Step, a.cfg.Engine.StepOutput)
		})
	a.response(http.MethodGet, "/v1/runs/{run}/steps/{step}/output", http.StatusOK, "the value, as the schema says", map[string]*huma.Schema{"application/json": {}})
}

// content sends a payload. The entry that says so is committed first: if we
// crash in between, the ledger names a reading that nobody got, never the
// other way round.
func (a *API) content(ctx context.Context, c caller, name, step string, open func(context.Context, store.Run, string) (engine.Content, error)) (*text, error) {
	run, err := a.visible(ctx, c, name)
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, c, policy.PayloadRead, targetOf(run), run.Name()); err != nil {
		return nil, err
	}
	content, err := open(ctx, run, step)
	if err != nil {
		return nil, err
	}
	if _, err := a.record(ctx, c, audit.Fact{
		Action: audit.PayloadRead, Outcome: "ok", Run: run.Name(), Step: step, Name: run.Workflow, Target: content.Payload.Name("pay"),
	}); err != nil {
		return nil, unavailable()
	}
	return &text{ContentType: "application/json", Cache: "no-store", Status: http.StatusOK, Body: content.JSON}, nil
}
