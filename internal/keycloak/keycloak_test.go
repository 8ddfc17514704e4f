package keycloak

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody"
	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/internal/signin"
	"github.com/custodyhq/custody/security/oidc"
)

// One after the other: each story changes the realm and puts it back.
func TestKeycloak(t *testing.T) { //nolint:paralleltest,tparallel // see above
	k := live(t)
	s := k.site()
	_, err := s.with(t, k.browser("erin").signIn(console, nil).access).Publish(t.Context(), client.Publication{Source: []byte(askWorkflow)})
	must(t, err)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *realm, *site)
	}{
		{"a person signs in and uses the API", personSignsIn},
		{"a step-up asks for the second factor only and opens what needs it", stepUp},
		{"a second factor that was enrolled a moment ago is none", selfEnrolled},
		{"freshness is that of the sign-in, not of the token", freshness},
		{"the device flow of the command line", deviceFlow},
		{"the browser flow of the command line asks for a second factor", browserFlow},
		{"an agent may what its roles say, and never vote", agentAlone},
		{"an agent acts for a person and may not approve", agentForAPerson},
		{"a role that was taken away is gone with the next token", roleRemoved},
		{"a disabled user gets no other token", userDisabled},
		{"signing out at the provider ends the session here", signedOut},
		{"an administrator ends all sessions of a person", thrownOut},
		{"a revocation in Custody ends what the provider would let live", revoked},
		{"a disabled client gets no other token", clientDisabled},
		{"keys are rotated and withdrawn", keysRotate},
		{"other tokens of the realm are refused, each with its reason", wrongTokens},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, k.at(t), s) })
	}
}

func personSignsIn(t *testing.T, k *realm, s *site) {
	me := s.me(t, k.browser("alice").signIn(console, nil).access)
	if me.Kind != "human" || !slices.Equal(me.Roles, []string{"analyst"}) || me.MFA || me.StepUp || me.ACR != "pwd" || len(me.Act) > 0 || me.AuthTime == nil {
		t.Errorf("alice: %+v", me)
	}
	if me.Subject != k.user("alice") || me.Client != console || len(me.Missing) > 0 {
		t.Errorf("alice: %+v", me)
	}
	nobody := s.me(t, k.browser("mallory").signIn(console, nil).access)
	if nobody.Kind != "human" || len(nobody.Roles) > 0 {
		t.Errorf("mallory: %+v", nobody)
	}
	_, err := s.with(t, k.browser("mallory").signIn(console, nil).access).Submit(t.Context(), client.Submission{Workflow: "ask", Input: []byte(`{"question": "?"}`)})
	if p := refused(t, err); p.Kind() != "denied" {
		t.Errorf("mallory's run: %v", p)
	}
}

func stepUp(t *testing.T, k *realm, s *site) {
	a := s.asked(t, k.browser("alice").signIn(console, nil).access)
	bob := k.browser("bob")
	weak := bob.signIn(console, nil)
	p := refused(t, s.vote(t, weak.access, a))
	if p.Kind() != "step-up-required" || !strings.Contains(p.Challenge, `acr_values="mfa", max_age=300`) {
		t.Fatalf("with a password: %v, %s", p, p.Challenge)
	}
	bob.filled = nil
	strong := bob.signIn(console, url.Values{"acr_values": {"mfa"}})
	if !slices.Equal(bob.filled, []string{"otp"}) {
		t.Errorf("the step-up asked for %v", bob.filled)
	}
	if me := s.me(t, strong.access); !me.MFA || !me.StepUp || !slices.Equal(me.AMR, []string{"otp", "pwd"}) {
		t.Errorf("bob: %+v", me)
	}
	if err := s.vote(t, strong.access, a); err != nil {
		t.Errorf("with a second factor: %v", err)
	}
}

