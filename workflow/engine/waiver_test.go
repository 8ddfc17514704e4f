package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/steps"
	"github.com/custodyhq/custody/store"
)

const blockFlow = `input: {type: object, properties: {text: {type: string}}}
steps:
  - {id: a, uses: m, with: {x: "${{ input.text }}"}}
`

func carol() security.Principal { return person("carol", "security") }

// blocking is a bench on which the firewall blocks what it finds.
func blocking(t *testing.T, options ...option) *bench {
	t.Helper()
	b := setup(t, map[string]kind{"m": {model, ok}}, options...)
	b.flow(blockFlow)
	return b
}

func (b *bench) releases(who security.Principal, n NewRelease) Released {
	b.t.Helper()
	if n.Until.IsZero() {
		n.Until = time.Now().Add(time.Hour)
	}
	n.Reason = "a template of ours"
	r, err := b.engine.Release(context.Background(), who, n)
	must(b.t, err)
	return r
}

// passes asserts whether a text passes the firewall, and what pardoned it.
func (b *bench) passes(text, pardon string) security.ID {
	b.t.Helper()
	id := b.submit("w", textOf(text)).ID
	if pardon == "" {
		b.ends(id, store.Failed, "blocked")
		return id
	}
	b.ends(id, store.Succeeded, "")
	for _, f := range b.findings(id) {
		if !strings.HasPrefix(f.Pardon, pardon) || f.Action != security.Note || f.Text == "" {
			b.t.Errorf("finding %+v, want it pardoned by %s", f, pardon)
		}
	}
	if len(b.findings(id)) == 0 {
		b.t.Error("no finding")
	}
	return id
}

func TestAReleasedTextPasses(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	stopped := b.passes(attack, "")
	b.passes(attack+" Now.", "")
	r := b.releases(carol(), NewRelease{Text: attack})
	b.passes(attack, r.Release.ID.Name("rel"))
	b.passes(attack+" Now.", "") // for that text only
	receipt, err := b.engine.LiftRelease(context.Background(), carol(), Lifting{Release: r.Release.ID})
	must(t, err)
	if receipt.Stream == "" || r.Receipt.Stream == "" {
		t.Error("no receipt")
	}
	b.passes(attack, "")
	_, err = b.engine.LiftRelease(context.Background(), carol(), Lifting{Release: r.Release.ID})
	is(t, err, store.ErrNotFound)
	again := b.releases(carol(), NewRelease{Run: stopped, Step: "a"})
	equal(t, "texts", strings.Join(again.Release.Texts, " "), b.findings(stopped)[0].Text)
	b.passes(attack, again.Release.ID.Name("rel"))
}

func TestNobodyReleasesForThemselves(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	stopped := b.passes(attack, "")
	self := person("alice", "analyst", "security")
	_, err := b.engine.Release(context.Background(), self, NewRelease{Run: stopped, Step: "a", Until: time.Now().Add(time.Hour)})
	if no, ok := errorAs[*NotEligible](err); !ok || no.Reasons[0] != approval.ReasonRequester {
		t.Errorf("one's own run: %v", err)
	}
	b.releases(self, NewRelease{Text: attack}) // it may be made, and counts for others only
	b.passes(attack, "")
	b.releases(carol(), NewRelease{Text: attack})
	b.passes(attack, "rel_")
}

