package client_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/api/client"
)

// serve makes a client of a server that answers like this.
func serve(t testing.TB, answer http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := client.New(client.Config{URL: s.URL, Token: func(context.Context) (string, error) { return "token-of-alice", nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://custody.example": true, "https://custody.example/": true, "https://proxy.example/custody": true,
		"http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:8080": true,
		"http://custody.example": false, "ftp://custody.example": false, "custody.example": false, "": false,
		"https://user@custody.example": false, "https://custody.example?a=b": false,
	} {
		if _, err := client.New(client.Config{URL: url}); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestProblemsAreErrors(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "7")
		w.Header().Set("WWW-Authenticate", `Bearer realm="custody"`)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"type": "urn:custody:problem:denied", "title": "Forbidden", "status": 403, "detail": "run.submit needs the role analyst",
			"request_id": "req_1", "errors": [{"pointer": "/input/text", "code": "max_length", "detail": "at most 200 characters"}],
			"receipt": {"stream": "ctl-3", "seq": 91, "hash": "ab"}}`)
	})
	_, err := c.Run(t.Context(), "run_1")
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	want := &client.Problem{
		Type: "urn:custody:problem:denied", Title: "Forbidden", Status: 403, Detail: "run.submit needs the role analyst", RequestID: "req_1",
		Errors:  []client.Fault{{Pointer: "/input/text", Code: "max_length", Detail: "at most 200 characters"}},
		Receipt: &client.Receipt{Stream: "ctl-3", Seq: 91, Hash: "ab"}, RetryAfter: 7 * time.Second, Challenge: `Bearer realm="custody"`,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if p.Kind() != "denied" || p.Temporary() {
		t.Errorf("kind %q, temporary %v", p.Kind(), p.Temporary())
	}
	if got := err.Error(); got != "403 denied: run.submit needs the role analyst: /input/text at most 200 characters" {
		t.Errorf("%s", got)
	}
}

func TestAnswersThatAreNotOfCustodyAreSaidToBeSo(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>bad gateway", http.StatusBadGateway)
	})
	_, err := c.Run(t.Context(), "run_1")
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 502 || !strings.Contains(p.Detail, "right URL") || strings.Contains(err.Error(), "html") {
		t.Errorf("%v", err)
	}
}

func TestARedirectIsNotFollowedWithTheToken(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	t.Cleanup(other.Close)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if _, err := c.Run(t.Context(), "run_1"); err == nil || followed.Load() {
		t.Errorf("%v, followed: %v", err, followed.Load())
	}
}

func TestARequestSaysEverythingThatItsSubmissionDoes(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URL, Key, Prefer, Auth, Body string }
	var got seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.URL.String(), r.Header.Get("Idempotency-Key"), r.Header.Get("Prefer"), r.Header.Get("Authorization"), string(body)}
		w.Header().Set("Idempotent-Replayed", "true")
		_, _ = io.WriteString(w, `{"id": "run_1", "state": "succeeded", "created_at": "2026-01-02T03:04:05.000006Z"}`)
	})
	run, err := c.Submit(t.Context(), client.Submission{Workflow: "w", Input: json.RawMessage(`{"a":1}`), Key: "k 1", DryRun: true, Wait: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	want := seen{"POST", "/v1/runs?dry_run=true", "k 1", "wait=2", "Bearer token-of-alice", `{"workflow":"w","input":{"a":1}}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !run.Replayed || !run.Closed() || run.CreatedAt.String() != "2026-01-02T03:04:05.000006Z" {
		t.Errorf("%+v", run)
	}
	if text, _ := json.Marshal(run.CreatedAt); string(text) != `"2026-01-02T03:04:05.000006Z"` {
		t.Errorf("a time is written as %s", text)
	}
}

func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		_, _ = io.WriteString(w, `{}`)
	})
	if _, err := c.Workflow(t.Context(), "../runs?x=1", ""); err != nil {
		t.Fatal(err)
	}
	if got != "/v1/workflows/..%2Fruns%3Fx=1" {
		t.Error(got)
	}
}

func TestListsAreWalkedPageByPageAndNoFurtherThanWanted(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Query().Get("cursor") {
		case "":
			_, _ = io.WriteString(w, `{"data": [{"id": "run_1"}, {"id": "run_2"}], "next_cursor": "c2"}`)
		case "c2":
			_, _ = io.WriteString(w, `{"data": [{"id": "run_3"}], "next_cursor": null}`)
		}
	})
	var ids []string
	for run, err := range c.Runs(t.Context(), client.RunFilter{State: "failed"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	if diff := cmp.Diff([]string{"run_1", "run_2", "run_3"}, ids); diff != "" {
		t.Error(diff)
	}
	for range c.Runs(t.Context(), client.RunFilter{}) {
		break
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("%d pages were read, 3 are enough", n)
	}
}

func event(seq int, action string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"stream\": \"run_1\", \"seq\": %d}\n\n", seq, action, seq)
}