// Whoever knows only the password may be asked to enrol. Keycloak calls that
// acr mfa; amr tells.
func selfEnrolled(t *testing.T, k *realm, s *site) {
	var action object
	k.call(http.MethodGet, "/authentication/required-actions/CONFIGURE_TOTP", nil, &action)
	was := action["enabled"]
	action["enabled"] = true
	k.call(http.MethodPut, "/authentication/required-actions/CONFIGURE_TOTP", action, nil)
	t.Cleanup(func() {
		action["enabled"] = was
		k.call(http.MethodPut, "/authentication/required-actions/CONFIGURE_TOTP", action, nil)
	})
	k.person("newcomer", "legal")
	b := k.browser("newcomer")
	access := b.signIn(console, url.Values{"acr_values": {"mfa"}}).access
	if c := claims(t, access); c["acr"] != "mfa" || !slices.Contains(b.filled, "enrol") {
		t.Fatalf("the realm did not let them enrol: acr %v, %v", c["acr"], b.filled)
	}
	if me := s.me(t, access); me.MFA || me.StepUp {
		t.Errorf("believed: %+v", me)
	}
	again := k.browser("newcomer") // the harmless twin: the next sign-in proves the factor
	again.secret = b.secret
	if me := s.me(t, again.signIn(console, url.Values{"acr_values": {"mfa"}}).access); !me.MFA {
		t.Errorf("the factor itself: %+v", me)
	}
}

func freshness(t *testing.T, k *realm, s *site) {
	first := k.browser("bob").signIn(console, url.Values{"acr_values": {"mfa"}})
	time.Sleep(1100 * time.Millisecond) // the provider's clock counts seconds
	second := k.tokens(url.Values{"grant_type": {"refresh_token"}, "client_id": {console}, "refresh_token": {first.refresh}})
	old, renewed := claims(t, first.access), claims(t, second.access)
	if renewed["acr"] != "mfa" || renewed["auth_time"] != old["auth_time"] || renewed["iat"] == old["iat"] {
		t.Fatalf("renewed: acr %v, auth_time %v (%v), iat %v (%v)", renewed["acr"], renewed["auth_time"], old["auth_time"], renewed["iat"], old["iat"])
	}
	signed := time.Unix(int64(renewed["auth_time"].(float64)), 0)
	for after, fresh := range map[time.Duration]bool{299 * time.Second: true, 302 * time.Second: false} {
		now := signed.Add(after)
		v, err := oidc.New(t.Context(), oidc.Config{Issuers: []oidc.Issuer{s.issuer}, Subjects: anybody{}, Now: func() time.Time { return now }})
		must(t, err)
		who, err := v.Verify(t.Context(), second.access)
		must(t, err)
		if who.FreshWithin(5*time.Minute, now) != fresh || !who.MFA() {
			t.Errorf("%s after the sign-in: fresh is %v", after, !fresh)
		}
	}
}

// provider is the command line's view of the realm.
func (k *realm) provider(acr string) *signin.Provider {
	k.t.Helper()
	p, err := signin.New(k.t.Context(), signin.Config{Issuer: k.issuer, Client: "custody-cli", ACR: acr})
	must(k.t, err)
	return p
}

func deviceFlow(t *testing.T, k *realm, s *site) {
	p := k.provider("mfa")
	d, err := p.Device(t.Context())
	must(t, err)
	b := k.browser("bob")
	b.follow(d.Complete)
	got, err := p.Wait(t.Context(), d)
	must(t, err)
	me := s.me(t, got.Access)
	if me.Client != "custody-cli" || me.Name != "Bob Test" || got.Refresh == "" {
		t.Errorf("bob: %+v", me)
	}
	// Keycloak 26 does not look at acr_values here. When this fails, it has
	// learnt to, and `token login --acr` no longer needs a browser.
	if me.MFA {
		t.Error("the device flow asked for a second factor: change the default of token login --acr")
	}
	renewed, err := p.Refresh(t.Context(), got.Refresh)
	must(t, err)
	s.me(t, renewed.Access)
	must(t, p.Revoke(t.Context(), renewed.Refresh))
	s.me(t, renewed.Access) // the provider tells nobody: it is good until it ends
	if _, err := p.Refresh(t.Context(), renewed.Refresh); err == nil {
		t.Error("a revoked refresh token still works")
	}

	d, err = p.Device(t.Context())
	must(t, err)
	if _, err := k.provider("").Device(t.Context()); err != nil { // another one does not disturb
		t.Error(err)
	}
	refusing := k.browser("bob")
	refusing.refuses = true
	refusing.follow(d.Complete)
	if _, err := p.Wait(t.Context(), d); err == nil || !strings.Contains(err.Error(), signin.ErrRefused.Error()) {
		t.Errorf("refused in the browser: %v", err)
	}
}

