package model

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	checkTimeout = 5 * time.Second
	// checkCall stands where a call of a run has its names: asking for a list is
	// no piece of work, and has no entry in the ledger.
	checkCall = "custody-check"
)

// Check asks the provider behind the alias for its list of models, with the key
// that prompts are sent with. Nothing is generated and nothing costs. It reports
// whether the server answers, takes the key and, where its list can be relied
// on, has the model. It sends one request, waits 5 seconds at most, and is safe
// for concurrent use. An error is an *Error.
func (m *Models) Check(ctx context.Context, alias string) error {
	if !m.Has(alias) {
		return &Error{Code: CodeInvalid, Detail: fmt.Sprintf("no model %q in the server's config", alias)}
	}
	c := m.clients[alias]
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.dialect.list(c), nil)
	if err != nil {
		return &Error{Code: CodeInvalid, Detail: "base_url: no request can be built on it"}
	}
	r.Header = c.header()
	reply, err := Exchange{Key: checkCall, Call: checkCall, Limit: maxReply}.Send(c.rt, r, nil)
	if reply == nil {
		return err
	}
	if reply.Status == http.StatusNotFound && c.dialect.listless && c.dialect.code(reply.Body) != "not_found_error" {
		return nil
	}
	if e := c.refused(reply, m.now()); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if c.dialect.listed == nil {
		return nil
	}
	if e := c.dialect.listed(c, reply.Body); e != nil {
		return e
	}
	return nil
}
