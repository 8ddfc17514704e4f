package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// labels are the values of a series, in the order of its names. An empty one is
// left out.
type labels [4]string

// A series remembers the attribute sets of an instrument, so that counting
// allocates only the first time. It is safe for concurrent use.
type series struct {
	names []attribute.Key
	mu    sync.RWMutex
	seen  map[labels]*options
}

// options are one attribute set in the two forms that instruments take.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func newSeries(names ...attribute.Key) *series {
	return &series{names: names, seen: map[labels]*options{}}
}

func (s *series) of(values labels) *options {
	s.mu.RLock()
	o := s.seen[values]
	s.mu.RUnlock()
	if o != nil {
		return o
	}
	var set []attribute.KeyValue
	for i, name := range s.names {
		if values[i] != "" {
			set = append(set, name.String(values[i]))
		}
	}
	with := metric.WithAttributeSet(attribute.NewSet(set...))
	o = &options{add: []metric.AddOption{with}, record: []metric.RecordOption{with}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[values] = o
	return o
}

// maxNames is how many names metrics keep apart. Whoever may publish workflows
// could make any number of them.
const maxNames = 200

// other stands for every name beyond.
const other = "other"

// names bounds the values of a label that people choose. The zero value is
// ready, and safe for concurrent use.
type names struct {
	mu   sync.RWMutex
	seen map[string]bool
}

func (n *names) of(name string) string {
	if name == "" {
		return ""
	}
	n.mu.RLock()
	known, full := n.seen[name], len(n.seen) >= maxNames
	n.mu.RUnlock()
	if known {
		return name
	}
	if full {
		return other
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.seen) >= maxNames && !n.seen[name] {
		return other
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[name] = true
	return name
}

// first reports whether the name was never seen before, and still has a place of
// its own.
func (n *names) first(name string) bool {
	n.mu.RLock()
	known := n.seen[name]
	n.mu.RUnlock()
	return !known && n.of(name) == name && name != ""
}
