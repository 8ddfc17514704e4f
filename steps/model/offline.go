package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// OfflineName is the response model of the offline model. It is not a language
// model and never says that it is one: it picks sentences.
const OfflineName = "custody-offline-1"

// OfflineConfig says how the offline model behaves.
type OfflineConfig struct {
	// Hang holds the request with this Idempotency-Key until its client leaves.
	// Nil means that nothing hangs. It is called concurrently.
	Hang func(key string) bool
}

// offline is the offline model as an OpenAI-compatible server.
type offline struct {
	hang  func(string) bool
	mu    sync.Mutex
	calls map[string]int // by Idempotency-Key
}

// offlineDialect is OpenAI's, spoken inside the process. It has next to no
// settings, because there is nothing to set. A temperature is carried and changes
// nothing: the answer to a question is always the same.
func offlineDialect() dialect {
	d := openaiDialect()
	d.base, d.settings = "http://offline.invalid/v1", []string{"max_tokens"}
	return d
}

// OfflineHandler serves the offline model: deterministic, extractive, with
// POST …/chat/completions and GET …/models of the OpenAI API, and GET /calls,
// which counts requests by Idempotency-Key. It is safe for concurrent use.
func OfflineHandler(c OfflineConfig) http.Handler {
	return &offline{hang: c.Hang, calls: map[string]int{}}
}

// ServeHTTP answers one request.
func (o *offline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/chat/completions"):
		o.complete(w, r)
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models"):
		answer(w, http.StatusOK, map[string]any{"object": "list", "data": []any{
			map[string]any{"id": OfflineName, "object": "model", "owned_by": "custody", "description": "offline extractive model, not a language model"},
		}})
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/calls"):
		o.mu.Lock()
		calls := maps.Clone(o.calls)
		o.mu.Unlock()
		answer(w, http.StatusOK, calls)
	default:
		refuse(w, http.StatusNotFound, "not_found")
	}
}

func (o *offline) complete(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReply))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "too_large")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	o.mu.Lock()
	o.calls[key]++
	n := o.calls[key]
	o.mu.Unlock()
	if o.hang != nil && o.hang(key) {
		<-r.Context().Done()
		return
	}
	q, err := readQuestion(raw)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	text, err := q.answer()
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid_schema")
		return
	}
	in, out, finish := len(raw)/4+1, len(text)/4+1, "stop"
	if q.limit > 0 && out > q.limit {
		text, out, finish = strings.ToValidUTF8(text[:4*(q.limit-1)], ""), q.limit, "length"
	}
	answer(w, http.StatusOK, map[string]any{
		"id": fmt.Sprintf("offline-%08x-%d", checksum(key), n), "object": "chat.completion", "created": 0, "model": OfflineName,
		"choices": []any{map[string]any{
			"index": 0, "message": map[string]any{"role": "assistant", "content": text}, "finish_reason": finish,
		}},
		"usage": map[string]any{"prompt_tokens": in, "completion_tokens": out, "total_tokens": in + out},
	})
}

// A question is what the offline model understands of a request.
type question struct {
	statement string // the system part
	source    string // all texts of the bound values; the statement if there are none
	name      string // of the schema
	schema    any    // decoded, or nil
	limit     int    // tokens of the answer, four bytes each; 0 if there is none
}

func readQuestion(raw []byte) (question, error) {
	var body struct {
		Messages []message `json:"messages"`
		Format   *format   `json:"response_format"`
		Stream   bool      `json:"stream"`
		Limit    int       `json:"max_completion_tokens"`
		Legacy   int       `json:"max_tokens"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return question{}, err
	}
	if len(body.Messages) == 0 || body.Stream {
		return question{}, errors.New("no messages, or a stream")
	}
	q := question{limit: max(body.Limit, body.Legacy)}
	var user []string
	for _, m := range body.Messages {
		if m.Role == "system" {
			q.statement += m.Content + "\n"
			continue
		}
		user = append(user, m.Content)
	}
	q.source = source(strings.Join(user, "\n"))
	if strings.TrimSpace(q.source) == "" {
		q.source = q.statement
	}
	if body.Format != nil && len(body.Format.Schema.Schema) > 0 {
		q.name = body.Format.Schema.Name
		if err := json.Unmarshal(body.Format.Schema.Schema, &q.schema); err != nil {
			return question{}, err
		}
	}
	return q, nil
}

// source is the text of a user message: of our JSON object of values, every
// string in it, in the order of the names.
func source(user string) string {
	var v any
	if json.Unmarshal([]byte(user), &v) != nil {
		return user
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case float64, bool:
			out = append(out, fmt.Sprint(v))
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				walk(v[name])
			}
		}
	}
	walk(v)
	return strings.Join(out, "\n")
}

func answer(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the client may have left; there is nobody to tell
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]any{"error": map[string]any{
		"message": "the offline model cannot serve this request", "type": "invalid_request_error", "code": code,
	}})
}

// checksum is FNV-1a, so that ids depend on the key alone.
func checksum(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
