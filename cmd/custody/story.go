package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/custodyhq/custody/api/client"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// register: erin publishes the workflow.
func (d *demo) register(ctx context.Context) error {
	d.act("erin (author) registers the workflow")
	erin, err := d.as(ctx, "erin")
	if err != nil {
		return err
	}
	w, err := erin.Publish(ctx, client.Publication{Source: contractReview})
	if err != nil {
		return err
	}
	d.good("%s: %s", w.Name, oneLine(w.Description))
	d.note("version %s", w.Digest)
	return d.expect(w.Created && w.Current, "it is registered under the digest of what it says, and current")
}

// review: alice submits the contract and watches until it waits for bob.
func (d *demo) review(ctx context.Context) error {
	d.act("alice (analyst) submits a contract")
	d.good("alice signs in: OpenID Connect, authorization code with PKCE")
	r, err := d.submit(ctx, contract)
	if err != nil {
		return err
	}
	d.first = r.ID
	d.good("%d words accepted as %s", len(strings.Fields(contract)), r.ID)
	d.note("receipt: entry %d, %s", r.Receipt.Seq, r.Receipt.Hash)
	if err := d.follow(ctx, r.ID, true); err != nil {
		return err
	}
	calls, err := d.models.calls(ctx)
	if err != nil {
		return err
	}
	return d.expect(calls[r.ID+"/summarise"] == 1 && calls[r.ID+"/summarise#judge"] == 1,
		"one model wrote the summary, rules checked it, a second model judged it")
}

func (d *demo) submit(ctx context.Context, text string) (client.Run, error) {
	alice, err := d.as(ctx, "alice")
	if err != nil {
		return client.Run{}, err
	}
	input, err := json.Marshal(map[string]string{"contract": text})
	if err != nil {
		return client.Run{}, err
	}
	return alice.Submit(ctx, client.Submission{Workflow: "contract-review", Input: input})
}

// follow tells a run's events until it has closed or waits for an approval.
func (d *demo) follow(ctx context.Context, run string, told bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	alice, err := d.as(ctx, "alice")
	if err != nil {
		return err
	}
	voted := false
	for e, err := range alice.Events(ctx, run, -1) {
		if err != nil {
			return fmt.Errorf("watch run %s: %w", run, err)
		}
		b, err := bodyOf(e)
		if err != nil {
			return err
		}
		voted = voted || b.Action == audit.ApprovalVoted
		if told {
			d.note("%s  %s", pad(stepOf(b), 10), oneLine(sayBody(b)))
		}
		if b.Action == audit.ApprovalRequested {
			if a, err := alice.Approval(ctx, approvalOf(b)); err == nil && a.State == "pending" {
				return nil
			}
		}
	}
	return nil
}

// pending is the approval that a run waits for.
func (d *demo) pending(ctx context.Context, run string) (client.Approval, error) {
	bob, err := d.as(ctx, "bob")
	if err != nil {
		return client.Approval{}, err
	}
	for a, err := range bob.Approvals(ctx, client.ApprovalFilter{State: "pending", Run: run}) {
		return a, err
	}
	return client.Approval{}, fmt.Errorf("expected: run %s waits for bob", run)
}

// refusals: mallory may do nothing, and alice may not approve her own request.
func (d *demo) refusals(ctx context.Context) error {
	d.act("Who may not")
	mallory, err := d.as(ctx, "mallory")
	if err != nil {
		return err
	}
	var p *client.Problem
	_, err = mallory.Submit(ctx, client.Submission{Workflow: "contract-review", Input: json.RawMessage(`{"contract": "mine"}`)})
	denied := errors.As(err, &p) && p.Kind() == "denied" && p.Receipt != nil
	if err := d.expect(denied, "mallory (no role) is refused"); err != nil {
		return err
	}
	d.note("“%s”; recorded as entry %d of %s", oneLine(p.Detail), p.Receipt.Seq, p.Receipt.Stream)
	_, err = mallory.Run(ctx, d.first)
	if err := d.expect(errors.As(err, &p) && p.Kind() == "not-found", "mallory does not even learn that alice's run exists"); err != nil {
		return err
	}
	a, err := d.pending(ctx, d.first)
	if err != nil {
		return err
	}
	alice, err := d.as(ctx, "alice")
	if err != nil {
		return err
	}
	_, err = alice.Vote(ctx, client.Ballot{Approval: a.ID, Decision: "approve", Digest: a.Digest})
	refused := errors.As(err, &p) && p.Kind() == "not-eligible" && slices.Contains(append(p.Reasons, p.Reason), "requester")
	if err := d.expect(refused, "alice cannot approve her own request"); err != nil {
		return err
	}
	d.note("reasons: %s", strings.Join(p.Reasons, ", "))
	return d.expect(len(d.filing.filed()) == 0, "nothing has been filed yet")
}