func TestEventsContinueWhereAConnectionBroke(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	var resumed []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.Header.Get("Last-Event-ID"))
		switch connections.Add(1) {
		case 1: // breaks off in the middle of an event
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, ": hello\n\n"+event(0, "run.submitted")+event(1, "step.intent")+"id: 2\nevent: step.res")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3: // repeats an event that was seen
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, event(1, "step.intent")+event(2, "step.result")+event(3, "run.closed")+event(4, "never"))
		default:
			t.Error("connected again after run.closed")
		}
	})
	var seqs []int64
	for e, err := range c.Events(t.Context(), "run_1", -1) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	if diff := cmp.Diff([]int64{0, 1, 2, 3}, seqs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "1", "1"}, resumed); diff != "" {
		t.Error(diff)
	}
}

func TestEventsEndWithARefusalOrWithNothingLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int // of the problem; 0: none
	}{
		"nothing left": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 0},
		"no such run":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, 404},
		"no token":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last error
			for _, err := range serve(t, c.answer).Events(t.Context(), "run_1", 7) {
				last = err
			}
			var p *client.Problem
			if c.status == 0 && last != nil || c.status != 0 && (!errors.As(last, &p) || p.Status != c.status) {
				t.Errorf("%v", last)
			}
		})
	}
}

func TestEventsEndWithTheirContextAndWithTheirReader(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, event(0, "run.submitted"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	for range c.Events(t.Context(), "run_1", -1) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Events(ctx, "run_1", -1) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("%v", last)
	}
}

func TestAServerThatIsNotThereIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := client.New(client.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range c.Events(t.Context(), "run_1", -1) {
		if n++; err == nil {
			t.Error("no error")
		}
	}
	if n != 1 {
		t.Errorf("%d results", n)
	}
}

func TestABundleIsOnlyTakenForOneIfItSaysSo(t *testing.T) {
	t.Parallel()
	good := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		_, _ = io.WriteString(w, "PK "+r.URL.RawQuery)
	})
	body, err := good.Bundle(t.Context(), client.BundleScope{Run: "run_1", Payloads: true})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, _ := io.ReadAll(body); string(text) != "PK payloads=true&run=run_1" {
		t.Errorf("%s", text)
	}
	bad := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	if _, err := bad.Bundle(t.Context(), client.BundleScope{All: true}); err == nil {
		t.Error("a page passed for a bundle")
	}
}

// shownApproval is an approval of one value, as a server makes it.
func shownApproval(content string) (client.Approval, []client.Shown) {
	salt := []byte("0123456789abcdef")
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(content))
	commit := hex.EncodeToString(mac.Sum(nil))
	doc := `{"approval":"apr_1","shown":[{"commit":"` + commit + `","name":"summary","payload":"pay_1"}]}`
	sum := sha256.Sum256([]byte(doc))
	return client.Approval{ID: "apr_1", Document: doc, Digest: "sha256:" + hex.EncodeToString(sum[:])},
		[]client.Shown{{Name: "summary", Content: content, Salt: hex.EncodeToString(salt), Commitment: commit}}
}

func TestWhatIsShownIsWhatTheDigestBinds(t *testing.T) {
	t.Parallel()
	approval, shown := shownApproval(`{"text":"pay 10"}`)
	if err := approval.Verify(shown); err != nil {
		t.Errorf("the harmless twin: %v", err)
	}
	for name, forge := range map[string]func(*client.Approval, []client.Shown) []client.Shown{
		"another content": func(_ *client.Approval, s []client.Shown) []client.Shown {
			s[0].Content = `{"text":"pay 99"}`
			return s
		},
		"another salt":     func(_ *client.Approval, s []client.Shown) []client.Shown { s[0].Salt = "00"; return s },
		"no salt":          func(_ *client.Approval, s []client.Shown) []client.Shown { s[0].Salt = ""; return s },
		"another name":     func(_ *client.Approval, s []client.Shown) []client.Shown { s[0].Name = "other"; return s },
		"nothing shown":    func(*client.Approval, []client.Shown) []client.Shown { return nil },
		"more is shown":    func(_ *client.Approval, s []client.Shown) []client.Shown { return append(s, s[0]) },
		"another document": func(a *client.Approval, s []client.Shown) []client.Shown { a.Document += " "; return s },
		"another approval": func(a *client.Approval, s []client.Shown) []client.Shown { a.ID = "apr_2"; return s },
		"another digest":   func(a *client.Approval, s []client.Shown) []client.Shown { a.Digest = "sha256:00"; return s },
	} {
		a, s := shownApproval(`{"text":"pay 10"}`)
		if err := a.Verify(forge(&a, s)); !errors.Is(err, client.ErrShown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
