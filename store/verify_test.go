package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store/storetest"
)

// A crime scene is a small ledger: run A has six entries and is closed, run B
// has three and is open, the control stream has three.
type scene struct {
	t       *testing.T
	conn    *pgx.Conn
	url     string
	a, b, c security.ID
	pay     [2]security.ID // payloads of A: its input and an output
}

func newScene(t *testing.T) *scene {
	t.Helper()
	b := join(t, storetest.URL(t), Config{})
	s := &scene{t: t, url: b.url, a: b.submit(), b: b.submit()}
	run, _, err := b.key.NewRunKey("main", s.a)
	if err != nil {
		t.Fatal(err)
	}
	output, err := run.Seal("main", s.a, "output:s1", []byte("answer"))
	if err != nil {
		t.Fatal(err)
	}
	b.write(step(s.a, "s0"))
	b.write(Change{Run: s.a, Apply: func(l *Locked) error {
		l.Append(audit.Fact{
			Action: audit.StepResult, Outcome: "ok", Step: "s1", Actor: "subj_alice",
			Payloads: []audit.Payload{{ID: output.ID.Name("pay"), Kind: output.Kind, Bytes: output.Bytes, Commit: output.Commit, Sum: output.Sum}},
		})
		l.Seal(output)
		return nil
	}})
	b.write(step(s.a, "s2"))
	b.write(step(s.a, "s3"))
	b.write(ending(s.a))
	b.write(step(s.b, "t1"))
	b.write(step(s.b, "t2"))
	for i := range 3 {
		if _, err := b.Record(t.Context(), read("main", fmt.Sprint("subj_", i))); err != nil {
			t.Fatal(err)
		}
	}
	s.conn = b.raw()
	s.do(`set session_replication_role = replica`) // no trigger, no constraint holds a superuser up
	s.get(`select stream from control`, &s.c)
	s.get(`select input from mandate where run_id = $1`, &s.pay[0], s.a)
	s.pay[1] = output.ID
	return s
}

