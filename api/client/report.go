package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// verifyTime is how long a verification may take, on top of the patience for an
// answer.
const verifyTime = 10 * time.Minute

// maxBundle is what VerifyBundle sends at most, in bytes. The server accepts
// no more; a larger bundle is for `custody audit verify`.
const maxBundle = 64 << 20

// A Report says whether the evidence holds, as the server sees it. It is a
// convenience: the proof is `custody audit verify` on a machine of one's own.
type Report struct {
	Verdict  string        `json:"verdict"` // intact, broken
	Tier     string        `json:"tier"`    // T0: chained, not anchored
	Entries  int64         `json:"entries"`
	Streams  int64         `json:"streams"`
	Payloads PayloadCounts `json:"payloads"`
	Findings []Finding     `json:"findings"`
	Receipt  *Receipt      `json:"receipt,omitempty"` // the entry that recorded the verification
}

// Intact reports whether the verdict is that the evidence holds.
func (r Report) Intact() bool { return r.Verdict == "intact" }

// PayloadCounts says what came of the payloads that were checked.
type PayloadCounts struct {
	Matching int64 `json:"matching"`
	Erased   int64 `json:"erased"`
	Missing  int64 `json:"missing"`
	Altered  int64 `json:"altered"`
}

// A Finding is one thing that does not hold, at the narrowest place known.
type Finding struct {
	Kind    string  `json:"kind"`
	Stream  *string `json:"stream"`
	Seq     *int64  `json:"seq"`
	Index   *int64  `json:"index"`
	Payload *string `json:"payload"` // pay_…
	Detail  string  `json:"detail"`
}

// VerifyServer lets the server verify its own live record. It needs the role
// auditor.
func (c *Client) VerifyServer(ctx context.Context) (Report, error) {
	return c.verify(ctx, call{method: http.MethodPost, path: "/v1/audit/verify"})
}

// VerifyBundle lets the server verify a bundle of at most 64 MiB. It needs the
// role auditor.
func (c *Client) VerifyBundle(ctx context.Context, bundle io.Reader) (Report, error) {
	var body bytes.Buffer
	if n, err := io.Copy(&body, io.LimitReader(bundle, maxBundle+1)); err != nil {
		return Report{}, fmt.Errorf("read the bundle: %w", err)
	} else if n > maxBundle {
		return Report{}, fmt.Errorf("the bundle is larger than %d MiB: verify it with custody audit verify", maxBundle>>20)
	}
	return c.verify(ctx, call{method: http.MethodPost, path: "/v1/audit/verify", body: body.Bytes(), bodyType: "application/zip"})
}

func (c *Client) verify(ctx context.Context, q call) (Report, error) {
	q.wait = verifyTime
	var r Report
	_, err := c.json(ctx, q, &r)
	return r, err
}
