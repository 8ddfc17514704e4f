package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security/audit"
)

// maxReply is how much of a model's reply is read.
const maxReply = 8 << 20

// A wire lies under langchaingo for one call: langchaingo gives it a request,
// it sends its own version of it, reads the raw reply with its own eyes, and
// hands back a plain reply that langchaingo cannot misread.
type wire struct {
	client client
	prompt Prompt
	now    func() time.Time

	used   bool // one request was asked for: there is no second
	status int
	bytes  int
	text   string
	meta   audit.Model
	err    *Error
}

// errWire is what langchaingo gets to see of an error; the wire keeps the rest.
var errWire = errors.New("the wire refuses")

// Do is langchaingo's way out.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if w.used {
		w.err = &Error{Code: CodeError, Detail: "the client library sent a second request", Unknown: true}
		return nil, errWire
	}
	w.used = true
	if w.err = w.exchange(r); w.err != nil {
		return nil, errWire
	}
	return w.plain(r)
}

// RoundTrip is the same for libraries that insist on a client of net/http, which
// follows no redirect and tries nothing again because it never gets to see why.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) { return w.Do(r) }

func (w *wire) exchange(r *http.Request) *Error {
	body, err := w.body(r)
	if err != nil {
		return &Error{Code: CodeError, Detail: "the request could not be written", Err: err}
	}
	r = r.Clone(r.Context())
	r.Header = w.client.header()
	r.Header.Set("Content-Type", "application/json")
	reply, err := Exchange{Key: w.prompt.Key, Call: w.prompt.Call, Limit: maxReply}.Send(w.client.rt, r, body)
	if reply != nil {
		w.status, w.bytes = reply.Status, len(reply.Body)
		// A status says more than a body that could not be read to its end.
		if e := w.client.refused(reply, w.now()); e != nil {
			return e
		}
	}
	var failure *Error
	if errors.As(err, &failure) {
		return failure
	}
	if reply.Status != http.StatusOK {
		return &Error{Code: CodeMalformed, Detail: fmt.Sprintf("status %d instead of 200", reply.Status), Unknown: true}
	}
	var e *Error
	w.text, e = w.client.dialect.read(w.client, w.prompt, reply.Body, &w.meta)
	return e
}

// body is the request as we mean it.
func (w *wire) body(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	fields, err := members(raw)
	if err != nil {
		return nil, err
	}
	set := w.client.dialect.body(w.client, w.prompt)
	set["model"] = fields["model"]
	return json.Marshal(set)
}

// plain is the answer in the form that langchaingo reads without loss.
func (w *wire) plain(r *http.Request) (*http.Response, error) {
	raw, err := w.client.dialect.plain(w.text)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(raw)), ContentLength: int64(len(raw)),
	}, nil
}

// failed is the error with what the call cost.
func (w *wire) failed(e *Error) *Error {
	if e.Status == 0 {
		e.Status = w.status
	}
	if e.Bytes == 0 {
		e.Bytes = w.bytes
	}
	meta := w.cost()
	e.Model = &meta
	return e
}

// cost is what the ledger keeps of the call, with its price where it is known.
func (w *wire) cost() audit.Model {
	m := w.meta
	if m.UsageKnown {
		m.Micros = (m.In*w.client.PriceIn + m.Out*w.client.PriceOut) / 1_000_000
	}
	return m
}
