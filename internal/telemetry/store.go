package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// Wrote counts what an entry says (store.Meter). It runs where batches are
// committed: no context is needed, because counting waits for nothing.
func (t *Telemetry) Wrote(w store.Written) {
	ctx := context.Background()
	add := func(c counter, l labels) { c.to.Add(ctx, 1, c.by.of(l).add...) }
	flow := t.workflows.of(w.Workflow)
	add(t.entries, labels{string(w.Action)})
	for i := range w.Findings {
		add(t.findings, labels{w.Findings[i].Kind, w.Findings[i].Action, flow})
	}
	switch w.Action {
	case audit.RunSubmitted:
		add(t.submitted, labels{flow})
	case audit.RunRecovered:
		add(t.recovered, labels{})
	case audit.RunClosed:
		add(t.closed, labels{w.State, flow})
		t.runTime.to.Record(ctx, w.Age.Seconds(), t.runTime.by.of(labels{w.State, flow}).record...)
		t.closeTrace(w)
	case audit.AuthDenied:
		add(t.denials, labels{"sign_in", t.codes.of(w.Code)})
	case audit.AccessDenied:
		add(t.denials, labels{"access", t.codes.of(w.Code)})
	case audit.StepDenied:
		add(t.denials, labels{"step", t.codes.of(w.Code), flow})
		add(t.stopped, labels{"denied", flow})
	case audit.StepBlocked, audit.StepWithheld, audit.StepUnknown:
		add(t.stopped, labels{w.Outcome, flow})
	default:
	}
}

// Batch counts a batch (store.Meter).
func (t *Telemetry) Batch(changes int, took time.Duration) {
	ctx := context.Background()
	t.batchTime.to.Record(ctx, took.Seconds(), t.batchTime.by.of(labels{}).record...)
	t.batchSize.to.Record(ctx, float64(changes), t.batchSize.by.of(labels{}).record...)
}

// closeTrace makes the root span of a run that has just been closed, by whoever
// closed it. Until then its parts hang under a span that is not there yet.
func (t *Telemetry) closeTrace(w store.Written) {
	if t.tracer == nil || w.Run.IsZero() || !t.sampler.takes(w.Run) {
		return
	}
	ctx := context.WithValue(context.Background(), runKey{}, w.Run)
	_, span := t.tracer.Start(context.WithValue(ctx, rootKey{}, w.Run), "run", trace.WithNewRoot(), trace.WithTimestamp(w.At.Add(-w.Age)),
		trace.WithAttributes(runName.String(w.Run.Name("run")), workflowName.String(w.Workflow), outcomeName.String(w.State)))
	if w.State == string(store.Failed) {
		failed(span, "")
	}
	span.End(trace.WithTimestamp(w.At))
}
