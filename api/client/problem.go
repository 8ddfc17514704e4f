package client

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ProblemPrefix begins every type of a problem that Custody gives.
const ProblemPrefix = "urn:custody:problem:"

// A Problem is a refusal (RFC 9457). It is the error of every call that the
// server answered with something else than success; clients switch on Kind.
type Problem struct {
	Type      string   `json:"type"`
	Title     string   `json:"title"`
	Status    int      `json:"status,omitzero"` // 0: no server said it
	Detail    string   `json:"detail,omitempty"`
	Instance  string   `json:"instance,omitempty"`
	RequestID string   `json:"request_id,omitempty"`
	Reason    string   `json:"reason,omitempty"`  // not-eligible: the first of Reasons
	Reasons   []string `json:"reasons,omitempty"` // not-eligible: every reason
	Errors    []Fault  `json:"errors,omitempty"`
	Receipt   *Receipt `json:"receipt,omitempty"` // the entry that recorded the refusal

	RetryAfter time.Duration `json:"-"` // 0: the server did not say
	Challenge  string        `json:"-"` // WWW-Authenticate
}

// A Fault is one thing that is wrong with a request.
type Fault struct {
	Pointer string `json:"pointer"` // JSON Pointer: /input/text
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Line    int    `json:"line,omitempty"`    // of a workflow's text, from 1
	Column  int    `json:"column,omitempty"`  // from 1
	Excerpt string `json:"excerpt,omitempty"` // of the workflow's text
	Remedy  string `json:"remedy,omitempty"`
}

// Kind is the type without its prefix: denied, not-found, ...
func (p *Problem) Kind() string { return strings.TrimPrefix(p.Type, ProblemPrefix) }

// Temporary reports whether the same call may succeed later.
func (p *Problem) Temporary() bool {
	return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable || p.Kind() == "unpublished"
}

// Error is the problem in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(p.Status) + " " + p.Kind())
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for i, f := range p.Errors {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + strings.TrimSpace(f.Pointer+" "+f.Detail))
	}
	return b.String()
}

// readProblem makes a Problem of any answer: one that is not problem+json
// comes from something between us and Custody.
func readProblem(res *http.Response) *Problem {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // what cannot be read is left out
	p := &Problem{}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil {
		*p = Problem{Type: "about:blank", Title: http.StatusText(res.StatusCode), Detail: "the answer is not Custody's: is this the right URL?"}
	}
	p.Status = res.StatusCode
	if p.RequestID == "" {
		p.RequestID = res.Header.Get("Request-Id")
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	p.Challenge = res.Header.Get("WWW-Authenticate")
	return p
}
