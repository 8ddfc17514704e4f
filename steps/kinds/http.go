package kinds

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/steps/model"
	"github.com/custodyhq/custody/workflow"
)

const (
	httpName     = "http"
	maxHTTPReply = 1 << 20
)

// httpWith is the JSON Schema of `with` of an http step.
const httpWith = `{
  "type": "object", "additionalProperties": false, "required": ["connection", "method", "path"],
  "properties": {
    "connection": {"type": "string", "minLength": 1, "description": "a connection of the server's config"},
    "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
    "path": {"type": "string", "minLength": 1, "description": "begins with /; each expression becomes one escaped segment"},
    "query": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]}},
    "body": {"description": "sent as JSON"},
    "expect": {"type": "array", "minItems": 1, "maxItems": 20, "items": {"type": "integer", "minimum": 200, "maximum": 599}, "description": "statuses that count as success; without it 200 to 299"},
    "output": {"type": "object", "description": "JSON Schema of the reply"}
  }
}`

// httpKind is a request over a named connection. Its output is the reply's JSON
// itself, so that steps.file.output.id reads the member id; a reply that is not
// JSON gives {text}, an empty one {}.
func httpKind(check func(map[string]any) []workflow.Problem) *workflow.Kind {
	return &workflow.Kind{
		Name: httpName, Version: "1", Effect: true, Intent: true, Origins: security.Tool,
		With: json.RawMessage(httpWith),
		Check: func(with map[string]any) []workflow.Problem {
			out := checkRequest(with)
			if check != nil {
				out = append(out, check(with)...)
			}
			return out
		},
		Templates: []string{"path"},
		Literals:  []string{"connection", "method", "output", "expect"},
		Output: func(with map[string]any) (json.RawMessage, error) {
			if _, ok := with["output"]; !ok {
				return nil, nil // nothing is known about the reply
			}
			return declaredOutput("")(with)
		},
	}
}

// checkRequest finds at load what the author's own text gets wrong.
func checkRequest(with map[string]any) []workflow.Problem {
	var out []workflow.Problem
	path, _ := with["path"].(string)
	static := expression(path)
	if bad := staticPath(static); bad != "" {
		out = append(out, workflow.Problem{
			Pointer: "/path", Code: "invalid_path", Message: "the path " + bad,
			Remedy: "write a path below the connection's base_url, such as /contracts/${{ input.id }}; a query goes into `query`",
		})
	}
	if _, ok := with["body"]; ok && with["method"] == "GET" {
		out = append(out, workflow.Problem{
			Pointer: "/body", Code: "invalid_body", Message: "a GET request has no body",
			Remedy: "remove body, or use another method",
		})
	}
	return out
}

// expression replaces each ${{ }} by a letter: what is left is the author's.
func expression(path string) string {
	for {
		from := strings.Index(path, "${{")
		if from < 0 {
			return path
		}
		to := strings.Index(path[from:], "}}")
		if to < 0 {
			return path[:from] + "x"
		}
		path = path[:from] + "x" + path[from+to+2:]
	}
}

type httpRunner struct {
	targets map[string]target
	now     func() time.Time
}

// Run sends one request.
func (r httpRunner) Run(ctx context.Context, call steps.Call) (steps.Draft, error) {
	t, ok := r.targets[call.Input.String("connection")]
	if !ok {
		return steps.Draft{}, invalid("the server's config has no such connection")
	}
	req, body, err := t.request(ctx, call.Input)
	if err != nil {
		return steps.Draft{}, err
	}
	reply, err := model.Exchange{Key: call.ID.Key, Call: call.ID.Call, Limit: maxHTTPReply}.Send(t.pool, req, body)
	if reply != nil && !r.expected(call.Input, reply.Status) {
		// The status is known even if the rest of the reply is not.
		return steps.Draft{}, r.refused(reply)
	}
	if err != nil {
		return steps.Draft{}, dialled(err)
	}
	use := steps.Use{Status: reply.Status, Bytes: len(reply.Body)}
	value, err := content(reply)
	if err != nil {
		return steps.Draft{}, &steps.Error{
			Code: steps.CodeMalformed, Detail: "the reply cannot be read", Unknown: true,
			Use: use, Status: reply.Status, Err: err,
		}
	}
	return steps.NewDraft(value, use), nil
}

// expected reports whether the status counts as success.
func (r httpRunner) expected(in steps.Input, status int) bool {
	v, ok := in.Value("expect")
	if !ok {
		return status >= 200 && status <= 299
	}
	list, _ := v.([]any)
	return slices.Contains(list, any(int64(status)))
}

func (r httpRunner) refused(reply *model.Reply) *steps.Error {
	if e := model.Refused(reply, "", r.now()); e != nil {
		return failure(e)
	}
	return &steps.Error{
		Code: steps.CodeStatus, Detail: "a status that the step does not expect",
		Status: reply.Status, Use: steps.Use{Status: reply.Status, Bytes: len(reply.Body)},
	}
}

// dialled is the error of a request, with the address check's word if it spoke.
func dialled(err error) *steps.Error {
	e := failure(err)
	var address *AddressError
	if errors.As(err, &address) {
		e.Code, e.Detail, e.Unknown, e.Retry = steps.CodeRefused, address.Error(), false, false
	}
	return e
}

// content is the reply as decoded JSON.
func content(reply *model.Reply) (any, error) {
	if len(reply.Body) == 0 {
		return map[string]any{}, nil
	}
	kind, _, _ := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	if kind == "application/json" || strings.HasSuffix(kind, "+json") {
		return decode(reply.Body)
	}
	if !utf8.Valid(reply.Body) {
		return nil, errors.New("neither JSON nor UTF-8 text")
	}
	return map[string]any{"text": string(reply.Body)}, nil
}