func (s *scene) do(sql string, args ...any) {
	s.t.Helper()
	tag, err := s.conn.Exec(context.Background(), sql, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if !tag.Select() && tag.RowsAffected() == 0 && !strings.HasPrefix(sql, "set ") && !strings.HasPrefix(sql, "alter ") {
		s.t.Fatalf("%s: the attack does nothing", sql)
	}
}

func (s *scene) get(sql string, dst any, args ...any) {
	s.t.Helper()
	if err := s.conn.QueryRow(context.Background(), sql, args...).Scan(dst); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// entry reads one entry; store writes it back with whatever hash is right for
// it now.
func (s *scene) entry(stream security.ID, seq int64) (prev audit.Hash, body string) {
	s.t.Helper()
	var p []byte
	if err := s.conn.QueryRow(context.Background(), `select prev, body from entry where stream = $1 and seq = $2`, stream, seq).Scan(&p, &body); err != nil {
		s.t.Fatal(err)
	}
	return audit.Hash(p), body
}

func (s *scene) hash(stream security.ID, seq int64, prev audit.Hash, body string) audit.Hash {
	h, _ := audit.AppendLeaf(nil, "localhost/dev", streamName(stream, stream == s.c), seq, prev, []byte(body))
	return h
}

// forge rewrites a body and its hash, as somebody who knows the format does.
func (s *scene) forge(stream security.ID, seq int64, from, to string) {
	s.t.Helper()
	prev, body := s.entry(stream, seq)
	forged := strings.Replace(body, from, to, 1)
	if forged == body {
		s.t.Fatalf("%s is not in %s", from, body)
	}
	h := s.hash(stream, seq, prev, forged)
	s.do(`update entry set body = $3, hash = $4 where stream = $1 and seq = $2`, stream, seq, forged, h[:])
}

// findings names kinds and places, as in "entry.altered A#3".
func (s *scene) findings() (audit.Report, []string) {
	s.t.Helper()
	r, err := Verify(context.Background(), s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	names := strings.NewReplacer(s.a.Name("run"), "A", s.b.Name("run"), "B", "ctl-"+s.c.String(), "C", "ctl-"+s.a.String(), "ctl-A")
	list := []string{}
	for _, f := range r.Findings {
		place := f.Kind + " " + f.Stream
		if f.Seq != nil {
			place += fmt.Sprint("#", *f.Seq)
		}
		list = append(list, names.Replace(place))
	}
	slices.Sort(list)
	return r, list
}

func TestAnUnharmedRecordIsIntact(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	got, _ := s.findings()
	want := audit.Report{Verdict: audit.Intact, Tier: "T0", Entries: 12, Streams: 3, Payloads: audit.PayloadCounts{Matching: 3}, Findings: []audit.Finding{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What the process does every day is no attack.
	s.do(`update run set version = version + 1, nudged = true, holder = $2 where id = $1`, s.b, security.NewID())
	s.do(`update run set steps = '\x0100000000' where id = $1`, s.b)
	if r, list := s.findings(); r.Verdict != audit.Intact {
		t.Errorf("got %v", list)
	}
}

func TestAnEmptyRecordDoesNotVerify(t *testing.T) {
	t.Parallel()
	r, err := Verify(t.Context(), storetest.URL(t))
	if err != nil || r.Verdict != audit.Broken {
		t.Errorf("%+v, %v", r, err)
	}
}

// Each attack is one thing that a superuser of the database does past triggers
// and constraints. The report names that place and no other.
func TestEveryAttackOnTheDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attack func(*scene)
		want   []string
	}{
		"edits a body": {
			func(s *scene) {
				s.do(`update entry set body = replace(body, '"ok"', '"no"') where stream = $1 and seq = 3`, s.a)
			}, []string{"entry.altered A#3"},
		},
		"edits a body and computes its hash": {
			func(s *scene) {
				s.forge(s.a, 3, `"s2"`, `"s9"`)
				s.do(`update entry set step = 's9' where stream = $1 and seq = 3`, s.a)
			},
			[]string{"chain.broken A#4", "entry.altered A#3"},
		},
		"edits the last body and computes its hash": {
			func(s *scene) {
				s.forge(s.b, 2, `"t2"`, `"t9"`)
				s.do(`update entry set step = 't9' where stream = $1 and seq = 2`, s.b)
			},
			[]string{"entry.altered B#2"},
		},
		"edits a hash": {func(s *scene) { s.do(`update entry set hash = sha256('x') where stream = $1 and seq = 2`, s.a) }, []string{"entry.altered A#2"}},
		"edits prev":   {func(s *scene) { s.do(`update entry set prev = sha256('x') where stream = $1 and seq = 2`, s.a) }, []string{"entry.altered A#2"}},
		"edits the tenant": {
			func(s *scene) { s.do(`update entry set tenant = 'acme' where stream = $1 and seq = 2`, s.a) },
			[]string{"column.mismatch A#2"},
		},
		"edits the action": {
			func(s *scene) { s.do(`update entry set action = 'step.denied' where stream = $1 and seq = 2`, s.a) },
			[]string{"column.mismatch A#2"},
		},
		"edits the outcome": {
			func(s *scene) { s.do(`update entry set outcome = 'error' where stream = $1 and seq = 2`, s.a) },
			[]string{"column.mismatch A#2"},
		},
		"edits the step":     {func(s *scene) { s.do(`update entry set step = 'x' where stream = $1 and seq = 2`, s.a) }, []string{"column.mismatch A#2"}},
		"edits a mandate":    {func(s *scene) { s.do(`update mandate set body = body || '\x20' where run_id = $1`, s.a) }, []string{"column.mismatch A#0"}},
		"edits the actor":    {func(s *scene) { s.do(`update entry set actor = 'x' where stream = $1 and seq = 2`, s.a) }, []string{"column.mismatch A#2"}},
		"edits the workflow": {func(s *scene) { s.do(`update entry set workflow = 'x' where stream = $1 and seq = 2`, s.a) }, []string{"column.mismatch A#2"}},
		"edits the time":     {func(s *scene) { s.do(`update entry set at_us = at_us + 1 where stream = $1 and seq = 2`, s.a) }, []string{"column.mismatch A#2"}},
		"says that a run's entry is of a control stream": {
			func(s *scene) { s.do(`update entry set control = true where stream = $1 and seq = 2`, s.a) },
			[]string{"entry.missing A#2", "entry.missing ctl-A#0"},
		},
		"deletes a middle entry":  {func(s *scene) { s.do(`delete from entry where stream = $1 and seq = 3`, s.a) }, []string{"entry.missing A#3"}},
		"deletes the first entry": {func(s *scene) { s.do(`delete from entry where stream = $1 and seq = 0`, s.b) }, []string{"entry.missing B#0"}},
		"deletes the last entries of an open run": {
			func(s *scene) { s.do(`delete from entry where stream = $1 and seq > 0`, s.b) },
			[]string{"entry.missing B#1"},
		},
		"deletes the end of a closed run": {
			func(s *scene) { s.do(`delete from entry where stream = $1 and seq = 5`, s.a) },
			[]string{"entry.missing A#5"},
		},
		"deletes the whole stream and not the run": {
			func(s *scene) { s.do(`delete from entry where stream = $1`, s.a) },
			[]string{"entry.missing A#0"},
		},
		"deletes the run's row": {func(s *scene) { s.do(`delete from run where id = $1`, s.b) }, []string{"chain.broken B#0"}},
		"deletes the run's row and its mandate": {
			func(s *scene) {
				s.do(`delete from run where id = $1`, s.b)
				s.do(`delete from mandate where run_id = $1`, s.b)
			},
			[]string{"chain.broken B#0"},
		},
		"deletes the run and its entries": {
			func(s *scene) {
				s.do(`delete from run where id = $1`, s.b)
				s.do(`delete from entry where stream = $1`, s.b)
			},
			[]string{"entry.missing B#0"},
		},
		"deletes all of a run but its payloads": {
			func(s *scene) {
				s.do(`delete from run where id = $1`, s.b)
				s.do(`delete from entry where stream = $1`, s.b)
				s.do(`delete from mandate where run_id = $1`, s.b)
			}, []string{"payload.altered B"},
		},
		"swaps two entries": {
			func(s *scene) {
				s.do(`update entry set seq = 102 where stream = $1 and seq = 2`, s.a)
				s.do(`update entry set seq = 2 where stream = $1 and seq = 3`, s.a)
				s.do(`update entry set seq = 3 where stream = $1 and seq = 102`, s.a)
			}, []string{"chain.broken A#4", "entry.altered A#2", "entry.altered A#3"},
		},
		"repeats an entry at the end": {
			func(s *scene) {
				s.do(`insert into entry select stream, 3, tenant, control, body, prev, hash, action, outcome, step, actor, workflow, at_us from entry where stream = $1 and seq = 2`, s.b)
			}, []string{"chain.broken B#3", "entry.altered B#3"},
		},
		"has the same place twice": {
			func(s *scene) {
				s.do(`alter table entry drop constraint entry_pkey`)
				s.do(`insert into entry select stream, seq, tenant, control, body, prev, hash, action, outcome, step, actor, workflow, at_us from entry where stream = $1 and seq = 1`, s.b)
			}, []string{"stream.forked B#1"},
		},
		"edits a payload":    {func(s *scene) { s.do(`update payload set cipher = 'x' where id = $1`, s.pay[1]) }, []string{"payload.altered A#2"}},
		"relabels a payload": {func(s *scene) { s.do(`update payload set kind = 'shown' where id = $1`, s.pay[1]) }, []string{"payload.altered A#2"}},
		"deletes a payload":  {func(s *scene) { s.do(`delete from payload where id = $1`, s.pay[1]) }, []string{"payload.missing A#2"}},
		"moves a payload":    {func(s *scene) { s.do(`update payload set run_id = $2 where id = $1`, s.pay[1], s.b) }, []string{"payload.altered A#2"}},
		"adds a payload": {
			func(s *scene) { s.do(`insert into payload values ($1, $2, 'output:x', 'x')`, s.b, security.NewID()) },
			[]string{"payload.altered B"},
		},
		"sets the run's head": {func(s *scene) { s.do(`update run set head = sha256('x') where id = $1`, s.b) }, []string{"entry.altered B#2"}},
		"counts the run's entries back": {
			func(s *scene) { s.do(`update run set seq = 2 where id = $1`, s.b) },
			[]string{"chain.broken B#2"},
		},
		"counts the run's entries on": {func(s *scene) { s.do(`update run set seq = 7 where id = $1`, s.b) }, []string{"entry.missing B#3"}},
		"cuts the tail and sets the head back": {
			func(s *scene) {
				s.do(`delete from entry where stream = $1 and seq = 5`, s.a)
				s.do(`update run r set seq = 5, head = e.hash from entry e where r.id = $1 and e.stream = r.id and e.seq = 4`, s.a)
			}, []string{"entry.missing A#5"},
		},
		"opens a closed run again": {
			func(s *scene) {
				s.do(`update run set state = 'queued', closed_us = null where id = $1`, s.a)
			}, []string{"stream.reopened A#5"},
		},
		"calls a closed run open, its time left": {
			func(s *scene) {
				s.do(`alter table run drop constraint run_check`)
				s.do(`update run set state = 'queued' where id = $1`, s.a)
			}, []string{"stream.reopened A#5"},
		},
		"says that a run ended otherwise": {
			func(s *scene) { s.do(`update run set state = 'failed' where id = $1`, s.a) },
			[]string{"stream.reopened A#5"},
		},
		"closes an open run": {
			func(s *scene) { s.do(`update run set state = 'failed', closed_us = 1 where id = $1`, s.b) },
			[]string{"entry.missing B#3"},
		},
		"goes on after run.closed with a right chain": {
			func(s *scene) {
				var head []byte
				s.get(`select head from run where id = $1`, &head, s.a)
				f := audit.Fact{Action: audit.StepResult, Outcome: "ok", Tenant: "main", Run: s.a.Name("run"), Name: "review", Step: "extra"}
				at := int64(4102444800000000)
				body := string(f.AppendBody(nil, at))
				h := s.hash(s.a, 6, audit.Hash(head), body)
				s.do(`insert into entry values ($1, 6, 'main', false, $2, $3, $4, 'step.result', 'ok', 'extra', '', 'review', $5)`, s.a, body, head, h[:], at)
				s.do(`update run set seq = 7, head = $2 where id = $1`, s.a, h[:])
			}, []string{"stream.reopened A#6"},
		},
		"edits a control entry": {
			func(s *scene) {
				s.do(`update entry set body = replace(body, 'subj_1', 'subj_7') where stream = $1 and seq = 1`, s.c)
			},
			[]string{"entry.altered C#1"},
		},
		"deletes a control entry": {func(s *scene) { s.do(`delete from entry where stream = $1 and seq = 1`, s.c) }, []string{"entry.missing C#1"}},
		"deletes the last control entry": {
			func(s *scene) { s.do(`delete from entry where stream = $1 and seq = 2`, s.c) },
			[]string{"entry.missing C#2"},
		},
		"deletes all control entries": {func(s *scene) { s.do(`delete from entry where stream = $1`, s.c) }, []string{"entry.missing C#0"}},
		"deletes a control stream's row": {
			func(s *scene) { s.do(`delete from control where stream = $1`, s.c) },
			[]string{"chain.broken C#0"},
		},
		"gives the run another ledger": {
			func(s *scene) {
				s.do(`insert into log(tenant, origin) values ('acme', 'acme')`)
				s.do(`update run set log = (select id from log where tenant = 'acme') where id = $1`, s.b)
			}, []string{"entry.altered B#0", "entry.altered B#1", "entry.altered B#2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			c.attack(s)
			r, got := s.findings()
			if diff := cmp.Diff(c.want, got); diff != "" || r.Verdict != audit.Broken {
				t.Errorf("%s (-want +got):\n%s%v", r.Verdict, diff, r.Findings)
			}
		})
	}
}

func TestTheLedgersHashesAreThoseOfTheFormat(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	prev, body := s.entry(s.a, 1)
	var stored []byte
	s.get(`select hash from entry where stream = $1 and seq = 1`, &stored, s.a)
	text := "\x00custody-entry/v1\nlocalhost/dev\n" + s.a.Name("run") + "\n1\n" + prev.String() + "\n" + body
	if sum := sha256.Sum256([]byte(text)); string(stored) != string(sum[:]) {
		t.Errorf("%x is stored, %x computed", stored, sum)
	}
}
