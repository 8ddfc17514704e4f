package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store/storetest"
)

// A rowScene is a scene with rows beside the record: two votes on an approval of
// run B (#4 and #5), a revocation in force, a lifted one, one of a name that no
// entry holds whole, and a logout that a later one moved (C#3 to C#8).
type rowScene struct {
	*scene
	ask  security.ID
	made [4]Revocation
	rel  [2]Release // in force (C#6), lifted (C#7, C#8)
	mode Order      // C#9
}

func newBeside(t *testing.T) *rowScene {
	t.Helper()
	s := newScene(t)
	s.do(`set session_replication_role = origin`)
	b, x := join(t, s.url, Config{}), &rowScene{scene: s, ask: security.NewID()}
	var seen []string
	b.write(asking(s.b, x.ask, time.Hour, "legal"))
	b.write(voting(s.b, x.ask, "subj_bob", &seen))
	b.write(voting(s.b, x.ask, "subj_dora", &seen))
	for i, key := range []string{"sub:subj_eve", "run:run_1", "client:" + strings.Repeat("x", 255), "logout:subj_alice"} {
		x.made[i] = revocationOfKey(key)
		if strings.HasPrefix(key, logoutKey) {
			x.made[i].BeforeUS = 1
		}
		x.revoke(b, x.made[i])
	}
	if _, err := b.Lift(t.Context(), "main", x.made[1].ID, audit.Fact{}); err != nil {
		t.Fatal(err)
	}
	moved := revocationOfKey("logout:subj_alice")
	moved.BeforeUS = 1
	x.revoke(b, moved)
	x.waive(b)
	s.get(`select stream from control where process = $1`, &s.c, b.process)
	s.do(`set session_replication_role = replica`)
	for _, table := range []string{"approval", "vote", "revocation", "release", "guard_mode"} {
		s.do(`create table saved_` + table + ` as table ` + table)
	}
	return x
}

func (x *rowScene) revoke(b *bed, r Revocation) {
	x.t.Helper()
	if _, err := b.Revoke(x.t.Context(), r); err != nil {
		x.t.Fatal(err)
	}
}

// waive makes two releases, lifts one, and an order.
func (x *rowScene) waive(b *bed) {
	x.t.Helper()
	for i := range x.rel {
		x.rel[i] = Release{ID: security.NewID(), Tenant: "main", Texts: []string{"k1:aa", "k1:bb"}, By: "subj_carol", AtUS: 1, UntilUS: 9, Signed: security.Signed{Body: []byte("{}"), Key: "m1", Sig: []byte{1}}}
		if _, err := b.Release(x.t.Context(), x.rel[i], Key{}, audit.Fact{Actor: "subj_carol"}); err != nil {
			x.t.Fatal(err)
		}
	}
	if _, err := b.LiftRelease(x.t.Context(), "main", x.rel[1].ID, audit.Fact{}); err != nil {
		x.t.Fatal(err)
	}
	x.mode = Order{ID: security.NewID(), Tenant: "main", Mode: "observe", By: "subj_carol", AtUS: 1, UntilUS: 9, Signed: security.Signed{Body: []byte("{}"), Key: "m1", Sig: []byte{1}}}
	if _, err := b.OrderMode(x.t.Context(), x.mode, audit.Fact{Actor: "subj_carol"}); err != nil {
		x.t.Fatal(err)
	}
}

// mend undoes an attack: a database for each would take long to make.
func (x *rowScene) mend() {
	x.t.Helper()
	for _, table := range []string{"approval", "vote", "revocation", "release", "guard_mode"} {
		x.do(`alter table ` + table + ` disable trigger all; truncate ` + table + ` cascade`)
	}
	for _, table := range []string{"approval", "vote", "revocation", "release", "guard_mode"} {
		x.do(`insert into ` + table + ` table saved_` + table)
	}
}

