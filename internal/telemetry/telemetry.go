package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

// scope names our instruments and spans.
const scope = "github.com/custodyhq/custody"

// Config says where telemetry goes. With the zero Config there are metrics for
// Handler and nothing else.
type Config struct {
	Version string // of the program; may be empty
	// Traces and Metrics are where OTLP over HTTP goes, with the path, such as
	// http://127.0.0.1:4318/v1/traces; empty: nowhere. Headers, time limits,
	// compression, certificates, batches and intervals are those of the standard
	// variables OTEL_EXPORTER_OTLP_*, OTEL_BSP_* and OTEL_METRIC_EXPORT_*.
	Traces, Metrics string
	// Sampler and Ratio are OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
	Sampler, Ratio string
	Log            *slog.Logger
}

func (c *Config) validate() error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	_, err := newSampler(c.Sampler, c.Ratio)
	return err
}

// A Telemetry counts and traces for one process. It is safe for concurrent use.
type Telemetry struct {
	log      *slog.Logger
	registry *prometheus.Registry
	meters   *metric.MeterProvider
	traces   *sdktrace.TracerProvider
	tracer   trace.Tracer // nil: nothing is traced
	sampler  sampler
	sent     *valve

	*instruments
}

// New makes a Telemetry. It connects to nothing until there is something to
// export.
func New(ctx context.Context, cfg Config) (*Telemetry, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t := &Telemetry{log: cfg.Log, registry: prometheus.NewRegistry()}
	about, err := aboutUs(ctx, cfg.Version)
	if err != nil {
		return nil, err
	}
	if err := t.makeMeters(ctx, cfg, about); err != nil {
		return nil, err
	}
	if t.instruments, err = newInstruments(t.meters.Meter(scope)); err != nil {
		return nil, err
	}
	return t, t.makeTracer(ctx, cfg, about)
}

// aboutUs names the process. Its instance is the machine and the process id,
// because an id of ours does not belong into metrics.
func aboutUs(ctx context.Context, version string) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	r, err := resource.New(ctx, resource.WithAttributes(
		semconv.ServiceName("custody"), semconv.ServiceVersion(version),
		semconv.ServiceInstanceID(host+"/"+strconv.Itoa(os.Getpid())),
	), resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES stand above ours
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return r, nil
}

func (t *Telemetry) makeMeters(ctx context.Context, cfg Config, about *resource.Resource) error {
	pull, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	// Exemplars would put the ids of runs, which are those of their traces, into metrics.
	options := []metric.Option{metric.WithResource(about), metric.WithReader(pull), metric.WithExemplarFilter(exemplar.AlwaysOffFilter)}
	if cfg.Metrics != "" {
		push, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(cfg.Metrics))
		if err != nil {
			return fmt.Errorf("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: %w", err)
		}
		options = append(options, metric.WithReader(metric.NewPeriodicReader(&metricValve{Exporter: push, health: health{log: cfg.Log, what: "metrics"}})))
	}
	t.meters = metric.NewMeterProvider(options...)
	return nil
}

func (t *Telemetry) makeTracer(ctx context.Context, cfg Config, about *resource.Resource) error {
	if cfg.Traces == "" {
		return nil
	}
	push, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.Traces))
	if err != nil {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: %w", err)
	}
	t.sampler, _ = newSampler(cfg.Sampler, cfg.Ratio) // validate has seen to it
	t.sent = newValve(push, t.instruments, cfg.Log)
	t.traces = sdktrace.NewTracerProvider(
		sdktrace.WithResource(about), sdktrace.WithSampler(t.sampler), sdktrace.WithIDGenerator(identities{}), sdktrace.WithSpanProcessor(t.sent),
	)
	t.tracer = t.traces.Tracer(scope)
	return nil
}

// Handler answers with all metrics in the text format of Prometheus. Whoever
// serves it decides who may ask.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: 4})
}

// Close sends what is left, for as long as ctx allows, and ends.
func (t *Telemetry) Close(ctx context.Context) error {
	var errs []error
	if t.traces != nil {
		errs = append(errs, t.traces.Shutdown(ctx))
	}
	return errors.Join(append(errs, t.meters.Shutdown(ctx))...)
}

// Flush sends now what waits to be sent.
func (t *Telemetry) Flush(ctx context.Context) error {
	var errs []error
	if t.traces != nil {
		errs = append(errs, t.traces.ForceFlush(ctx))
	}
	return errors.Join(append(errs, t.meters.ForceFlush(ctx))...)
}
