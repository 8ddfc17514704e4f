package security_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/custodyhq/custody/security"
)

func TestTheZeroValuesAreTheSafeOnes(t *testing.T) {
	t.Parallel()
	var label security.Label
	if label.Trusted() || label.Sensitivity != security.Restricted || label.Origins.Within(security.Author) {
		t.Errorf("a zero label is trusted: %+v", label)
	}
	if (security.Decision{}).Allowed() || security.Allow().Allowed() {
		t.Error("a decision that nobody made allows")
	}
	if !(security.Requirement{}).IsZero() {
		t.Error("a zero requirement asks for something")
	}
	if (security.Principal{}).MFA() || (security.Principal{}).FreshWithin(time.Hour, time.Now()) {
		t.Error("nobody has a second factor")
	}
}

func TestJoinNeverLosesAnOriginOrASensitivity(t *testing.T) {
	t.Parallel()
	labels := rapid.Custom(func(t *rapid.T) security.Label {
		return security.Label{
			Origins:     security.Origins(rapid.IntRange(0, 63).Draw(t, "origins")),
			Sensitivity: security.Sensitivity(rapid.IntRange(0, 3).Draw(t, "sensitivity")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := labels.Draw(t, "a"), labels.Draw(t, "b")
		j := a.Join(b)
		if j != b.Join(a) || j.Origins&a.Origins != a.Origins || j.Sensitivity > a.Sensitivity || j.Sensitivity > b.Sensitivity {
			t.Fatalf("%+v and %+v make %+v", a, b, j)
		}
		if j.Trusted() && !(a.Trusted() || b.Trusted()) {
			t.Fatalf("%+v and %+v make a trusted %+v", a, b, j)
		}
	})
}

func TestNamesReadBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"author", "caller", "document", "tool", "model", "person"} {
		o, err := security.ParseOrigin(name)
		if err != nil || o.String() != name {
			t.Errorf("%s: %s, %v", name, o, err)
		}
	}
	for _, name := range []string{"public", "internal", "confidential", "restricted"} {
		s, err := security.ParseSensitivity(name)
		if err != nil || s.String() != name {
			t.Errorf("%s: %s, %v", name, s, err)
		}
	}
	if _, err := security.ParseOrigin("Author"); err == nil {
		t.Error("another spelling was read")
	}
	if s, err := security.ParseSensitivity("secret"); err == nil || s != security.Restricted {
		t.Error("an unknown sensitivity is not restricted")
	}
	if security.Sensitivity(9).String() != "restricted" {
		t.Error("a sensitivity that nobody defined is not restricted")
	}
}

func TestRequirementsAddUp(t *testing.T) {
	t.Parallel()
	got := security.Requirement{Roles: []string{"b", "a"}}.And(security.Requirement{Roles: []string{"a", "c"}, MFA: true})
	if len(got.Roles) != 3 || !got.MFA {
		t.Errorf("%+v", got)
	}
}

func TestOnlyPeopleAreFreshAndHaveFactors(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name  string
		who   security.Principal
		mfa   bool
		fresh bool
	}{
		{"a person just now", security.Principal{Kind: security.Human, ACR: "mfa", AuthTime: now.Add(-time.Minute)}, true, true},
		{"a person with a password", security.Principal{Kind: security.Human, ACR: "pwd", AuthTime: now}, false, true},
		{"a person an hour ago", security.Principal{Kind: security.Human, ACR: "mfa", AuthTime: now.Add(-time.Hour)}, true, false},
		{"a person from the future", security.Principal{Kind: security.Human, ACR: "mfa", AuthTime: now.Add(time.Hour)}, true, false},
		{"a program that says so", security.Principal{Kind: security.Agent, ACR: "mfa", AuthTime: now}, false, false},
	} {
		if c.who.MFA() != c.mfa || c.who.FreshWithin(5*time.Minute, now) != c.fresh {
			t.Errorf("%s: mfa %v, fresh %v", c.name, c.who.MFA(), c.who.FreshWithin(5*time.Minute, now))
		}
	}
}
