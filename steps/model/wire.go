package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security/audit"
)

// maxReply is how much of a model's reply is read.
const maxReply = 8 << 20

// A wire lies under langchaingo for one call: langchaingo gives it a request,
// it sends its own version of it, reads the raw reply with its own eyes, and
// hands back a plain reply that langchaingo cannot misread.
type wire struct {
	client client
	prompt Prompt
	now    func() time.Time

	used   bool // one request was asked for: there is no second
	status int
	bytes  int
	text   string
	meta   audit.Model
	err    *Error
}

// errWire is what langchaingo gets to see of an error; the wire keeps the rest.
var errWire = errors.New("the wire refuses")

// Do is langchaingo's way out.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if w.used {
		w.err = &Error{Code: CodeError, Detail: "the client library sent a second request", Unknown: true}
		return nil, errWire
	}
	w.used = true
	if w.err = w.exchange(r); w.err != nil {
		return nil, errWire
	}
	return w.plain(r)
}

func (w *wire) exchange(r *http.Request) *Error {
	body, err := w.body(r)
	if err != nil {
		return &Error{Code: CodeError, Detail: "the request could not be written", Err: err}
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"application/json"},
		"User-Agent":   {"custody"},
	}
	if w.client.key != "" {
		r.Header.Set("Authorization", "Bearer "+w.client.key)
	}
	reply, err := Exchange{Key: w.prompt.Key, Call: w.prompt.Call, Limit: maxReply}.Send(w.client.rt, r, body)
	if reply != nil {
		w.status, w.bytes = reply.Status, len(reply.Body)
	}
	if reply != nil && (reply.Status < 200 || reply.Status > 299) {
		// A status says more than a body that could not be read to its end.
		return Refused(reply, providerCode(reply.Body), w.now())
	}
	var failure *Error
	if errors.As(err, &failure) {
		return failure
	}
	if reply.Status != http.StatusOK {
		return &Error{Code: CodeMalformed, Detail: fmt.Sprintf("status %d instead of 200", reply.Status), Unknown: true}
	}
	var e *Error
	w.text, e = readReply(reply.Body, &w.meta)
	return e
}

// body is langchaingo's body with the messages, the schema, the temperature and
// the limit as we mean them: it would merge the statement into the data for
// some model names, reorder the schema, and always send a temperature.
func (w *wire) body(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	fields, err := members(raw)
	if err != nil {
		return nil, err
	}
	p := w.prompt
	for _, name := range []string{"temperature", "max_tokens", "max_completion_tokens", "response_format"} {
		delete(fields, name)
	}
	set := map[string]any{"messages": []message{{"system", p.System}, {"user", p.user()}}}
	if p.Temperature != nil {
		set["temperature"] = *p.Temperature
	}
	if p.MaxTokens > 0 && w.client.LegacyMaxTokens {
		set["max_tokens"] = p.MaxTokens
	} else if p.MaxTokens > 0 {
		set["max_completion_tokens"] = p.MaxTokens
	}
	if len(p.Schema) > 0 {
		set["response_format"] = formatOf(p)
	}
	for name, value := range set {
		if fields[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(fields)
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type format struct {
	Type   string       `json:"type"`
	Schema formatSchema `json:"json_schema"`
}

type formatSchema struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

// formatOf asks for strict output where the schema is one that strict servers
// accept; they refuse the request otherwise.
func formatOf(p Prompt) format {
	return format{"json_schema", formatSchema{p.schemaName(), strict(p.Schema), p.Schema}}
}

// plain is the reply in the form that langchaingo reads without loss.
func (w *wire) plain(r *http.Request) (*http.Response, error) {
	type choice struct {
		Message message `json:"message"`
		Finish  string  `json:"finish_reason"`
	}
	raw, err := json.Marshal(map[string]any{"choices": []choice{{message{"assistant", w.text}, "stop"}}})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(raw)), ContentLength: int64(len(raw)),
	}, nil
}

// failed is the error with what the call cost.
func (w *wire) failed(e *Error) *Error {
	if e.Status == 0 {
		e.Status = w.status
	}
	if e.Bytes == 0 {
		e.Bytes = w.bytes
	}
	meta := w.cost()
	e.Model = &meta
	return e
}

// cost is what the ledger keeps of the call, with its price where it is known.
func (w *wire) cost() audit.Model {
	m := w.meta
	if m.UsageKnown {
		m.Micros = (m.In*w.client.PriceIn + m.Out*w.client.PriceOut) / 1_000_000
	}
	return m
}
