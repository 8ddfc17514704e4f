package model

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// An Exchange is one request and its reply. The two headers say which piece of
// work it is for and which intent entry in the ledger stands for it.
type Exchange struct {
	Key   string // Idempotency-Key: the same in every attempt
	Call  string // Custody-Call: fresh for every request
	Limit int64  // bytes of the reply's body that are read; more is an error
}

// A Reply is what came back, read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends r exactly once and reads the whole reply. Redirects are replies
// like any other. An error is an *Error; the Reply beside it is not nil if at
// least a status came. The body, which may be nil, is sent instead of r's own.
//
// net/http by itself sends a request again when a kept connection turns out to
// be dead and the request carries an Idempotency-Key. That would be two requests
// for one intent: it is prevented by a body that cannot be rewound.
func (x Exchange) Send(rt http.RoundTripper, r *http.Request, body []byte) (*Reply, error) {
	var sent atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
	})
	r = r.Clone(ctx)
	r.Header.Set("Idempotency-Key", x.Key)
	r.Header.Set("Custody-Call", x.Call)
	if trace := TraceOf(ctx); trace != "" {
		r.Header.Set("Traceparent", trace)
	}
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil

	res, err := rt.RoundTrip(r)
	if err != nil {
		return nil, broken(ctx, err, sent.Load())
	}
	defer func() { _ = res.Body.Close() }()
	reply := &Reply{Status: res.StatusCode, Header: res.Header}
	reply.Body, err = io.ReadAll(io.LimitReader(res.Body, x.Limit+1))
	if err != nil {
		e := broken(ctx, err, true)
		e.Status, e.Bytes = reply.Status, len(reply.Body)
		return reply, e
	}
	if int64(len(reply.Body)) > x.Limit {
		return reply, &Error{
			Code: CodeMalformed, Detail: "the reply is larger than the limit",
			Unknown: true, Status: reply.Status, Bytes: len(reply.Body), Err: errTooLarge,
		}
	}
	return reply, nil
}

var errTooLarge = errors.New("reply over its limit")

// NewTransport is a connection pool for Send: HTTP/1.1 only, because an HTTP/2
// connection may send a request again by itself; idle connections are dropped
// before most servers drop them, so that few requests meet a dead one.
func NewTransport(perHost int, idle time.Duration) *http.Transport {
	var only http.Protocols
	only.SetHTTP1(true)
	return &http.Transport{
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    perHost,
		IdleConnTimeout:        idle,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // limits count bytes as they came
		Protocols:              &only,
	}
}

// wrote tells the trace of a request that it has left, for round trippers that
// are not net/http's own.
func wrote(ctx context.Context) {
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.WroteHeaders != nil {
		t.WroteHeaders()
	}
}
