package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait is how long Prefer: wait may hold an answer.
const maxWait = 60 * time.Second

// matches reports whether an If-None-Match or If-Match header names the tag
// (RFC 9110, section 13.1). Ours are strong; a weak one compares the same here,
// because nothing is changed by bytes.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}

func quoted(tag string) string { return `"` + tag + `"` }

// waitOf reads wait=N of a Prefer header (RFC 7240, section 4.3). What it
// cannot read it ignores, as the RFC says.
func waitOf(prefer string) time.Duration {
	for one := range strings.SplitSeq(prefer, ",") {
		one, _, _ = strings.Cut(one, ";")
		name, value, ok := strings.Cut(one, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n <= 0 {
			return 0
		}
		return min(time.Duration(n)*time.Second, maxWait)
	}
	return 0
}

// accepts reports whether an Accept header names the media type itself: a
// wildcard gets JSON.
func accepts(header, media string) bool {
	for one := range strings.SplitSeq(header, ",") {
		kind, params, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(kind), media) && !strings.Contains(strings.ReplaceAll(params, " ", ""), "q=0;") && !strings.HasSuffix(strings.ReplaceAll(params, " ", ""), "q=0") {
			return true
		}
	}
	return false
}

// mediaOf is the media type of a Content-Type header, in lower case and without
// parameters.
func mediaOf(header string) string {
	media, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// Rehearsal is what every changing operation accepts.
type Rehearsal struct {
	DryRun bool `query:"dry_run" doc:"all checks, nothing written except the audit of the attempt; answers 200 with what would have been answered"`
}

// Change is what every POST that changes something accepts.
type Change struct {
	Rehearsal
	Key string `header:"Idempotency-Key" pattern:"^[!-~]{1,255}$" doc:"makes the request safe to repeat; 1 to 255 visible ASCII characters"`
}

// Once is what the answer to a change carries.
type Once struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true: an earlier request with the same key did it"`
}

func replayedHeader(replayed bool) Once {
	if replayed {
		return Once{Replayed: "true"}
	}
	return Once{}
}

// asked256 is what an idempotency key is bound to.
func asked256(parts ...string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return sum[:]
}

// statusOf is the status of a change's answer.
func statusOf(dryRun bool, status int) int {
	if dryRun {
		return http.StatusOK
	}
	return status
}

// layout is that of every time: RFC 3339, UTC, microseconds.
const layout = "2006-01-02T15:04:05.000000Z"

func stamp(us int64) string { return time.UnixMicro(us).UTC().Format(layout) }

// stampOf is stamp for a time that may not be set.
func stampOf(us int64) *string {
	if us == 0 {
		return nil
	}
	s := stamp(us)
	return &s
}
