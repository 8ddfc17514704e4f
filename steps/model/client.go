package model

import (
	"net/http"
	"time"
)

// A client is a Model, ready to use.
type client struct {
	Model
	key     string
	rt      http.RoundTripper
	dialect dialect
}

// header is what every request carries, besides the names of its call.
func (c client) header() http.Header {
	h := http.Header{"Accept": {"application/json"}, "User-Agent": {"custody"}}
	c.dialect.header(h, c.key)
	return h
}

// limit is how many tokens an answer may have; 0 if nobody says.
func (c client) limit(p Prompt) int {
	if p.MaxTokens > 0 {
		return p.MaxTokens
	}
	return c.MaxTokens
}

// refused is the Error of a reply whose status is not success, with advice.
func (c client) refused(r *Reply, now time.Time) *Error {
	code := c.dialect.code(r.Body)
	e := Refused(r, code, now)
	if e == nil {
		return nil
	}
	if advice := c.dialect.advice(r.Status, code); advice != "" {
		e.Detail += "; " + advice
	}
	return e
}
