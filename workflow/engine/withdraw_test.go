package engine

import (
	"context"
	"testing"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

func (b *bench) withdraw(who security.Principal, a store.Asked) error {
	receipt, err := b.engine.Withdraw(context.Background(), who, Withdrawal{Approval: a.ID})
	if (err == nil) != (receipt.Stream != "") {
		b.t.Errorf("receipt %+v, %v", receipt, err)
	}
	return err
}

func TestAVoteIsTakenBackBeforeTheQuorum(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := reviewed(t, 2, "", "", k)
	id := b.submit("w", map[string]any{"text": "x"}).ID
	a, bob, dora := b.asked(id), person("bob", "legal"), person("dora", "legal")
	is(t, b.withdraw(bob, a), store.ErrNotFound)
	must(t, b.vote(bob, a, "approve"))
	is(t, b.withdraw(dora, a), store.ErrNotFound)
	weak := bob
	weak.ACR = "pwd"
	if _, ok := errorAs[*Denied](b.withdraw(weak, a)); !ok {
		t.Error("without a second factor")
	}
	_, err := b.engine.Withdraw(context.Background(), bob, Withdrawal{Approval: a.ID, DryRun: true})
	must(t, err)
	must(t, b.withdraw(bob, a))
	is(t, b.withdraw(bob, a), store.ErrNotFound)
	must(t, b.vote(dora, a, "approve"))
	equal(t, "state", b.row(id).State, store.Waiting)
	equal(t, "effects", k.count(id, "file"), 0)
	must(t, b.vote(bob, a, "approve"))
	b.ends(id, store.Succeeded, "")
	is(t, b.withdraw(bob, a), ErrApprovalClosed)
	equal(t, "effects", k.count(id, "file"), 1)
	b.trails(id, "run.submitted step.intent/draft step.result/draft approval.requested/legal approval.voted/legal=approve approval.voted/legal=withdraw approval.voted/legal=approve approval.voted/legal=approve approval.closed/legal=approve step.intent/file step.result/file run.closed")
	report, err := b.db.Verify(context.Background())
	must(t, err)
	equal(t, "verdict", report.Verdict, audit.Intact)
}

// Who owns the database can take the row of a withdrawal away, so that the vote
// would count again. The run's stream tells of it.
func TestAWithdrawalThatIsTakenAwayIsFound(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string]bool{"taken away": true, "left": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			b := reviewed(t, 2, "", "", k)
			id := b.submit("w", map[string]any{"text": "x"}).ID
			a := b.asked(id)
			must(t, b.vote(person("bob", "legal"), a, "approve"))
			must(t, b.withdraw(person("bob", "legal"), a))
			if forged {
				b.forged = true
				b.sql(`alter table custody.vote disable trigger all`)
				b.sql(`delete from custody.vote where decision = $1`, approval.Withdraw)
			}
			must(t, b.vote(person("dora", "legal"), a, "approve"))
			if !forged {
				must(t, b.vote(person("emil", "legal"), a, "approve"))
				b.ends(id, store.Succeeded, "")
				return
			}
			b.ends(id, store.Failed, "denied")
			equal(t, "effects", k.count(id, "file"), 0)
		})
	}
}

// A vote that the ledger does not tell of is somebody else's writing, however
// well it is signed.
func TestAVoteThatIsNotInTheLedgerIsFound(t *testing.T) {
	t.Parallel()
	b := stage(t)
	s := b.play(t, alice())
	s.put(s.keys, s.asked, func(*approval.Vote) {})
	s.resume(approval.Approved)
	s.ends(s.run, store.Failed, "denied")
	s.missing("approval")
}

