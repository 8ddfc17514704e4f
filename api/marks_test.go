package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// A pot collects log lines.
type pot struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *pot) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// Marks that people put into every field that they can choose come back in no
// line of the log, no problem and no entry; least of all those in secrets.
func TestMarksOfCallersShowUpNowhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	logs := &pot{}
	cfg := b.api.cfg
	cfg.Log = slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	fresh, err := New(cfg)
	must(t, err)
	b.handler.Store(fresh)
	b.api = fresh
	const mark = "M4rk"
	run := b.submit("asking", fmt.Sprintf(`{"text": %q}`, mark))
	asked := b.approval(run)
	secret := b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"jti": mark + "-jti", "sid": mark + "-sid"}})
	signature := secret[strings.LastIndexByte(secret, '.')+1:]
	revocation := func(kind, value string) string {
		text, _ := json.Marshal(map[string]string{"kind": kind, "value": value, "reason": mark})
		return string(text)
	}
	var answers []reply
	for _, c := range []struct{ person, method, path, body string }{
		{"bob", "POST", "/v1/approvals/" + asked.ID + "/votes", fmt.Sprintf(`{"decision": "approve", "digest": %q, "comment": %q}`, asked.Digest, mark)},
		{"bob", "POST", "/v1/approvals/" + asked.ID + "/votes", fmt.Sprintf(`{"decision": %q, "digest": %q}`, mark, mark)},
		{"bob", "DELETE", "/v1/approvals/" + mark + "/votes/mine", ""},
		{"alice", "POST", "/v1/runs", fmt.Sprintf(`{"workflow": "plain", "input": {"text": %q}}`, strings.Repeat(mark, 100))},
		{"alice", "POST", "/v1/runs", fmt.Sprintf(`{"workflow": %q, "input": {%q: %q}}`, mark, mark, mark)},
		{"alice", "POST", "/v1/runs", mark},
		{"alice", "POST", "/v1/runs/" + run.ID + "/cancel", fmt.Sprintf(`{"reason": %q}`, mark)},
		{"alice", "GET", "/v1/" + mark, ""},
		{"alice", "GET", "/v1/runs?" + mark + "=" + mark, ""},
		{"alice", "GET", "/v1/runs?cursor=" + mark, ""},
		{"alice", "GET", "/v1/runs/" + run.ID + "/steps/" + mark + "/output", ""},
		{"mallory", "GET", "/v1/audit/bundle?subject=" + mark, ""},
		{"mallory", "GET", "/v1/audit/bundle?run=" + mark, ""},
		{"mallory", "GET", "/v1/audit/entries?key=" + mark, ""},
		{"erin", "PUT", "/v1/workflows/" + mark + "/current", `{"digest": "sha256:` + strings.Repeat("0", 64) + `"}`},
		{"erin", "PUT", "/v1/workflows/plain/current", fmt.Sprintf(`{"digest": %q}`, mark)},
		{"mallory", "POST", "/v1/revocations", revocation("sub", mark)},
		{"mallory", "POST", "/v1/revocations", revocation("sid", mark)},
		{"carol", "POST", "/v1/revocations", revocation("jti", mark)},
		{"carol", "POST", "/v1/revocations", revocation("sid", mark)},
		{"carol", "POST", "/v1/revocations", revocation("run", mark)},
		{"carol", "POST", "/v1/revocations", revocation(mark, mark)},
		{"carol", "DELETE", "/v1/revocations/" + mark, ""},
		{"audrey", "POST", verifyPath, mark},
	} {
		answers = append(answers, b.send(c.person, c.method, c.path, c.body, "Idempotency-Key", fmt.Sprint(mark, len(answers)), "X-Mark", mark, "Request-Id", mark+" "+mark))
	}
	answers = append(answers, b.sendToken(secret, "POST", "/v1/revocations", revocation("jti", mark+"-jti")), b.sendToken(secret, "GET", "/v1/me", ""),
		b.sendToken(secret[:len(secret)-2]+"AA", "GET", "/v1/me", ""), b.sendToken(mark+"."+mark+"."+mark, "GET", "/v1/me", ""),
		b.logout("logout_token="+mark), b.logout(mark+"=%zz"), b.logout("logout_token="+b.logoutToken(map[string]any{"sid": mark + "-2", "jti": mark})))
	leaks := func(where, text string) {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(mark)); i >= 0 || strings.Contains(text, signature) {
			t.Errorf("%s: …%s…", where, text[max(i-100, 0):min(max(i, 0)+100, len(text))])
		}
	}
	refused := 0
	for i, got := range answers {
		if got.StatusCode < http.StatusBadRequest {
			continue // an object may show its own fields
		}
		refused++
		text := string(got.body)
		if strings.Contains(text, `"instance"`) {
			text = strings.ReplaceAll(text, `"instance":"`+got.Request.URL.Path+`"`, "")
		}
		leaks(fmt.Sprint("answer ", i), text)
	}
	if refused < 20 {
		t.Errorf("only %d refusals were looked at", refused)
	}
	entries := 0
	for e, err := range b.as("audrey").Entries(t.Context(), client.EntryFilter{}) {
		must(t, err)
		leaks("an entry", e.Body)
		entries++
	}
	if entries < 10 || len(b.control(audit.RevocationAdded)) != 4 {
		t.Errorf("only %d entries", entries)
	}
	leaks("the log", logs.text.String())
	if !strings.Contains(logs.text.String(), `"route":"/v1/runs"`) {
		t.Error("nothing was logged")
	}
	for r, err := range b.as("carol").Revocations(t.Context(), "") {
		must(t, err)
		leaks("a revoked value", r.Value)
	}
	leaks("a fingerprint", security.Fingerprint(b.idp.Issuer(), mark))
}
