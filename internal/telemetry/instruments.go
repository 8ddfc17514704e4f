package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
)

// Boundaries of histograms.
var (
	quickSeconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}                         //nolint:gochecknoglobals // a constant
	workSeconds  = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}           //nolint:gochecknoglobals // a constant: what the GenAI conventions advise
	runSeconds   = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 172800, 604800}           //nolint:gochecknoglobals // a constant: up to a week
	batchChanges = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}                                                  //nolint:gochecknoglobals // a constant
	tokenCounts  = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864} //nolint:gochecknoglobals // a constant: what the GenAI conventions advise
)

// A counter counts by labels.
type counter struct {
	to metric.Int64Counter
	by *series
}

// A clock is a histogram of seconds, or of other sizes, by labels.
type clock struct {
	to metric.Float64Histogram
	by *series
}

// instruments are all that is counted when it happens. What is looked up when
// somebody asks is in levels.go.
type instruments struct {
	workflows, models, kinds, codes names
	prepared                        names // workflows whose series have begun

	requests, signIns                          counter
	entries, denials, stopped, findings        counter
	submitted, closed, recovered               counter
	prompts, effects, spans                    counter
	cost                                       metric.Float64Counter
	costBy                                     *series
	requestTime, stepTime, runTime, commitTime clock
	batchTime, batchSize, promptTime, tokens   clock
	meter                                      metric.Meter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	i := &instruments{meter: m}
	var errs []error
	count := func(c *counter, name, about string, by ...attribute.Key) {
		to, err := m.Int64Counter(name, metric.WithDescription(about))
		*c, errs = counter{to, newSeries(by...)}, append(errs, err)
	}
	time := func(c *clock, name, unit, about string, bounds []float64, by ...attribute.Key) {
		to, err := m.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(bounds...))
		*c, errs = clock{to, newSeries(by...)}, append(errs, err)
	}
	count(&i.requests, "custody.http.requests", "requests answered", "route", "method", "class", "status")
	time(&i.requestTime, "custody.http.request.duration", "s", "time to answer a request", quickSeconds, "route", "method", "class")
	count(&i.signIns, "custody.sign_ins", "tokens judged: accepted, or refused with the reason", "outcome", "reason")
	count(&i.entries, "custody.ledger.entries", "entries committed to the ledger", "action")
	count(&i.denials, "custody.denials", "refusals by policy that the ledger holds: of sign-ins (one in ten seconds for each reason), of access, of steps", "of", "reason", "workflow")
	count(&i.stopped, "custody.steps.stopped", "steps that did not pass: denied, blocked, withheld, unknown", "outcome", "workflow")
	count(&i.findings, "custody.guard.findings", "what the prompt firewall found, and what it did about it", "kind", "verdict", "workflow")
	count(&i.submitted, "custody.runs.submitted", "runs accepted", "workflow")
	count(&i.closed, "custody.runs.closed", "runs ended", "state", "workflow")
	time(&i.runTime, "custody.run.duration", "s", "time from a run's submission to its end, waiting for people included", runSeconds, "state", "workflow")
	count(&i.recovered, "custody.runs.recovered", "runs taken over from a process that was silent")
	count(&i.prompts, "custody.prompts", "model calls", "workflow", "model", "part", "outcome")
	count(&i.effects, "custody.effects", "requests over connections", "connection", "method", "class")
	time(&i.stepTime, "custody.step.duration", "s", "time of one attempt's call, from when it may leave until it is screened", workSeconds, "kind", "outcome")
	time(&i.commitTime, "custody.commit.wait", "s", "time that a run waits for a commit", quickSeconds)
	time(&i.batchTime, "custody.commit.batch.duration", "s", "time to commit a batch", quickSeconds)
	time(&i.batchSize, "custody.commit.batch.size", "{change}", "changes in a batch", batchChanges)
	time(&i.promptTime, "gen_ai.client.operation.duration", "s", "time of a model call", workSeconds,
		semconv.GenAIOperationNameKey, semconv.GenAIProviderNameKey, semconv.GenAIRequestModelKey, semconv.ErrorTypeKey)
	time(&i.tokens, "gen_ai.client.token.usage", "{token}", "tokens of a model call", tokenCounts,
		semconv.GenAIOperationNameKey, semconv.GenAIProviderNameKey, semconv.GenAIRequestModelKey, semconv.GenAITokenTypeKey)
	count(&i.spans, "custody.telemetry.spans", "spans exported, failed (the collector did not take them) or dropped (the queue was full)", "outcome")
	var err error
	i.cost, err = m.Float64Counter("custody.prompts.cost.dollars", metric.WithDescription("cost of model calls whose price is configured"))
	i.costBy = newSeries("workflow", "model", "part")
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	i.begin()
	return i, nil
}

// begin begins, at zero, what alerts look for.
func (i *instruments) begin() {
	ctx := context.Background()
	i.recovered.to.Add(ctx, 0, i.recovered.by.of(labels{}).add...)
	for _, outcome := range []string{"exported", "failed", "dropped"} {
		i.spans.to.Add(ctx, 0, i.spans.by.of(labels{outcome}).add...)
	}
}
