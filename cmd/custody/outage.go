package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/custodyhq/custody/api/client"
)

// An outage notices that a server went away while it was being followed, and
// that it came back, and says so once each.
type outage struct {
	base http.RoundTripper
	say  func(format string, args ...any)

	mu   sync.Mutex
	seen bool // it has answered before
	away bool
}

// RoundTrip sends a request and looks at how that went.
func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := o.base.RoundTrip(r)
	gone := err != nil && r.Context().Err() == nil || err == nil && res.StatusCode == http.StatusServiceUnavailable
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case gone && o.seen && !o.away:
		o.away = true
		o.say("The server is away. The run is not lost; waiting for the server to come back.")
	case !gone && err == nil && o.away:
		o.away = false
		o.say("The server is back.")
	}
	o.seen = o.seen || err == nil && !gone
	return res, err
}

// follower is a client for a long wait: it tells when the server goes away.
func (s *session) follower(say func(format string, args ...any)) (*client.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13}
	return s.clientBy(&http.Client{Transport: &outage{base: t, say: say}})
}

const (
	soonAgain = 200 * time.Millisecond
	lateAgain = 5 * time.Second
)

// patiently asks again while the server says that it cannot now, and, if away is
// set, also while nobody answers. What it asks must be safe to repeat.
func patiently[T any](ctx context.Context, away bool, ask func() (T, error)) (T, error) {
	for wait := soonAgain; ; wait = min(2*wait, lateAgain) {
		v, err := ask()
		var p *client.Problem
		temporary := errors.As(err, &p) && p.Temporary() && p.Kind() != "unpublished" || away && unreachable(err)
		if !temporary {
			return v, err
		}
		if p != nil {
			wait = max(wait, p.RetryAfter)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return v, ctx.Err()
		case <-timer.C:
		}
	}
}