func browserFlow(t *testing.T, k *realm, s *site) {
	k.client("custody-cli", func(c object) {
		c["standardFlowEnabled"], c["redirectUris"] = true, []string{"http://127.0.0.1/callback"}
	})
	v, err := k.provider("mfa").Visit(t.Context())
	must(t, err)
	b := k.browser("bob")
	b.follow(v.Address)
	got, err := v.Wait(t.Context())
	must(t, err)
	if me := s.me(t, got.Access); !me.StepUp || me.Client != "custody-cli" || !slices.Equal(b.filled, []string{"password", "otp"}) {
		t.Errorf("after %v: %+v", b.filled, me)
	}
}

func agentAlone(t *testing.T, k *realm, s *site) {
	a := k.agent()
	asked := s.asked(t, k.browser("alice").signIn(console, nil).access)
	got := a.itself()
	me := s.me(t, got.access)
	if me.Kind != "agent" || !slices.Equal(me.Roles, []string{"analyst"}) || me.MFA || me.StepUp || me.ACR != "" || len(me.AMR) > 0 || me.AuthTime != nil {
		t.Errorf("the agent: %+v", me)
	}
	if claims(t, got.access)["acr"] == nil {
		t.Log("this Keycloak gives programs no acr any more")
	}
	s.asked(t, got.access) // its role lets it submit
	k.role(http.MethodPost, k.user("service-account-"+program), "legal")
	t.Cleanup(func() { k.role(http.MethodDelete, k.user("service-account-"+program), "legal") })
	p := refused(t, s.vote(t, a.itself().access, asked))
	if p.Status != http.StatusForbidden {
		t.Errorf("an agent with the role votes: %v", p)
	}
}

func agentForAPerson(t *testing.T, k *realm, s *site) {
	a := k.agent()
	asked := s.asked(t, k.browser("alice").signIn(console, nil).access)
	bob := k.browser("bob").signIn(console, url.Values{"acr_values": {"mfa"}})
	got := a.actingFor(bob.access)
	me := s.me(t, got.access)
	if me.Kind != "human" || me.Subject != k.user("bob") || !slices.Equal(me.Act, []string{program}) || me.MFA || me.StepUp || !slices.Contains(me.Roles, "legal") {
		t.Errorf("for bob: %+v", me)
	}
	if claims(t, got.access)["act"] != nil {
		t.Log("this Keycloak says act")
	}
	if p := refused(t, s.vote(t, got.access, asked)); p.Status != http.StatusForbidden || p.Kind() == "step-up-required" {
		t.Errorf("it votes for bob: %v", p)
	}
	if err := s.vote(t, bob.access, asked); err != nil {
		t.Errorf("bob himself: %v", err)
	}
	alice := k.browser("alice").signIn(console, nil)
	run, err := s.with(t, a.actingFor(alice.access).access).Submit(t.Context(), client.Submission{Workflow: "ask", Input: []byte(`{"question": "?"}`)})
	must(t, err)
	if run.Caller.ID != s.me(t, alice.access).ID || !slices.Equal(run.Caller.Act, []string{program}) {
		t.Errorf("the run's caller: %+v", run.Caller)
	}
}

