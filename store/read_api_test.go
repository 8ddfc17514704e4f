package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
)

func TestDetailsOfRunsNameTheEntryOfTheReason(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	plain, failed := b.submit(), b.submit()
	b.write(Change{Run: failed, Apply: func(l *Locked) error {
		l.Reason = &Reason{Code: "error", Seq: l.Seq}
		return step(failed, "x").Apply(l)
	}})
	runs := []Run{b.run(plain), b.run(failed)}
	got, err := b.RunDetails(t.Context(), runs)
	if err != nil || len(got) != 2 || !got[plain].Reason.IsZero() || got[failed].Reason != runs[1].Head {
		t.Errorf("%+v, %v", got, err)
	}
	if none, err := b.RunDetails(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of none: %v, %v", none, err)
	}
}

func TestStreamsArePagedWithinATenantAndATime(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	ids := []security.ID{b.submit(), b.submit(), b.submit()}
	sorted(ids)
	for _, tenant := range []string{"main", "acme"} {
		if _, err := b.Record(t.Context(), read(tenant, "a")); err != nil {
			t.Fatal(err)
		}
	}
	var got []security.ID
	controls := 0
	for after := (security.ID{}); ; {
		page, err := b.Streams(t.Context(), "main", time.Time{}, time.Time{}, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			if after = s.ID; s.Control {
				controls++
				continue
			}
			got = append(got, s.ID)
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" || controls != 1 {
		t.Errorf("%d control streams\n%s", controls, diff)
	}
	if late, err := b.Streams(t.Context(), "main", time.Now().Add(time.Hour), time.Time{}, security.ID{}, 10); err != nil || len(late) != 0 {
		t.Errorf("of the future: %v, %v", late, err)
	}
}
