package main

import (
	"bytes"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onTerminal is a terminal of so many columns; 0 is a pipe.
func terminalOf(columns int, env map[string]string) (terminal, *bytes.Buffer) {
	var out bytes.Buffer
	t := terminal{
		in: strings.NewReader(""), out: &out, err: &bytes.Buffer{},
		env: func(name string) string { return env[name] }, columns: func(io.Writer) int { return columns },
	}
	return t, &out
}

func eachOf[T any](items ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func listed(t *testing.T, columns, limit int, rows ...[]string) string {
	t.Helper()
	term, out := terminalOf(columns, map[string]string{"NO_COLOR": "1"})
	s := &session{terminal: term}
	must(t, list(s, eachOf(rows...), limit, []column{{name: "id", firm: true}, {name: "name"}, {name: "text", loose: true}},
		func(row []string) []cell { return cells(row...) }))
	return out.String()
}

func TestATableFitsItsTerminalAndIsWholeInAPipe(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"run_1", "契約", "a text that is much too long for a narrow terminal"}, {"run_22", "x", "e\u0301\u202e\n"}}
	wide := `ID      NAME  TEXT
run_1   契約  a text that is much too long for a narrow terminal
run_22  x     é\u{202e}\n
`
	if diff := cmp.Diff(strings.ReplaceAll(wide, "é", "e\u0301"), listed(t, 100, 0, rows...)); diff != "" {
		t.Error(diff)
	}
	narrow := `ID      NAME  TEXT
run_1   契約  a text that i…
run_22  x     é\u{202e}\n
`
	if diff := cmp.Diff(strings.ReplaceAll(narrow, "é", "e\u0301"), listed(t, 28, 0, rows...)); diff != "" {
		t.Error(diff)
	}
	piped := "run_1\t契約\ta text that is much too long for a narrow terminal\nrun_22\tx\te\u0301\\u{202e}\\n\n"
	if diff := cmp.Diff(piped, listed(t, 0, 0, rows...)); diff != "" {
		t.Error(diff)
	}
	if got := listed(t, 0, 1, rows...); strings.Count(got, "\n") != 1 {
		t.Errorf("a limit of 1: %q", got)
	}
}

func TestNoRowIsWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	for columns := 20; columns < 120; columns += 7 {
		got := listed(t, columns, 0, []string{"run_0123456789", strings.Repeat("契", 40), strings.Repeat("w", 90)}, []string{"", "", ""})
		for line := range strings.Lines(got) {
			if w := widthOf(strings.TrimRight(line, "\n")); w > columns {
				t.Errorf("%d columns in %d: %q", w, columns, line)
			}
		}
	}
}

func TestAnIDIsCutBehindItsPrefix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id      string
		columns int
		want    string
	}{
		{"run_01m7zmkdhye4hrfd03gqgnbs5e", 30, "run_01m7zmkdhye4hrfd03gqgnbs5e"},
		{"run_01m7zmkdhye4hrfd03gqgnbs5e", 12, "run_…qgnbs5e"},
		{"ctl-01m7zmk5eref9v6dgsdp7hzcyy", 10, "ctl-01m7z…"},
		{"", 10, ""},
	} {
		if got := shortID(c.id, c.columns); got != c.want {
			t.Errorf("%s in %d: %s", c.id, c.columns, got)
		}
	}
}

func TestColoursShowOnlyWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns int
		env     map[string]string
		plain   bool
		want    bool
	}{
		{80, nil, false, true},
		{80, map[string]string{"TERM": "xterm", "CLICOLOR": "1", "NO_COLOR": ""}, false, true},
		{0, nil, false, false},
		{80, map[string]string{"NO_COLOR": "1"}, false, false},
		{80, map[string]string{"CLICOLOR": "0"}, false, false},
		{80, map[string]string{"TERM": "dumb"}, false, false},
		{80, nil, true, false},
	} {
		term, out := terminalOf(c.columns, c.env)
		term.plain = c.plain
		if got := term.paint(out, "31", "failed") != "failed"; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestAgesAreForPeopleAndTimesForPrograms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]string{
		time.Second: "just now", 42 * time.Second: "42 s ago", 3*time.Minute + 59*time.Second: "3 min ago", 47 * time.Hour: "47 h ago",
		49 * time.Hour: "2 days ago", 31 * 24 * time.Hour: "2026-11-21", -90 * time.Second: "in 1 min", -31 * 24 * time.Hour: "2026-11-21",
	} {
		if got := ago(age, at); got != want {
			t.Errorf("%s: %s, want %s", age, got, want)
		}
	}
	piped, _ := terminalOf(0, nil)
	if got := piped.when(at); got != "2026-11-21T09:00:00Z" {
		t.Error(got)
	}
	seen, _ := terminalOf(80, nil)
	if got := seen.when(time.Now().Add(-3 * time.Minute)); got != "3 min ago" {
		t.Error(got)
	}
	for d, want := range map[time.Duration]string{12 * time.Second: "12 s", 72 * time.Second: "1 min 12 s", 90 * time.Minute: "1 h 30 min"} {
		if got := elapsed(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