// approve: bob sees exactly what he approves; it is filed.
func (d *demo) approve(ctx context.Context) error {
	d.act("bob (legal) sees exactly what he approves")
	shown, err := d.decide(ctx, d.first, "approve", true)
	if err != nil {
		return err
	}
	if err := d.follow(ctx, d.first, false); err != nil {
		return err
	}
	if err := d.ended(ctx, d.first, "succeeded"); err != nil {
		return err
	}
	filed := d.filing.filed()
	if err := d.expect(len(filed) == 1, "the document is filed, once"); err != nil {
		return err
	}
	return d.expect(compact(filed[0].body) == compact([]byte(shown)), "what was filed is exactly what bob saw")
}

// decide reads what is shown, recomputes the digest, and votes as bob.
func (d *demo) decide(ctx context.Context, run, decision string, told bool) (content string, err error) {
	a, err := d.pending(ctx, run)
	if err != nil {
		return "", err
	}
	bob, err := d.as(ctx, "bob")
	if err != nil {
		return "", err
	}
	shown, err := bob.Shown(ctx, a.ID)
	if err != nil {
		return "", err
	}
	if told {
		for _, v := range shown {
			for line := range strings.SplitSeq(readable(v.Content), "\n") {
				d.note("%s", short(oneLine(line), 110))
			}
		}
	}
	if err := d.quiet(told).expect(a.Verify(shown) == nil && len(shown) == 1, "his client recomputes the digest from what it shows: %s", a.Digest[:19]+"…"); err != nil {
		return "", err
	}
	v, err := bob.Vote(ctx, client.Ballot{Approval: a.ID, Decision: decision, Digest: a.Digest})
	if err != nil {
		return "", err
	}
	want := map[string]string{"approve": "approved", "reject": "rejected"}[decision]
	return shown[0].Content, d.expect(v.State == want, "bob signs: %s", decision)
}

// quiet is a narrator that counts and says nothing.
func (d *demo) quiet(told bool) *narrator {
	if told {
		return d.narrator
	}
	return &narrator{terminal: terminal{out: devNull{}, err: devNull{}, env: d.env}}
}

type devNull struct{}

// Write forgets.
func (devNull) Write(p []byte) (int, error) { return len(p), nil }

func (d *demo) ended(ctx context.Context, run, state string) error {
	alice, err := d.as(ctx, "alice")
	if err != nil {
		return err
	}
	r, err := alice.Run(ctx, run)
	if err != nil {
		return err
	}
	if r.State != state {
		return fmt.Errorf("expected: run %s %s; it is %s%s", run, state, r.State, why(r))
	}
	return d.expect(true, "the run %s%s", state, why(r))
}

// inject: a contract that carries an instruction reaches no model.
func (d *demo) inject(ctx context.Context) error {
	d.act("A contract that carries an instruction")
	before, err := d.models.total(ctx)
	if err != nil {
		return err
	}
	half := strings.Index(contract, "4. Liability")
	r, err := d.submit(ctx, contract[:half]+injection+"\n\n"+contract[half:])
	if err != nil {
		return err
	}
	if err := d.follow(ctx, r.ID, false); err != nil {
		return err
	}
	if err := d.ended(ctx, r.ID, "failed"); err != nil {
		return err
	}
	after, err := d.models.total(ctx)
	if err != nil {
		return err
	}
	if err := d.expect(after == before, "no model has seen it: %d calls before, %d after", before, after); err != nil {
		return err
	}
	return d.phrase(ctx, r.ID)
}

// phrase shows alice why: the words, cut out of her own input.
func (d *demo) phrase(ctx context.Context, run string) error {
	alice, err := d.as(ctx, "alice")
	if err != nil {
		return err
	}
	w := &watcher{s: &session{terminal: d.terminal}, c: alice, run: run}
	for e, err := range alice.Entries(ctx, client.EntryFilter{Run: run, Action: string(audit.StepBlocked)}) {
		if err != nil {
			return err
		}
		b, err := bodyOf(e)
		if err != nil {
			return err
		}
		for _, f := range b.Findings {
			phrase, ok := w.phrase(ctx, f)
			_, rest, found := strings.Cut(phrase, "Ignore previous instructions")
			if ok && found {
				return d.expect(true, "alice is shown the phrase: “Ignore previous instructions%s” (rule %s)", short(oneLine(rest), 60), f.Rule)
			}
		}
	}
	return errors.New("expected: alice is shown the phrase for which it was stopped")
}

// reject: a rejected approval files nothing.
func (d *demo) reject(ctx context.Context) error {
	d.act("bob rejects")
	before := len(d.filing.filed())
	r, err := d.submit(ctx, contract)
	if err != nil {
		return err
	}
	if err := d.follow(ctx, r.ID, false); err != nil {
		return err
	}
	if _, err := d.decide(ctx, r.ID, "reject", false); err != nil {
		return err
	}
	if err := d.follow(ctx, r.ID, false); err != nil {
		return err
	}
	if err := d.ended(ctx, r.ID, "failed"); err != nil {
		return err
	}
	return d.expect(len(d.filing.filed()) == before, "nothing is filed")
}