func TestWhatARevocationReaches(t *testing.T) {
	t.Parallel()
	revoke := func(t *testing.T, b *bench, r store.Revocation) {
		t.Helper()
		r.ID, r.Tenant, r.By, r.Reason = security.NewID(), "main", "subj_s", "left"
		_, err := b.db.Revoke(context.Background(), r)
		must(t, err)
	}
	sets := func(t *testing.T) *bench {
		b := setup(t, map[string]kind{"m": {model, ok}})
		b.flow(`steps:
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: x}}
  - {id: say, uses: set, with: {text: y}}
output: ${{ steps.say.output }}
`)
		return b
	}
	agent := alice()
	agent.Client, agent.Act = "front", []string{"front", "behind"}
	for name, c := range map[string]struct {
		who  security.Principal
		key  func(b *bench) store.Revocation
		code string
	}{
		"a run that only sets":          {alice(), func(*bench) store.Revocation { return store.Revocation{Key: "sub:subj_alice"} }, "revoked"},
		"a program behind the caller":   {agent, func(*bench) store.Revocation { return store.Revocation{Key: "client:behind"} }, "revoked"},
		"a program in front":            {agent, func(*bench) store.Revocation { return store.Revocation{Key: "client:front"} }, "revoked"},
		"a logout after the submission": {alice(), func(*bench) store.Revocation { return store.Revocation{Key: "logout:subj_alice", BeforeUS: 1} }, "revoked"},
		"another person":                {alice(), func(*bench) store.Revocation { return store.Revocation{Key: "sub:subj_anna"} }, ""},
		"another program":               {agent, func(*bench) store.Revocation { return store.Revocation{Key: "client:other"} }, ""},
		"another key":                   {alice(), func(*bench) store.Revocation { return store.Revocation{Key: "key:m9"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := sets(t)
			s, err := b.engine.Submit(context.Background(), c.who, Submission{Workflow: "w", Input: []byte(`{}`)})
			must(t, err)
			b.waiting(s.Run.ID)
			revoke(t, b, c.key(b))
			b.votes(s.Run.ID, "bob", "approve")
			if c.code == "" {
				b.ends(s.Run.ID, store.Succeeded, "")
				return
			}
			b.ends(s.Run.ID, store.Failed, c.code)
		})
	}
}

// A key of ours that was stolen signs for nobody any more: neither for what is
// under way nor for what comes.
func TestARevokedKeySignsForNobody(t *testing.T) {
	t.Parallel()
	b := reviewed(t, 1, "", "", newBook())
	first, second := b.submit("w", map[string]any{"text": "x"}).ID, b.submit("w", map[string]any{"text": "x"}).ID
	b.waiting(first)
	b.waiting(second)
	a := b.asked(second)
	r := store.Revocation{Key: security.KeyRevocation(b.keys.Active()), ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "stolen"}
	_, err := b.db.Revoke(context.Background(), r)
	must(t, err)
	_, err = b.engine.Submit(context.Background(), alice(), Submission{Workflow: "w", Input: []byte(`{"text":"x"}`)})
	is(t, err, ErrKeyRevoked)
	is(t, b.vote(person("bob", "legal"), a, "approve"), ErrKeyRevoked)
	_, err = b.db.Lift(context.Background(), "main", r.ID, audit.Fact{})
	must(t, err)
	must(t, b.vote(person("bob", "legal"), a, "approve"))
	b.ends(second, store.Succeeded, "")
}

// A token that is revoked between the request and its commit casts no vote.
func TestARevokedVoterCastsNoVote(t *testing.T) {
	t.Parallel()
	b := reviewed(t, 1, "", "", newBook())
	id := b.submit("w", map[string]any{"text": "x"}).ID
	a := b.asked(id)
	_, err := b.db.Revoke(context.Background(), store.Revocation{Key: person("bob").RevocationKeys()[4], ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "lost"})
	must(t, err)
	if _, ok := errorAs[*Denied](b.vote(person("bob", "legal"), a, "approve")); !ok {
		t.Error("a revoked token casts a vote")
	}
	_, err = b.engine.Vote(context.Background(), person("bob", "legal"), Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, DryRun: true})
	if _, ok := errorAs[*Denied](err); !ok {
		t.Errorf("rehearsed: %v", err)
	}
	must(t, b.vote(person("dora", "legal"), a, "approve"))
	b.ends(id, store.Succeeded, "")
}