// Votes and revocations are rows that the record tells of. What a superuser
// does to them past the record is named where the record tells of them.
func TestRowsBesideTheRecordAreHeldAgainstIt(t *testing.T) {
	t.Parallel()
	x := newBeside(t)
	for name, c := range map[string]struct {
		attack func(*rowScene)
		want   []string
	}{
		"does nothing":   {func(*rowScene) {}, []string{}},
		"takes a vote":   {func(x *rowScene) { x.do(`delete from vote where voter = 'subj_bob'`) }, []string{"column.mismatch B#4"}},
		"turns a vote":   {func(x *rowScene) { x.do(`update vote set decision = 'withdraw' where voter = 'subj_bob'`) }, []string{"column.mismatch B#4"}},
		"lends a vote":   {func(x *rowScene) { x.do(`update vote set voter = 'subj_eve' where voter = 'subj_dora'`) }, []string{"column.mismatch B#5"}},
		"takes them all": {func(x *rowScene) { x.do(`delete from approval`) }, []string{"column.mismatch B#4", "column.mismatch B#5"}},
		"adds a vote": {func(x *rowScene) {
			x.do(`insert into vote(id, approval, voter, decision, body, key, sig, at_us) select $1, approval, 'subj_eve', $2, body, key, sig, at_us from vote limit 1`,
				security.NewID(), approval.Approve)
		}, []string{"column.mismatch B"}},
		"takes a revocation":         {func(x *rowScene) { x.do(`delete from revocation where id = $1`, x.made[0].ID) }, []string{"column.mismatch C#0"}},
		"takes a lifted revocation":  {func(x *rowScene) { x.do(`delete from revocation where id = $1`, x.made[1].ID) }, []string{"column.mismatch C#1"}},
		"takes one with a long name": {func(x *rowScene) { x.do(`delete from revocation where id = $1`, x.made[2].ID) }, []string{"column.mismatch C#2"}},
		"takes a logout":             {func(x *rowScene) { x.do(`delete from revocation where id = $1`, x.made[3].ID) }, []string{"column.mismatch C#3", "column.mismatch C#5"}},
		"lifts a revocation":         {func(x *rowScene) { x.do(`update revocation set lifted_us = 1 where id = $1`, x.made[0].ID) }, []string{"column.mismatch C#0"}},
		"puts one in force again":    {func(x *rowScene) { x.do(`update revocation set lifted_us = null where id = $1`, x.made[1].ID) }, []string{"column.mismatch C#4"}},
		"makes one concern the past": {func(x *rowScene) { x.do(`update revocation set before_us = 1 where id = $1`, x.made[0].ID) }, []string{"column.mismatch C#0"}},
		"turns one on somebody else": {func(x *rowScene) { x.do(`update revocation set key = 'main/sub:subj_bob' where id = $1`, x.made[0].ID) }, []string{"column.mismatch C#0"}},
		"takes it to another tenant": {func(x *rowScene) {
			x.do(`update revocation set key = 'acme/sub:subj_eve', tenant = 'acme' where id = $1`, x.made[0].ID)
		}, []string{"column.mismatch C#0"}},
		"adds a revocation": {func(x *rowScene) {
			x.do(`insert into revocation(key, id, tenant, at_us, by, reason) values ('main/sub:subj_bob', $1, 'main', 1, 'subj_carol', '')`, security.NewID())
		}, []string{"column.mismatch "}},
		"takes a release":         {func(x *rowScene) { x.do(`delete from release where id = $1`, x.rel[0].ID) }, []string{"column.mismatch C#6"}},
		"releases another text":   {func(x *rowScene) { x.do(`update release set texts = '{k1:cc}' where id = $1`, x.rel[0].ID) }, []string{"column.mismatch C#6"}},
		"prolongs a release":      {func(x *rowScene) { x.do(`update release set until_us = 99 where id = $1`, x.rel[0].ID) }, []string{"column.mismatch C#6"}},
		"lifts a release":         {func(x *rowScene) { x.do(`update release set lifted_us = 1 where id = $1`, x.rel[0].ID) }, []string{"column.mismatch C#6"}},
		"puts a release in force": {func(x *rowScene) { x.do(`update release set lifted_us = null where id = $1`, x.rel[1].ID) }, []string{"column.mismatch C#8"}},
		"takes an order":          {func(x *rowScene) { x.do(`delete from guard_mode`) }, []string{"column.mismatch C#9"}},
		"turns an order":          {func(x *rowScene) { x.do(`update guard_mode set mode = 'enforce'`) }, []string{"column.mismatch C#9"}},
		"adds a release": {func(x *rowScene) {
			x.do(`insert into release select $1, tenant, texts, run_id, step, by, reason, at_us, until_us, null, body, key, sig from release limit 1`, security.NewID())
		}, []string{"column.mismatch "}},
	} {
		t.Run(name, func(t *testing.T) {
			x.t = t
			c.attack(x)
			r, got := x.findings()
			x.mend()
			if diff := cmp.Diff(c.want, got); diff != "" || (r.Verdict == audit.Intact) != (len(c.want) == 0) {
				t.Errorf("%s (-want +got):\n%s%v", r.Verdict, diff, r.Findings)
			}
		})
	}
}

// A database of the release before verifies before it is upgraded.
func TestADatabaseWithoutTheLaterColumnsVerifies(t *testing.T) {
	t.Parallel()
	b := join(t, storetest.URL(t), Config{})
	if _, err := b.Revoke(t.Context(), revocationOfKey("sub:subj_eve")); err != nil {
		t.Fatal(err)
	}
	b.exec(`alter table custody.revocation drop column before_us, drop column lifted_us cascade`)
	b.exec(`drop table custody.release, custody.guard_mode`)
	if r, err := b.Verify(t.Context()); err != nil || r.Verdict != audit.Intact {
		t.Errorf("%+v, %v", r, err)
	}
}
