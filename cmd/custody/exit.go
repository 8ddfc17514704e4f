package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
)

// The exit codes (API.md, section 3).
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitInvalid     = 5
	exitRunFailed   = 6
	exitBroken      = 7
	exitNotNow      = 8
	exitInterrupted = 130
)

// An exit is an error that knows its code. A silent one has already been
// explained.
type exit struct {
	code   int
	silent bool
	kind   string // the problem type that a program sees; "" is that of the code
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func failed(code int, format string, args ...any) error {
	return &exit{code: code, err: fmt.Errorf(format, args...)}
}

// refused is failed for what a server would have refused as well, with the
// problem type that it would have named.
func refused(code int, kind, format string, args ...any) error {
	return &exit{code: code, kind: kind, err: fmt.Errorf(format, args...)}
}

func usage(format string, args ...any) error { return failed(exitUsage, format, args...) }

// silently ends with a code and no words: the output has said it all.
func silently(code int) error { return &exit{code: code, silent: true} }

// codeOf is the exit code of an error. The caller's own interruption comes
// before what it caused.
func codeOf(ctx context.Context, err error) int {
	var own *exit
	var p *client.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.code
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &p):
		return codeOfStatus(p)
	case errors.Is(err, custody.ErrSetting):
		return exitUsage
	case errors.Is(err, client.ErrShown):
		return exitBroken
	case errors.Is(err, custody.ErrAway), unreachable(err):
		return exitNotNow
	}
	return exitFailure
}

// unreachable reports whether there was nobody to ask: as good as a 503.
func unreachable(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

func codeOfStatus(p *client.Problem) int {
	if p.Kind() == "unpublished" {
		return exitNotNow
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitRefused
	case http.StatusNotFound, http.StatusGone:
		return exitNotFound
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return exitInvalid
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return exitNotNow
	}
	return exitFailure
}
