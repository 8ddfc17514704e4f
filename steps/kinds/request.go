package kinds

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/custodyhq/custody/steps"
)

// request makes the request of an http step: the connection's address, the
// author's path with values as single escaped segments, a query, a JSON body.
func (t target) request(ctx context.Context, in steps.Input) (*http.Request, []byte, error) {
	path, bad := pathOf(in.Template("path"))
	if bad != "" {
		return nil, nil, invalid("the path " + bad)
	}
	query, bad := queryOf(in)
	if bad != "" {
		return nil, nil, invalid("the query " + bad)
	}
	u := *t.base
	escaped := strings.TrimRight(t.base.EscapedPath(), "/") + path
	unescaped, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, nil, invalid("the path is not a path")
	}
	u.Path, u.RawPath, u.RawQuery = unescaped, escaped, query
	if u.EscapedPath() != escaped {
		return nil, nil, invalid("the path is not a path")
	}
	req := (&http.Request{
		Method: in.String("method"), URL: &u, Host: t.base.Host, Header: t.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "custody")
	body, there := in.Value("body")
	if !there {
		return req, nil, nil
	}
	raw, err := plainJSON(body)
	if err != nil {
		return nil, nil, invalid("the body cannot be written as JSON")
	}
	req.Header.Set("Content-Type", "application/json")
	return req, raw, nil
}

func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// pathOf writes the path. The second result says what is wrong, without values.
func pathOf(pieces []steps.Piece) (string, string) {
	var b strings.Builder
	for _, p := range pieces {
		if !p.Bound {
			b.WriteString(p.Text)
			continue
		}
		value, ok := scalar(p.Arg.Value)
		if !ok {
			return "", "holds a value that is neither a text nor a number"
		}
		if bad := segment(value); bad != "" {
			return "", bad
		}
		b.WriteString(url.PathEscape(value))
	}
	path := b.String()
	return path, staticPath(path)
}

// segment says why a value cannot be one segment of a path. A slash in it is
// escaped, but many servers unescape it before they resolve dots, so dots
// between slashes are refused, and so is what would be a dot or a slash after a
// second unescaping.
func segment(value string) string {
	switch lower := strings.ToLower(value); {
	case value == "":
		return "holds an empty value"
	case strings.ContainsRune(value, '\\'), strings.ContainsFunc(value, control):
		return "holds a value with a backslash or a control character"
	case slices.ContainsFunc(strings.Split(value, "/"), dots):
		return "holds a value with . or .. as a segment"
	case strings.Contains(lower, "%2e"), strings.Contains(lower, "%2f"), strings.Contains(lower, "%5c"), strings.Contains(lower, "%25"):
		return "holds a value that is already escaped"
	}
	return ""
}

// staticPath says what is wrong with a path as a whole.
func staticPath(path string) string {
	unescaped, err := url.PathUnescape(path)
	switch {
	case !strings.HasPrefix(path, "/"):
		return "must begin with /"
	case strings.Contains(path, "//"):
		return "must not hold //"
	case strings.ContainsAny(path, "?#\\ "), strings.ContainsFunc(path, control), err != nil:
		return "must not hold a query, a fragment, a space, a backslash or a control character"
	case slices.ContainsFunc(strings.Split(unescaped, "/"), dots):
		return "must not hold . or .. as a segment"
	}
	return ""
}

func control(r rune) bool {
	return r < 0x20 || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

func dots(s string) bool { return s == "." || s == ".." }

// queryOf writes the query, sorted by name. A list repeats its name, null leaves
// it out.
func queryOf(in steps.Input) (string, string) {
	v, ok := in.Value("query")
	if !ok || v == nil {
		return "", ""
	}
	members, ok := v.(map[string]any)
	if !ok {
		return "", "is not an object"
	}
	out := url.Values{}
	for name, v := range members {
		values, many := v.([]any)
		if !many {
			values = []any{v}
		}
		for _, v := range values {
			if v == nil {
				continue
			}
			s, ok := scalar(v)
			if !ok {
				return "", "holds a value that is neither a text nor a number"
			}
			out.Add(name, s)
		}
	}
	return out.Encode(), ""
}

// scalar is a value as text.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}
