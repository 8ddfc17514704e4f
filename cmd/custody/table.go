package main

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// gap separates columns on a terminal.
const gap = "  "

// A column of a table. On a narrow terminal a loose one gives way first, and a
// firm one last: what people copy from there. An id is cut in its middle, since
// ids of one day begin alike. A spare column is left out when that is not enough.
type column struct {
	name                     string
	loose, firm, isID, spare bool
}

// A cell is one text of a row, and its colour (SGR), if it has one.
type cell struct{ text, colour string }

// cells are those of a row without colours.
func cells(texts ...string) []cell {
	row := make([]cell, len(texts))
	for i, text := range texts {
		row[i].text = text
	}
	return row
}

// stateCell shows a state in its colour.
func stateCell(state string) cell {
	colour := map[string]string{
		"succeeded": "32", "approved": "32", "ok": "32",
		"failed": "31", "denied": "31", "blocked": "31", "withheld": "31", "rejected": "31", "error": "31", "unknown": "31",
		"waiting": "33", "pending": "33", "cancelled": "33", "expired": "33",
		"running": "36", "queued": "2", "skipped": "2",
	}
	return cell{state, colour[state]}
}

// A table is aligned on a terminal, and cut to its width. Elsewhere it is one
// line for each row, its cells whole and between tabs.
type table struct {
	t       terminal
	columns []column
	rows    [][]cell
	widths  []int // fixed once the first rows are shown
}

// many rows are shown before all are known: a long list begins at once.
const many = 200

func (b *table) add(row []cell) {
	for i := range row {
		row[i].text = oneLine(row[i].text)
	}
	if b.t.width(b.t.out) == 0 {
		texts := make([]string, len(row))
		for i, c := range row {
			texts[i] = c.text
		}
		b.t.print("%s", strings.Join(texts, "\t"))
		return
	}
	if b.rows = append(b.rows, row); len(b.rows) >= many {
		b.flush()
	}
}

// flush shows what was added so far.
func (b *table) flush() {
	if len(b.rows) == 0 {
		return
	}
	if b.widths == nil {
		b.widths = b.measure(b.t.width(b.t.out))
		head := make([]cell, len(b.columns))
		for i, c := range b.columns {
			head[i] = cell{strings.ToUpper(c.name), "2"}
		}
		b.line(head)
	}
	for _, row := range b.rows {
		b.line(row)
	}
	b.rows = nil
}

// measure gives each column what it needs, and takes it away again where the
// terminal is too narrow: first from the loose columns, then from the widest.
func (b *table) measure(width int) []int {
	need := make([]int, len(b.columns))
	for i, c := range b.columns {
		need[i] = widthOf(c.name)
		for _, row := range b.rows {
			need[i] = max(need[i], widthOf(row[i].text))
		}
	}
	over := len(gap)*(len(need)-1) - width
	for _, n := range need {
		over += n
	}
	for i, c := range slices.Backward(b.columns) {
		if c.loose && over > 0 {
			take := min(over, max(0, need[i]-max(8, widthOf(c.name))))
			need[i] -= take
			over -= take
		}
		if c.spare && over > 0 {
			over -= need[i] + len(gap)
			need[i] = 0
		}
	}
	for _, firm := range []bool{false, true} {
		for ; over > 0; over-- {
			widest := b.widest(need, firm)
			if widest < 0 {
				break
			}
			need[widest]--
		}
	}
	return need
}

// widest is the column that can give most, -1 if none can.
func (b *table) widest(need []int, firm bool) int {
	found := -1
	for i, c := range b.columns {
		least := 4
		if c.isID {
			least = 10
		}
		if c.firm == firm && need[i] > least && (found < 0 || need[i] > need[found]) {
			found = i
		}
	}
	return found
}

func (b *table) line(row []cell) {
	var out strings.Builder
	for i, c := range row {
		if b.widths[i] == 0 {
			continue
		}
		text := short(c.text, b.widths[i])
		if b.columns[i].isID {
			text = shortID(c.text, b.widths[i])
		}
		out.WriteString(b.t.paint(b.t.out, c.colour, text))
		if i < len(row)-1 {
			out.WriteString(strings.Repeat(" ", max(0, b.widths[i]-widthOf(text))) + gap)
		}
	}
	b.t.print("%s", strings.TrimRight(out.String(), " "))
}

// result writes a value as JSON, or returns what went wrong.
func (s *session) result(v any, err error) error {
	if err != nil {
		return err
	}
	return s.terminal.json(v)
}

// list shows a list: a row for each, or one JSON document {data: [...]}. It asks
// for page after page. A limit of 0 shows all.
func list[T any](s *session, items iter.Seq2[T, error], limit int, columns []column, row func(T) []cell) error {
	all, shown := []T{}, 0
	b := &table{t: s.terminal, columns: columns}
	for item, err := range items {
		if err != nil {
			b.flush()
			return err
		}
		if s.JSON {
			all = append(all, item)
		} else {
			b.add(row(item))
		}
		if shown++; shown == limit {
			break
		}
	}
	if s.JSON {
		return s.terminal.json(map[string]any{"data": all})
	}
	b.flush()
	if s.width(s.out) > 0 && shown == 0 {
		s.say("Nothing to show.")
	}
	if s.width(s.out) > 0 && shown == limit && limit > 0 {
		s.say("At most %d are shown; --limit 0 shows all.", limit)
	}
	return nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