func TestWhatCannotBeReleased(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	clean := b.submit("w", textOf(harmless)).ID
	b.ends(clean, store.Succeeded, "")
	stopped := b.passes(attack, "")
	hour := time.Now().Add(time.Hour)
	weak, agent := carol(), carol()
	weak.ACR, agent.Kind = "pwd", security.Agent
	for name, c := range map[string]struct {
		who  security.Principal
		n    NewRelease
		want error
	}{
		"without an end":          {carol(), NewRelease{Text: attack}, ErrUntil},
		"in the past":             {carol(), NewRelease{Text: attack, Until: hour.Add(-2 * time.Hour)}, ErrUntil},
		"for ever":                {carol(), NewRelease{Text: attack, Until: hour.AddDate(2, 0, 0)}, ErrUntil},
		"a step that passed":      {carol(), NewRelease{Run: clean, Step: "a", Until: hour}, ErrNothingStopped},
		"a step that is not":      {carol(), NewRelease{Run: stopped, Step: "z", Until: hour}, ErrNothingStopped},
		"a run that is not":       {carol(), NewRelease{Run: security.NewID(), Step: "a", Until: hour}, store.ErrNotFound},
		"without a second factor": {weak, NewRelease{Text: attack, Until: hour}, nil},
		"by a program":            {agent, NewRelease{Text: attack, Until: hour}, nil},
	} {
		_, err := b.engine.Release(context.Background(), c.who, c.n)
		if _, denied := errorAs[*Denied](err); c.want == nil && !denied {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != nil {
			is(t, err, c.want)
		}
	}
	if _, err := b.engine.Release(context.Background(), carol(), NewRelease{Text: attack, Until: hour, DryRun: true}); err != nil {
		t.Error(err)
	}
	b.passes(attack, "") // rehearsed, and nothing kept of it
}

func TestAReleaseMayBeAskedForTwice(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	n := NewRelease{Text: attack, Key: "k1", Until: time.Now().Add(time.Hour)}
	first, second := b.releases(carol(), n), b.releases(carol(), n)
	if !second.Replayed || second.Release.ID != first.Release.ID {
		t.Errorf("%+v", second)
	}
	n.Text = harmless
	_, err := b.engine.Release(context.Background(), carol(), n)
	is(t, err, store.ErrMismatch)
}

// Whoever owns the database can write rows; they let nothing pass.
func TestAForgedReleaseLetsNothingPass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(*bench, store.Release)
		good  bool
	}{
		"nothing": {func(*bench, store.Release) {}, true},
		"a lifted one that is in force again": {func(b *bench, r store.Release) {
			_, err := b.engine.LiftRelease(context.Background(), carol(), Lifting{Release: r.ID})
			must(b.t, err)
			b.sql(`update custody.release set lifted_us = null`)
		}, false},
		"another text": {func(b *bench, _ store.Release) {
			b.sql(`update custody.release set texts = array[$1]`, b.vault.Fingerprint("main", attack))
		}, false},
		"a statement of a stranger": {func(b *bench, r store.Release) {
			said := waiver.Release{ID: r.ID.Name("rel"), Tenant: "main", Texts: []string{b.vault.Fingerprint("main", attack)}, By: r.By, AtUS: r.AtUS, Until: r.UntilUS}
			signed, err := said.Sign(stranger(b.t))
			must(b.t, err)
			b.sql(`update custody.release set texts = $1, body = $2, sig = $3`, said.Texts, signed.Body, signed.Sig)
		}, false},
		"a statement that the ledger does not tell of": {func(b *bench, r store.Release) {
			said := waiver.Release{ID: r.ID.Name("rel"), Tenant: "main", Texts: []string{b.vault.Fingerprint("main", attack)}, By: r.By, AtUS: r.AtUS, Until: r.UntilUS}
			signed, err := said.Sign(b.keys)
			must(b.t, err)
			b.sql(`update custody.release set texts = $1, body = $2, sig = $3`, said.Texts, signed.Body, signed.Sig)
		}, false},
		"a revoked key": {func(b *bench, _ store.Release) {
			r := store.Revocation{Key: security.KeyRevocation(b.keys.Active()), ID: security.NewID(), Tenant: "main", By: "subj_s", Reason: "stolen"}
			_, err := b.db.Revoke(context.Background(), r)
			must(b.t, err)
			good, err := b.engine.keyHolds(context.Background(), "main", security.Signed{Key: b.keys.Active()}, time.Now().UnixMicro())
			if good || err != nil {
				b.t.Errorf("a revoked key holds, %v", err)
			}
			b.sql(`delete from custody.revocation`) // else no run could be submitted
			b.sql(`update custody.release set until_us = 1`)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := blocking(t)
			b.forged = true
			text := attack
			if strings.Contains(name, "another") || strings.Contains(name, "statement") {
				text = harmless
			}
			r := b.releases(carol(), NewRelease{Text: text})
			c.forge(b, r.Release)
			b.passes(attack, map[bool]string{true: "rel_"}[c.good])
		})
	}
}

