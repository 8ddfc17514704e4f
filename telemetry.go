package custody

import (
	"errors"
	"strings"
)

// Telemetry says where a process sends traces and metrics by OpenTelemetry's
// protocol over HTTP. The zero value sends nothing. Load fills it from the
// standard variables. Those that are not named here (headers, time limits,
// compression, certificates, batches, intervals, the names of the service) are
// read by the OpenTelemetry libraries themselves.
type Telemetry struct {
	Traces  string // URL with its path: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or OTEL_EXPORTER_OTLP_ENDPOINT and /v1/traces
	Metrics string // URL with its path: the same for metrics
	Sampler string // OTEL_TRACES_SAMPLER; default parentbased_always_on
	Ratio   string // OTEL_TRACES_SAMPLER_ARG
}

// The standard variables of OpenTelemetry that Load reads.
const (
	envOTLP         = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envOTLPTraces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envOTLPMetrics  = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
	envOTLPProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTraces       = "OTEL_TRACES_EXPORTER"  // none switches them off
	envMetricsOut   = "OTEL_METRICS_EXPORTER" // none switches them off
	envDisabled     = "OTEL_SDK_DISABLED"
	envSampler      = "OTEL_TRACES_SAMPLER"
	envSamplerArg   = "OTEL_TRACES_SAMPLER_ARG"
)

// telemetryOf reads the standard variables.
func telemetryOf(env func(string) string) (Telemetry, error) {
	if strings.EqualFold(env(envDisabled), "true") {
		return Telemetry{}, nil
	}
	t := Telemetry{
		Traces: endpoint(env, envOTLPTraces, "/v1/traces"), Metrics: endpoint(env, envOTLPMetrics, "/v1/metrics"),
		Sampler: env(envSampler), Ratio: env(envSamplerArg),
	}
	if env(envTraces) == "none" {
		t.Traces = ""
	}
	if env(envMetricsOut) == "none" {
		t.Metrics = ""
	}
	if p := env(envOTLPProtocol); (t.Traces != "" || t.Metrics != "") && p != "" && p != "http/protobuf" {
		return Telemetry{}, errors.New(envOTLPProtocol + " must be http/protobuf: the others are not spoken")
	}
	return t, nil
}

// endpoint is a signal's own endpoint, taken as it is, or the common one with
// the signal's path.
func endpoint(env func(string) string, own, path string) string {
	if url := env(own); url != "" {
		return url
	}
	if url := env(envOTLP); url != "" {
		return strings.TrimSuffix(url, "/") + path
	}
	return ""
}

// validate never repeats a URL: it may hold a password.
func (t Telemetry) validate() error {
	for name, url := range map[string]string{envOTLPTraces: t.Traces, envOTLPMetrics: t.Metrics} {
		if url != "" && !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			return errors.New(name + " (or " + envOTLP + ") is not an http or https URL such as http://127.0.0.1:4318")
		}
	}
	return nil
}
