package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

var (
	model  = workflow.Kind{Model: true}
	effect = workflow.Kind{Effect: true}
	plain  = workflow.Kind{}
)

func TestFiveStepsRunInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"noop": {run: ok}})
	b.flow("steps:\n" + lines(5, func(i int) string { return fmt.Sprintf("  - {id: s%d, uses: noop}", i) }))
	r := b.ends(b.run(), store.Succeeded, "")
	want := "run.submitted"
	for i := range 5 {
		want += fmt.Sprintf(" step.intent/s%d step.result/s%d", i, i)
	}
	b.trails(r.ID, want+" run.closed")
	b.output(r, `{"ok":true}`)
}

func TestBranchesRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	g, k := gate(make(chan struct{})), newBook()
	b := setup(t, map[string]kind{"wait": {run: k.noting(g.run)}, "noop": {run: ok}})
	b.flow(`steps:
  - {id: a, uses: wait, needs: []}
  - {id: b, uses: wait, needs: []}
  - {id: c, uses: noop, needs: [a, b]}
`)
	id := b.run()
	k.call(t, "a")
	k.call(t, "b") // while a has not ended
	close(g)
	b.ends(id, store.Succeeded, "")
}

func TestConditions(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"noop": {run: ok}, "echo": {run: echo}})
	b.flow(`input: {type: object, properties: {deep: {type: boolean}, list: {type: array, items: {type: integer}}}}
steps:
  - {id: a, uses: noop, if: input.deep}
  - {id: b, uses: echo, with: {x: "${{ 1 + 1 }}"}}
`)
	skipped := b.submit("w", map[string]any{"deep": false}).ID
	b.ends(skipped, store.Succeeded, "")
	b.trails(skipped, "run.submitted step.skipped/a step.intent/b step.result/b run.closed")
	taken := b.ends(b.submit("w", map[string]any{"deep": true}).ID, store.Succeeded, "")
	b.output(taken, `{"x":2}`)

	b.define(`name: f
requires: {roles: [analyst]}
input: {type: object, required: [list], properties: {list: {type: array, items: {type: integer}}}}
steps:
  - {id: a, uses: noop, if: "input.list[3] > 1"}
  - {id: b, uses: noop}
`)
	failed := b.submit("f", map[string]any{"list": []int{1}})
	b.ends(failed.ID, store.Failed, "error") // it never skips
	b.trails(failed.ID, "run.submitted step.result/a=error run.closed=error")
	b.ends(b.submit("f", map[string]any{"list": []int{1, 1, 1, 1}}).ID, store.Succeeded, "")
}

func TestSetNeedsNoIntent(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"noop": {run: ok}})
	b.flow(`input: {type: object, required: [n], properties: {n: {type: integer}}}
steps:
  - {id: a, uses: set, with: {twice: "${{ input.n * 2 }}", deep: {z: 1, a: [true]}}}
  - {id: b, uses: set, with: {sum: "${{ steps.a.output.twice + 1 }}", all: "${{ steps.a.output.deep }}"}}
`)
	r := b.ends(b.submit("w", map[string]any{"n": 20}).ID, store.Succeeded, "")
	b.output(r, `{"all":{"a":[true],"z":1},"sum":41}`)
	b.trails(r.ID, "run.submitted step.result/a step.result/b run.closed")
}

