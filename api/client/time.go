package client

import "time"

// layout is that of every time of the API: RFC 3339, UTC, microseconds.
const layout = "2006-01-02T15:04:05.000000Z"

// A Time is written as the API writes it.
type Time struct{ time.Time }

// MarshalText writes RFC 3339 in UTC with microseconds.
func (t Time) MarshalText() ([]byte, error) { return t.UTC().AppendFormat(nil, layout), nil }

// MarshalJSON writes the text as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) { return t.UTC().AppendFormat(nil, `"`+layout+`"`), nil }

// String is the text.
func (t Time) String() string { return t.UTC().Format(layout) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}
