package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
)

func read(tenant, actor string) audit.Fact {
	return audit.Fact{Action: audit.AuditRead, Outcome: "ok", Tenant: tenant, Actor: actor}
}

func TestFactsFromManyGoroutinesFormOneUnbrokenStream(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	const n = 300
	var receipts [n]Receipt
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if receipts[i], err = b.Record(t.Context(), read("main", fmt.Sprint("subj_", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, r := range receipts {
		if r.Stream != receipts[0].Stream || seen[r.Seq] || r.Hash.IsZero() {
			t.Fatalf("receipt %+v", r)
		}
		seen[r.Seq] = true
		e, owner, err := b.EntryByHash(t.Context(), "main", r.Hash)
		if err != nil || e.Seq != r.Seq || e.Stream != r.Stream || e.Check() != nil || owner != "" {
			t.Fatalf("%+v, %q, %v", e, owner, err)
		}
		if r.Seq > 20 {
			break // each look reads the table
		}
	}
	if got := b.count(`select seq from control`); got != n {
		t.Errorf("the head counts %d", got)
	}
}

func TestEveryTenantHasAControlStreamOfItsOwn(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	one, err1 := b.Record(t.Context(), read("main", "a"))
	two, err2 := b.Record(t.Context(), read("acme", "b"))
	if err1 != nil || err2 != nil || one.Stream == two.Stream || one.Seq != 0 || two.Seq != 0 {
		t.Errorf("%+v %+v %v %v", one, two, err1, err2)
	}
	list, _, err := b.Entries(t.Context(), "acme", EntryFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Stream != two.Stream || list[0].Log != "localhost/dev/acme" {
		t.Errorf("%+v, %v", list, err)
	}
}

// A lost commit of a fact may have persisted: the caller refuses what it was
// about to do, and the next facts stand in a new stream.
func TestAfterAFailureFactsGoToANewStream(t *testing.T) {
	t.Parallel()
	net := &cable{}
	b := open(t, Config{Dial: net.dial})
	first, err := b.Record(t.Context(), read("main", "a"))
	if err != nil {
		t.Fatal(err)
	}
	net.set(true)
	if _, err := b.Record(t.Context(), read("main", "refused")); err == nil {
		t.Error("recorded without a database")
	}
	net.set(false)
	second, err := b.Record(t.Context(), read("main", "b"))
	if err != nil || second.Stream == first.Stream || second.Seq != 0 {
		t.Errorf("%+v after %+v: %v", second, first, err)
	}
	third, err := b.Record(t.Context(), read("main", "c"))
	if err != nil || third.Stream != second.Stream || third.Seq != 1 {
		t.Errorf("%+v after %+v: %v", third, second, err)
	}
}

func TestAFactNeverWaitsForARunsLock(t *testing.T) {
	t.Parallel()
	b := open(t, Config{patience: time.Minute})
	id := b.submit()
	tx, err := b.raw().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `select from run where id = $1 for update`, id); err != nil {
		t.Fatal(err)
	}
	done := start(func() error { return b.Write(t.Context(), step(id, "x")) })
	if _, err := b.Record(t.Context(), read("main", "a")); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEntriesAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	one, two := b.submit(), b.submit()
	for i := range 7 {
		id := []security.ID{one, two}[i%2]
		b.write(Change{Run: id, Apply: func(l *Locked) error {
			l.Append(audit.Fact{
				Action: audit.StepIntent, Outcome: "ok", Step: fmt.Sprint("s", i), Actor: "subj_bob",
				Key: id.Name("run") + "/s" + fmt.Sprint(i), Call: fmt.Sprint("call_", i),
			})
			l.Append(audit.Fact{Action: audit.StepResult, Outcome: []string{"ok", "error"}[i%2], Step: fmt.Sprint("s", i)})
			return nil
		}})
	}
	if _, err := b.Record(t.Context(), read("main", "subj_carol")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Record(t.Context(), read("acme", "subj_carol")); err != nil {
		t.Fatal(err)
	}
	all, _, err := b.Entries(t.Context(), "main", EntryFilter{Limit: 100})
	if err != nil || len(all) != 2+14+1 {
		t.Fatalf("%d entries, %v", len(all), err)
	}
	var middle time.Time
	if body, err := audit.ParseBody(all[8].Body); err == nil {
		middle = time.UnixMicro(body.AtUS)
	}
	for name, c := range map[string]struct {
		f    EntryFilter
		want int
	}{
		"a stream":            {EntryFilter{Stream: one}, 9},
		"a stream from":       {EntryFilter{Stream: one, MinSeq: 7}, 2},
		"a step":              {EntryFilter{Step: "s3"}, 2},
		"an action":           {EntryFilter{Action: string(audit.StepIntent)}, 7},
		"an outcome":          {EntryFilter{Outcome: "error"}, 3},
		"an actor":            {EntryFilter{Actor: "subj_carol"}, 1},
		"a workflow":          {EntryFilter{Workflow: "review"}, 16},
		"an owner":            {EntryFilter{Owner: "subj_alice"}, 16},
		"another owner":       {EntryFilter{Owner: "subj_bob"}, 0},
		"a key":               {EntryFilter{Key: two.Name("run") + "/s1"}, 1},
		"a call":              {EntryFilter{Call: "call_5"}, 1},
		"several":             {EntryFilter{Stream: two, Action: string(audit.StepResult), Outcome: "error"}, 3},
		"until and from then": {EntryFilter{To: middle}, 17 - b.since(middle)},
		"from":                {EntryFilter{From: middle}, b.since(middle)},
		"nothing":             {EntryFilter{Step: "nope"}, 0},
	} {
		for _, size := range []int{1, 2, 100} {
			c.f.Limit, c.f.Cursor = size, EntryCursor{}
			var got []audit.Entry
			for {
				page, next, err := b.Entries(t.Context(), "main", c.f)
				if err != nil || len(page) > size {
					t.Fatalf("%s: %v", name, err)
				}
				if len(page) == 0 {
					break
				}
				got, c.f.Cursor = append(got, page...), next
			}
			if len(got) != c.want {
				t.Errorf("%s, %d a page: %d entries", name, size, len(got))
			}
			if size < 100 || c.want == 0 {
				continue
			}
			var expected []audit.Entry // the same ones, in the order of the whole list
			for _, e := range all {
				if slices.ContainsFunc(got, func(g audit.Entry) bool { return g.Hash == e.Hash }) {
					expected = append(expected, e)
				}
			}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func (b *bed) since(at time.Time) int {
	return int(b.count(`select count(*) from entry where tenant = 'main' and at_us >= $1`, at.UnixMicro()))
}

// Many entries share a microsecond: a page must neither repeat nor skip one.
func TestPagesBreakBetweenEntriesOfTheSameInstant(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	b.write(Change{Run: id, Apply: func(l *Locked) error {
		for i := range 50 {
			l.Append(audit.Fact{Action: audit.StepResult, Outcome: "ok", Step: fmt.Sprint(i)})
		}
		return nil
	}})
	if n := b.count(`select count(distinct at_us) from entry where seq > 0`); n != 1 {
		t.Fatalf("%d instants", n)
	}
	seen := map[audit.Hash]bool{}
	f := EntryFilter{Limit: 7}
	for {
		page, next, err := b.Entries(t.Context(), "main", f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if seen[e.Hash] {
				t.Fatalf("entry %d twice", e.Seq)
			}
			seen[e.Hash] = true
		}
		f.Cursor = next
	}
	if len(seen) != 51 {
		t.Errorf("%d entries", len(seen))
	}
}

func TestAnEntryIsFoundByItsHashWithinItsTenant(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	head := b.run(id).Head
	e, owner, err := b.EntryByHash(t.Context(), "main", head)
	if err != nil || owner != "subj_alice" || e.Stream != id.Name("run") || e.Check() != nil {
		t.Errorf("%+v, %q, %v", e, owner, err)
	}
	if _, _, err := b.EntryByHash(t.Context(), "acme", head); !errors.Is(err, ErrNotFound) {
		t.Errorf("for another tenant: %v", err)
	}
	if _, _, err := b.EntryByHash(t.Context(), "main", audit.Hash{1}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a hash of nothing: %v", err)
	}
}

// An attacker who deletes a run's row must not hide the entries from the lists.
func TestEntriesOfARunWithoutItsRowAreStillListed(t *testing.T) {
	t.Parallel()
	b := join(t, open(t, Config{}).url, Config{})
	id := b.submit()
	b.exec(`delete from run where id = $1`, id)
	list, _, err := b.Entries(t.Context(), "main", EntryFilter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Check() != nil {
		t.Errorf("%+v, %v", list, err)
	}
	b.exec(`set session_replication_role = replica; delete from entry; delete from payload; delete from mandate`)
}
