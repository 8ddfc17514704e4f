package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
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

func TestAListOfAWholeTenantIsReadInTheOrderOfAnIndex(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	b.submit()
	conn := b.raw()
	if _, err := conn.Exec(t.Context(), `set enable_seqscan = off`); err != nil { // as with many rows
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `explain select `+entryColumns+entryFrom+` where e.tenant = 'main' and e.at_us >= 1
and (e.at_us, e.stream, e.seq) > (1, '019a0000-0000-7000-8000-000000000000', 0) order by e.at_us, e.stream, e.seq limit 50`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	plan := strings.Join(lines, "\n")
	if err != nil || !strings.Contains(plan, "entry_listed") || strings.Contains(plan, "Sort") {
		t.Errorf("%v\n%s", err, plan)
	}
}

func TestEntriesOfAWorkflowAreThoseOfItsRunsAndOfItsDefinition(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	run := b.submit() // of review, sha256:d
	b.write(step(run, "x"))
	if _, err := b.Record(t.Context(), audit.Fact{Action: audit.WorkflowRegistered, Outcome: "ok", Tenant: "main", Name: "review", Workflow: "sha256:d"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Record(t.Context(), audit.Fact{Action: audit.WorkflowRegistered, Outcome: "ok", Tenant: "main", Name: "other", Workflow: "sha256:e"}); err != nil {
		t.Fatal(err)
	}
	for workflow, want := range map[string]int{"review": 3, "sha256:d": 3, "other": 1, "sha256:e": 1, "none": 0} {
		got, _, err := b.Entries(t.Context(), "main", EntryFilter{Workflow: workflow, Limit: 10})
		if err != nil || len(got) != want {
			t.Errorf("%s: %d entries, want %d, %v", workflow, len(got), want, err)
		}
	}
}