func roleRemoved(t *testing.T, k *realm, s *site) {
	k.person("leaver", "analyst")
	before := k.browser("leaver").signIn(console, nil)
	k.role(http.MethodDelete, k.user("leaver"), "analyst")
	after := k.tokens(url.Values{"grant_type": {"refresh_token"}, "client_id": {console}, "refresh_token": {before.refresh}})
	if me := s.me(t, after.access); len(me.Roles) > 0 {
		t.Errorf("the next token has %v", me.Roles)
	}
	// What is promised for the old one: it says what it said until it ends.
	if me := s.me(t, before.access); !slices.Equal(me.Roles, []string{"analyst"}) {
		t.Errorf("the old token has %v", me.Roles)
	}
}

func userDisabled(t *testing.T, k *realm, s *site) {
	k.person("dismissed", "analyst")
	got := k.browser("dismissed").signIn(console, nil)
	k.call(http.MethodPut, "/users/"+k.user("dismissed"), object{"enabled": false}, nil)
	status, answer := post(t, http.DefaultClient, k.endpoint("token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {console}, "refresh_token": {got.refresh}})
	if status == http.StatusOK {
		t.Errorf("another token: %v", answer["token_type"])
	}
	s.me(t, got.access) // until it ends; a revocation in Custody ends it at once
}

func clientDisabled(t *testing.T, k *realm, s *site) {
	got := k.browser("alice").signIn(console, nil)
	k.client(console, func(c object) { c["enabled"] = false })
	if status, _ := post(t, http.DefaultClient, k.endpoint("token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {console}, "refresh_token": {got.refresh}}); status == http.StatusOK {
		t.Error("another token")
	}
	s.me(t, got.access)
}

func revoked(t *testing.T, k *realm, s *site) {
	alice, bob := k.browser("alice").signIn(console, nil), k.browser("bob").signIn(console, nil)
	officer := k.browser("carol")
	r := client.NewRevocation{Kind: "sub", Value: s.me(t, alice.access).ID, Reason: "test"}
	_, err := s.with(t, officer.signIn(console, nil).access).Revoke(t.Context(), r)
	if p := refused(t, err); p.Kind() != "step-up-required" {
		t.Errorf("with a password: %v", p)
	}
	carol := s.with(t, officer.signIn(console, url.Values{"acr_values": {"mfa"}}).access)
	made, err := carol.Revoke(t.Context(), r)
	must(t, err)
	if _, err := s.with(t, alice.access).Me(t.Context()); refused(t, err).Status != http.StatusUnauthorized {
		t.Errorf("alice: %v", err)
	}
	s.me(t, bob.access)
	_, err = carol.Lift(t.Context(), made.ID)
	must(t, err)
	s.me(t, alice.access)
}

// hears has the provider tell this site of logouts.
func (k *realm) hears(s *site) {
	k.t.Helper()
	k.client(console, func(c object) {
		c["attributes"].(object)["backchannel.logout.url"] = s.url + "/oidc/backchannel-logout"
	})
}

// ends waits until a token is refused. The provider tells of a logout within
// moments.
func (s *site) ends(t *testing.T, token string) {
	t.Helper()
	for range 100 {
		if _, err := s.with(t, token).Me(t.Context()); err != nil {
			if p := refused(t, err); p.Status != http.StatusUnauthorized {
				t.Errorf("refused with %v", p)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the token is still accepted")
}

func signedOut(t *testing.T, k *realm, s *site) {
	k.hears(s)
	here, there := k.browser("alice"), k.browser("alice")
	ended, other := here.signIn(console, nil), there.signIn(console, nil)
	acting := k.agent().actingFor(ended.access)
	s.me(t, ended.access)
	s.me(t, acting.access)
	here.logout(ended.id)
	s.ends(t, ended.access)
	s.ends(t, acting.access) // it belongs to the same session
	s.me(t, other.access)    // another session of hers does not
	s.me(t, here.signIn(console, nil).access)
}

func thrownOut(t *testing.T, k *realm, s *site) {
	k.hears(s)
	k.person("thrown", "analyst")
	first, second := k.browser("thrown").signIn(console, nil), k.browser("thrown").signIn(console, nil)
	bystander := k.browser("alice").signIn(console, nil)
	k.call(http.MethodPost, "/users/"+k.user("thrown")+"/logout", nil, nil)
	s.ends(t, first.access)
	s.ends(t, second.access)
	s.me(t, bystander.access)
	s.me(t, k.browser("thrown").signIn(console, nil).access)
}

func keysRotate(t *testing.T, k *realm, s *site) {
	// A verifier whose clock the test can move: it fetches keys at most once in
	// ten seconds, and again after ten minutes.
	var ahead time.Duration
	fetches := &counting{}
	v, err := oidc.New(t.Context(), oidc.Config{
		Issuers: []oidc.Issuer{s.issuer}, Subjects: anybody{}, Now: func() time.Time { return time.Now().Add(ahead) }, HTTP: &http.Client{Transport: fetches},
	})
	must(t, err)
	accepted := func(token string) bool { _, err := v.Verify(t.Context(), token); return err == nil }
	old := k.browser("alice").signIn(console, nil).access
	if !accepted(old) || fetches.keys() != 1 {
		t.Fatalf("before: %d fetches", fetches.keys())
	}
	withdraw := k.addKey("200")
	young := k.browser("alice").signIn(console, nil).access
	ahead = 11 * time.Second
	if !accepted(young) || !accepted(old) || fetches.keys() != 2 {
		t.Errorf("after the rotation: %d fetches", fetches.keys())
	}
	withdraw()
	cleanup := k.addKey("300")
	defer cleanup()
	late := k.browser("alice").signIn(console, nil).access
	if !accepted(young) || accepted(late) || fetches.keys() != 2 {
		t.Errorf("within ten seconds: %d fetches", fetches.keys())
	}
	ahead = 22 * time.Second
	if !accepted(late) || !accepted(old) || fetches.keys() != 3 {
		t.Errorf("ten seconds later: %d fetches", fetches.keys())
	}
	for range 20 {
		if accepted(young) {
			t.Fatal("a withdrawn key is believed")
		}
	}
	if fetches.keys() != 3 {
		t.Errorf("%d fetches after 20 tokens of a withdrawn key", fetches.keys())
	}
}

func wrongTokens(t *testing.T, k *realm, s *site) {
	good := k.browser("alice").signIn(console, nil)
	k.client(console, func(c object) {
		c["protocolMappers"] = slices.DeleteFunc(c["protocolMappers"].([]any), func(m any) bool { return m.(object)["name"] == "aud custody" })
	})
	other := k.browser("alice").signIn(console, nil).access
	k.at(t).client(console, func(c object) { c["attributes"].(object)["client.use.lightweight.access.token.enabled"] = "true" })
	light := k.browser("alice").signIn(console, nil).access
	for name, row := range map[string]struct{ token, check, remedy string }{
		"ID token":      {good.id, "type", "send the access token, not the ID"},
		"refresh token": {good.refresh, "type", "send the access token, not the ID, refresh"},
		"other API's":   {other, "audience", "oidc-audience-mapper"},
		"lightweight":   {light, "subject", "lightweight"},
	} {
		_, err := s.with(t, row.token).Me(t.Context())
		if p := refused(t, err); p.Status != http.StatusUnauthorized || !strings.Contains(p.Challenge, `error="invalid_token"`) {
			t.Errorf("%s: %v", name, p)
		}
		r, err := custody.ExplainToken(t.Context(), []oidc.Issuer{s.issuer}, row.token)
		must(t, err)
		i := slices.IndexFunc(r.Checks, func(c oidc.CheckResult) bool { return c.Name == row.check })
		if r.Accepted || i < 0 || r.Checks[i].Passed || !strings.Contains(r.Checks[i].Remedy, row.remedy) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	s.me(t, good.access) // the twin
}
