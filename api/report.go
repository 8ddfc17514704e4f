package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

const (
	verifyPath = "/v1/audit/verify"
	verifyTime = 10 * time.Minute
	// verifyStatement bounds each statement of a verification of the live record.
	verifyStatement = 30 * time.Second
	// maxUnpacked bounds the memory and the time of a posted bundle: 64 MiB of zip
	// could be gigabytes of entries.
	maxUnpacked = 512 << 20
)

// A Report says whether the evidence holds, as this server sees it.
type Report struct {
	Verdict  string              `json:"verdict" enum:"intact,broken"`
	Tier     string              `json:"tier" enum:"T0,T1,T2,T3" doc:"of trust; T0: chained, not anchored"`
	Entries  int64               `json:"entries"`
	Streams  int64               `json:"streams"`
	Payloads audit.PayloadCounts `json:"payloads"`
	Findings []Finding           `json:"findings" doc:"by stream, seq and kind"`
	Receipt  *store.Receipt      `json:"receipt" doc:"the entry that recorded the verification"`
}

// A Finding is one thing that does not hold, at the narrowest place known.
type Finding struct {
	Kind    string  `json:"kind" doc:"entry.altered, entry.missing, chain.broken, stream.forked, stream.reopened, column.mismatch, payload.altered, payload.missing, bundle.altered"`
	Stream  *string `json:"stream"`
	Seq     *int64  `json:"seq"`
	Index   *int64  `json:"index"`
	Payload *string `json:"payload" doc:"pay_…"`
	Detail  string  `json:"detail" doc:"for people, without content"`
}

func (a *API) reportRoutes() {
	register(a, operation{
		method: http.MethodPost, path: verifyPath, id: "verifyRecord", who: action(policy.AuditVerify), long: true,
		summary: "Verify the live record, or a posted bundle: a convenience, never the proof",
	}, a.verifyRecord)
	body := a.operation(http.MethodPost, verifyPath).RequestBody
	body.Required = false
	body.Content["application/zip"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
}

type reportOut struct {
	Cache string `header:"Cache-Control"`
	Body  Report
}

// verifyRecord verifies read-only. One verification runs at a time in a
// process: it reads everything there is.
func (a *API) verifyRecord(ctx context.Context, c caller, in *struct {
	Type    string `header:"Content-Type"`
	RawBody []byte `contentType:"application/zip"`
},
) (*reportOut, error) {
	if err := a.allow(ctx, c, policy.AuditVerify, policy.Target{Tenant: c.Tenant}, "audit"); err != nil {
		return nil, err
	}
	if len(in.RawBody) > 0 && mediaOf(in.Type) != "application/zip" {
		return nil, newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "a bundle is application/zip")
	}
	select {
	case a.verifying <- struct{}{}:
		defer func() { <-a.verifying }()
	default:
		p := newProblem(http.StatusServiceUnavailable, "unavailable", "another verification is under way: try again")
		p.headers.Set("Retry-After", "10")
		return nil, p
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	what, verify := "record", func() (audit.Report, error) { return a.cfg.Store.VerifyWithin(ctx, verifyStatement) }
	if len(in.RawBody) > 0 {
		what, verify = "bundle", func() (audit.Report, error) {
			return audit.VerifyBundleWithin(while{ctx, bytes.NewReader(in.RawBody)}, int64(len(in.RawBody)), maxUnpacked)
		}
	}
	r, err := verify()
	if errors.Is(err, audit.ErrUnpacked) {
		return nil, newProblem(http.StatusRequestEntityTooLarge, "too-large", "the bundle has more than 512 MiB when it is unpacked: verify it with the command line")
	}
	if err != nil {
		return nil, err
	}
	receipt, err := a.record(ctx, c, audit.Fact{Action: audit.AuditVerified, Outcome: r.Verdict, Target: what})
	if err != nil {
		return nil, unavailable()
	}
	return &reportOut{Cache: "no-store", Body: showReport(r, receipt)}, nil
}

// while is a reader that ends with its context: nobody waits for the answer.
type while struct {
	ctx context.Context // of this one reading
	r   io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (w while) ReadAt(p []byte, off int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.ReadAt(p, off)
}

func showReport(r audit.Report, receipt store.Receipt) Report {
	out := Report{
		Verdict: r.Verdict, Tier: r.Tier, Entries: r.Entries, Streams: r.Streams, Payloads: r.Payloads,
		Findings: make([]Finding, len(r.Findings)), Receipt: &receipt,
	}
	for i, f := range r.Findings {
		out.Findings[i] = Finding{Kind: f.Kind, Stream: some(f.Stream), Seq: f.Seq, Index: f.Index, Payload: some(f.Payload), Detail: f.Detail}
	}
	return out
}

// some is nil for what is not known.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