func TestRetries(t *testing.T) {
	t.Parallel()
	unknown := &steps.Error{Code: steps.CodeConnection, Detail: "cut", Unknown: true}
	cases := map[string]struct {
		kind  workflow.Kind
		step  string // more of the step's text
		run   runner
		state store.RunState
		code  string
		calls int
	}{
		"as often as it says":           {model, ", retry: {attempts: 3, backoff: 1ms}", script(retryable("status", 0), retryable("status", 0)), store.Succeeded, "", 3},
		"not more":                      {model, ", retry: {attempts: 2, backoff: 1ms}", script(retryable("status", 0), retryable("status", 0)), store.Failed, "error", 2},
		"not without retry":             {model, "", script(retryable("status", 0)), store.Failed, "error", 1},
		"not what cannot help":          {model, ", retry: {attempts: 3, backoff: 1ms}", script(&steps.Error{Code: "refused"}), store.Failed, "error", 1},
		"after what the other asks":     {model, ", retry: {attempts: 2, backoff: 1ms}", script(retryable("rate_limited", 50*time.Millisecond)), store.Succeeded, "", 2},
		"a model's unknown, undeclared": {model, ", retry: {attempts: 1, backoff: 1ms}", script(unknown, unknown), store.Succeeded, "", 3},
		"a model's unknown, bounded":    {model, ", retry: {attempts: 1, backoff: 1ms}", script(unknown, unknown, unknown, unknown), store.Failed, "error", 3},
		"an effect's unknown, never":    {effect, "", script(unknown), store.Failed, "error", 1},
		"an effect's unknown, declared": {effect, ", retry: {attempts: 2, backoff: 1ms}", script(unknown), store.Succeeded, "", 2},
		"an effect's error, declared":   {effect, ", retry: {attempts: 2, backoff: 1ms}", script(retryable("status", 0)), store.Succeeded, "", 2},
		"a panic is an error":           {model, "", func(context.Context, steps.Call) (steps.Draft, error) { panic("at the step") }, store.Failed, "error", 1},
		"an effect's panic is unknown":  {effect, "", func(context.Context, steps.Call) (steps.Draft, error) { panic("at the step") }, store.Failed, "error", 1},
	}
	k, kinds, names := newBook(), map[string]kind{}, []string{}
	for name, c := range cases {
		kinds[fmt.Sprintf("it%d", len(names))] = kind{c.kind, k.noting(c.run)}
		names = append(names, name)
	}
	b := setup(t, kinds)
	for i, name := range names {
		c := cases[name]
		w := fmt.Sprintf("w%d", i)
		b.define(fmt.Sprintf("name: %s\nrequires: {roles: [analyst]}\nsteps:\n  - {id: a, uses: it%d%s}\n", w, i, c.step))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			id := b.submit(w, map[string]any{}).ID
			b.ends(id, c.state, c.code)
			equal(t, "calls", k.count(id, "a"), c.calls)
		})
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	const after = 300 * time.Millisecond
	b := setup(t, map[string]kind{"it": {model, script(retryable("rate_limited", after))}})
	b.flow("steps:\n  - {id: a, uses: it, retry: {attempts: 2, backoff: 1ms}}\n")
	id := b.run()
	w := b.waiting(id) // nobody holds it meanwhile
	if !w.Holder.IsZero() || w.DueUS == 0 {
		t.Errorf("held by %s, due %d", w.Holder, w.DueUS)
	}
	r := b.ends(id, store.Succeeded, "")
	if got := time.Duration(r.ClosedUS-r.CreatedUS) * time.Microsecond; got < after {
		t.Errorf("it was tried again after %s", got)
	}
}

func TestATimeoutIsUnknown(t *testing.T) {
	t.Parallel()
	k := newBook()
	hang := gate(make(chan struct{}))
	defer close(hang)
	b := setup(t, map[string]kind{"m": {model, k.noting(hang.deaf)}, "e": {effect, k.noting(hang.deaf)}})
	b.flow("steps:\n  - {id: a, uses: m, timeout: 20ms, retry: {attempts: 1, backoff: 1ms}}\n")
	id := b.run()
	r := b.ends(id, store.Failed, "timeout")
	equal(t, "calls", k.count(id, "a"), unknownAttempts)
	equal(t, "status", r.Progress.Steps[0].Status, workflow.Unknown)

	b.define("name: e\nrequires: {roles: [analyst]}\nsteps:\n  - {id: a, uses: e, timeout: 20ms}\n")
	id = b.submit("e", map[string]any{}).ID
	b.ends(id, store.Failed, "timeout")
	b.trails(id, "run.submitted step.intent/a step.unknown/a=unknown run.closed=error")
	equal(t, "calls", k.count(id, "a"), 1)
}

