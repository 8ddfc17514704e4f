package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/workflow"
)

func TestARunIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	retry := security.NewID()
	ch := b.submission("k")
	var want Run
	make := ch.Apply
	ch.Apply = func(l *Locked) error {
		err := make(l)
		l.RetryOf = retry
		want = l.Clone()
		return err
	}
	b.write(ch)
	if diff := cmp.Diff(want, b.run(ch.Run)); diff != "" {
		t.Errorf("a new one (-written +read):\n%s", diff)
	}
	b.write(Change{Run: ch.Run, Apply: func(l *Locked) error {
		l.State, l.Epoch, l.Holder, l.Nudged, l.DueUS, l.CancelUS = Running, 7, b.Process(), true, 8, 9
		l.Reason = &Reason{Code: "error", Step: "s", Detail: "it says \"no\"", Seq: 3}
		l.Progress = Progress{Micros: 1, TokensIn: 2, TokensOut: 3, Steps: []Step{{Status: workflow.Running, Attempt: 1, Call: retry}}}
		l.Touch()
		want = l.Clone()
		return nil
	}})
	if diff := cmp.Diff(want, b.run(ch.Run)); diff != "" {
		t.Errorf("a changed one (-written +read):\n%s", diff)
	}
	loaded, err := b.Load(t.Context(), ch.Run)
	if diff := cmp.Diff(want, loaded.Run); diff != "" || err != nil || len(loaded.Input) == 0 {
		t.Errorf("a loaded one: %v (-written +read):\n%s", err, diff)
	}
	m, err := b.MandateOf(t.Context(), ch.Run)
	if diff := cmp.Diff(loaded.Mandate, m); diff != "" || err != nil {
		t.Errorf("its mandate: %v\n%s", err, diff)
	}
	found, err := b.Payloads(t.Context(), ch.Run, m.Input, security.NewID())
	if err != nil || len(found) != 1 || string(found[m.Input].Cipher) != string(loaded.Input) || found[m.Input].Kind != "input" {
		t.Errorf("its payloads: %v, %v", found, err)
	}
	if none, err := b.Payloads(t.Context(), security.NewID(), m.Input); err != nil || len(none) != 0 {
		t.Errorf("another run's payload: %v, %v", none, err)
	}
	if none, err := b.Payloads(t.Context(), ch.Run); err != nil || len(none) != 0 {
		t.Errorf("no payload: %v, %v", none, err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id := b.submit()
	_, run := b.Run(t.Context(), "main", security.NewID())
	_, foreign := b.Run(t.Context(), "acme", id)
	_, load := b.Load(t.Context(), security.NewID())
	_, mandate := b.MandateOf(t.Context(), security.NewID())
	_, ask := b.Approval(t.Context(), "main", security.NewID())
	_, def := b.Definition(t.Context(), "main", "nope", "")
	for name, err := range map[string]error{"run": run, "another tenant's": foreign, "load": load, "mandate": mandate, "approval": ask, "definition": def} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	ids := make([]security.ID, 6)
	for i := range ids {
		ids[i] = b.submit()
	}
	sorted(ids)
	b.write(ending(ids[0]))
	ask := security.NewID()
	b.write(asking(ids[1], ask, time.Hour, "legal"))
	b.write(Change{Run: ids[2], Apply: func(l *Locked) error { l.State, l.DueUS = Waiting, l.NowUS; l.Touch(); return nil }})
	b.write(asking(ids[3], security.NewID(), time.Hour, "legal"))
	b.write(Change{Run: ids[3], Apply: func(l *Locked) error { l.State = Running; l.Touch(); return nil }}) // a parallel step
	b.exec(`update run set caller = 'subj_bob', workflow = 'other', digest = 'sha256:e', created_us = 1000 where id = $1`, ids[4])
	b.exec(`update run set tenant = 'acme' where id = $1`, ids[5])
	all := []security.ID{ids[4], ids[3], ids[2], ids[1], ids[0]}
	for name, c := range map[string]struct {
		f    RunFilter
		want []security.ID
	}{
		"all":                  {RunFilter{}, all},
		"a caller":             {RunFilter{Caller: "subj_bob"}, all[:1]},
		"a workflow":           {RunFilter{Workflow: "review"}, all[1:]},
		"a digest":             {RunFilter{Digest: "sha256:e"}, all[:1]},
		"queued":               {RunFilter{State: Queued}, all[:1]},
		"succeeded":            {RunFilter{State: Succeeded}, all[4:]},
		"waiting":              {RunFilter{State: Waiting}, all[2:4]},
		"waiting for approval": {RunFilter{WaitingFor: "approval"}, all[3:4]},
		"waiting for a timer":  {RunFilter{WaitingFor: "timer"}, all[2:3]},
		"made after":           {RunFilter{After: time.UnixMicro(1001)}, all[1:]},
		"made before":          {RunFilter{Before: time.UnixMicro(1001)}, all[:1]},
		"of nobody":            {RunFilter{Caller: "subj_eve"}, nil},
	} {
		for _, size := range []int{1, 2, 50} {
			c.f.Limit, c.f.Cursor = size, security.ID{}
			var got []security.ID
			for {
				page, err := b.Runs(t.Context(), "main", c.f)
				if err != nil || len(page) > size {
					t.Fatalf("%s: %v", name, err)
				}
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					got = append(got, r.ID)
				}
				c.f.Cursor = got[len(got)-1]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, %d a page (-want +got):\n%s", name, size, diff)
			}
		}
	}
	b.exec(`update run set tenant = 'main' where id = $1`, ids[5])
}

