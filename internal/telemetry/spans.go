package telemetry

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security"
)

// The attributes of spans that are ours.
const (
	runName        attribute.Key = "custody.run"
	workflowName   attribute.Key = "custody.workflow"
	stepName       attribute.Key = "custody.step"
	kindName       attribute.Key = "custody.step.kind"
	attemptName    attribute.Key = "custody.step.attempt"
	callName       attribute.Key = "custody.call"
	epochName      attribute.Key = "custody.epoch"
	outcomeName    attribute.Key = "custody.outcome"
	codeName       attribute.Key = "custody.code"
	connectionName attribute.Key = "custody.connection"
	aliasName      attribute.Key = "custody.model"
)

// inRun returns a context in the run's own trace: under the root span that
// whoever closes the run will make.
func (t *Telemetry) inRun(ctx context.Context, run security.ID) context.Context {
	return trace.ContextWithRemoteSpanContext(context.WithValue(ctx, runKey{}, run), t.spanOf(run))
}

// spanOf is the root span of a run.
func (t *Telemetry) spanOf(run security.ID) trace.SpanContext {
	c := trace.SpanContextConfig{TraceID: trace.TraceID(run), SpanID: rootOf(run), Remote: true}
	if t.sampler.takes(run) {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c)
}

// failed marks a span. code is from a closed list, never an error's text.
func failed(span trace.Span, code string) { span.SetStatus(codes.Error, code) }

// ended notes how the work of a span ended.
func ended(span trace.Span, outcome, code string) {
	if outcome != "" {
		span.SetAttributes(outcomeName.String(outcome))
	}
	if code != "" {
		span.SetAttributes(codeName.String(code))
	}
	switch outcome {
	case "error", "unknown", "failed":
		failed(span, code)
	}
	span.End()
}

// traceparent is the header of W3C Trace Context, version 00.
func traceparent(c trace.SpanContext) string {
	if !c.IsValid() {
		return ""
	}
	flags := [1]byte{byte(c.TraceFlags() & trace.FlagsSampled)}
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + hex.EncodeToString(flags[:])
}
