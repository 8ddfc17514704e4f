package workflow

import (
	"math"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const (
	reasonTooLarge = "yields more than 4 MiB"
	reasonInteger  = "yields an integer that loses digits in JSON; make it a text with string(…)"
	reasonForm     = "yields something without a JSON form; make it a text with string(…)"
)

// native turns CEL's result into decoded JSON; the reason is "" if that went
// well. The budget bounds the bytes: a result can repeat a long text many times
// and cost little until it is written out.
func native(v ref.Val, budget *int, depth int) (out any, reason string) {
	if *budget -= 8; *budget < 0 || depth > 2*maxDepth {
		return nil, reasonTooLarge
	}
	switch v := v.(type) {
	case types.Null:
		return nil, ""
	case types.Bool:
		return bool(v), ""
	case types.Int:
		if v > maxInteger || v < -maxInteger {
			return nil, reasonInteger
		}
		return int64(v), ""
	case types.Double:
		return nativeDouble(float64(v))
	case types.String:
		if *budget -= len(v); *budget < 0 {
			return nil, reasonTooLarge
		}
		return string(v), ""
	case traits.Mapper:
		return nativeMap(v, budget, depth)
	case traits.Lister:
		return nativeList(v, budget, depth)
	}
	return nil, reasonForm
}

func nativeDouble(f float64) (any, string) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, "yields a number that JSON cannot write"
	}
	if f == math.Trunc(f) && math.Abs(f) <= maxInteger {
		return int64(f), "" // one form for one number, as the reader of JSON makes it
	}
	return f, ""
}

func nativeList(l traits.Lister, budget *int, depth int) (any, string) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		item, reason := native(it.Next(), budget, depth+1)
		if reason != "" {
			return nil, reason
		}
		out = append(out, item)
	}
	return out, ""
}

func nativeMap(m traits.Mapper, budget *int, depth int) (any, string) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key, ok := it.Next().(types.String)
		if !ok {
			return nil, "yields an object with a field name that is not a text"
		}
		*budget -= len(key)
		item, reason := native(m.Get(key), budget, depth+1)
		if reason != "" {
			return nil, reason
		}
		out[string(key)] = item
	}
	return out, ""
}
