package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

const (
	commentEvery = 15 * time.Second // so that nothing in between takes the stream for dead
	writeTime    = 30 * time.Second // for one write: a reader that has stopped is let go
	eventPage    = 200
)

func (a *API) eventRoutes() {
	register(a, operation{
		method: http.MethodGet, path: "/v1/runs/{run}/events", id: "getRunEvents", who: action(policy.RunRead), long: true,
		summary: "What happens in a run: server-sent events with Accept: text/event-stream, else a list",
	}, a.getEvents)
	a.response(http.MethodGet, "/v1/runs/{run}/events", http.StatusOK, "the entries of the run's stream", map[string]*huma.Schema{
		"text/event-stream": textSchema("id: seq, event: action, data: an Entry as JSON; ends after run.closed"),
		"application/json":  schemaOf[Page[audit.Entry]](a),
	})
	a.response(http.MethodGet, "/v1/runs/{run}/events", http.StatusNoContent, "the run has closed and nothing is left", nil)
}

func (a *API) getEvents(ctx context.Context, c caller, in *struct {
	RunPath
	Paging
	Accept string `header:"Accept"`
	Last   string `header:"Last-Event-ID" pattern:"^[0-9]{0,18}$" doc:"seq of the last event seen; empty: none"`
},
) (*raw, error) {
	run, err := a.visible(ctx, c, in.Run)
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if in.Last != "" {
		last, _ := strconv.ParseInt(in.Last, 10, 64) // its form was checked
		from = last + 1
	}
	filter := filterOf("events", run.Name())
	if err := in.place(filter, &from); err != nil {
		return nil, err
	}
	if run.State.Closed() && from >= run.Seq {
		return writing(func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }), nil
	}
	if accepts(in.Accept, "text/event-stream") {
		return writing(func(w http.ResponseWriter) { a.follow(ctx, c, w, run, from) }), nil
	}
	return a.listEvents(ctx, run, from, in.limit(), filter)
}

func (a *API) listEvents(ctx context.Context, run store.Run, from int64, limit int, filter string) (*raw, error) {
	entries, _, err := a.cfg.Store.Entries(ctx, run.Tenant, store.EntryFilter{Stream: run.ID, MinSeq: from, Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	entries, more := paged(entries, limit)
	page := Page[audit.Entry]{Data: entries}
	if more {
		page.Next = next(filter, from+int64(limit))
	}
	if page.Data == nil {
		page.Data = []audit.Entry{}
	}
	body, err := json.Marshal(page)
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
	}), nil
}

// A follower sends a run's stream as it grows.
type follower struct {
	a    *API
	w    http.ResponseWriter
	rc   *http.ResponseController
	run  store.Run
	next int64 // seq
}

// follow sends events until the run has closed, the reader has gone, the token
// has expired or the server drains. Whoever was cut off comes again with
// Last-Event-ID, to any process.
func (a *API) follow(ctx context.Context, c caller, w http.ResponseWriter, run store.Run, from int64) {
	f := follower{a: a, w: w, rc: http.NewResponseController(w), run: run, next: from}
	watch := a.cfg.Store.Watch(run.ID, from)
	defer watch.Close()
	defer patient(f.rc)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	comment := time.NewTicker(commentEvery)
	defer comment.Stop()
	expired := time.NewTimer(time.Until(c.Expires.Add(time.Minute)))
	defer expired.Stop()
	if f.send([]byte(": events of "+run.Name()+"\n\n")) != nil {
		return
	}
	for {
		if closed, err := f.catchUp(ctx); closed || err != nil {
			return
		}
		select {
		case <-watch.Changed:
			if a.revoked(ctx, c) { // before the next event, not fifteen seconds after it
				return
			}
		case <-comment.C:
			if a.revoked(ctx, c) || f.send([]byte(": still here\n\n")) != nil {
				return
			}
		case <-expired.C:
			return
		case <-a.closing:
			return
		case <-ctx.Done():
			return
		}
	}
}

// revoked reports whether the caller may not be told more. Not knowing is yes.
func (a *API) revoked(ctx context.Context, c caller) bool {
	keys, err := a.cfg.Store.Revoked(ctx, c.Tenant, c.RevocationKeys(), c.Began())
	return err != nil || len(keys) > 0
}

// catchUp sends all entries that are committed, and reports whether the last
// one closed the run.
func (f *follower) catchUp(ctx context.Context) (closed bool, err error) {
	for {
		entries, _, err := f.a.cfg.Store.Entries(ctx, f.run.Tenant, store.EntryFilter{Stream: f.run.ID, MinSeq: f.next, Limit: eventPage})
		if err != nil {
			return false, err
		}
		var out bytes.Buffer
		for _, e := range entries {
			body, err := audit.ParseBody(e.Body)
			if err != nil {
				return false, err // an altered record ends the stream; verify names the place
			}
			data, err := json.Marshal(e)
			if err != nil {
				return false, err
			}
			fmt.Fprintf(&out, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, body.Action, data)
			f.next, closed = e.Seq+1, body.Action == audit.RunClosed
		}
		if err := f.send(out.Bytes()); err != nil {
			return false, err
		}
		if closed || len(entries) < eventPage {
			return closed, nil
		}
	}
}

// patient lifts the limit on writing: the next answer on the connection has
// one of its own, or none.
func patient(rc *http.ResponseController) {
	_ = rc.SetWriteDeadline(time.Time{}) // a writer without deadlines is a test's
}

// send writes and flushes.
func (f *follower) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = f.rc.SetWriteDeadline(time.Now().Add(writeTime)) // a writer without deadlines is a test's
	if _, err := f.w.Write(b); err != nil {
		return err
	}
	return f.rc.Flush()
}
