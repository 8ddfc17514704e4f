package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func revocationOfKey(key string) Revocation {
	return Revocation{Key: key, ID: security.NewID(), Tenant: "main", By: "subj_carol", Reason: "left"}
}

func TestALogoutConcernsOnlyWhatBeganBefore(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id, keys := b.submit(), []string{"logout:subj_alice"}
	seen := func(began time.Time) bool {
		t.Helper()
		got, err := b.Revoked(t.Context(), "main", keys, began)
		if err != nil {
			t.Fatal(err)
		}
		var locked bool
		b.write(Change{Run: id, Revoked: []string{"main/" + keys[0]}, Apply: func(l *Locked) error { locked = l.IsRevoked(keys, began); return nil }})
		if locked != (len(got) > 0) {
			t.Errorf("a request says %t, a run says %t", len(got) > 0, locked)
		}
		return locked
	}
	r := revocationOfKey(keys[0])
	r.BeforeUS = time.Now().Add(-time.Hour).UnixMicro() // the database's clock is later: it counts
	if isNew, err := b.Revoke(t.Context(), r); err != nil || !isNew {
		t.Fatalf("%t, %v", isNew, err)
	}
	if !seen(time.Now().Add(-time.Minute)) || seen(time.Now().Add(time.Minute)) {
		t.Error("what began before must be over, what began later not")
	}
	r = revocationOfKey(keys[0])
	r.BeforeUS = time.Now().Add(time.Hour).UnixMicro()
	out, receipt, isNew, err := b.RevokeOnce(t.Context(), r, Key{}, audit.Fact{})
	if err != nil || isNew || receipt.Stream == "" || out.BeforeUS != r.BeforeUS {
		t.Errorf("a later logout moves the earlier one, with an entry: %+v %+v %t %v", out, receipt, isNew, err)
	}
	if !seen(time.Now().Add(time.Minute)) {
		t.Error("the later logout is not seen")
	}
}

func TestARevocationAndItsEntryAreOneCommit(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	key := func(body string) Key {
		return Key{Scope: "main/subj_carol", Key: "k", Body: []byte(body), Object: security.NewID()}
	}
	entries := func(a audit.Action) int {
		t.Helper()
		got, _, err := b.Entries(t.Context(), "main", EntryFilter{Action: string(a), Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	first := key("1")
	r := revocationOfKey("sub:subj_alice")
	r.ID = first.Object
	out, receipt, isNew, err := b.RevokeOnce(t.Context(), r, first, audit.Fact{})
	if err != nil || !isNew || receipt.Stream == "" || out.ID != r.ID || entries(audit.RevocationAdded) != 1 {
		t.Fatalf("%+v %+v %t %v", out, receipt, isNew, err)
	}
	var replay *Replayed
	if _, _, _, err := b.RevokeOnce(t.Context(), r, key("1"), audit.Fact{}); !errors.As(err, &replay) || replay.Object != r.ID {
		t.Errorf("the same key again: %v", err)
	}
	if _, _, _, err := b.RevokeOnce(t.Context(), revocationOfKey("sub:subj_bob"), key("2"), audit.Fact{}); !errors.Is(err, ErrMismatch) {
		t.Errorf("the same key with something else: %v", err)
	}
	if entries(audit.RevocationAdded) != 1 {
		t.Error("what was not done has an entry")
	}
	if got, err := b.Revoked(t.Context(), "main", []string{"sub:subj_bob"}, time.Now()); err != nil || len(got) > 0 {
		t.Errorf("what was refused is revoked: %v %v", got, err)
	}
	if receipt, err := b.Lift(t.Context(), "acme", r.ID, audit.Fact{}); !errors.Is(err, ErrNotFound) || receipt.Stream != "" {
		t.Errorf("another tenant's: %v", err)
	}
	if receipt, err := b.Lift(t.Context(), "main", r.ID, audit.Fact{}); err != nil || receipt.Stream == "" {
		t.Errorf("%+v, %v", receipt, err)
	}
	if _, err := b.Lift(t.Context(), "main", r.ID, audit.Fact{}); !errors.Is(err, ErrNotFound) || entries(audit.RevocationLifted) != 1 {
		t.Errorf("lifted twice: %v", err)
	}
	if got, err := b.Revoked(t.Context(), "main", []string{"sub:subj_alice"}, time.Now()); err != nil || len(got) > 0 {
		t.Errorf("what was lifted is revoked: %v %v", got, err)
	}
	if again, err := b.Revocation(t.Context(), "main", r.ID); err != nil || again.LiftedUS == 0 {
		t.Errorf("what was lifted can still be shown: %+v %v", again, err)
	}
	if isNew, err := b.Revoke(t.Context(), revocationOfKey("sub:subj_alice")); err != nil || !isNew {
		t.Errorf("what was lifted can be revoked anew: %t %v", isNew, err)
	}
	if report, err := b.Verify(t.Context()); err != nil || report.Verdict != audit.Intact {
		t.Errorf("%+v %v", report, err)
	}
}

func TestRevocationsAreListedByKind(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	for _, key := range []string{"sub:subj_1", "sid:a", "logout:subj_2", "client:x:y"} {
		if _, err := b.Revoke(t.Context(), revocationOfKey(key)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		kinds []string
		want  []string
	}{
		{nil, []string{"client:x:y", "logout:subj_2", "sid:a", "sub:subj_1"}},
		{[]string{"sub", "logout"}, []string{"logout:subj_2", "sub:subj_1"}},
		{[]string{"client"}, []string{"client:x:y"}},
		{[]string{"jti"}, nil},
	} {
		var got []string
		var before security.ID
		for {
			page, err := b.Revocations(t.Context(), "main", c.kinds, before, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got, before = append(got, page[0].Key), page[0].ID
		}
		slices.Sort(got) // ids of one millisecond are in any order
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.kinds, got, c.want)
		}
	}
	if other, err := b.Revocations(t.Context(), "acme", nil, security.ID{}, 10); err != nil || len(other) > 0 {
		t.Errorf("another tenant's: %v %v", other, err)
	}
}

func TestWhatFailsBesideAnEntryFailsAlone(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			r := revocationOfKey("sub:subj_x")
			if i%2 == 1 {
				r.Reason = "\x00" // PostgreSQL refuses it
				_, err := b.Revoke(t.Context(), r)
				if err == nil {
					errs <- errors.New("a NUL was stored")
					return
				}
				errs <- nil
				return
			}
			_, err := b.Record(t.Context(), audit.Fact{Action: audit.AuditRead, Outcome: "ok", Tenant: "main"})
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
