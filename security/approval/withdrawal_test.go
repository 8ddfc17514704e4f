package approval_test

import (
	"errors"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
)

// back signs that a person takes a vote back, two minutes after the request.
func back(t testing.TB, req approval.Request, who security.Principal, v approval.Vote) approval.Vote {
	t.Helper()
	return approval.NewWithdrawal(keys(t, 1), req, who, v, now.Add(2*time.Minute))
}

func TestAVoteThatWasTakenBackCountsForNothing(t *testing.T) {
	t.Parallel()
	req := request(t, 2)
	bob, dora := vote(t, req, voter("bob"), approval.Approve), vote(t, req, voter("dora"), approval.Approve)
	at := now.Add(3 * time.Minute).UnixMicro()
	votes := []approval.Vote{bob}
	if state, err := approval.Decide(req, votes, &dora, at); err != nil || state != approval.Approved {
		t.Errorf("the harmless twin: %s %v", state, err)
	}
	taken := back(t, req, voter("bob"), bob)
	state, err := approval.Decide(req, votes, &taken, at)
	if err != nil || state != approval.Pending {
		t.Fatalf("taken back: %s %v", state, err)
	}
	votes = append(votes, taken)
	if state, err := approval.Decide(req, votes, &dora, at); err != nil || state != approval.Pending {
		t.Errorf("one of two: %s %v", state, err)
	}
	if reasons := approval.Eligible(req, votes, voter("bob"), now); len(reasons) > 0 {
		t.Errorf("bob may vote again: %v", reasons)
	}
	if _, standing := approval.Standing(votes, "subj_bob"); standing {
		t.Error("a vote that was taken back stands")
	}
	again := vote(t, req, voter("bob"), approval.Approve)
	if state, err := approval.Decide(req, append(votes, dora), &again, at); err != nil || state != approval.Approved {
		t.Errorf("voted again: %s %v", state, err)
	}
	for _, c := range []struct {
		votes []approval.Vote
		want  approval.State
	}{
		{votes, approval.Pending},
		{append(votes, dora), approval.Pending},
		{append(votes, dora, again), approval.Approved},
	} {
		if state, err := use(t, req, c.votes); err != nil || state != c.want {
			t.Errorf("%d votes: %s %v, want %s", len(c.votes), state, err, c.want)
		}
	}
	if state, err := approval.Decide(req, votes, nil, req.Document.ExpiresAt); err != nil || state != approval.Expired {
		t.Errorf("it expires as any other: %s %v", state, err)
	}
}

func TestWhatCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	req := request(t, 2)
	bob, dora := vote(t, req, voter("bob"), approval.Approve), vote(t, req, voter("dora"), approval.Approve)
	no := vote(t, req, voter("emil"), approval.Reject)
	once := back(t, req, voter("bob"), bob)
	weak := voter("bob")
	weak.ACR = "pwd"
	at := now.Add(3 * time.Minute).UnixMicro()
	for name, c := range map[string]struct {
		votes []approval.Vote
		next  approval.Vote
		want  error
	}{
		"somebody else's vote":        {[]approval.Vote{bob}, back(t, req, voter("dora"), bob), approval.ErrNoVote},
		"no vote at all":              {nil, back(t, req, voter("bob"), bob), approval.ErrNoVote},
		"the same vote twice":         {[]approval.Vote{bob, once}, back(t, req, voter("bob"), bob), approval.ErrNoVote},
		"after the quorum":            {[]approval.Vote{bob, dora}, once, approval.ErrClosed},
		"a rejection":                 {[]approval.Vote{no}, back(t, req, voter("emil"), no), approval.ErrClosed},
		"without a second factor":     {[]approval.Vote{bob}, back(t, req, weak, bob), approval.ErrEvidence},
		"a vote and no withdrawal":    {[]approval.Vote{bob}, vote(t, req, voter("bob"), approval.Approve), approval.ErrAlreadyVoted},
		"the harmless twin":           {[]approval.Vote{bob}, once, nil},
		"the harmless twin, at first": {nil, bob, nil},
	} {
		if _, err := approval.Decide(req, c.votes, &c.next, at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := approval.Decide(req, []approval.Vote{bob}, &once, req.Document.ExpiresAt); !errors.Is(err, approval.ErrClosed) {
		t.Errorf("after it expired: %v", err)
	}
}

// Whoever can write to the database can neither take a vote back nor undo it.
func TestAForgedWithdrawalIsFound(t *testing.T) {
	t.Parallel()
	req := request(t, 1)
	bob, no := vote(t, req, voter("bob"), approval.Approve), vote(t, req, voter("emil"), approval.Reject)
	good := back(t, req, voter("bob"), bob)
	change := func(f func(*approval.Vote)) approval.Vote {
		w := good
		f(&w)
		return w
	}
	foreign := approval.NewWithdrawal(keys(t, 2), req, voter("bob"), bob, now.Add(2*time.Minute))
	other := request(t, 1)
	other.Document.ID = "apr_2"
	for name, votes := range map[string][]approval.Vote{
		"signed by another key":       {bob, foreign},
		"without a signature":         {bob, change(func(w *approval.Vote) { w.Statement.Sig = make([]byte, 64) })},
		"as an approval":              {bob, change(func(w *approval.Vote) { w.Decision = approval.Approve })},
		"in somebody else's name":     {bob, change(func(w *approval.Vote) { w.By = "subj_dora" })},
		"under another id":            {bob, change(func(w *approval.Vote) { w.ID = "vote_x" })},
		"of a vote that is not there": {good},
		"of somebody else's vote":     {bob, back(t, req, voter("dora"), bob)},
		"of a rejection":              {no, back(t, req, voter("emil"), no)},
		"twice":                       {bob, good, back(t, req, voter("bob"), bob)},
		"of another request":          {bob, approval.NewWithdrawal(keys(t, 1), other, voter("bob"), bob, now.Add(2*time.Minute))},
		"two votes that count":        {bob, good, vote(t, req, voter("bob"), approval.Approve), vote(t, req, voter("bob"), approval.Approve)},
	} {
		if state, err := use(t, req, votes); !errors.Is(err, approval.ErrEvidence) || state != "" {
			t.Errorf("%s: %q %v", name, state, err)
		}
	}
	for name, votes := range map[string][]approval.Vote{"taken back": {bob, good}, "approved": {bob}} {
		if _, err := use(t, req, votes); err != nil {
			t.Errorf("the harmless twin, %s: %v", name, err)
		}
	}
}
