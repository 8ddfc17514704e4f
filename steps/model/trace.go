package model

import "context"

type traceKey struct{}

// WithTrace returns a context under which every request carries the given
// traceparent header (W3C Trace Context). It says nothing of who asks: that is
// always an argument.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	return context.WithValue(ctx, traceKey{}, traceparent)
}

// TraceOf returns what WithTrace set, or nothing.
func TraceOf(ctx context.Context) string {
	t, _ := ctx.Value(traceKey{}).(string)
	return t
}
