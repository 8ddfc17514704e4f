package telemetry

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A valve lets spans into the SDK's queue as long as there is room, so that
// what is dropped is counted and nothing waits. The SDK drops as well, but does
// not tell.
type valve struct {
	sdktrace.SpanProcessor
	room  int64
	held  atomic.Int64 // let in, and not exported yet
	count *instruments
}

func newValve(to sdktrace.SpanExporter, count *instruments, log *slog.Logger) *valve {
	v := &valve{room: queueSize(), count: count}
	v.SpanProcessor = sdktrace.NewBatchSpanProcessor(&spanValve{SpanExporter: to, valve: v, health: health{log: log, what: "traces"}},
		sdktrace.WithMaxQueueSize(int(v.room)), sdktrace.WithMaxExportBatchSize(int(min(v.room, 512))))
	return v
}

// queueSize is OTEL_BSP_MAX_QUEUE_SIZE, else the SDK's own.
func queueSize() int64 {
	if n, err := strconv.ParseInt(os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE"), 10, 64); err == nil && n > 0 {
		return n
	}
	return sdktrace.DefaultMaxQueueSize
}

// OnEnd implements sdktrace.SpanProcessor.
func (v *valve) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if v.held.Add(1) > v.room {
		v.held.Add(-1)
		v.left(1, "dropped")
		return
	}
	v.SpanProcessor.OnEnd(s)
}

func (v *valve) left(n int, outcome string) {
	c := v.count.spans
	c.to.Add(context.Background(), int64(n), c.by.of(labels{outcome}).add...)
}

// A spanValve counts what became of spans. An error of the exporter ends here:
// the SDK's own handler would write it to stderr, whatever the log is.
type spanValve struct {
	sdktrace.SpanExporter
	valve *valve
	health
}

// ExportSpans implements sdktrace.SpanExporter.
func (s *spanValve) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	s.valve.held.Add(-int64(len(spans)))
	outcome := "exported"
	if err != nil {
		outcome = "failed"
	}
	s.valve.left(len(spans), outcome)
	s.note(ctx, err)
	return nil
}

// A metricValve is the same for metrics. What could not be sent is in the next
// report, because counts are cumulative.
type metricValve struct {
	metric.Exporter
	health
}

// Export implements metric.Exporter.
func (m *metricValve) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	m.note(ctx, m.Exporter.Export(ctx, rm))
	return nil
}

// health says once that exporting fails, and once that it works again.
type health struct {
	log  *slog.Logger
	what string
	ill  atomic.Bool
}

// note leaves out the error's text: it may repeat an address with a password,
// or what the collector answered.
func (h *health) note(ctx context.Context, err error) {
	switch {
	case err != nil && h.ill.CompareAndSwap(false, true):
		h.log.WarnContext(ctx, "telemetry cannot be exported; it is dropped until it can", slog.String("signal", h.what))
	case err == nil && h.ill.CompareAndSwap(true, false):
		h.log.InfoContext(ctx, "telemetry is exported again", slog.String("signal", h.what))
	}
}
