package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/oidc"
)

// An Observer is told of requests, for metrics and traces: routes, statuses and
// codes, never what was sent. It is safe for concurrent use.
type Observer interface {
	// Asked is called before a request is handled, with its traceparent header
	// (W3C Trace Context), which may be empty or wrong. The request is handled
	// under the context that it returns; trace is the traceparent of the answer,
	// empty if nothing is traced.
	Asked(ctx context.Context, method, traceparent string) (under context.Context, trace string)
	// Answered is called once, with Asked's context. route is a pattern, such as
	// /v1/runs/{run}, and empty if no route was reached; run is what the request
	// was about, zero if it was about none.
	Answered(ctx context.Context, method, route string, status int, run security.ID, took time.Duration)
	// SignedIn is called for every request that needs a token, with an empty
	// reason, or the code of why the token was refused.
	SignedIn(reason string)
}

// unobserved is the Observer of an API that has none.
type unobserved struct{}

// Asked returns ctx.
func (unobserved) Asked(ctx context.Context, _, _ string) (under context.Context, trace string) {
	return ctx, ""
}

// Answered does nothing.
func (unobserved) Answered(context.Context, string, string, int, security.ID, time.Duration) {}

// SignedIn does nothing.
func (unobserved) SignedIn(string) {}

// observing begins the exchange, and tells the observer what came of it,
// whatever that is: also for a handler that panicked.
func (a *API) observing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, method := time.Now(), methodOf(r.Method)
		ctx, trace := a.cfg.Observer.Asked(r.Context(), method, r.Header.Get("Traceparent"))
		x := &exchange{ResponseWriter: w, path: r.URL.Path, trace: trace}
		r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
		ended := false
		defer func() {
			status := x.status
			switch {
			case status == 0 && ended:
				status = http.StatusOK
			case status == 0:
				status = http.StatusInternalServerError
			}
			took := time.Since(began)
			a.cfg.Observer.Answered(r.Context(), method, x.route, status, x.run, took)
			if a.cfg.Log.Enabled(r.Context(), slog.LevelDebug) { // else its attributes are not worth making
				a.cfg.Log.DebugContext(r.Context(), "a request was answered", slog.String("request", x.id), slog.String("method", method),
					slog.String("route", x.route), slog.Int("status", status), slog.Duration("took", took))
			}
		}()
		next.ServeHTTP(x, r)
		ended = true
	})
}

// methodOf keeps what anybody may invent out of metrics.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

// routed notes which route a request has reached.
func routed(ctx huma.Context, next func(huma.Context)) {
	exchangeOf(ctx.Context()).route = ctx.Operation().Path
	next(ctx)
}

// reason is a word for how a sign-in ended.
func reason(err error) string {
	var refused *oidc.TokenError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoToken):
		return "no_token"
	case errors.As(err, &refused):
		return refused.Code
	}
	return "unavailable"
}
