package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/custodyhq/custody/workflow"
)

// decode reads released JSON as expressions want it: integers as int64, other
// numbers as float64.
func decode(content []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return numbers(v)
}

func numbers(v any) (any, error) {
	switch t := v.(type) {
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return i, nil
		}
		return t.Float64()
	case []any:
		for i := range t {
			n, err := numbers(t[i])
			if err != nil {
				return nil, err
			}
			t[i] = n
		}
	case map[string]any:
		for k := range t {
			n, err := numbers(t[k])
			if err != nil {
				return nil, err
			}
			t[k] = n
		}
	}
	return v, nil
}

// keep makes a step's output known to the expressions below it. Its label is
// the definition's, so that a driver that takes a run over labels what it finds
// like the one before it.
func (d *driver) keep(step int, v any) {
	d.values.Steps[d.def.Steps[step].ID] = d.def.OutputValue(step, v)
}

// ancestors are the steps that a step needs, directly or through others.
func ancestors(def *workflow.Definition, step int) []int {
	seen := make([]bool, len(def.Steps))
	var out []int
	queue := slices.Clone(def.Steps[step].Needs)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		if !seen[i] {
			seen[i] = true
			out = append(out, i)
			queue = append(queue, def.Steps[i].Needs...)
		}
	}
	return out
}
