package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// Votes, expiry and cancellation, from two processes, race with each other and
// with a branch whose answer is paid. Whatever the order: the run ends, in a
// state that one order allows; nothing is paid twice and no answer is lost
// unless the run was cancelled; the effect needs the approval.
func TestAnyInterleavingEndsWell(t *testing.T) {
	t.Parallel()
	const runs = 60
	k := newBook()
	pace := func(ctx context.Context, c steps.Call) (steps.Draft, error) {
		slow := time.NewTimer(time.Duration(rand.IntN(60)) * time.Millisecond)
		defer slow.Stop()
		select {
		case <-slow.C:
			return ok(ctx, c)
		case <-ctx.Done():
			return steps.Draft{}, ctx.Err()
		}
	}
	b := setup(t, map[string]kind{"m": {model, k.noting(pace)}, "e": {effect, k.noting(pace)}})
	b.flow(`steps:
  - {id: draft, uses: m, needs: []}
  - {id: legal, uses: approval, needs: [], with: {approvers: {roles: [legal], quorum: 2}, show: x}}
  - {id: file, uses: e, needs: [legal]}
  - {id: last, uses: m, needs: [draft, file]}
`)
	b.expires(150 * time.Millisecond)
	_, other := b.start()
	engines := []*Engine{b.engine, other}
	ids := make([]security.ID, runs)
	var wg sync.WaitGroup
	for i := range ids {
		ids[i] = b.run()
		wg.Go(func() { b.disturb(rand.New(rand.NewPCG(uint64(i), 3)), engines, ids[i]) })
	}
	wg.Wait()
	for _, id := range ids {
		b.allowed(k, id)
	}
}

// disturb does to a run, in random order, what people do to runs.
func (b *bench) disturb(rnd *rand.Rand, engines []*Engine, id security.ID) {
	ctx := context.Background()
	// On a slow machine the approval has expired before we look: that is one more order.
	r := b.until(id, "asking once", func(r store.Run) bool { return !r.Progress.Steps[1].Ask.IsZero() })
	a, err := b.db.Approval(ctx, "main", r.Progress.Steps[1].Ask)
	must(b.t, err)
	var wg sync.WaitGroup
	act := func(what func(*Engine) error) {
		e, wait := engines[rnd.IntN(2)], time.Duration(rnd.IntN(200))*time.Millisecond
		wg.Go(func() {
			at := time.NewTimer(wait) // the interleaving
			<-at.C
			err := what(e)
			if err != nil && !errors.Is(err, ErrApprovalClosed) && !errors.Is(err, ErrRunClosed) && !errors.Is(err, ErrVoted) {
				b.t.Errorf("run %s: %v", id.Name("run"), err)
			}
		})
	}
	for _, name := range []string{"bob", "dora", "emil", "bob"} {
		decision := approval.Approve
		if rnd.IntN(6) == 0 {
			decision = approval.Reject
		}
		act(func(e *Engine) error {
			_, err := e.Vote(ctx, person(name, "legal"), Ballot{Approval: a.ID, Decision: decision, Digest: a.Digest})
			return err
		})
	}
	if rnd.IntN(3) == 0 {
		act(func(e *Engine) error {
			_, err := e.Cancel(ctx, alice(), Cancellation{Run: id})
			return err
		})
	}
	wg.Wait()
}

func (b *bench) allowed(k *book, id security.ID) {
	b.t.Helper()
	r := b.closed(id)
	a, err := b.db.ApprovalsOf(context.Background(), id)
	must(b.t, err)
	approved := len(a) == 1 && a[0].State == approval.Approved
	s := r.Progress.Steps
	for i, step := range []string{"draft", "legal", "file", "last"} {
		if n := k.count(id, step); n > 1 {
			b.t.Errorf("%d calls of %s: %s", n, step, trail(b.pool, id))
		}
		if r.State != store.Cancelled && k.count(id, step) == 1 && s[i].Status != workflow.Succeeded {
			b.t.Errorf("the answer of %s was lost: %s", step, trail(b.pool, id))
		}
	}
	switch {
	case k.count(id, "file") > 0 && !approved:
		b.t.Errorf("an effect without an approval: %s", trail(b.pool, id))
	case r.State == store.Succeeded && !approved, r.State == store.Failed && approved, r.State == store.Cancelled && r.CancelUS == 0:
		b.t.Errorf("%s, approved: %v: %s", r.State, approved, trail(b.pool, id))
	}
}