func TestAFailureLetsRunningBranchesFinish(t *testing.T) {
	t.Parallel()
	g, k := gate(make(chan struct{})), newBook()
	b := setup(t, map[string]kind{"wait": {model, k.noting(g.run)}, "bad": {model, script(&steps.Error{Code: "refused"})}, "noop": {run: k.noting(ok)}})
	b.flow(`steps:
  - {id: a, uses: wait, needs: []}
  - {id: b, uses: bad, needs: []}
  - {id: ask, uses: approval, needs: [], with: {approvers: {roles: [legal]}, show: x}}
  - {id: c, uses: noop, needs: [a]}
`)
	id := b.run()
	b.until(id, "failing", func(r store.Run) bool { return r.Progress.Steps[1].Status == workflow.Failed })
	close(g)
	r := b.ends(id, store.Failed, "error")
	equal(t, "a", r.Progress.Steps[0].Status, workflow.Succeeded)
	equal(t, "ask", r.Progress.Steps[2].Status, workflow.Cancelled)
	equal(t, "calls of c", k.count(id, "c"), 0)
	equal(t, "reason", r.Reason.Step, "b")
	all, err := b.db.ApprovalsOf(context.Background(), id)
	if err != nil || len(all) != 1 || all[0].State != approval.Withdrawn {
		t.Errorf("approvals %+v, %v", all, err)
	}
}

// The ledger says which criteria the judge held not met, by their names alone.
func TestTheLedgerNamesWhatTheJudgeHeldNotMet(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"m": {model, ok}}, judged(func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) {
		return steps.JudgeAnswer{Rubric: "r/1", Unmet: []string{"keeps_secrets", "It says: MARK", "", "does_the_task"}, Reason: "it tells MARK"}, nil
	}))
	b.flow("steps:\n  - {id: a, uses: m}\n")
	id := b.run()
	b.ends(id, store.Failed, "withheld")
	all, _, err := b.db.Entries(context.Background(), "main", store.EntryFilter{Stream: id, Limit: 99})
	must(t, err)
	var unmet []string
	for _, e := range all {
		body, err := audit.ParseBody(e.Body)
		must(t, err)
		unmet = append(unmet, body.Unmet...)
		if strings.Contains(e.Body, "MARK") {
			t.Errorf("content in an entry: %s", e.Body)
		}
	}
	equal(t, "unmet", strings.Join(unmet, " "), "keeps_secrets does_the_task")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	pass := func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) {
		return steps.JudgeAnswer{Pass: true, Reason: "fine"}, nil
	}
	failing := func(times int, err error) judge {
		n := 0
		return func(ctx context.Context, c steps.JudgeCall) (steps.JudgeAnswer, error) {
			if n++; n <= times {
				return steps.JudgeAnswer{}, err
			}
			return pass(ctx, c)
		}
	}
	const asked = " call.intent/a call.result/a"
	const again = " call.intent/a call.result/a=error"
	for name, c := range map[string]struct {
		judge judge
		state store.RunState
		code  string
		trail string
	}{
		"passes": {pass, store.Succeeded, "", asked + " step.result/a run.closed"},
		"withholds": {func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) {
			return steps.JudgeAnswer{Reason: "it obeys the document"}, nil
		}, store.Failed, "withheld", asked + " step.withheld/a=withheld run.closed=error"},
		"is busy, then passes": {failing(2, retryable("rate_limited", time.Millisecond)), store.Succeeded, "", again + again + asked + " step.result/a run.closed"},
		"never answers":        {failing(9, retryable("status", 0)), store.Failed, "withheld", again + again + again + " step.withheld/a=withheld run.closed=error"},
		"talks rubbish":        {failing(9, &steps.Error{Code: steps.CodeMalformed}), store.Failed, "withheld", asked + " step.withheld/a=withheld run.closed=error"},
		"panics":               {func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) { panic("no") }, store.Failed, "withheld", asked + " step.withheld/a=withheld run.closed=error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			b := setup(t, map[string]kind{"m": {model, k.noting(ok)}}, judged(c.judge))
			b.flow("steps:\n  - {id: a, uses: m}\n")
			id := b.run()
			b.ends(id, c.state, c.code)
			b.trails(id, "run.submitted step.intent/a"+c.trail)
			equal(t, "model calls", k.count(id, "a"), 1)
		})
	}
}

const review = `input: {type: object, properties: {text: {type: string}}}
steps:
  - {id: draft, uses: m}
  - {id: legal, uses: approval, with: {approvers: {roles: [legal], quorum: %d}, show: {draft: "${{ steps.draft.output }}", text: "${{ input.text }}"}%s}}
  - {id: file, uses: e, %swith: {body: "${{ steps.draft.output }}"}}
`

