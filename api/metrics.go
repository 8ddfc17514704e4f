package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

const metricsPath = "/metrics"

func (a *API) metricsRoutes() {
	register(a, operation{
		method: http.MethodGet, path: metricsPath, id: "getMetrics", who: action(policy.MetricsRead),
		summary: "Metrics of this process in the text format of Prometheus, without ids and content",
	}, a.getMetrics)
	a.response(http.MethodGet, metricsPath, http.StatusOK, "every figure, in the text format", map[string]*huma.Schema{"text/plain": textSchema("Prometheus text format")})
}

func (a *API) getMetrics(ctx context.Context, c caller, _ *struct{}) (*raw, error) {
	if err := a.allow(ctx, c, policy.MetricsRead, policy.Target{Tenant: c.Tenant}, "metrics"); err != nil {
		return nil, err
	}
	if a.cfg.Metrics == nil {
		return nil, store.ErrNotFound
	}
	return &raw{Body: func(h huma.Context) {
		r, w := humachi.Unwrap(h)
		a.cfg.Metrics.ServeHTTP(w, r)
	}}, nil
}
