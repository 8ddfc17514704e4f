package engine

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// What somebody with the database's password can write, and what comes of it:
// the next step is denied with the reason in the trail, and nothing leaves. The
// twin writes nothing.

// stages are two runs of one workflow that wait for an approval, and what an
// intruder needs to know of them.
type stages struct {
	*bench
	k          *book
	run, other security.ID
	asked      store.Asked
	stranger   *security.Keys
	intruder   security.Principal
}

// stage makes a bench for many intruders. What they do to payloads the
// database would refuse even to its owner, as long as nobody says otherwise.
func stage(t *testing.T) *stages {
	k := newBook()
	b := setup(t, map[string]kind{"m": {model, k.noting(ok)}, "e": {effect, k.noting(echo)}})
	b.forged = true
	b.flow(`input: {type: object, properties: {text: {type: string}}}
steps:
  - {id: first, uses: m}
  - {id: draft, uses: m}
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: {d: "${{ steps.draft.output }}", t: "${{ input.text }}"}}}
  - {id: file, uses: e, with: {body: "${{ steps.draft.output }}", text: "${{ input.text }}"}}
`)
	b.sql(`alter table custody.payload disable trigger all`)
	s := &stages{bench: b, k: k}
	s.stranger, s.intruder = stranger(t), person("mallory", "legal")
	return s
}

// stranger has a key of their own under the name of ours.
func stranger(t testing.TB) *security.Keys {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
	keys, err := security.NewKeys("m1", private, map[string]ed25519.PublicKey{"m1": private.Public().(ed25519.PublicKey)})
	must(t, err)
	return keys
}

// play submits two runs and waits until they wait.
func (s *stages) play(t *testing.T, who security.Principal) *stages {
	t.Helper()
	p := *s
	p.bench = s.in(t)
	for id, text := range map[*security.ID]string{&p.run: "mine", &p.other: "other"} {
		made, err := p.engine.Submit(context.Background(), who, Submission{Workflow: "w", Input: []byte(`{"text":"` + text + `"}`)})
		must(t, err)
		*id = made.Run.ID
		p.waiting(*id)
	}
	p.asked = p.bench.asked(p.run)
	return &p
}

// approve is the true vote that sets the run going again.
func (s *stages) approve() { s.votes(s.run, "bob", "approve") }

