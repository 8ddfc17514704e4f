package telemetry

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/custodyhq/custody/security"
)

// A sampler decides about requests as the standard variables say, and about
// runs by their id: every process that ever drives a run decides the same
// without being told.
//
// The SDK's own ratio looks at bits of the trace id that are constant in a
// UUIDv7, so it would take all runs or none.
type sampler struct {
	sdktrace.Sampler
	ratio float64 // of runs, 0 to 1
}

var errSampler = errors.New("OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio")

// newSampler reads the two standard variables; empty ones mean everything.
func newSampler(name, arg string) (sampler, error) {
	ratio := 1.0
	if arg != "" {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return sampler{}, errors.New("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1")
		}
	}
	switch name {
	case "always_on":
		return sampler{sdktrace.AlwaysSample(), 1}, nil
	case "always_off":
		return sampler{sdktrace.NeverSample(), 0}, nil
	case "traceidratio":
		return sampler{sdktrace.TraceIDRatioBased(ratio), ratio}, nil
	case "", "parentbased_always_on":
		return sampler{sdktrace.ParentBased(sdktrace.AlwaysSample()), 1}, nil
	case "parentbased_always_off":
		return sampler{sdktrace.ParentBased(sdktrace.NeverSample()), 0}, nil
	case "parentbased_traceidratio":
		return sampler{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)), ratio}, nil
	}
	return sampler{}, errSampler
}

// ShouldSample implements sdktrace.Sampler.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	run, ok := p.ParentContext.Value(runKey{}).(security.ID)
	if !ok {
		return s.Sampler.ShouldSample(p)
	}
	if s.takes(run) {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

// takes reports whether a run is traced.
func (s sampler) takes(run security.ID) bool {
	// The last seven bytes of a UUIDv7 are random.
	drawn := binary.BigEndian.Uint64(run[8:]) & (1<<56 - 1)
	return float64(drawn) < s.ratio*(1<<56)
}

type (
	runKey  struct{} // a context under which a run is traced: its id
	rootKey struct{} // a context in which the run's root span is begun
)

// identities makes the ids of traces and spans. A run's trace has the run's
// UUID, and its root span the UUID's second half.
type identities struct{}

// NewIDs implements sdktrace.IDGenerator. It is called for spans without a
// parent.
func (identities) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if run, ok := ctx.Value(rootKey{}).(security.ID); ok {
		return trace.TraceID(run), rootOf(run)
	}
	var t trace.TraceID
	binary.NativeEndian.PutUint64(t[:8], rand.Uint64()|1) // zero is not an id
	binary.NativeEndian.PutUint64(t[8:], rand.Uint64())
	return t, newSpan()
}

// NewSpanID implements sdktrace.IDGenerator.
func (identities) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return newSpan() }

func newSpan() (s trace.SpanID) {
	binary.NativeEndian.PutUint64(s[:], rand.Uint64()|1)
	return s
}

func rootOf(run security.ID) trace.SpanID { return trace.SpanID(run[8:]) }
