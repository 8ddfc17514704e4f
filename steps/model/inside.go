package model

import (
	"bytes"
	"io"
	"net/http"
)

// handlerTransport serves requests inside the process: the offline model takes
// the same way through langchaingo and the wire as any other, without a socket.
type handlerTransport struct{ handler http.Handler }

// RoundTrip runs the handler and returns what it wrote.
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	wrote(r.Context())
	res := &recorded{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(res, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: res.status, Status: http.StatusText(res.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: res.header, Request: r,
		Body: io.NopCloser(&res.body), ContentLength: int64(res.body.Len()),
	}, nil
}

// recorded is a reply while it is written.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the reply's header.
func (r *recorded) Header() http.Header { return r.header }

// WriteHeader sets the status.
func (r *recorded) WriteHeader(status int) { r.status = status }

// Write adds to the body.
func (r *recorded) Write(p []byte) (int, error) { return r.body.Write(p) }
