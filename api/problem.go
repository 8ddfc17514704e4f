package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/custodyhq/custody/security/oidc"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
	"github.com/custodyhq/custody/workflow/engine"
)

// typePrefix begins every problem's type.
const typePrefix = "urn:custody:problem:"

// A Problem is a refusal (RFC 9457). Clients switch on its type.
type Problem struct {
	Type      string         `json:"type" doc:"urn:custody:problem:… ; clients switch on it" example:"urn:custody:problem:denied"`
	Title     string         `json:"title" doc:"the status in words"`
	Status    int            `json:"status" doc:"the HTTP status"`
	Detail    string         `json:"detail,omitempty" doc:"what is wrong and what to do, for people; never repeats the request"`
	Instance  string         `json:"instance,omitempty" doc:"the path that was asked for"`
	RequestID string         `json:"request_id,omitempty" doc:"as in the header Request-Id"`
	Reason    string         `json:"reason,omitempty" doc:"not-eligible: the first of reasons"`
	Reasons   []string       `json:"reasons,omitempty" doc:"not-eligible: every reason"`
	Errors    []Fault        `json:"errors,omitempty" doc:"what is wrong where"`
	Receipt   *store.Receipt `json:"receipt,omitempty" doc:"the ledger's entry that recorded the refusal"`

	headers http.Header
}

// A Fault is one thing that is wrong with a request.
type Fault struct {
	Pointer string `json:"pointer" doc:"JSON Pointer into the body; /query/…, /path/… and /header/… name parameters"`
	Code    string `json:"code" doc:"stable" example:"max_length"`
	Detail  string `json:"detail" doc:"for people; never repeats the value"`
	Line    int    `json:"line,omitempty" doc:"of a workflow's text, from 1"`
	Column  int    `json:"column,omitempty" doc:"from 1"`
	Excerpt string `json:"excerpt,omitempty" doc:"of the workflow's text"`
	Remedy  string `json:"remedy,omitempty" doc:"what to do"`
}

func newProblem(status int, kind, detail string) *Problem {
	return &Problem{Type: typePrefix + kind, Title: http.StatusText(status), Status: status, Detail: detail, headers: http.Header{}}
}

// Error is the problem's detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// complete says which request the problem is about.
func (p *Problem) complete(x *exchange) {
	p.Instance, p.RequestID = x.path, x.id
	if p.headers == nil {
		p.headers = http.Header{}
	}
	if x.ResponseWriter != nil { // huma adds headers, it does not replace them
		x.Header().Set("Cache-Control", "no-store")
	}
}

// writeProblem writes a problem outside huma.
func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.complete(exchangeOf(r.Context()))
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // a Problem is strings and numbers
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client has gone; there is nobody to tell
}

// problemOf maps whatever went wrong to what the caller may know. It is the
// only place where that happens. What it does not know is a 500 without detail,
// unless the database is away.
func (a *API) problemOf(ctx context.Context, x *exchange, err error) *Problem {
	p := a.known(err)
	if p == nil && a.away(ctx, err) {
		p = unavailable()
	}
	if p == nil {
		a.cfg.Log.ErrorContext(ctx, "a request failed", slog.String("request", x.id), slog.String("path", x.path), slog.Any("error", err))
		p = newProblem(http.StatusInternalServerError, "internal", "something went wrong; the log knows more under the request id")
	}
	p.complete(x)
	return p
}

// known maps the errors that have a type of their own.
func (a *API) known(err error) *Problem {
	var (
		problem  *Problem
		token    *oidc.TokenError
		input    *engine.BadInput
		problems workflow.Problems
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, errNoToken):
		p := newProblem(http.StatusUnauthorized, "unauthenticated", "a bearer token is needed")
		p.headers = a.challenge("")
		return p
	case errors.As(err, &token):
		p := newProblem(http.StatusUnauthorized, "unauthenticated", token.Description)
		p.headers = a.challenge(`, error="invalid_token", error_description="` + quotable(token.Description) + `"`)
		return p
	case errors.As(err, &input):
		p := newProblem(http.StatusUnprocessableEntity, "invalid-input", "the input does not fit the workflow")
		for _, f := range input.Fields {
			p.Errors = append(p.Errors, Fault{Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
		}
		return p
	case errors.As(err, &problems):
		p := newProblem(http.StatusUnprocessableEntity, "invalid-workflow", "the definition does not hold")
		p.Errors = faults(problems)
		return p
	}
	return sentinel(err)
}

// faults are a definition's problems on the wire.
func faults(problems workflow.Problems) []Fault {
	out := make([]Fault, len(problems))
	for i, p := range problems {
		out[i] = Fault{Pointer: p.Pointer, Code: p.Code, Detail: p.Message, Line: p.Line, Column: p.Column, Excerpt: p.Excerpt, Remedy: p.Remedy}
	}
	return out
}

// sentinel maps the errors without fields.
func sentinel(err error) *Problem {
	for _, s := range []struct {
		err          error
		status       int
		kind, detail string
	}{
		{store.ErrNotFound, http.StatusNotFound, "not-found", "there is no such resource"},
		{store.ErrMismatch, http.StatusUnprocessableEntity, "idempotency-mismatch", "the idempotency key was used with another request: choose a new one"},
		{store.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large", "the request is larger than one commit may be"},
		{engine.ErrRunClosed, http.StatusConflict, "run-closed", "the run has ended"},
		{engine.ErrRunNotFailed, http.StatusConflict, "run-not-failed", "only a failed run can be retried"},
		{engine.ErrApprovalClosed, http.StatusConflict, "approval-closed", "the approval was decided, has expired or was withdrawn"},
		{engine.ErrStale, http.StatusConflict, "digest-stale", "the digest is not the one of this approval: look at what is shown again"},
		{engine.ErrVoted, http.StatusConflict, "already-voted", "you have voted on this approval"},
		{store.ErrChanged, http.StatusPreconditionFailed, "precondition-failed", "it is in another version now: look again"},
		{engine.ErrKeyRevoked, http.StatusServiceUnavailable, "unavailable", "the key that this server signs with was revoked: its operator must give it another"},
		{engine.ErrGone, http.StatusGone, "erased", "the content is not there any more, or was altered: custody audit verify tells which"},
		{engine.ErrKinds, http.StatusServiceUnavailable, "unavailable", "this process lacks a kind of step that the workflow needs; another one may have it"},
		{oidc.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "the token cannot be checked just now: try again"},
	} {
		if errors.Is(err, s.err) {
			p := newProblem(s.status, s.kind, s.detail)
			if s.status == http.StatusServiceUnavailable {
				p.headers.Set("Retry-After", "1")
			}
			return p
		}
	}
	return nil
}

// unavailable is a failure that passes. What became of a change is not known:
// the same idempotency key tells.
func unavailable() *Problem {
	p := newProblem(http.StatusServiceUnavailable, "unavailable", "not just now: try again, with the same idempotency key")
	p.headers.Set("Retry-After", "1")
	return p
}

// away reports whether the error is the weather: the database cannot be reached
// or has too much to do, or time ran out.
func (a *API) away(ctx context.Context, err error) bool {
	for _, passing := range []error{
		store.ErrFull, store.ErrBusy, store.ErrClosed, context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		code := state.SQLState() // connection, resources, operator's intervention, rollback, system; read only; timeout
		for _, class := range []string{"08", "53", "57", "40", "58", "25", "55"} {
			if strings.HasPrefix(code, class) {
				return true
			}
		}
		return false
	}
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return a.cfg.Store.Ping(ctx) != nil
}

// quotable keeps what error_description allows (RFC 6750, section 3).
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
