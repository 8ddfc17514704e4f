package main

import (
	"fmt"
	"time"
)

// clock is how exact times are shown to people: UTC, to the second.
const clock = "2006-01-02 15:04:05Z07:00"

// when shows a time: on a terminal how long ago, for programs RFC 3339.
func (t terminal) when(at time.Time) string {
	if t.width(t.out) == 0 {
		return at.UTC().Format(time.RFC3339)
	}
	return ago(time.Since(at), at)
}

// since shows a time exactly and, on a terminal, how long ago that was.
func (t terminal) since(at time.Time) string {
	if t.width(t.out) == 0 {
		return at.UTC().Format(time.RFC3339)
	}
	return at.UTC().Format(clock) + "  (" + ago(time.Since(at), at) + ")"
}

// ago says in words how long ago a moment was, or how far ahead it lies. After
// a month a date says more.
func ago(age time.Duration, at time.Time) string {
	switch {
	case age > 30*24*time.Hour || age < -30*24*time.Hour:
		return at.UTC().Format(time.DateOnly)
	case age >= 0 && age < 5*time.Second:
		return "just now"
	case age >= 0:
		return roughly(age) + " ago"
	}
	return "in " + roughly(-age)
}

// roughly is a duration in its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// elapsed is how long something has taken, while one looks at it.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	if d < time.Hour {
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
}

func span(fromFlag, from, toFlag, to string) (time.Time, time.Time, error) {
	a, err := moment(fromFlag, from)
	if err != nil {
		return a, a, err
	}
	b, err := moment(toFlag, to)
	return a, b, err
}

// moment reads a time, a day, or how long ago.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return time.Now().Add(-ago), nil
	}
	if t, ok := dated(text); ok {
		return t, nil
	}
	return time.Time{}, usage("%s is a time such as 2026-11-21T09:00:00Z, a day, or how long ago, such as 2h", flag)
}

// dated reads a time or a day.
func dated(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
