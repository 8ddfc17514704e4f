package telemetry

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security"
)

// Asked begins the span of a request (api.Observer), in the trace that the
// client names, if it names one.
func (t *Telemetry) Asked(ctx context.Context, method, header string) (under context.Context, answer string) {
	if t.tracer == nil {
		return ctx, ""
	}
	if header != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": header})
	}
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer))
	return ctx, traceparent(span.SpanContext())
}

// Answered ends it, links it with the run that it was about, and counts
// (api.Observer).
func (t *Telemetry) Answered(ctx context.Context, method, route string, status int, run security.ID, took time.Duration) {
	if route == "" {
		route = "none"
	}
	class := classOf(status)
	t.requests.to.Add(ctx, 1, t.requests.by.of(labels{route, method, class, strconv.Itoa(status)}).add...)
	t.requestTime.to.Record(ctx, took.Seconds(), t.requestTime.by.of(labels{route, method, class}).record...)
	if t.tracer == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	span.SetName(method + " " + route)
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(route), semconv.HTTPResponseStatusCode(status))
	if !run.IsZero() {
		span.AddLink(trace.Link{SpanContext: t.spanOf(run)})
	}
	if status >= 500 {
		failed(span, "")
	}
	span.End()
}

// classOf is 2xx for 204.
func classOf(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return string(rune('0'+status/100)) + "xx"
}

// SignedIn counts how tokens were judged (api.Observer).
func (t *Telemetry) SignedIn(reason string) {
	l := labels{"accepted"}
	if reason != "" {
		l = labels{"refused", t.codes.of(reason)}
	}
	t.signIns.to.Add(context.Background(), 1, t.signIns.by.of(l).add...)
}