// sorted puts ids in order: those of one millisecond have none.
func sorted(ids []security.ID) {
	slices.SortFunc(ids, func(a, b security.ID) int { return bytes.Compare(a[:], b[:]) })
}

func TestApprovalsAreFilteredAndCarryTheirVotes(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	one, two := b.submit(), b.submit()
	ids := []security.ID{security.NewID(), security.NewID(), security.NewID()}
	sorted(ids)
	legal, board, own := ids[0], ids[1], ids[2]
	b.write(asking(one, legal, time.Hour, "legal"))
	b.write(asking(one, board, time.Hour, "legal", "board"))
	b.write(asking(two, own, time.Hour, "security"))
	var seen []string
	b.write(voting(one, legal, "subj_bob", &seen))
	b.write(voting(one, legal, "subj_carol", &seen))
	for name, c := range map[string]struct {
		f    ApprovalFilter
		want []security.ID
	}{
		"all":                     {ApprovalFilter{}, []security.ID{own, board, legal}},
		"pending":                 {ApprovalFilter{State: approval.Pending}, []security.ID{own, board}},
		"approved":                {ApprovalFilter{State: approval.Approved}, []security.ID{legal}},
		"of a run":                {ApprovalFilter{Run: two}, []security.ID{own}},
		"for a role":              {ApprovalFilter{Roles: []string{"legal"}, Person: "subj_x"}, []security.ID{legal}},
		"for two roles":           {ApprovalFilter{Roles: []string{"legal", "board"}, Person: "subj_x"}, []security.ID{board, legal}},
		"for no role":             {ApprovalFilter{Roles: []string{}, Person: "subj_x"}, nil},
		"for no role, one's own":  {ApprovalFilter{Roles: []string{}, Person: "subj_alice"}, []security.ID{own, board, legal}},
		"older than the youngest": {ApprovalFilter{Cursor: own}, []security.ID{board, legal}},
	} {
		c.f.Limit = 10
		list, err := b.Approvals(t.Context(), "main", c.f)
		var got []security.ID
		for _, a := range list {
			got = append(got, a.ID)
			if votes := map[bool]int{true: 2}[a.ID == legal]; len(a.Votes) != votes {
				t.Errorf("%s: %d votes", name, len(a.Votes))
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if list, err := b.Approvals(t.Context(), "acme", ApprovalFilter{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("another tenant sees %v, %v", list, err)
	}
	of, err := b.ApprovalsOf(t.Context(), one)
	if err != nil || len(of) != 2 || of[0].ID != legal || of[0].Votes[0].Voter != "subj_bob" || of[0].Votes[1].Voter != "subj_carol" {
		t.Errorf("%+v, %v", of, err)
	}
}

func TestAnApprovalIsUsedOnce(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	id, ask := b.submit(), security.NewID()
	b.write(asking(id, ask, time.Hour, "legal"))
	settle := func(state approval.State, used bool) {
		b.write(Change{Run: id, Ask: ask, Apply: func(l *Locked) error { l.Settle(ask, state, used); return nil }})
	}
	settle(approval.Approved, false)
	a, err := b.Approval(t.Context(), "main", ask)
	if err != nil || a.State != approval.Approved || a.UsedUS != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	settle(approval.Approved, true)
	first, _ := b.Approval(t.Context(), "main", ask)
	settle(approval.Approved, true)
	second, _ := b.Approval(t.Context(), "main", ask)
	if first.UsedUS == 0 || second.UsedUS != first.UsedUS {
		t.Errorf("used at %d, then at %d", first.UsedUS, second.UsedUS)
	}
}
