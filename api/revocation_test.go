package api

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/devidp"
	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

// session is a token of a person's session.
func (b *bench) session(person, sid, jti string) string {
	b.t.Helper()
	return b.token(devidp.TokenRequest{Person: person, Claims: map[string]any{"sid": sid, "jti": jti}})
}

func revokes(kind, value string) string {
	text, _ := json.Marshal(map[string]string{"kind": kind, "value": value, "reason": "left"})
	return string(text)
}

func TestARevocationIsMadeListedAndLifted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, err := b.as("alice").Me(t.Context())
	must(t, err)
	carol := b.as("carol")
	n := client.NewRevocation{Kind: "sub", Value: alice.ID, Reason: "left", Key: "k"}
	rehearsed := n
	rehearsed.DryRun = true
	_, err = carol.Revoke(t.Context(), rehearsed)
	must(t, err)
	if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 200 {
		t.Fatalf("a rehearsal revokes: %d", got.StatusCode)
	}
	made, err := carol.Revoke(t.Context(), n)
	must(t, err)
	if !made.Created || made.Replayed || made.Receipt == nil || made.Kind != "sub" || made.Value != alice.ID || made.Reason != "left" {
		t.Errorf("%+v", made)
	}
	if got := b.send("alice", "GET", "/v1/me", ""); got.StatusCode != 401 {
		t.Errorf("the revoked person: %d", got.StatusCode)
	}
	again, err := carol.Revoke(t.Context(), n)
	must(t, err)
	if again.ID != made.ID || !again.Created || !again.Replayed {
		t.Errorf("the same key: %+v", again)
	}
	n.Key = ""
	if same, err := carol.Revoke(t.Context(), n); err != nil || same.ID != made.ID || same.Created || same.Receipt != nil {
		t.Errorf("without a key it was there: %+v %v", same, err)
	}
	if got := b.send("carol", "POST", "/v1/revocations", revokes("sub", alice.ID), "Idempotency-Key", "k"); got.StatusCode != 201 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := b.send("carol", "POST", "/v1/revocations", revokes("client", "x"), "Idempotency-Key", "k"); got.kind(t) != "idempotency-mismatch" {
		t.Errorf("another body: %s", got.body)
	}
	for kind, want := range map[string]int{"": 1, "sub": 1, "client": 0} {
		rows := 0
		for r, err := range b.as("audrey").Revocations(t.Context(), kind) {
			must(t, err)
			if rows++; r.ID != made.ID || r.Receipt != nil {
				t.Errorf("%+v", r)
			}
		}
		if rows != want {
			t.Errorf("%q: %d rows", kind, rows)
		}
	}
	must(t, carol.MayLift(t.Context(), made.ID))
	receipt, err := carol.Lift(t.Context(), made.ID)
	must(t, err)
	if receipt.Hash == "" || b.send("alice", "GET", "/v1/me", "").StatusCode != 200 {
		t.Errorf("lifted: %+v", receipt)
	}
	if got := b.send("carol", "DELETE", "/v1/revocations/"+made.ID, ""); got.StatusCode != 404 {
		t.Errorf("lifted twice: %d", got.StatusCode)
	}
	n.Key = "k"
	if again, err := carol.Revoke(t.Context(), n); err != nil || !again.Replayed || !again.Created || again.LiftedAt == nil || b.send("alice", "GET", "/v1/me", "").StatusCode != 200 {
		t.Errorf("the key after the lift shows what it made and does nothing: %+v %v", again, err)
	}
	if got := b.control(audit.RevocationAdded); len(got) != 1 || got[0].Target != made.ID+" sub:"+alice.ID || got[0].Actor == "" {
		t.Errorf("%+v", got)
	}
	if got := b.control(audit.RevocationLifted); len(got) != 1 || got[0].Target != made.ID+" sub:"+alice.ID {
		t.Errorf("%+v", got)
	}
}

func TestEverybodyMayRevokeTheirOwnSessionAndToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	earlier, present := b.session("alice", "s-early", "j-early"), b.session("alice", "s-now", "j-now")
	_, err := b.with(earlier).Submit(t.Context(), client.Submission{Workflow: "plain", Input: json.RawMessage(`{"text": "x"}`)})
	must(t, err)
	strange := b.session("bob", "s-bob", "j-bob")
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"somebody else's token", revokes("jti", "j-bob"), 403},
		{"somebody else's session, by its fingerprint", revokes("sid", "fp_"+security.Fingerprint(b.idp.Issuer(), "s-bob")), 403},
		{"oneself", revokes("sub", "subj_00000000000000000000000000"), 403},
		{"an earlier token, which a run proves", revokes("jti", "j-early"), 201},
		{"an earlier session, which a run proves", revokes("sid", "s-early"), 201},
		{"another earlier token, which nothing proves", revokes("jti", "j-other"), 403},
		{"the present token", revokes("jti", "j-now"), 201},
	} {
		got := b.sendToken(present, "POST", "/v1/revocations", c.body)
		if got.StatusCode != c.want {
			t.Errorf("%s: %d %s", c.name, got.StatusCode, got.body)
		}
		if strings.Contains(string(got.body), "j-") || strings.Contains(string(got.body), "s-") && !strings.Contains(string(got.body), "is-") {
			t.Errorf("%s: the id itself is shown: %s", c.name, got.body)
		}
	}
	for token, want := range map[string]int{earlier: 401, present: 401, strange: 200, b.session("alice", "s-new", "j-new"): 200} {
		if got := b.sendToken(token, "GET", "/v1/me", ""); got.StatusCode != want {
			t.Errorf("%d, want %d", got.StatusCode, want)
		}
	}
	const weakSession = "s-weak"
	weak := b.token(devidp.TokenRequest{Person: "bob", ACR: "pwd", Claims: map[string]any{"sid": weakSession}})
	if got := b.sendToken(weak, "POST", "/v1/revocations", revokes("sid", weakSession)); got.kind(t) != "step-up-required" {
		t.Errorf("without a second factor: %s", got.body)
	}
}

func TestOnlyWhatIsThereIsRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.submit("plain", `{"text": "x"}`)
	for _, c := range []struct {
		kind, value string
		want        int
	}{
		{"sub", "alice", 422},
		{"sub", security.NewID().Name("subj"), 422},
		{"run", "run_x", 422},
		{"run", security.NewID().Name("run"), 422},
		{"run", run.ID, 201},
		{"key", "sekret-key", 422},
		{"sid", "fp_sekret", 422},
		{"sid", "fp_" + strings.Repeat("AB", 16), 422},
		{"jti", "whatever the provider wrote", 201},
		{"client", "some-program", 201},
		{"client", "sekret\u0007", 422},
		{"client", "", 400},
		{"session", "x", 400},
	} {
		got := b.send("carol", "POST", "/v1/revocations", revokes(c.kind, c.value))
		if got.StatusCode != c.want || strings.Contains(string(got.body), "sekret") {
			t.Errorf("%s %q: %d %s", c.kind, c.value, got.StatusCode, got.body)
		}
	}
	for reason, want := range map[string]int{`left\u0000`: 400, `left\u0007\n`: 201} { // NUL is in no text of PostgreSQL
		if got := b.send("carol", "POST", "/v1/revocations", `{"kind": "jti", "value": "another", "reason": "`+reason+`"}`); got.StatusCode != want {
			t.Errorf("the reason %s: %d %s", reason, got.StatusCode, got.body)
		}
	}
	if got := b.send("carol", "POST", "/v1/revocations", `{"kind": "sub", "reason": "x"}`); got.StatusCode != 400 {
		t.Errorf("without a value: %d", got.StatusCode)
	}
}

// logoutToken is what a provider sends.
func (b *bench) logoutToken(claims map[string]any) string {
	b.t.Helper()
	all := map[string]any{
		"aud": devidp.CLI, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		"acr": nil, "amr": nil, "auth_time": nil, "client_id": nil, "azp": nil, "roles": nil, "realm_access": nil, "sid": nil, "typ": nil, "nonce": nil,
		"jti": security.NewID().String(),
	}
	for k, v := range claims {
		all[k] = v
	}
	return b.token(devidp.TokenRequest{Person: "alice", Header: map[string]any{"typ": "logout+jwt"}, Claims: all})
}

func (b *bench) logout(body string) reply {
	b.t.Helper()
	return b.sendToken("", "POST", logoutPath, body, "Content-Type", "application/x-www-form-urlencoded")
}

func TestAProvidersGoodbyeEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ended, other := b.session("alice", "s-1", "j-1"), b.session("alice", "s-2", "j-2")
	token := b.logoutToken(map[string]any{"sid": "s-1"})
	if got := b.logout("logout_token=" + token); got.StatusCode != 200 || got.Header.Get("Cache-Control") != "no-store" || len(got.body) > 0 {
		t.Fatalf("%d %v %s", got.StatusCode, got.Header, got.body)
	}
	if b.sendToken(ended, "GET", "/v1/me", "").StatusCode != 401 || b.sendToken(other, "GET", "/v1/me", "").StatusCode != 200 {
		t.Error("one session must have ended, and only that one")
	}
	if got := b.logout("logout_token=" + token); got.kind(t) != "malformed" || got.StatusCode != 400 || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a second time: %d %s", got.StatusCode, got.body)
	}
	if got := b.logout("logout_token=" + b.logoutToken(map[string]any{"sid": "s-1"})); got.StatusCode != 200 {
		t.Errorf("the same session, said anew: %d %s", got.StatusCode, got.body)
	}
	if got := b.control(audit.RevocationAdded); len(got) != 1 || got[0].Code != "backchannel_logout" {
		t.Errorf("%+v", got)
	}
	if got := b.logout("logout_token=" + b.logoutToken(nil)); got.StatusCode != 200 {
		t.Fatalf("a person: %d %s", got.StatusCode, got.body)
	}
	later := b.token(devidp.TokenRequest{Person: "alice", Claims: map[string]any{"auth_time": time.Now().Unix() + 2}})
	if b.sendToken(other, "GET", "/v1/me", "").StatusCode != 401 || b.sendToken(later, "GET", "/v1/me", "").StatusCode != 200 || b.send("bob", "GET", "/v1/me", "").StatusCode != 200 {
		t.Error("all sessions that had begun must have ended, and no other")
	}
	for r, err := range b.as("carol").Revocations(t.Context(), "sub") {
		must(t, err)
		if r.By != byProvider || r.Before == nil || !strings.HasPrefix(r.Value, "subj_") {
			t.Errorf("%+v", r)
		}
	}
}

func TestABadLogoutTokenEndsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	access := b.session("alice", "s-1", "j-1")
	good := b.logoutToken(map[string]any{"sid": "s-1"})
	for name, body := range map[string]string{
		"no token":         "",
		"two tokens":       "logout_token=" + good + "&logout_token=" + good,
		"an access token":  "logout_token=" + access,
		"no JWT":           "logout_token=sekret",
		"with a nonce":     "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "nonce": "n"}),
		"for another":      "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "aud": "somebody"}),
		"for the API":      "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "aud": "custody"}),
		"about nothing":    "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "events": nil}),
		"expired":          "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "exp": time.Now().Add(-time.Hour).Unix()}),
		"without an id":    "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "jti": nil}),
		"of nobody":        "logout_token=" + b.logoutToken(map[string]any{"sub": nil}),
		"a broken sig":     "logout_token=" + good[:len(good)-4] + "AAAA",
		"a broken form":    "logout_token=%zz",
		"another issuer's": "logout_token=" + b.logoutToken(map[string]any{"sid": "s-1", "iss": "https://evil.example"}),
	} {
		if got := b.logout(body); got.StatusCode != http.StatusBadRequest || strings.Contains(string(got.body), "sekret") {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	if got := b.sendToken("", "POST", logoutPath, `{"logout_token": "x"}`); got.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("JSON: %d", got.StatusCode)
	}
	if got := b.sendToken("", "GET", logoutPath, ""); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", got.StatusCode)
	}
	if got := b.sendToken(access, "GET", "/v1/me", ""); got.StatusCode != 200 {
		t.Errorf("a session ended: %d", got.StatusCode)
	}
	if got := b.logout("logout_token=" + good); got.StatusCode != 200 {
		t.Errorf("the harmless twin: %d %s", got.StatusCode, got.body)
	}
}

func TestTwoEqualRevocationsAtOnceAreOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token, got := b.token(devidp.TokenRequest{Person: "carol"}), make(chan client.Revocation, 8)
	for range 8 {
		go func() {
			r, err := b.with(token).Revoke(t.Context(), client.NewRevocation{Kind: "client", Value: "x", Reason: "left", Key: "k"})
			if err != nil {
				t.Error(err)
			}
			got <- r
		}()
	}
	ids, replays := map[string]bool{}, 0
	for range 8 {
		r := <-got
		ids[r.ID] = true
		if r.Replayed {
			replays++
		}
		if !r.Created {
			t.Errorf("another status: %+v", r)
		}
	}
	if len(ids) != 1 || replays != 7 || len(b.control(audit.RevocationAdded)) != 1 {
		t.Errorf("%d revocations, %d replays", len(ids), replays)
	}
}

// Whoever is revoked while they watch a run hears nothing more of it.
func TestARevocationEndsAnEventStreamBeforeItsNextEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice, err := b.as("alice").Me(t.Context())
	must(t, err)
	run, err := b.as("alice").Submit(t.Context(), client.Submission{Workflow: "asking", Input: json.RawMessage(`{"text": "x"}`)})
	must(t, err)
	b.until(run.ID, func(r client.Run) bool { return r.State == "waiting" })
	follow := func(person string) *bufio.Reader {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/runs/"+run.ID+"/events", http.NoBody)
		must(t, err)
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Authorization", "Bearer "+b.token(devidp.TokenRequest{Person: person}))
		res, err := http.DefaultTransport.RoundTrip(req)
		must(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		r := bufio.NewReader(res.Body)
		for line := ""; !strings.Contains(line, "event: approval.requested"); {
			line, err = r.ReadString('\n')
			must(t, err)
		}
		return r
	}
	revoked, other := follow("alice"), follow("oscar")
	_, err = b.as("carol").Revoke(t.Context(), client.NewRevocation{Kind: "sub", Value: alice.ID, Reason: "left"})
	must(t, err)
	_, err = b.as("oscar").Cancel(t.Context(), client.Cancellation{Run: run.ID, Reason: "x"})
	must(t, err)
	for name, c := range map[string]struct {
		rest io.Reader
		want bool
	}{"the revoked one": {revoked, false}, "another": {other, true}} {
		text, _ := io.ReadAll(c.rest) // a stream may end in any way
		if got := strings.Contains(string(text), "run.cancel_requested"); got != c.want {
			t.Errorf("%s: %s", name, text)
		}
	}
}
