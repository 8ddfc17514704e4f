package model

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/custodyhq/custody/security/audit"
)

// The codes of an Error. They are the ledger's words.
const (
	CodeTimeout     = "timeout"      // the deadline passed
	CodeRateLimited = "rate_limited" // 429
	CodeStatus      = "status"       // another status that is not success
	CodeRefused     = "refused"      // the model declined, or its provider filtered the answer
	CodeUnfinished  = "unfinished"   // the answer ends before its end
	CodeMalformed   = "malformed"    // the answer breaks its format
	CodeConnection  = "connection"   // no connection, or it was cut
	CodeCancelled   = "cancelled"    // we gave up
	CodeInvalid     = "invalid"      // the request cannot be served as it is
	CodeError       = "error"        // anything else
)

// An Error is a call that gave nothing to use. Its text and Detail are for
// people and hold neither content nor secrets.
type Error struct {
	Code    string
	Detail  string
	Unknown bool          // a request left, and nobody knows what became of it
	Retry   bool          // trying again may help
	After   time.Duration // how long the other side asks us to wait; 0 if it does not say
	Status  int           // of the reply; 0 if there was none
	Bytes   int           // of the reply's body
	Model   *audit.Model  // what it cost: an answer that cannot be used was paid, too
	Err     error
}

// Error is the code and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return e.Code + ": " + e.Detail
}

// Unwrap is the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// broken is the Error of an exchange that the network ended.
func broken(ctx context.Context, err error, sent bool) *Error {
	e := &Error{Code: CodeConnection, Detail: "no connection", Unknown: sent, Retry: true, Err: err}
	if sent {
		e.Detail = "the connection was cut before the whole reply was read"
	}
	var slow net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Code, e.Detail, e.Retry = CodeCancelled, "the call was cancelled", false
	case ctx.Err() != nil, errors.As(err, &slow) && slow.Timeout():
		e.Code, e.Detail = CodeTimeout, "no whole reply before the deadline"
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		e.Err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return e
}

// Refused is the Error of a reply whose status is not success: who sent the
// request knows that it was answered, and how. The provider's code is a word of
// its closed list, or empty. It is nil for status 200 to 299.
func Refused(r *Reply, provider string, now time.Time) *Error {
	if r.Status >= 200 && r.Status <= 299 {
		return nil
	}
	e := &Error{Code: CodeStatus, Status: r.Status, Bytes: len(r.Body), Detail: "status " + strconv.Itoa(r.Status)}
	switch s := r.Status; {
	case s == http.StatusTooManyRequests:
		e.Code, e.Retry = CodeRateLimited, provider != "insufficient_quota"
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge, s == http.StatusUnprocessableEntity:
		e.Code = CodeInvalid
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		e.Detail += ": the other side does not accept our credential; check it in the server's config"
	case s >= 300 && s < 400:
		e.Detail += ": redirects are not followed; write the final address into the server's config"
	case s == http.StatusRequestTimeout, s == http.StatusConflict, s == http.StatusTooEarly, s >= 500:
		e.Retry = true
	}
	if provider != "" {
		e.Detail += " (" + provider + ")"
	}
	if s := r.Status; s == http.StatusTooManyRequests || s >= 500 {
		e.After = after(r.Header, now)
	}
	return e
}

// maxAfter bounds what a server may make us wait.
const maxAfter = time.Hour

// after reads Retry-After (RFC 9110, section 10.2.3): seconds, or a date, which
// counts from the server's own clock where it says the time.
func after(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), int64(maxAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if theirs, err := http.ParseTime(h.Get("Date")); err == nil {
		now = theirs
	}
	return min(max(at.Sub(now), 0), maxAfter)
}
