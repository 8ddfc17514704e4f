package engine

import (
	"context"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/store"
)

// A Withdrawal takes one's own vote back.
type Withdrawal struct {
	Approval security.ID
	Request  string // Request-Id
	DryRun   bool
}

// Withdraw takes the caller's own approval back, as long as the request for
// votes is pending. It is decided by the rule that decides votes, on the locked
// row, and kept as a signed statement beside the vote. The voter may vote again.
// It may be repeated: what is withdrawn is not there any more.
//
// Its errors are store.ErrNotFound (there is no vote of the caller that
// counts), *Denied, ErrApprovalClosed and ErrKeyRevoked.
func (e *Engine) Withdraw(ctx context.Context, who security.Principal, w Withdrawal) (store.Receipt, error) {
	asked, err := e.db.Approval(ctx, who.Tenant, w.Approval)
	if err != nil {
		return store.Receipt{}, err
	}
	now := time.Now()
	req, votes := request(asked)
	mine, ok := approval.Standing(votes, who.ID)
	if !ok {
		return store.Receipt{}, store.ErrNotFound
	}
	if d := policy.StepUp(who, stepUp, now); !d.Allowed() {
		return store.Receipt{}, &Denied{d}
	}
	back := approval.NewWithdrawal(e.cfg.Keys, req, who, mine, now)
	if w.DryRun {
		if _, err := approval.Decide(req, votes, &back, now.UnixMicro()); err != nil {
			return store.Receipt{}, refusal(err)
		}
		return store.Receipt{}, e.revoked(ctx, who)
	}
	return e.takeBack(ctx, who, w, asked, back)
}

// takeBack commits the withdrawal. It decides nothing for the run: a request
// that was pending stays so.
func (e *Engine) takeBack(ctx context.Context, who security.Principal, w Withdrawal, asked store.Asked, back approval.Vote) (store.Receipt, error) {
	id, err := security.ParseID("vote", back.ID)
	if err != nil {
		return store.Receipt{}, err
	}
	var receipt store.Receipt
	err = e.db.Write(ctx, store.Change{
		Run: asked.Run, Ask: asked.ID, Bytes: weight(nil), Revoked: e.voterKeys(who),
		Apply: func(l *store.Locked) error {
			v, _, err := e.weigh(l, who, back)
			if err != nil {
				return err
			}
			receipt = e.record(l, who, w.Request, v, nil)
			l.Vote(rowOf(id, asked.ID, v))
			return nil
		},
	})
	return receipt, err
}
