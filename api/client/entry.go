package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"
)

// A Receipt is where an entry stands in the ledger. Keep it: it convicts a
// server that later shows something else at this place.
type Receipt struct {
	Stream string `json:"stream"`
	Seq    int64  `json:"seq"`
	Hash   string `json:"hash"` // 64 hex digits
}

// An Entry is one fact in the ledger (API.md, section 6.1).
type Entry struct {
	Log    string `json:"log"`
	Index  *int64 `json:"index"`
	Stream string `json:"stream"`
	Seq    int64  `json:"seq"`
	Prev   string `json:"prev"`
	Hash   string `json:"hash"`
	Body   string `json:"body"` // canonical JSON, exactly what was hashed
}

// An EntryFilter chooses entries. Empty fields choose all that one may see.
type EntryFilter struct {
	Run, Stream, Step, Action, Outcome string
	Actor                              string // subj_…, or me
	Workflow, Key, Call                string
	From, To                           time.Time
	MinIndex                           int64 // of the entry in the log; without a notary no entry has one
	Limit                              int   // of one page, not of the list
}

// Entries lists entries, oldest first.
func (c *Client) Entries(ctx context.Context, f EntryFilter) iter.Seq2[Entry, error] {
	return all[Entry](ctx, c, "/v1/audit/entries", some("run", f.Run, "stream", f.Stream, "step", f.Step, "action", f.Action,
		"outcome", f.Outcome, "actor", f.Actor, "workflow", f.Workflow, "key", f.Key, "call", f.Call,
		"from", stamp(f.From), "to", stamp(f.To), "min_index", number(int(f.MinIndex)), "limit", number(f.Limit)))
}

// Entry returns the entry with this hash.
func (c *Client) Entry(ctx context.Context, hash string) (Entry, error) {
	var e Entry
	_, err := c.json(ctx, get(path("v1", "audit", "entries", hash), nil), &e)
	return e, err
}

// A BundleScope says what an evidence bundle shall hold: one run, a person's
// runs, a time, or the whole ledger.
type BundleScope struct {
	Run      string
	Subject  string // subj_…
	From, To time.Time
	All      bool
	Payloads bool // the content, too
}

// Bundle exports evidence as a zip. Whoever gets it closes it. A bundle that
// broke off on the way does not verify.
func (c *Client) Bundle(ctx context.Context, s BundleScope) (io.ReadCloser, error) {
	q := get("/v1/audit/bundle", some("run", s.Run, "subject", s.Subject, "from", stamp(s.From), "to", stamp(s.To), "all", yes(s.All), "payloads", yes(s.Payloads)))
	q.accept = "application/zip"
	res, err := c.open(ctx, q)
	if err != nil {
		return nil, err
	}
	if got := res.Header.Get("Content-Type"); got != "application/zip" {
		_ = res.Body.Close()
		return nil, &Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusBadGateway), Status: http.StatusBadGateway,
			Detail: "the answer is not a bundle: is this the right URL?",
		}
	}
	return res.Body, nil
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}
