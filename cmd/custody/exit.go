package main

import (
	"context"
	"encoding/json"
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

// report explains an error on stderr and returns the exit code.
func (t terminal) report(ctx context.Context, err error, asJSON bool) int {
	code := codeOf(ctx, err)
	var own *exit
	switch {
	case err == nil, errors.As(err, &own) && own.silent:
		return code
	case asJSON:
		raw, _ := json.Marshal(problemOf(err, code)) // strings and numbers only: cannot fail
		t.say("%s", raw)
	case code == exitInterrupted:
		t.say("custody: interrupted")
	default:
		t.say("custody: %s", printable(explain(err)))
	}
	return code
}

// problemOf is any error as a problem object; a server's own is passed on.
func problemOf(err error, code int) *client.Problem {
	var p *client.Problem
	if errors.As(err, &p) {
		return p
	}
	names := map[int]string{
		exitUsage: "usage", exitRefused: "denied", exitNotFound: "not-found", exitInvalid: "malformed",
		exitRunFailed: "run-failed", exitBroken: "broken", exitNotNow: "unavailable", exitInterrupted: "interrupted",
	}
	name := names[code]
	if name == "" {
		name = "internal"
	}
	return &client.Problem{Type: client.ProblemPrefix + name, Title: name, Detail: explain(err)}
}

// explain adds to a refusal what to do next.
func explain(err error) string {
	text := err.Error()
	var p *client.Problem
	switch {
	case errors.As(err, &p):
		text += problemDetails(p)
	case errors.Is(err, custody.ErrAway):
		text += "\nIs PostgreSQL running, and is this its address: " + custody.EnvDatabase + "?"
	case unreachable(err):
		text += "\nIs the server running? Start one with `custody dev`, or say where it is: --url or CUSTODY_URL."
	}
	return text
}

func problemDetails(p *client.Problem) string {
	var text string
	switch p.Kind() {
	case "step-up-required":
		text = "\nThis needs a sign-in with a second factor that is at most 5 minutes old. Sign in, then repeat the command: custody token login --acr mfa"
	case "unauthenticated":
		text = "\nSign in with `custody token login`, or give a token: --token-file, CUSTODY_TOKEN or CUSTODY_TOKEN_FILE; against `custody dev`: --as NAME. `custody token show` explains a token."
	case "unavailable", "rate-limited":
		text = "\nNothing is lost. Try again, with the same --key if you gave one."
	}
	if p.Receipt != nil {
		text += fmt.Sprintf("\nRecorded as entry %d of %s: %s", p.Receipt.Seq, p.Receipt.Stream, p.Receipt.Hash)
	}
	if p.RequestID != "" && p.Status >= http.StatusInternalServerError {
		text += "\nRequest " + p.RequestID
	}
	return text
}
