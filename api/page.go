package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
)

const defaultPage = 50

// A Page is one answer of a list.
type Page[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next_cursor" doc:"for the next page; null on the last one"`
}

// Paging is what every list accepts.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"of one page; default 50"`
	Cursor string `query:"cursor" maxLength:"1000" doc:"next_cursor of the page before; binds the filters"`
}

func (p Paging) limit() int {
	if p.Limit == 0 {
		return defaultPage
	}
	return p.Limit
}

// output is the answer of a list operation.
type output[T any] struct{ Body Page[T] }

// cursor is a place in a list under given filters. It is no secret and proves
// nothing: a forged one shows what another page would show.
type cursor struct {
	Filter string          `json:"f"`
	Place  json.RawMessage `json:"p"`
}

// filterOf names the filters that a cursor belongs to.
func filterOf(filters ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", filters))
	return hex.EncodeToString(sum[:8])
}

// next makes the cursor behind the given place.
func next(filter string, place any) *string {
	p, err := json.Marshal(place)
	if err != nil {
		panic(err) // places are strings and numbers
	}
	text, err := json.Marshal(cursor{Filter: filter, Place: p})
	if err != nil {
		panic(err)
	}
	out := base64.RawURLEncoding.EncodeToString(text)
	return &out
}

// place reads a cursor into v, which stays as it is for no cursor.
func (p Paging) place(filter string, v any) error {
	if p.Cursor == "" {
		return nil
	}
	bad := newProblem(http.StatusBadRequest, "malformed", "the cursor is not one of this list with these filters: begin without one")
	bad.Errors = []Fault{{Pointer: "/query/cursor", Code: "cursor", Detail: "not a cursor of this list with these filters"}}
	text, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	var c cursor
	if err != nil || json.Unmarshal(text, &c) != nil || c.Filter != filter || json.Unmarshal(c.Place, v) != nil {
		return bad
	}
	return nil
}

// listed is a page of what was read with one row more than wanted.
func listed[R, T any](rows []R, limit int, filter string, show func(R) T, place func(R) any) *output[T] {
	rows, more := paged(rows, limit)
	out := &output[T]{Body: Page[T]{Data: make([]T, len(rows))}}
	for i, row := range rows {
		out.Body.Data[i] = show(row)
	}
	if more {
		out.Body.Next = next(filter, place(rows[len(rows)-1]))
	}
	return out
}

// paged cuts what was read with one row more than wanted.
func paged[T any](rows []T, limit int) (page []T, more bool) {
	if len(rows) > limit {
		return rows[:limit], true
	}
	return rows, false
}