// put writes a vote by hand.
func (s *stages) put(keys *security.Keys, a store.Asked, change func(*approval.Vote)) {
	s.t.Helper()
	req, _ := request(a)
	v, err := approval.NewVote(keys, req, s.intruder, approval.Approve, a.Digest, time.Now())
	must(s.t, err)
	change(&v)
	id, err := security.ParseID("vote", v.ID)
	must(s.t, err)
	s.sql(`insert into custody.vote(approval, voter, id, decision, body, key, sig, at_us) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.asked.ID, v.By, id, v.Decision, v.Statement.Body, v.Statement.Key, v.Statement.Sig, v.AtUS)
}

// resume sets the run going as if the approval had been decided: the intruder
// writes what the engine's own commit would have written.
func (s *stages) resume(state approval.State) {
	s.t.Helper()
	s.sql(`update custody.approval set state = $2 where id = $1`, s.asked.ID, string(state))
	s.sql(`update custody.run set due_us = 1 where id = $1`, s.run)
}

func TestForgery(t *testing.T) {
	t.Parallel()
	same := func(*approval.Vote) {}
	b := stage(t)
	for name, c := range map[string]struct {
		forge func(*stages)
		code  string // among what was missing; empty: the harmless twin
	}{
		"nothing": {(*stages).approve, ""},
		"the mandate's roles": {func(s *stages) {
			s.sql(`update custody.mandate set body = replace(convert_from(body, 'utf8'), '"analyst"', '"analyst","admin"')::bytea where run_id = $1`, s.run)
			s.approve()
		}, "mandate"},
		"the mandate of another run": {func(s *stages) {
			s.sql(`update custody.mandate m set body = o.body, key = o.key, sig = o.sig from custody.mandate o where m.run_id = $1 and o.run_id = $2`, s.run, s.other)
			s.approve()
		}, "mandate"},
		"a mandate signed by another key": {func(s *stages) {
			signed := s.stranger.Sign(security.ForMandate, s.mandate(s.run))
			s.sql(`update custody.mandate set sig = $2 where run_id = $1`, s.run, signed.Sig)
			s.approve()
		}, "mandate"},
		"the run's caller": {func(s *stages) {
			s.sql(`update custody.run set caller = 'subj_mallory' where id = $1`, s.run)
			s.approve()
		}, "mandate"},
		"the input of another run": {func(s *stages) {
			s.sql(`update custody.mandate m set input = o.input from custody.mandate o where m.run_id = $1 and o.run_id = $2`, s.run, s.other)
			s.sql(`insert into custody.payload select $1, p.id, p.kind, p.cipher from custody.payload p join custody.mandate m on m.input = p.id and p.run_id = m.run_id where m.run_id = $2`, s.run, s.other)
			s.approve()
		}, "input"},
		"an approved state without a vote": {func(s *stages) { s.resume(approval.Approved) }, "approval"},
		"a vote signed by another key": {func(s *stages) {
			s.put(s.stranger, s.asked, same)
			s.resume(approval.Approved)
		}, "approval"},
		"a vote on another run's document": {func(s *stages) {
			s.put(s.keys, s.bench.asked(s.other), same)
			s.resume(approval.Approved)
		}, "approval"},
		"a vote in somebody else's name": {func(s *stages) {
			s.put(s.keys, s.asked, func(v *approval.Vote) { v.By = "subj_bob" })
			s.resume(approval.Approved)
		}, "approval"},
		"a vote without a signature": {func(s *stages) {
			s.put(s.keys, s.asked, func(v *approval.Vote) { v.Statement.Sig = make([]byte, ed25519.SignatureSize) })
			s.resume(approval.Approved)
		}, "approval"},
		"the approval's document": {func(s *stages) {
			s.sql(`update custody.approval set document = replace(document, '"quorum":1', '"quorum":0') where id = $1`, s.asked.ID)
			s.resume(approval.Approved)
		}, "approval"},
		"what was shown": {func(s *stages) {
			s.sql(`update custody.payload set cipher = set_byte(cipher, 40, (get_byte(cipher, 40) + 1) % 256) where run_id = $1 and kind = 'shown:legal'`, s.run)
			s.approve()
		}, "approval"},
		"the draft that was approved, changed": {func(s *stages) {
			s.sql(`update custody.payload set cipher = set_byte(cipher, 40, (get_byte(cipher, 40) + 1) % 256) where run_id = $1 and kind = 'output:draft'`, s.run)
			s.approve()
		}, "output"},
		"the draft exchanged for another step's output": {func(s *stages) {
			s.steps(s.run, func(all []store.Step) { all[1].Payload = all[0].Payload })
			s.approve()
		}, "output"},
		"the draft exchanged for another run's": {func(s *stages) {
			theirs := s.row(s.other).Progress.Steps[1].Payload
			s.steps(s.run, func(all []store.Step) { all[1].Payload, all[1].From = theirs, s.other })
			s.approve()
		}, "output"},
		"the approval's step set to succeeded": {func(s *stages) {
			s.steps(s.run, func(all []store.Step) { all[2].Status = workflow.Succeeded })
			s.wake()
		}, "approval"},
		"a rejected state without a vote": {func(s *stages) {
			s.resume(approval.Rejected)
		}, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := b.play(t, alice())
			c.forge(s)
			switch c.code {
			case "":
				s.ends(s.run, store.Succeeded, "")
				equal(t, "effects", s.k.count(s.run, "file"), 1)
				return
			case "-":
				s.closed(s.run)
			default:
				s.ends(s.run, store.Failed, "denied")
				s.missing(c.code)
			}
			equal(t, "effects", s.k.count(s.run, "file"), 0)
		})
	}
}

// missing asserts the code in the entry that denied the last step.
func (s *stages) missing(code string) {
	s.t.Helper()
	all, err := stream(s.pool, s.run)
	must(s.t, err)
	for _, l := range all {
		for _, m := range l.Decision.Missing {
			if l.Action == "step.denied" && l.Step == "file" && m == code {
				return
			}
		}
	}
	s.t.Errorf("no step.denied of file for %s: %s", code, trail(s.pool, s.run))
}

func (s *stages) mandate(run security.ID) (body []byte) {
	must(s.t, s.pool.QueryRow(context.Background(), `select body from custody.mandate where run_id = $1`, run).Scan(&body))
	return body
}

// wake gives the run a job, as a commit that makes it runnable would.
func (s *stages) wake() {
	s.t.Helper()
	s.write(s.run, func(l *store.Locked) { wake(l) })
}

// steps changes where the steps of a run stand.
func (s *stages) steps(run security.ID, change func([]store.Step)) {
	s.t.Helper()
	s.write(run, func(l *store.Locked) { change(l.Progress.Steps); l.Touch() })
}

func (s *stages) write(run security.ID, change func(*store.Locked)) {
	s.t.Helper()
	must(s.t, s.db.Write(context.Background(), store.Change{Run: run, Apply: func(l *store.Locked) error { change(l); return nil }}))
}

// A run that ends is a use of all that its row says: a forged approval that no
// later step needs must not let it succeed.
func TestAForgedLastStepDoesNotSucceed(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string]bool{"set by hand": true, "by a vote": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, map[string]kind{"m": {model, ok}})
			b.forged = forged
			b.flow(`steps:
  - {id: draft, uses: m}
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: "${{ steps.draft.output }}"}}
output: ${{ steps.draft.output }}
`)
			s := &stages{bench: b, run: b.run()}
			s.asked = b.asked(s.run)
			b.waiting(s.run)
			if !forged {
				s.approve()
				b.ends(s.run, store.Succeeded, "")
				return
			}
			s.resume(approval.Approved)
			r := b.ends(s.run, store.Failed, "denied")
			equal(t, "step of the reason", r.Reason.Step, "legal")
		})
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	keysOf := func(t *testing.T, s *stages) map[string]string {
		var m security.Mandate
		must(t, json.Unmarshal(s.mandate(s.run), &m))
		out := map[string]string{}
		for _, k := range m.RevocationKeys() {
			kind, _, _ := strings.Cut(k, ":")
			out[kind] = k
		}
		return out
	}
	revoke := func(t *testing.T, s *stages, key string) {
		_, err := s.db.Revoke(context.Background(), store.Revocation{Key: key, ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "left"})
		must(t, err)
	}
	b := stage(t)
	b.forged = false
	for _, kind := range []string{"sub", "client", "run", "sid", "jti", "of another"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			who := person("alice-"+kind, "analyst")
			who.Client = "cli-" + kind
			s := b.play(t, who)
			if kind == "of another" {
				revoke(t, s, "run:"+s.other.Name("run"))
				s.approve()
				s.ends(s.run, store.Succeeded, "")
				return
			}
			revoke(t, s, keysOf(t, s)[kind])
			s.approve()
			s.ends(s.run, store.Failed, "revoked")
			s.missing("revoked")
			equal(t, "effects", s.k.count(s.run, "file"), 0)
		})
	}
}

// Revoked while a call is under way: its answer is kept, and the next request
// does not leave; nor does the judge's.
func TestRevocationDuringACall(t *testing.T) {
	t.Parallel()
	for name, withJudge := range map[string]bool{"before the next step": false, "before the judge": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, g := newBook(), gate(make(chan struct{}))
			var options []option
			if withJudge {
				options = append(options, judged(func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) {
					t.Error("the judge was asked")
					return steps.JudgeAnswer{Pass: true}, nil
				}))
			}
			b := setup(t, map[string]kind{"m": {model, k.noting(g.run)}, "e": {effect, k.noting(ok)}}, options...)
			b.flow("steps:\n  - {id: a, uses: m}\n  - {id: b, uses: e}\n")
			id := b.run()
			k.call(t, "a")
			_, err := b.db.Revoke(context.Background(), store.Revocation{Key: "sub:subj_alice", ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "left"})
			must(t, err)
			close(g)
			b.ends(id, store.Failed, "revoked")
			equal(t, "effects", k.count(id, "b"), 0)
			want := "run.submitted step.intent/a step.result/a step.denied/b=denied run.closed=error"
			if withJudge {
				want = "run.submitted step.intent/a step.denied/a=denied run.closed=error"
			}
			b.trails(id, want)
		})
	}
}

// A caller who has lost the right to one step may still take the others.
func TestAStepAsksForItsOwnRoles(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := setup(t, map[string]kind{"e": {effect, k.noting(ok)}})
	b.flow("steps:\n  - {id: a, uses: e}\n  - {id: b, uses: e, requires: {roles: [boss]}}\n")
	id := b.run()
	b.ends(id, store.Failed, "denied")
	equal(t, "calls", fmt.Sprint(k.count(id, "a"), k.count(id, "b")), "1 0")
	s, err := b.engine.Submit(context.Background(), person("ada", "analyst", "boss"), Submission{Workflow: "w", Input: []byte(`{}`)})
	must(t, err)
	b.ends(s.Run.ID, store.Succeeded, "")
}

// A mandate that expires during a wait admits nothing more.
func TestAnExpiredMandateAdmitsNothing(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := setup(t, map[string]kind{"e": {effect, k.noting(ok)}}, func(_ *store.Config, c *Config, _ *steps.Config) { c.Mandate = 2 * time.Second })
	b.flow("steps:\n  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: x}}\n  - {id: a, uses: e}\n")
	id := b.run()
	created := b.waiting(id).CreatedUS
	a := b.asked(id)
	eventually(t, "the mandate's end", func() bool { return time.Now().UnixMicro() > created+3_000_000 })
	must(t, b.vote(person("bob", "legal"), a, "approve"))
	b.ends(id, store.Failed, "denied")
	equal(t, "calls", k.total(), 0)
}

// The trail of a run names nobody's content: neither input nor output nor
// reason stands in the clear anywhere in the database.
func TestContentIsNowhereInTheClear(t *testing.T) {
	t.Parallel()
	const secret = "blue-heron-47"
	b := setup(t, map[string]kind{"m": {model, echo}})
	b.flow("input: {type: object, properties: {x: {type: string}}}\nsteps:\n  - {id: a, uses: m, with: {x: \"${{ input.x }}\"}}\n  - {id: b, uses: approval, with: {approvers: {roles: [legal]}, show: \"${{ steps.a.output }}\"}}\n")
	id := b.submit("w", map[string]any{"x": secret}).ID
	a := b.asked(id)
	_, err := b.engine.Vote(context.Background(), person("bob", "legal"), Ballot{Approval: a.ID, Decision: "reject", Digest: a.Digest, Comment: secret})
	must(t, err)
	b.ends(id, store.Failed, "denied")
	rows, err := b.pool.Query(context.Background(), `select format('%I.%I', table_schema, table_name) from information_schema.tables where table_schema in ('custody', 'river') and table_type = 'BASE TABLE'`)
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	for _, table := range tables {
		var found bool
		must(t, b.pool.QueryRow(context.Background(), `select exists (select from `+table+` x where x::text like '%'||$1||'%' or x::text like '%'||encode(convert_to($1, 'utf8'), 'hex')||'%')`, secret).Scan(&found))
		if found {
			t.Errorf("content in %s", table)
		}
	}
}