// reviewed is a model call, an approval of it and an effect with it.
func reviewed(t *testing.T, quorum int, approvalWith, fileWith string, k *book) *bench {
	nested := func(context.Context, steps.Call) (steps.Draft, error) {
		return draft(map[string]any{"z": []any{int64(1), 2.5, map[string]any{"y": true, "b": nil, "a": "<é>"}}, "a": "text"}), nil
	}
	b := setup(t, map[string]kind{"m": {model, k.noting(nested)}, "e": {effect, k.noting(echo)}})
	b.flow(fmt.Sprintf(review, quorum, approvalWith, fileWith))
	return b
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	const toLegal = "run.submitted step.intent/draft step.result/draft approval.requested/legal"
	for name, c := range map[string]struct {
		with  string // more of the approval; ≈: it expires soon
		file  string
		votes []string
		state store.RunState
		code  string
		trail string
		files int
	}{
		"approved":               {"", "", []string{"bob+"}, store.Succeeded, "", " approval.voted/legal=approve approval.closed/legal=approve step.intent/file step.result/file run.closed", 1},
		"rejected":               {"", "", []string{"bob-"}, store.Failed, "denied", " approval.voted/legal=reject approval.closed/legal=reject run.closed=error", 0},
		"rejected, and goes on":  {", on_reject: continue", "if: steps.legal.output.decision == 'approve', ", []string{"bob-"}, store.Succeeded, "", " approval.voted/legal=reject approval.closed/legal=reject step.skipped/file run.closed", 0},
		"expired":                {"≈", "", nil, store.Failed, "timeout", " approval.closed/legal=expire run.closed=error", 0},
		"expired, and goes on":   {"≈, on_reject: continue", "if: steps.legal.output.decision == 'approve', ", nil, store.Succeeded, "", " approval.closed/legal=expire step.skipped/file run.closed", 0},
		"approved, and asks for": {", on_reject: continue", "if: steps.legal.output.decision == 'approve', ", []string{"bob+"}, store.Succeeded, "", " approval.voted/legal=approve approval.closed/legal=approve step.intent/file step.result/file run.closed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			with, expires := strings.CutPrefix(c.with, "≈")
			b := reviewed(t, 1, with, c.file, k)
			if expires {
				b.expires(100 * time.Millisecond)
			}
			id := b.submit("w", map[string]any{"text": "the contract"}).ID
			for _, v := range c.votes {
				b.votes(id, strings.TrimRight(v, "+-"), map[bool]string{true: "approve", false: "reject"}[strings.HasSuffix(v, "+")])
			}
			b.ends(id, c.state, c.code)
			b.trails(id, toLegal+c.trail)
			equal(t, "effects", k.count(id, "file"), c.files)
		})
	}
}

func TestAQuorumIsOfDistinctPeople(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := reviewed(t, 2, "", "", k)
	id := b.submit("w", map[string]any{"text": "x"}).ID
	a := b.asked(id)
	requester := alice()
	requester.Roles = []string{"analyst", "legal"}
	agent := person("bot", "legal")
	agent.Kind = security.Agent
	old := person("bob", "legal")
	old.AuthTime = time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		who    security.Principal
		digest string
		want   any
	}{
		"the requester":     {requester, a.Digest, &NotEligible{}},
		"an agent":          {agent, a.Digest, &NotEligible{}},
		"no role":           {person("carl", "sales"), a.Digest, &NotEligible{}},
		"an old sign-in":    {old, a.Digest, &Denied{}},
		"another digest":    {person("bob", "legal"), approval.Digest("x"), ErrStale},
		"of another tenant": {func() security.Principal { p := person("bob", "legal"); p.Tenant = "other"; return p }(), a.Digest, store.ErrNotFound},
	} {
		_, err := b.engine.Vote(context.Background(), c.who, Ballot{Approval: a.ID, Decision: "approve", Digest: c.digest})
		switch want := c.want.(type) {
		case *NotEligible:
			if _, ok := errorAs[*NotEligible](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
		case *Denied:
			if _, ok := errorAs[*Denied](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
		case error:
			is(t, err, want)
		}
	}
	must(t, b.vote(person("bob", "legal"), a, "approve"))
	is(t, b.vote(person("bob", "legal"), a, "approve"), ErrVoted)
	equal(t, "state", b.row(id).State, store.Waiting)
	must(t, b.vote(person("dora", "legal"), a, "approve"))
	b.ends(id, store.Succeeded, "")
	is(t, b.vote(person("emil", "legal"), a, "reject"), ErrApprovalClosed)
	equal(t, "effects", k.count(id, "file"), 1)
}

func TestACommentIsSealedAndWhatWasShownCanBeOpened(t *testing.T) {
	t.Parallel()
	b := reviewed(t, 1, "", "", newBook())
	id := b.submit("w", map[string]any{"text": "the contract"}).ID
	a := b.asked(id)
	shown, err := b.engine.Shown(context.Background(), a.Approval)
	must(t, err)
	equal(t, "parts", len(shown), 2)
	equal(t, "draft", string(shown[0].JSON), `{"a":"text","z":[1,2.5,{"a":"\u003cé\u003e","b":null,"y":true}]}`)
	equal(t, "text", string(shown[1].JSON), `"the contract"`)
	_, err = b.engine.Vote(context.Background(), person("bob", "legal"), Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Comment: "clause nine"})
	must(t, err)
	r := b.ends(id, store.Succeeded, "")
	b.output(r, `{"body":`+string(shown[0].JSON)+`}`)
	var clear int
	must(t, b.pool.QueryRow(context.Background(), `select (select count(*) from custody.entry where body like '%clause nine%')
+ (select count(*) from river.river_job where args::text like '%clause%')`).Scan(&clear))
	equal(t, "places where the comment is in the clear", clear, 0)
	a, err = b.db.Approval(context.Background(), "main", a.ID)
	must(t, err)
	c, err := b.engine.Open(context.Background(), "main", id, a.Votes[0].Comment, "comment")
	if err != nil || string(c.JSON) != "clause nine" {
		t.Errorf("comment %q, %v", c.JSON, err)
	}
	if a.UsedUS == 0 {
		t.Error("the approval was used and does not say so")
	}
}

