package main

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// clock is how times are shown: UTC, to the second.
const clock = "2006-01-02 15:04:05Z07:00"

// result writes a value as JSON, or returns what went wrong.
func (s *session) result(v any, err error) error {
	if err != nil {
		return err
	}
	return s.terminal.json(v)
}

// list shows a list: a line for each, or one JSON document {data: [...]}. A
// limit of 0 shows all.
func list[T any](s *session, items iter.Seq2[T, error], limit int, line func(T) string) error {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return err
		}
		if s.JSON {
			all = append(all, item)
		} else {
			s.print("%s", line(item))
		}
		if limit--; limit == 0 {
			break
		}
	}
	if s.JSON {
		return s.terminal.json(map[string]any{"data": all})
	}
	return nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// pad fills a column with spaces.
func pad(text string, width int) string {
	if n := utf8.RuneCountInString(text); n < width {
		return text + strings.Repeat(" ", width-n)
	}
	return text
}
