package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func TestAVersionIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	d := Definition{Tenant: "main", Name: "review", Digest: "sha256:1", Source: "name: review", Title: "Reviews", Author: "subj_erin"}
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			created, err := b.Register(t.Context(), d, true)
			if err != nil {
				t.Error(err)
			}
			if created {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	got, err := b.Definition(t.Context(), "main", "review", "")
	if err != nil || made.Load() != 1 || got.AtUS == 0 || !got.Current || got.Version != 1 {
		t.Errorf("made %d times: %+v, %v", made.Load(), got, err)
	}
	d.AtUS, d.Current, d.Version = got.AtUS, true, 1
	if diff := cmp.Diff(d, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheCurrentVersionIsChosen(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	register := func(digest string, current bool) {
		t.Helper()
		if _, err := b.Register(t.Context(), Definition{Tenant: "main", Name: "review", Digest: digest}, current); err != nil {
			t.Fatal(err)
		}
	}
	current := func(digest string, version int64) {
		t.Helper()
		if d, err := b.Definition(t.Context(), "main", "review", ""); err != nil || d.Digest != digest || d.Version != version {
			t.Errorf("the current one is %s in version %d, %v", d.Digest, d.Version, err)
		}
	}
	choose := func(tenant, digest, expected string) error {
		c := Choice{Tenant: tenant, Name: "review", Digest: digest}
		if expected != "" {
			c.Fits = func(current string) bool { return current == expected }
		}
		receipt, err := b.Choose(t.Context(), c, audit.Fact{Actor: "subj_erin"})
		if (err == nil) != (receipt.Stream != "") {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
		return err
	}
	register("1", false)
	if _, err := b.Definition(t.Context(), "main", "review", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("none is current: %v", err)
	}
	if err := choose("main", "1", "0"); !errors.Is(err, ErrChanged) {
		t.Errorf("not the expected one: %v", err)
	}
	if err := choose("main", "1", ""); err != nil {
		t.Errorf("the first choice: %v", err)
	}
	current("1", 1)
	register("2", true)
	current("2", 2)
	register("3", false)
	current("2", 2)
	if err := choose("main", "1", "2"); err != nil {
		t.Error(err)
	}
	current("1", 3)
	if err := choose("main", "3", "2"); !errors.Is(err, ErrChanged) {
		t.Errorf("somebody was faster: %v", err)
	}
	if err := choose("main", "9", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
	if err := choose("acme", "1", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	if old, err := b.Definition(t.Context(), "main", "review", "2"); err != nil || old.Current {
		t.Errorf("an old version: %+v, %v", old, err)
	}
	current("1", 3)
}

func TestDefinitionsAndVersionsArePaged(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	for _, name := range []string{"a", "ab", "b", "abc"} {
		for v := range 3 {
			if _, err := b.Register(t.Context(), Definition{Tenant: "main", Name: name, Digest: fmt.Sprint(v)}, v == 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	var names []string
	for after := ""; ; {
		page, err := b.Definitions(t.Context(), "main", "a", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			names, after = append(names, d.Name+d.Digest), d.Name
		}
	}
	if diff := cmp.Diff([]string{"a1", "ab1", "abc1"}, names); diff != "" {
		t.Error(diff)
	}
	var versions []string
	var last Definition
	for {
		page, err := b.Versions(t.Context(), "main", "ab", last.AtUS, last.Digest, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			versions, last = append(versions, fmt.Sprint(d.Digest, d.Current)), d
		}
	}
	if diff := cmp.Diff([]string{"2false", "1true", "0false"}, versions); diff != "" {
		t.Error(diff)
	}
}

func TestASubjectHasOneNamePerTenant(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	c := join(t, b.url, Config{})
	var names [16]string
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			var err error
			if names[i], err = []*bed{b, c}[i%2].Subject(t.Context(), "main", "https://id.example", "alice"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, n := range names {
		if _, err := security.ParseID("subj", n); err != nil || n != names[0] {
			t.Fatalf("names %v", names)
		}
	}
	for _, other := range [][3]string{{"acme", "https://id.example", "alice"}, {"main", "https://other", "alice"}, {"main", "https://id.example", "bob"}} {
		if n, err := b.Subject(t.Context(), other[0], other[1], other[2]); err != nil || n == names[0] {
			t.Errorf("%v is %s, %v", other, n, err)
		}
	}
	b.known.Store(maxSubjects) // forgotten here, and found again in the database
	if n, err := b.Subject(t.Context(), "main", "https://id.example", "carol"); err != nil || n == "" {
		t.Error(err)
	}
	if n, err := b.Subject(t.Context(), "main", "https://id.example", "alice"); err != nil || n != names[0] {
		t.Errorf("after forgetting: %s, %v", n, err)
	}
}

func TestARevocationIsSeenByTheNextBatch(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	keys := []string{"sub:subj_alice", "client:cli"}
	scoped := []string{"main/sub:subj_alice", "main/client:cli"}
	ask := func() (revoked bool) {
		t.Helper()
		b.write(Change{Run: id, Revoked: scoped, Apply: func(l *Locked) error { revoked = l.IsRevoked(keys, time.Now()); return nil }})
		return revoked
	}
	if ask() {
		t.Error("nothing is revoked")
	}
	r := Revocation{Key: "sub:subj_alice", ID: security.NewID(), Tenant: "acme", By: "subj_admin", Reason: "left"}
	if isNew, err := b.Revoke(t.Context(), r); err != nil || !isNew {
		t.Errorf("%v, %v", isNew, err)
	}
	if ask() {
		t.Error("another tenant's revocation counts")
	}
	r.ID, r.Tenant = security.NewID(), "main"
	for i := range 2 {
		r.ID = security.NewID()
		if isNew, err := b.Revoke(t.Context(), r); err != nil || isNew != (i == 0) {
			t.Errorf("%v, %v", isNew, err)
		}
	}
	if !ask() {
		t.Error("the revocation is not seen")
	}
	got, err := b.Revoked(t.Context(), "main", append(keys, "run:x"), time.Now())
	if diff := cmp.Diff(keys[:1], got); diff != "" || err != nil {
		t.Errorf("%s%v", diff, err)
	}
}

func TestAVersionIsRegisteredOnceUnderAKey(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	one := Definition{Tenant: "main", Name: "review", Digest: "sha256:1"}
	two := Definition{Tenant: "main", Name: "review", Digest: "sha256:2"}
	key := func(name, body string) Key {
		return Key{Scope: "main/subj_erin", Key: name, Body: []byte(body), Object: security.NewID()}
	}
	var made, replayed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			created, err := b.RegisterOnce(t.Context(), one, true, key("a", "1"))
			var replay *Replayed
			switch {
			case err == nil && created:
				made.Add(1)
			case errors.As(err, &replay) && replay.Object != security.ID{}:
				replayed.Add(1)
			default:
				t.Errorf("created %t, %v", created, err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || replayed.Load() != 7 {
		t.Errorf("made %d times, replayed %d times", made.Load(), replayed.Load())
	}
	if _, err := b.RegisterOnce(t.Context(), two, true, key("a", "2")); !errors.Is(err, ErrMismatch) {
		t.Errorf("the key with something else: %v", err)
	}
	if err := b.Done(t.Context(), key("a", "2")); !errors.Is(err, ErrMismatch) {
		t.Errorf("the key with something else, looked up: %v", err)
	}
	if err := b.Done(t.Context(), key("b", "1")); err != nil {
		t.Errorf("a new key: %v", err)
	}
	if created, err := b.RegisterOnce(t.Context(), two, true, key("c", "2")); err != nil || !created {
		t.Errorf("the harmless twin: %t, %v", created, err)
	}
	// A key that found its version there says so when it is used again, and
	// does not make that version the current one again.
	if created, err := b.RegisterOnce(t.Context(), one, true, key("b", "1")); err != nil || created {
		t.Errorf("the version is there: %t, %v", created, err)
	}
	if _, err := b.Register(t.Context(), two, true); err != nil {
		t.Fatal(err)
	}
	var replay *Replayed
	if _, err := b.RegisterOnce(t.Context(), one, true, key("b", "1")); !errors.As(err, &replay) || replay.Object != (security.ID{}) {
		t.Errorf("replayed: %v", err)
	}
	if d, err := b.Definition(t.Context(), "main", "review", ""); err != nil || d.Digest != two.Digest {
		t.Errorf("the current one is %s, %v", d.Digest, err)
	}
}