func TestAnOutputThatCannotBeComputedFailsTheRun(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"noop": {run: ok}})
	b.flow(`input: {type: object, required: [list], properties: {list: {type: array, items: {type: integer}}}}
steps:
  - {id: a, uses: noop}
output: ${{ input.list[5] }}
`)
	r := b.ends(b.submit("w", map[string]any{"list": []int{1}}).ID, store.Failed, "error")
	_, err := b.engine.Output(context.Background(), r)
	is(t, err, store.ErrNotFound)
	r = b.ends(b.submit("w", map[string]any{"list": []int{0, 1, 2, 3, 4, 5}}).ID, store.Succeeded, "")
	b.output(r, "5")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("queued", func(t *testing.T) {
		t.Parallel()
		b := ready(t, map[string]kind{"noop": {run: ok}})
		b.db, b.engine = b.start(func(_ *store.Config, c *Config, _ *steps.Config) { c.Idle = true })
		b.flow("steps:\n  - {id: a, uses: noop}\n")
		id := b.run()
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
		b.trails(id, "run.submitted run.cancel_requested run.closed")
		_, err := b.engine.Cancel(context.Background(), alice(), Cancellation{Run: id})
		is(t, err, ErrRunClosed)
	})
	for name, deaf := range map[string]bool{"a call that obeys": false, "a call that does not": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, g := newBook(), gate(make(chan struct{}))
			defer close(g)
			run := g.run
			if deaf {
				run = g.deaf
			}
			b := setup(t, map[string]kind{"m": {model, k.noting(run)}, "noop": {run: k.noting(ok)}})
			b.flow("steps:\n  - {id: a, uses: m}\n  - {id: b, uses: noop}\n")
			id := b.run()
			k.call(t, "a")
			b.cancel(id)
			b.ends(id, store.Cancelled, "")
			equal(t, "calls of b", k.count(id, "b"), 0)
		})
	}
	t.Run("waiting for people", func(t *testing.T) {
		t.Parallel()
		b := reviewed(t, 1, "", "", newBook())
		id := b.submit("w", map[string]any{"text": "x"}).ID
		b.waiting(id)
		a := b.asked(id)
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
		is(t, b.vote(person("bob", "legal"), a, "approve"), ErrApprovalClosed)
	})
	t.Run("backing off", func(t *testing.T) {
		t.Parallel()
		b := setup(t, map[string]kind{"m": {model, script(retryable("status", time.Hour))}})
		b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1m}}\n")
		id := b.run()
		b.waiting(id)
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
	})
	t.Run("backing off beside a call", func(t *testing.T) {
		t.Parallel()
		g, k := gate(make(chan struct{})), newBook()
		defer close(g)
		b := setup(t, map[string]kind{"m": {model, script(retryable("status", time.Hour))}, "wait": {model, k.noting(g.run)}})
		b.flow("steps:\n  - {id: a, uses: m, retry: {attempts: 2, backoff: 1m}}\n  - {id: b, uses: wait, needs: []}\n")
		id := b.run()
		k.call(t, "b")
		b.until(id, "backing off", func(r store.Run) bool { return r.Progress.Steps[0].Status == workflow.Backoff })
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
	})
	t.Run("judging", func(t *testing.T) {
		t.Parallel()
		asked := make(chan struct{}, 1)
		b := setup(t, map[string]kind{"m": {model, ok}}, judged(func(ctx context.Context, _ steps.JudgeCall) (steps.JudgeAnswer, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return steps.JudgeAnswer{}, ctx.Err()
		}))
		b.flow("steps:\n  - {id: a, uses: m}\n")
		id := b.run()
		<-asked
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
	})
	t.Run("before the judge is asked again", func(t *testing.T) {
		t.Parallel()
		b := setup(t, map[string]kind{"m": {model, ok}}, judged(func(context.Context, steps.JudgeCall) (steps.JudgeAnswer, error) {
			return steps.JudgeAnswer{}, retryable("rate_limited", time.Hour)
		}))
		b.flow("steps:\n  - {id: a, uses: m}\n")
		id := b.run()
		b.until(id, "between two questions", func(r store.Run) bool {
			return r.Progress.Steps[0].Tries == 1 && r.Progress.Steps[0].Judge.IsZero()
		})
		b.cancel(id)
		b.ends(id, store.Cancelled, "")
		b.trails(id, "run.submitted step.intent/a call.intent/a call.result/a=error run.cancel_requested step.withheld/a=withheld run.closed")
	})
}

