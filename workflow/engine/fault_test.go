package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
)

// C1, resolve: for every commit of a run that has everything in it, the COMMIT
// is lost once on its way there and once on its way back. The run ends the same
// way, nothing is called twice, and nothing is asked twice.
func TestC1NoLostCommitChangesWhatHappens(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]store.Fault{"the request is lost": store.LoseRequest, "the answer is lost": store.LoseAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			var left atomic.Int64 // commits until the fault
			pass := judge(func(_ context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
				k.note(c.ID, c.Step.ID+"#judge")
				return steps.JudgeAnswer{Pass: true}, nil
			})
			b := setup(t, map[string]kind{"m": {model, k.noting(ok)}, "e": {effect, k.noting(echo)}, "side": {plain, k.noting(ok)}}, judged(pass),
				func(s *store.Config, _ *Config, _ *steps.Config) {
					s.Fault = func() store.Fault {
						if left.Add(-1) == 0 {
							return fault
						}
						return store.NoFault
					}
				})
			b.flow(`steps:
  - {id: draft, uses: m}
  - {id: side, uses: side, needs: []}
  - {id: legal, uses: approval, needs: [draft], with: {approvers: {roles: [legal]}, show: "${{ steps.draft.output }}"}}
  - {id: file, uses: e, needs: [legal], with: {body: "${{ steps.draft.output }}"}}
`)
			for n := int64(1); ; n++ {
				left.Store(n)
				id := b.run()
				a := b.asked(id)
				_, err := b.engine.Vote(context.Background(), person("bob", "legal"), Ballot{Approval: a.ID, Decision: approval.Approve, Digest: a.Digest, Key: "v" + id.String()})
				must(t, err)
				b.ends(id, store.Succeeded, "")
				for _, step := range []string{"draft", "draft#judge", "side", "file"} {
					equal(t, fmt.Sprintf("commit %d, calls of %s", n, step), k.count(id, step), 1)
				}
				if left.Load() > 0 { // the run has fewer commits
					if n < 6 {
						t.Errorf("a run of only %d commits shows nothing", n)
					}
					return
				}
			}
		})
	}
}