func TestTheFirewallObserves(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	order := func(mode waiver.Mode) store.Receipt {
		t.Helper()
		_, receipt, err := b.engine.SetMode(context.Background(), carol(), NewMode{Mode: mode, Until: time.Now().Add(time.Hour), Reason: "a new workflow"})
		must(t, err)
		return receipt
	}
	b.passes(attack, "")
	if order(waiver.Observe).Stream == "" {
		t.Error("no receipt")
	}
	b.passes(attack, "observe:mod_")
	mode, err := b.engine.Mode(context.Background(), "main")
	must(t, err)
	if mode.Mode != waiver.Observe || mode.Until.IsZero() || mode.Order.By != "subj_carol" {
		t.Errorf("%+v", mode)
	}
	other, err := b.engine.Mode(context.Background(), "other")
	must(t, err)
	equal(t, "another tenant", other.Mode, waiver.Enforce)
	order(waiver.Enforce)
	b.passes(attack, "")
	for name, until := range map[string]time.Time{"for ever": time.Now().Add(40 * 24 * time.Hour), "without an end": {}} {
		if _, _, err := b.engine.SetMode(context.Background(), carol(), NewMode{Mode: waiver.Observe, Until: until}); err == nil {
			t.Errorf("%s: it was ordered", name)
		}
	}
	b.passes(attack, "")
}

func TestAnOrderThatHasEndedIsNotTheModeAnyMore(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	_, _, err := b.engine.SetMode(context.Background(), carol(), NewMode{Mode: waiver.Observe, Until: time.Now().Add(100 * time.Millisecond), Reason: "x"})
	must(t, err)
	for deadline := time.Now().Add(5 * time.Second); ; {
		mode, err := b.engine.Mode(context.Background(), "main")
		must(t, err)
		if mode.Mode == waiver.Enforce {
			if !mode.Order.ID.IsZero() {
				t.Errorf("it enforces by an order to observe: %+v", mode)
			}
			return
		}
		if mode.Order.ID.IsZero() || time.Now().After(deadline) {
			t.Fatalf("%+v", mode)
		}
	}
}

func TestAReleaseIsAnsweredAgainAfterItsEnd(t *testing.T) {
	t.Parallel()
	b := blocking(t)
	n := NewRelease{Text: attack, Until: time.Now().Add(50 * time.Millisecond), Key: "once"}
	first := b.releases(carol(), n)
	time.Sleep(time.Until(n.Until))
	if again := b.releases(carol(), n); !again.Replayed || again.Release.ID != first.Release.ID {
		t.Errorf("%+v", again)
	}
	n.Key = "another"
	if _, err := b.engine.Release(context.Background(), carol(), n); !errors.Is(err, ErrUntil) {
		t.Errorf("under another key: %v", err)
	}
}

