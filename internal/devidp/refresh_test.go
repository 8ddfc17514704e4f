package devidp_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/custodyhq/custody/internal/devidp"
)

// signedIn is bob's sign-in at the console.
func (w *world) signedIn(t *testing.T) map[string]any {
	t.Helper()
	verifier, challenge := pkce()
	return w.token(t, redemption(w.click(t, question(challenge), "bob").Get("code"), verifier))
}

func renewal(refresh any) url.Values {
	token, _ := refresh.(string)
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {devidp.Console}, "refresh_token": {token}}
}

func TestARefreshTokenWorksOnceAndKeepsTheSignInsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.signedIn(t)
	before := w.verify(t, first["access_token"])
	w.wait(10 * time.Minute)
	second := w.token(t, renewal(first["refresh_token"]))
	after := w.verify(t, second["access_token"])
	if after.Subject != "bob" || !after.AuthTime.Equal(before.AuthTime) || after.Session != before.Session || after.TokenID == before.TokenID || after.FreshWithin(5*time.Minute, w.now) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	third := w.token(t, renewal(second["refresh_token"]))
	w.verify(t, third["access_token"])
	// A used one ends the sign-in for both who hold it.
	for _, refresh := range []any{first["refresh_token"], third["refresh_token"]} {
		if got := w.token(t, renewal(refresh)); got["error"] != "invalid_grant" || got["access_token"] != nil {
			t.Errorf("got %v", got["error"])
		}
	}
}

func TestASignInEndsWhenItIsRevokedOrOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	revoked, other := w.signedIn(t), w.signedIn(t)
	foreign := renewal(other["refresh_token"])
	foreign.Set("client_id", devidp.CLI)
	if got := w.token(t, foreign); got["error"] != "invalid_grant" {
		t.Errorf("another client: %v", got["error"])
	}
	token, _ := revoked["refresh_token"].(string)
	for _, form := range []url.Values{{"client_id": {devidp.Console}, "token": {token}}, {"client_id": {devidp.Console}, "token": {"unknown"}}} {
		if resp, _ := w.ask(t, "/revoke", form, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("revoke: %d", resp.StatusCode)
		}
	}
	if got := w.token(t, renewal(token)); got["error"] != "invalid_grant" {
		t.Errorf("revoked: %v", got["error"])
	}
	again := w.token(t, renewal(other["refresh_token"]))
	w.verify(t, again["access_token"])
	w.wait(9 * time.Hour)
	if got := w.token(t, renewal(again["refresh_token"])); got["error"] != "invalid_grant" {
		t.Errorf("the next day: %v", got["error"])
	}
}

// A script signs in for every command: the thousandth must not be the last.
func TestManySignInsForgetTheOldest(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a thousand sign-ins")
	}
	w := newWorld(t)
	first := w.signedIn(t)
	w.wait(time.Second)
	for range 1000 {
		if w.signedIn(t)["access_token"] == nil {
			t.Fatal("nobody can sign in any more")
		}
	}
	if got := w.token(t, renewal(first["refresh_token"])); got["error"] != "invalid_grant" {
		t.Errorf("the oldest: %v", got["error"])
	}
}
