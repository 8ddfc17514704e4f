package waiver_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/waiver"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func keys(t testing.TB, seed string) *security.Keys {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, ed25519.SeedSize)))
	k, err := security.NewKeys("m1", private, map[string]ed25519.PublicKey{"m1": private.Public().(ed25519.PublicKey)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func release() waiver.Release {
	return waiver.Release{ID: "rel_1", Tenant: "main", Texts: []string{"k1:aa"}, By: "subj_carol", AtUS: now.UnixMicro(), Until: now.Add(time.Hour).UnixMicro()}
}

func order() waiver.Order {
	return waiver.Order{ID: "mod_1", Tenant: "main", Mode: waiver.Observe, By: "subj_carol", AtUS: now.UnixMicro(), Until: now.Add(time.Hour).UnixMicro()}
}

func TestOnlyWhatWeSignedIsAWaiver(t *testing.T) {
	t.Parallel()
	ours := keys(t, "a")
	signed, err := release().Sign(ours)
	if err != nil {
		t.Fatal(err)
	}
	ordered, err := order().Sign(ours)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := waiver.OpenRelease(ours, signed, "main"); err != nil || r.ID != "rel_1" || len(r.Texts) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	if o, err := waiver.OpenOrder(ours, ordered, "main"); err != nil || o.Mode != waiver.Observe {
		t.Errorf("%+v %v", o, err)
	}
	altered := signed
	altered.Body = []byte(strings.Replace(string(signed.Body), "k1:aa", "k1:bb", 1))
	theirs, err := release().Sign(keys(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s      security.Signed
		tenant string
	}{
		"altered":                  {altered, "main"},
		"signed by a stranger":     {theirs, "main"},
		"of another tenant":        {signed, "other"},
		"an order":                 {ordered, "main"},
		"signed as something else": {ours.Sign(security.ForVote, signed.Body), "main"},
		"no JSON":                  {ours.Sign(security.ForWaiver, []byte("x")), "main"},
		"nothing":                  {security.Signed{}, "main"},
	} {
		if r, err := waiver.OpenRelease(ours, c.s, c.tenant); !errors.Is(err, waiver.ErrWaiver) || r.ID != "" {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
	if _, err := waiver.OpenOrder(ours, signed, "main"); !errors.Is(err, waiver.ErrWaiver) {
		t.Errorf("a release is an order: %v", err)
	}
}

func TestWhatAWaiverLetsPass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		texts  []string
		caller string
		at     time.Duration
		want   bool
	}{
		"the text":                   {[]string{"k1:aa"}, "subj_alice", 0, true},
		"named under a later key":    {[]string{"k2:zz", "k1:aa"}, "subj_alice", 0, true},
		"another text":               {[]string{"k1:bb"}, "subj_alice", 0, false},
		"in a run of who made it":    {[]string{"k1:aa"}, "subj_carol", 0, false},
		"in nobody's run":            {[]string{"k1:aa"}, "", 0, false},
		"after its end":              {[]string{"k1:aa"}, "subj_alice", time.Hour, false},
		"a text without fingerprint": {nil, "subj_alice", 0, false},
	} {
		if got := release().Pardons(c.texts, c.caller, now.Add(c.at)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	enforce := order()
	enforce.Mode = waiver.Enforce
	if !order().Holds(now) || order().Holds(now.Add(time.Hour)) || enforce.Holds(now) || (waiver.Order{}).Holds(now) {
		t.Error("an order holds when it must not, or not when it must")
	}
	if (waiver.Release{}).Pardons([]string{""}, "subj_alice", now) {
		t.Error("the zero release lets something pass")
	}
}

func ExampleRelease_Pardons() {
	r := release()
	fmt.Println(r.Pardons([]string{"k1:aa"}, "subj_alice", now), r.Pardons([]string{"k1:aa"}, r.By, now))
	// Output: true false
}