// kill: kill -9 while the second model call hangs; the first is not paid again.
func (d *demo) kill(ctx context.Context) error {
	d.act("kill -9 in the middle of a run")
	d.models.hang.arm(true)
	defer d.models.hang.arm(false)
	r, err := d.submit(ctx, contract)
	if err != nil {
		return err
	}
	d.killed = r.ID
	if err := d.hanging(ctx, r.ID+"/summarise#judge"); err != nil {
		return err
	}
	d.good("the first model call has been answered, the second hangs")
	pid := d.child.pid()
	d.child.kill()
	d.good("process %d is killed with SIGKILL", pid)
	d.models.hang.arm(false)
	if err := d.startChild(ctx); err != nil {
		return err
	}
	d.good("process %d starts; it waits until the dead one has been silent for 10 s, then takes its runs", d.child.pid())
	if err := d.follow(ctx, r.ID, true); err != nil {
		return err
	}
	calls, err := d.models.calls(ctx)
	if err != nil {
		return err
	}
	first, second := calls[r.ID+"/summarise"], calls[r.ID+"/summarise#judge"]
	if err := d.expect(first == 1 && second == 2, "the model counted %d call for the summary, which was not repeated, and %d for the judgement that was cut off", first, second); err != nil {
		return err
	}
	if _, err := d.decide(ctx, r.ID, "approve", false); err != nil {
		return err
	}
	if err := d.follow(ctx, r.ID, false); err != nil {
		return err
	}
	if err := d.ended(ctx, r.ID, "succeeded"); err != nil {
		return err
	}
	return d.expect(len(d.filing.filed()) == 2, "its document is filed, once")
}

func (d *demo) hanging(ctx context.Context, key string) error {
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	for {
		select {
		case held := <-d.models.hang.held:
			if held == key {
				return nil
			}
		case <-timer.C:
			return errors.New("expected: the second model call is made")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// trail: audrey reads the record, takes it away, and verifies it offline.
func (d *demo) trail(ctx context.Context) error {
	d.act("audrey (auditor) reads and verifies the record")
	audrey, err := d.as(ctx, "audrey")
	if err != nil {
		return err
	}
	for e, err := range audrey.Entries(ctx, client.EntryFilter{Run: d.killed}) {
		if err != nil {
			return err
		}
		b, err := bodyOf(e)
		if err != nil {
			return err
		}
		d.note("%s  %s %s %s %s", pad(number(e.Seq), 3), pad(string(b.Action), 19), pad(b.Outcome, 8), pad(stepOf(b), 10), e.Hash[:16])
	}
	bundle, err := audrey.Bundle(ctx, client.BundleScope{Run: d.killed, Payloads: true})
	if err != nil {
		return err
	}
	defer bundle.Close()
	path := filepath.Join(d.dir, "evidence.zip")
	if _, err := writeWhole(path, bundle); err != nil {
		return err
	}
	offline, err := verifyFile(path)
	if err != nil {
		return err
	}
	if err := d.expect(offline.Verdict == audit.Intact && offline.Payloads.Matching > 0,
		"the run's bundle verifies without server and database: %d entries, %d payloads", offline.Entries, offline.Payloads.Matching); err != nil {
		return err
	}
	live, err := store.Verify(ctx, d.url)
	if err != nil {
		return err
	}
	if live.Verdict != audit.Intact {
		return fmt.Errorf("expected: the live record is intact; %v", live.Findings)
	}
	return d.expect(true, "the whole record is intact: %d entries in %d streams, %d payloads (tier %s: chained, not anchored)",
		live.Entries, live.Streams, live.Payloads.Matching, live.Tier)
}

func verifyFile(path string) (audit.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Report{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.VerifyBundle(f, info.Size())
}

// tamper: somebody with the database's password changes one row.
func (d *demo) tamper(ctx context.Context) error {
	d.act("A superuser of the database changes one row")
	if err := d.expect(alterAsServer(ctx, d.url) != nil, "with the server's own rights the database refuses it"); err != nil {
		return err
	}
	if err := alterVote(ctx, d.url, d.first); err != nil {
		return err
	}
	d.good("the superuser switches the trigger off and turns bob's approval into a rejection")
	r, err := store.Verify(ctx, d.url)
	if err != nil {
		return err
	}
	named := slices.IndexFunc(r.Findings, func(f audit.Finding) bool {
		return f.Kind == audit.EntryAltered && f.Stream == d.first && f.Seq != nil
	})
	if err := d.expect(r.Verdict == audit.Broken && named >= 0, "verification says broken, and names the row"); err != nil {
		return err
	}
	d.note("%s", oneLine(r.Findings[named].String()))
	return nil
}

func (d *demo) epilogue(took time.Duration) {
	d.print("")
	d.print("%s", d.paint("1", fmt.Sprintf("Everything went as it must: %d expectations held in %.0f s.", d.checks, took.Seconds())))
	d.print("")
	d.print("Next: `custody dev` keeps such an installation running, with your data in ./.custody.")
	d.print("      `custody workflow new my-workflow > my-workflow.yaml` writes a first workflow of your own.")
}
