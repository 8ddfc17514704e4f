package api

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/custodyhq/custody/security/audit"
)

// A column is a field of an entry in a table.
type column struct {
	name string
	cell func(e audit.Entry, b audit.Body) string
}

// columns are those of text/csv: the entry's place, the flat fields of its body,
// and the exact body last. New ones go before the body. They are made once.
var columns = sync.OnceValue(func() []column {
	return []column{
		{"at", func(_ audit.Entry, b audit.Body) string { return stampCell(b.AtUS) }},
		{"log", func(e audit.Entry, _ audit.Body) string { return e.Log }},
		{"index", func(e audit.Entry, _ audit.Body) string { return indexCell(e.Index) }},
		{"stream", func(e audit.Entry, _ audit.Body) string { return e.Stream }},
		{"seq", func(e audit.Entry, _ audit.Body) string { return strconv.FormatInt(e.Seq, 10) }},
		{"action", func(_ audit.Entry, b audit.Body) string { return string(b.Action) }},
		{"outcome", func(_ audit.Entry, b audit.Body) string { return b.Outcome }},
		{"run", func(_ audit.Entry, b audit.Body) string { return b.Run }},
		{"step", func(_ audit.Entry, b audit.Body) string { return b.Step }},
		{"item", func(_ audit.Entry, b audit.Body) string { return b.Item }},
		{"attempt", func(_ audit.Entry, b audit.Body) string { return numberCell(int64(b.Attempt)) }},
		{"call", func(_ audit.Entry, b audit.Body) string { return b.Call }},
		{"key", func(_ audit.Entry, b audit.Body) string { return b.Key }},
		{"actor", func(_ audit.Entry, b audit.Body) string { return b.Actor }},
		{"actor_kind", func(_ audit.Entry, b audit.Body) string { return b.ActorKind }},
		{"client", func(_ audit.Entry, b audit.Body) string { return b.Client }},
		{"act", func(_ audit.Entry, b audit.Body) string { return strings.Join(b.Act, " ") }},
		{"name", func(_ audit.Entry, b audit.Body) string { return b.Name }},
		{"workflow", func(_ audit.Entry, b audit.Body) string { return b.Workflow }},
		{"target", func(_ audit.Entry, b audit.Body) string { return b.Target }},
		{"code", func(_ audit.Entry, b audit.Body) string { return b.Code }},
		{"status", func(_ audit.Entry, b audit.Body) string { return numberCell(int64(b.Status)) }},
		{"state", func(_ audit.Entry, b audit.Body) string { return b.State }},
		{"reason", func(_ audit.Entry, b audit.Body) string { return b.Reason }},
		{"count", func(_ audit.Entry, b audit.Body) string { return numberCell(b.Count) }},
		{"retry_of", func(_ audit.Entry, b audit.Body) string { return b.RetryOf }},
		{"adopted", func(_ audit.Entry, b audit.Body) string { return b.Adopted }},
		{"due", func(_ audit.Entry, b audit.Body) string { return stampCell(b.Due) }},
		{"request", func(_ audit.Entry, b audit.Body) string { return b.Request }},
		{"tenant", func(_ audit.Entry, b audit.Body) string { return b.Tenant }},
		{"build", func(_ audit.Entry, b audit.Body) string { return b.Build }},
		{"prev", func(e audit.Entry, _ audit.Body) string { return e.Prev.String() }},
		{"hash", func(e audit.Entry, _ audit.Body) string { return e.Hash.String() }},
		{"body", func(e audit.Entry, _ audit.Body) string { return e.Body }},
	}
})

// csvHead is the header row.
func csvHead() []byte {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return csvRows([][]string{names})
}

// csvEntries are rows without a header. A body that was altered and cannot be
// read leaves its fields empty; its own cell shows it.
func csvEntries(entries []audit.Entry) []byte {
	rows := make([][]string, len(entries))
	for i, e := range entries {
		b, _ := audit.ParseBody(e.Body) // verify says what is wrong with it
		for _, c := range columns() {
			rows[i] = append(rows[i], harmless(c.cell(e, b)))
		}
	}
	return csvRows(rows)
}

// csvRows is RFC 4180, with CRLF.
func csvRows(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	_ = w.WriteAll(rows) // a Buffer takes all
	return out.Bytes()
}

// harmless keeps a spreadsheet from taking a cell for a formula: one that begins
// like a formula gets an apostrophe in front, which shows it as text. An entry's
// body begins with a brace, so it is never changed.
func harmless(cell string) string {
	if first, size := utf8.DecodeRuneInString(cell); size > 0 && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

func numberCell(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func indexCell(index *int64) string {
	if index == nil {
		return ""
	}
	return strconv.FormatInt(*index, 10)
}

func stampCell(us int64) string {
	if us == 0 {
		return ""
	}
	return stamp(us)
}