func TestRetryOfAFailedRun(t *testing.T) {
	t.Parallel()
	k := newBook()
	unknown := &steps.Error{Code: steps.CodeConnection, Unknown: true}
	b := setup(t, map[string]kind{"m": {model, k.noting(echo)}, "sent": {effect, k.noting(ok)}, "e": {effect, k.noting(script(unknown, unknown))}})
	b.flow(`steps:
  - {id: draft, uses: m, with: {n: "${{ 40 + 2 }}"}}
  - {id: notify, uses: sent}
  - {id: legal, uses: approval, with: {approvers: {roles: [legal]}, show: "${{ steps.draft.output }}"}}
  - {id: file, uses: e, with: {body: "${{ steps.draft.output }}"}}
output: ${{ steps.draft.output.n }}
`)
	first := b.run()
	b.votes(first, "bob", "approve")
	b.ends(first, store.Failed, "error")
	retry := func(of security.ID, who security.Principal) (store.Run, error) {
		s, err := b.engine.Retry(context.Background(), who, Retry{Run: of, Key: "k" + of.String()})
		return s.Run, err
	}
	_, err := retry(first, person("mallory", "sales"))
	if _, ok := errorAs[*Denied](err); !ok {
		t.Errorf("a retrier without the role: %v", err)
	}
	run := first
	for range 2 { // a retry, and a retry of the retry
		next, err := retry(run, person("anna", "analyst"))
		must(t, err)
		again, err := retry(run, person("anna", "analyst"))
		if err != nil || again.ID != next.ID {
			t.Errorf("the same key made %s, %v", again.Name(), err)
		}
		equal(t, "retry of", next.RetryOf, run)
		run = next.ID
		b.votes(run, "bob", "approve") // a permission is used once
		b.closed(run)
	}
	r := b.ends(run, store.Succeeded, "")
	b.output(r, "42")
	b.trails(run, "run.submitted step.skipped/draft=adopted step.skipped/notify=adopted approval.requested/legal approval.voted/legal=approve approval.closed/legal=approve step.intent/file step.result/file run.closed")
	if k.count(first, "draft") != 1 || k.count(first, "notify") != 1 || k.total() != 5 {
		t.Errorf("calls: %v", k.calls)
	}
	_, err = retry(run, alice())
	is(t, err, ErrRunNotFailed)
}

