package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxEvent  = 1 << 20          // bytes of one line of the stream
	quiet     = 45 * time.Second // three missed comments: the connection is dead
	firstWait = 100 * time.Millisecond
	longWait  = 5 * time.Second
)

// Events follows what happens in a run, live: every entry of its stream after
// the one with seq after (-1: from the beginning), each once and in order, until
// the run has closed. A connection that breaks is made again where it left off.
//
// It ends after run.closed. An error is the last thing that it yields: ctx's, a
// refusal of the server, or that the first connection could not be made.
func (c *Client) Events(ctx context.Context, run string, after int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f := follower{c: c, run: run, last: after}
		wait := firstWait
		for {
			before := f.last
			done, err := f.connect(ctx, yield)
			switch {
			case done && err == nil:
				return
			case done:
				yield(Entry{}, err)
				return
			case ctx.Err() != nil:
				yield(Entry{}, ctx.Err())
				return
			case err != nil && f.final(err):
				yield(Entry{}, err)
				return
			}
			if f.last > before {
				wait = firstWait
			}
			if !pause(ctx, max(wait, retryAfter(err))) {
				yield(Entry{}, ctx.Err())
				return
			}
			wait = min(2*wait, longWait)
		}
	}
}

// A follower reads a run's stream over as many connections as it takes.
type follower struct {
	c         *Client
	run       string
	last      int64 // seq of the last entry seen
	connected bool  // once
}

// final reports whether trying again is pointless.
func (f *follower) final(err error) bool {
	if p := (*Problem)(nil); errors.As(err, &p) {
		return !p.Temporary() && p.Status < 500
	}
	return !f.connected
}

func retryAfter(err error) time.Duration {
	if p := (*Problem)(nil); errors.As(err, &p) {
		return p.RetryAfter
	}
	return 0
}

// connect reads one connection to its end. done means that there is nothing
// more, or that nobody wants more.
func (f *follower) connect(ctx context.Context, yield func(Entry, error) bool) (done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(quiet, cancel)
	defer silence.Stop()
	q := call{method: http.MethodGet, path: path("v1", "runs", f.run, "events"), accept: "text/event-stream", header: http.Header{}}
	if f.last >= 0 {
		q.header.Set("Last-Event-ID", strconv.FormatInt(f.last, 10))
	}
	res, err := f.c.open(ctx, q)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return true, nil
	}
	if media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); media != "text/event-stream" {
		return true, errors.New("the answer is not an event stream: is this the right URL?")
	}
	f.connected = true
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 16<<10), maxEvent)
	var e event
	for lines.Scan() {
		silence.Reset(quiet)
		if !e.line(lines.Text()) {
			continue
		}
		done, err := f.take(e, yield)
		if done || err != nil {
			return done, err
		}
		e = event{}
	}
	return false, lines.Err()
}

// take hands on one event that has not been seen yet.
func (f *follower) take(e event, yield func(Entry, error) bool) (done bool, err error) {
	var entry Entry
	if err := json.Unmarshal([]byte(e.data), &entry); err != nil {
		return false, fmt.Errorf("event %s is not an entry", e.id)
	}
	if entry.Seq <= f.last {
		return false, nil
	}
	if entry.Seq != f.last+1 {
		return false, fmt.Errorf("event %d came after %d", entry.Seq, f.last)
	}
	f.last = entry.Seq
	return !yield(entry, nil) || e.name == "run.closed", nil
}

// An event is one of a server-sent event stream (WHATWG HTML, section 9.2).
type event struct{ id, name, data string }

// line takes one line and reports whether the event is complete.
func (e *event) line(text string) bool {
	if text == "" {
		complete := e.data != ""
		if !complete {
			*e = event{}
		}
		return complete
	}
	field, value, _ := strings.Cut(text, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "id":
		e.id = value
	case "event":
		e.name = value
	case "data":
		if e.data != "" {
			e.data += "\n"
		}
		e.data += value
	}
	return false
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
