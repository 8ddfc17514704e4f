package steps

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
	"unicode/utf8"
)

// The codes of an Error: the words under which the ledger records it.
const (
	CodeTimeout     = "timeout"
	CodeRateLimited = "rate_limited"
	CodeStatus      = "status" // a reply that is not success
	CodeRefused     = "refused"
	CodeUnfinished  = "unfinished"
	CodeMalformed   = "malformed"
	CodeConnection  = "connection"
	CodeCancelled   = "cancelled"
	CodePanic       = "panic"
	CodeInvalid     = "invalid" // it cannot be done as it is written
	CodeError       = "error"
)

// An Error is an attempt without a result. Its text holds no content; Err is
// for errors.Is and for a developer's eyes.
type Error struct {
	Code    string
	Detail  string        // for people
	Unknown bool          // a request left, and nobody knows what became of it
	Retry   bool          // trying again may help
	After   time.Duration // how long the other side asks us to wait; 0 if it does not say
	Use     Use           // what it cost all the same
	Status  int           // of the HTTP reply; 0 if there was none
	Err     error
}

// Error is the code and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return e.Code + ": " + e.Detail
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Panic is the cause of an Error with CodePanic. It keeps the place and not
// the value, which may be content.
type Panic struct{ Stack []byte }

// Error says only that it happened.
func (p *Panic) Error() string { return "a step kind panicked" }

// maxDetail bounds what a runner may say.
const maxDetail = 256

// failed makes any error of a runner an *Error of the closed list.
func failed(ctx context.Context, err error, effect bool) *Error {
	var e *Error
	if errors.As(err, &e) && e != nil {
		out := *e
		if !known(out.Code) {
			out.Code = CodeError
		}
		if out.Use.Status == 0 {
			out.Use.Status = out.Status
		}
		out.Detail = short(out.Detail)
		return &out
	}
	out := &Error{Code: CodeError, Detail: "the step failed", Err: err}
	if ended := ctx.Err(); ended != nil {
		// It gave up because its time was over. Only an effect can have left
		// something behind that somebody must look for.
		out = over(ctx)
		out.Unknown, out.Err = effect, fmt.Errorf("%w: %w", ended, err)
	}
	return out
}

// over is the Error of a call whose time is over.
func over(ctx context.Context) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Code: CodeTimeout, Detail: "the step's time is over", Unknown: true, Retry: true, Err: ctx.Err()}
	}
	return &Error{Code: CodeCancelled, Detail: "the call was cancelled", Unknown: true, Err: ctx.Err()}
}

// panicked is the Error of a runner that panicked. An effect may have happened
// before it.
func panicked(effect bool) *Error {
	return &Error{
		Code: CodePanic, Detail: "the step kind panicked; its author must mend it",
		Unknown: effect, Err: &Panic{Stack: debug.Stack()},
	}
}

func known(code string) bool {
	switch code {
	case CodeTimeout, CodeRateLimited, CodeStatus, CodeRefused, CodeUnfinished, CodeMalformed,
		CodeConnection, CodeCancelled, CodePanic, CodeInvalid, CodeError:
		return true
	}
	return false
}

func short(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	cut := maxDetail
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