func TestNobodyReleasesASecretOfARun(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]kind{"m": {model, ok}})
	b.flow(`input: {type: object, properties: {text: {type: string}}}
steps:
  - {id: a, uses: m, with: {x: "${{ input.text }}"}, guard: {input: {secrets: block}}}
`)
	const secret = "The key is AKIAQ3EGRHEJ4XYZ2ABC."
	for text, want := range map[string]error{secret: ErrNothingStopped, secret + " " + attack: ErrNothingStopped, attack: nil} {
		run := b.passes(text, "")
		_, err := b.engine.Release(context.Background(), carol(), NewRelease{Run: run, Step: "a", Reason: "x", Until: time.Now().Add(time.Hour)})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestAForgedOrderIsNone(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(*bench){
		"an older order, the newer taken away": func(b *bench) {
			b.sql(`delete from custody.guard_mode where mode = 'enforce'`)
		},
		"the newer made to observe": func(b *bench) {
			b.sql(`update custody.guard_mode set mode = 'observe', until_us = $1 where mode = 'enforce'`, time.Now().Add(time.Hour).UnixMicro())
		},
		"the older statement under the newer name": func(b *bench) {
			b.sql(`update custody.guard_mode n set body = o.body, sig = o.sig, mode = o.mode from custody.guard_mode o where n.mode = 'enforce' and o.mode = 'observe'`)
		},
		"the end of one that is over": func(b *bench) {
			b.sql(`update custody.guard_mode set until_us = $1`, time.Now().Add(time.Hour).UnixMicro())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := blocking(t)
			b.forged = true
			for _, mode := range []waiver.Mode{waiver.Observe, waiver.Enforce} {
				_, _, err := b.engine.SetMode(context.Background(), carol(), NewMode{Mode: mode, Until: time.Now().Add(time.Hour)})
				must(t, err)
			}
			forge(b)
			b.passes(attack, "")
		})
	}
}

func TestTheServersConfigObserves(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour)
	b := blocking(t, func(_ *store.Config, c *Config, _ *steps.Config) { c.Observe = until })
	b.passes(attack, "observe:config")
	all, _, err := b.db.Entries(context.Background(), "main", store.EntryFilter{Action: "guard.mode_changed", Limit: 10})
	must(t, err)
	equal(t, "entries", len(all), 1)
	_, err = New(Config{Store: b.db, Pipeline: &steps.Pipeline{}, Keys: b.keys, Vault: b.vault, Observe: until.AddDate(0, 2, 0)})
	if err == nil {
		t.Error("a config that observes for two months is taken")
	}
}

// A draft is let pass by a release, too; and no commit on the way may be lost.
func TestNoLostCommitLosesAReview(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]store.Fault{"the request is lost": store.LoseRequest, "the answer is lost": store.LoseAnswer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newBook()
			var left atomic.Int64
			b := setup(t, map[string]kind{
				"m": {model, k.noting(func(_ context.Context, c steps.Call) (steps.Draft, error) {
					if len(c.Feedback) == 0 {
						return draft(address), nil
					}
					return draft(harmless), nil
				})},
				"n": {model, k.noting(saying(address))},
			}, func(s *store.Config, _ *Config, _ *steps.Config) {
				s.Fault = func() store.Fault {
					if left.Add(-1) == 0 {
						return fault
					}
					return store.NoFault
				}
			})
			b.flow(`input: {type: object, properties: {text: {type: string}}}
steps:
  - {id: a, uses: m, with: {x: "${{ input.text }}"}, guard: {input: {injection: review}, output: {pii: revise}, on_review: {approvers: {roles: [legal]}}}}
  - {id: b, uses: n, guard: {output: {pii: review}, on_review: {approvers: {roles: [legal]}}}}
`)
			for n := int64(1); left.Load() <= 0; n++ {
				left.Store(n)
				id := b.submit("w", textOf(attack)).ID
				for _, step := range []string{"a", "b"} {
					a := b.asked(id)
					equal(t, "step", a.Step, step)
					_, err := b.engine.Vote(context.Background(), person("bob", "legal"), Ballot{Approval: a.ID, Decision: approval.Approve, Digest: a.Digest, Key: "v" + a.ID.String()})
					must(t, err)
				}
				b.ends(id, store.Succeeded, "")
				for _, step := range []string{"a", "a#revise-1", "b"} {
					equal(t, fmt.Sprintf("commit %d, calls of %s", n, step), k.count(id, step), 1)
				}
			}
		})
	}
}