func TestEverythingMayBeAskedTwice(t *testing.T) {
	t.Parallel()
	k := newBook()
	b := reviewed(t, 1, "", "", k)
	ctx := context.Background()
	sub := Submission{Workflow: "w", Input: []byte(`{"text":"x"}`), Key: "one"}
	first, err := b.engine.Submit(ctx, alice(), sub)
	must(t, err)
	again, err := b.engine.Submit(ctx, alice(), sub)
	if err != nil || !again.Replayed || again.Run.ID != first.Run.ID || again.Receipt != first.Receipt {
		t.Errorf("%+v, %v", again, err)
	}
	sub.Input = []byte(`{"text":"y"}`)
	_, err = b.engine.Submit(ctx, alice(), sub)
	is(t, err, store.ErrMismatch)
	id := first.Run.ID
	a := b.asked(id)
	ballot := Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, Key: "two"}
	v, err := b.engine.Vote(ctx, person("bob", "legal"), ballot)
	must(t, err)
	w, err := b.engine.Vote(ctx, person("bob", "legal"), ballot)
	if err != nil || !w.Replayed || w.Vote.ID != v.Vote.ID || w.Receipt != v.Receipt {
		t.Errorf("%+v, %v", w, err)
	}
	b.ends(id, store.Succeeded, "")
	other := b.submit("w", map[string]any{"text": "z"}).ID
	b.waiting(other)
	c := Cancellation{Run: other, Key: "three"}
	_, err = b.engine.Cancel(ctx, alice(), c)
	must(t, err)
	x, err := b.engine.Cancel(ctx, alice(), c)
	if err != nil || !x.Replayed || x.Run.State != store.Cancelled {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestARehearsalWritesNothing(t *testing.T) {
	t.Parallel()
	b := reviewed(t, 1, "", "", newBook())
	ctx := context.Background()
	id := b.submit("w", map[string]any{"text": "x"}).ID
	b.waiting(id)
	a := b.asked(id)
	count := func() (n int) {
		must(t, b.pool.QueryRow(ctx, `select (select count(*) from custody.run) + (select count(*) from custody.entry)
+ (select count(*) from custody.payload) + (select count(*) from custody.idempotency) + (select count(*) from custody.vote)
+ (select count(*) from custody.definition)`).Scan(&n))
		return n
	}
	before := count()
	_, err := b.engine.Submit(ctx, alice(), Submission{Workflow: "w", Input: []byte(`{}`), DryRun: true, Key: "k"})
	must(t, err)
	_, err = b.engine.Vote(ctx, person("bob", "legal"), Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest, DryRun: true, Key: "k"})
	must(t, err)
	_, err = b.engine.Cancel(ctx, alice(), Cancellation{Run: id, DryRun: true, Key: "k"})
	must(t, err)
	_, err = b.engine.Publish(ctx, person("erin", "author"), Publication{Source: []byte("name: n\nrequires: {roles: [a]}\nsteps:\n  - {id: a, uses: m}\n"), DryRun: true})
	must(t, err)
	equal(t, "rows", count(), before)
}

func TestASubmissionIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"noop": {run: ok}})
	b.flow("input: {type: object, required: [n], properties: {n: {type: integer}}}\nsteps:\n  - {id: a, uses: noop}\n")
	ctx := context.Background()
	submit := func(who security.Principal, workflow, input string) error {
		_, err := b.engine.Submit(ctx, who, Submission{Workflow: workflow, Input: []byte(input)})
		return err
	}
	var denied *Denied
	var bad *BadInput
	if err := submit(person("bob", "sales"), "w", `{"n":1}`); !errors.As(err, &denied) {
		t.Errorf("without the role: %v", err)
	}
	if err := submit(security.Principal{}, "w", `{"n":1}`); err == nil {
		t.Error("nobody may submit")
	}
	if err := submit(alice(), "w", `{"n":"x"}`); !errors.As(err, &bad) {
		t.Errorf("a bad input: %v", err)
	}
	is(t, submit(alice(), "nothing", `{"n":1}`), store.ErrNotFound)
	_, err := b.db.Revoke(ctx, store.Revocation{Key: "sub:subj_alice", ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "left"})
	must(t, err)
	if err := submit(alice(), "w", `{"n":1}`); !errors.As(err, &denied) {
		t.Errorf("revoked: %v", err)
	}
	must(t, submit(person("anna", "analyst"), "w", `{"n":1}`))
}
