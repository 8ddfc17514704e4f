package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/guard"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/store"
	"github.com/custodyhq/custody/workflow"
)

// A review is an approval about texts that the guard stopped: the same table,
// the same Decide, the same signed votes. In the model of the protocol
// (docs/model) a wait for one is a wait for an approval.

// A stoppedText is what reviewers see of one text. It is content, and sealed.
type stoppedText struct {
	Path     string             `json:"path"`
	Channel  string             `json:"channel"` // person, document, tool or model
	Text     string             `json:"text"`
	Findings []security.Finding `json:"findings"` // places are bytes of text
}

// draftPart is the name under which a draft is shown whole.
const draftPart = "draft"

// shownTexts are the parts that a review shows: each text with what was found in
// it.
func shownTexts(r *guard.Refusal) ([]part, error) {
	var out []part
	for i, t := range r.Texts() {
		s := stoppedText{Path: t.Path, Channel: t.Channel, Text: t.Text}
		for _, at := range t.Findings {
			s.Findings = append(s.Findings, r.Findings[at])
		}
		content, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		out = append(out, part{"text-" + strconv.Itoa(i+1), content})
	}
	if len(out) == 0 {
		return nil, errors.New("nothing to show")
	}
	return out, nil
}

// maxShown bounds what one review is about. A guard reports only so many
// findings; where there are more than people see, they must not let pass what
// they have not seen.
const maxShown = 50

// mayAsk reports whether people may let pass what was refused.
func (d *driver) mayAsk(step int, r *guard.Refusal) bool {
	return r != nil && r.Review() && d.def.Steps[step].Guard.OnReview != nil && len(r.Findings) <= maxShown && d.run.CancelUS == 0
}

// unasked says that people were not asked although the step names some, because
// they could not have seen everything; else it says nothing.
func (d *driver) unasked(step int, err error) string {
	r, ok := errorAs[*guard.Refusal](err)
	if !ok || !r.Review() || d.def.Steps[step].Guard.OnReview == nil || len(r.Findings) <= maxShown {
		return ""
	}
	return "more was found than the " + strconv.Itoa(maxShown) + " places that a review shows: "
}

// asksReview asks people about the input for which a guard refused. The attempt
// waits, without an intent.
func (d *driver) asksReview(m *move, r *guard.Refusal) *move {
	parts, err := shownTexts(r)
	if err != nil {
		return d.blocks(m, r)
	}
	m.fresh = true
	f := d.stepFact(m.step, m.next.Attempt, audit.ApprovalRequested, "ok")
	if err := d.reviews(m, r, parts, f); err != nil {
		return d.fails(m, "error", err.Error())
	}
	return m
}

// asksDraft asks people about a draft that the rules refused. It waits sealed, so
// that a crash from here on costs no second call, and the call stays open; what
// it has cost is said now, because whoever ends a wait may not open the draft.
func (d *driver) asksDraft(m *move, c *call, r result, refusal *guard.Refusal) *move {
	withhold := func() *move { return d.withholds(m, r.err, r.use, c.id.Name("call")) }
	parts, err := shownTexts(refusal)
	if err != nil || r.draft == nil {
		return withhold()
	}
	body, err := json.Marshal(sealedDraft{Draft: r.draft})
	if err != nil {
		return withhold()
	}
	sealed, err := d.key.Seal(d.run.Tenant, d.id, draftKind(d.def.Steps[m.step].ID), body)
	if err != nil {
		return withhold()
	}
	f := d.stepFact(m.step, m.next.Attempt, audit.ApprovalRequested, "ok")
	f.Call, f.Model, f.Status, f.Payloads = c.id.Name("call"), r.use.Model, r.use.Status, []audit.Payload{refer(sealed)}
	if err := d.reviews(m, refusal, append([]part{{draftPart, r.draft}}, parts...), f); err != nil {
		return withhold()
	}
	m.fresh, m.sealed, m.cost = true, append(m.sealed, sealed), r.use.Model
	m.next.Payload, m.next.Judge, m.next.Tries = sealed.ID, security.ID{}, 0
	return m
}

// reviews makes the request for votes about what was refused.
func (d *driver) reviews(m *move, r *guard.Refusal, parts []part, f audit.Fact) error {
	spec := d.def.Steps[m.step].Guard.OnReview
	doc := d.question(m, spec)
	doc.Kind, doc.Findings = approval.Review, findingsOf(r)
	f.Key, f.Findings = "", r.Findings
	return d.asksFor(m, spec, doc, parts, &f)
}

// question is a request's document without what it shows.
func (d *driver) question(m *move, spec *workflow.ApprovalSpec) approval.Document {
	now := d.now()
	return approval.Document{
		ID: security.NewID().Name("apr"), Nonce: security.NewID().String(), Tenant: d.run.Tenant, Run: d.id.Name("run"), Step: d.def.Steps[m.step].ID,
		Attempt: m.next.Attempt, Workflow: d.run.Digest, Requester: d.mandate.ID, Act: d.mandate.Act, Rule: rule(spec),
		MadeAt: now.UnixMicro(), ExpiresAt: now.Add(spec.Expires).UnixMicro(),
	}
}

// asksFor seals what is shown, and makes the step wait for the votes. On an
// error the move is as it was.
func (d *driver) asksFor(m *move, spec *workflow.ApprovalSpec, doc approval.Document, parts []part, f *audit.Fact) error {
	sealed := make([]vault.Sealed, 0, len(parts))
	for _, p := range parts {
		s, err := d.key.Seal(d.run.Tenant, d.id, shownKind(doc.Step), p.content)
		if err != nil {
			return errors.New("what it shows cannot be sealed")
		}
		doc.Shown = append(doc.Shown, approval.Shown{Name: p.name, Commit: hex.EncodeToString(s.Commit[:]), Payload: s.ID.Name("pay")})
		sealed = append(sealed, s)
	}
	req, err := approval.NewRequest(doc)
	if err != nil {
		return err
	}
	id, err := security.ParseID("apr", doc.ID)
	if err != nil {
		return err
	}
	for _, s := range sealed {
		f.Payloads = append(f.Payloads, refer(s))
	}
	m.sealed = append(m.sealed, sealed...)
	f.Approval = &audit.Approval{ID: doc.ID, Digest: req.Digest, Quorum: doc.Rule.Quorum}
	f.Due = doc.ExpiresAt
	m.facts = append(m.facts, *f)
	m.ask = &store.Approval{
		ID: id, Tenant: d.run.Tenant, Run: d.id, Step: doc.Step, Attempt: doc.Attempt, Document: req.Text, Digest: req.Digest,
		Roles: spec.Roles, Requester: d.mandate.ID, State: approval.Pending, ExpiresUS: doc.ExpiresAt,
	}
	m.next.Status, m.next.Ask, m.next.DueUS = workflow.Waiting, id, doc.ExpiresAt
	return nil
}

// findingsOf are what the document says was found, without content.
func findingsOf(r *guard.Refusal) []approval.Finding {
	var out []approval.Finding
	for _, f := range r.Findings {
		if !stops(f) {
			continue
		}
		x := approval.Finding{Rule: f.Rule, Path: f.Path, Start: f.Start, End: f.End, Text: f.Text}
		for _, e := range f.Evidence {
			x.Evidence = append(x.Evidence, e.Name)
		}
		out = append(out, x)
	}
	return out
}

// resume sets a step going again whose review has ended. What came of it the
// driver learns from the votes, not from here: an input is checked again, in the
// attempt that waited, and a draft is taken up at its validation.
func resume(s *store.Step) {
	s.Status = workflow.Running
	if s.Payload.IsZero() {
		s.Status, s.Attempt = workflow.Pending, max(s.Attempt-1, 0)
	}
}

// reviewed finds out what people decided about these texts of a step. Every
// review of the step in this run is looked at: one that let pass the same texts
// in the same places is a pardon, also for a later attempt; one that refused
// them ends the step.
func (d *driver) reviewed(ctx context.Context, step int, texts []guard.Offending, into *mercy) error {
	found, err := d.readReviews(ctx, d.def.Steps[step].ID)
	if err != nil {
		return err
	}
	for _, a := range found.asked {
		state, covers, err := d.decidedReview(step, a, texts, found)
		switch {
		case err != nil:
			into.doubt = err
			return nil //nolint:nilerr // it is a doubt about the step, not a failure to read
		case ended(state) && (covers || a.ID == d.run.Progress.Steps[step].Ask):
			into.ended = string(state)
		case covers && state == approval.Approved:
			into.Review, into.ended, into.uses = a.ID.Name("apr"), "", []security.ID{a.ID}
			for _, v := range a.Votes {
				d.needs(security.KeyRevocation(v.Signed.Key))
			}
			return nil
		}
	}
	return nil
}

// ended reports whether a review ended without letting anything pass.
func ended(s approval.State) bool {
	return s == approval.Rejected || s == approval.Expired || s == approval.Withdrawn
}

// readReviews reads the reviews of a step with their votes, what the ledger
// tells of these, and what was shown.
func (d *driver) readReviews(ctx context.Context, step string) (shelf, error) {
	into := shelf{payloads: map[security.ID]store.Payload{}, asked: map[security.ID]store.Asked{}, told: map[string]bool{}}
	all, err := d.e.db.ApprovalsOf(ctx, d.id)
	if err != nil {
		return into, err
	}
	var shown []security.ID
	for _, a := range all {
		if a.Step != step {
			continue
		}
		into.asked[a.ID] = a
		if doc, err := approval.ParseDocument(a.Document); err == nil {
			shown = append(shown, shownPayloads(doc)...)
		}
	}
	if len(into.asked) == 0 {
		return into, nil
	}
	if err := d.readVotes(ctx, into); err != nil {
		return into, err
	}
	into.payloads, err = d.e.db.Payloads(ctx, d.id, shown...)
	return into, err
}

func shownPayloads(doc approval.Document) []security.ID {
	var out []security.ID
	for _, s := range doc.Shown {
		if id, err := payloadID(s); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// decidedReview is what came of one review, and whether it is about all of these
// texts. The row is not believed: what counts are the signed votes, the rule of
// the pinned definition, and the sealed texts that were shown.
func (d *driver) decidedReview(step int, a store.Asked, texts []guard.Offending, found shelf) (approval.State, bool, error) {
	doc, err := approval.ParseDocument(a.Document)
	if err != nil {
		return "", false, errors.New("the document of its review cannot be read")
	}
	req, votes := request(a)
	s := &d.def.Steps[step]
	state, err := approval.Use(req, votes, d.e.cfg.Keys, rule(s.Guard.OnReview), d.run.Digest, d.id.Name("run"), s.ID, doc.Attempt)
	if err != nil {
		return "", false, err
	}
	if err := sameVotes(a, found.told); err != nil {
		return "", false, err
	}
	if doc.Kind != approval.Review || doc.Requester != d.mandate.ID || doc.ID != a.ID.Name("apr") {
		return "", false, errors.New("it was asked about something else, or in somebody else's name")
	}
	shown, err := d.openTexts(doc, found)
	if err != nil {
		return "", false, err
	}
	for _, t := range texts {
		if !slices.ContainsFunc(shown, func(s stoppedText) bool { return s.Path == t.Path && s.Text == t.Text }) {
			return state, false, nil
		}
	}
	return state, true, nil
}

// openTexts opens the texts that a review showed.
func (d *driver) openTexts(doc approval.Document, found shelf) ([]stoppedText, error) {
	var out []stoppedText
	for _, s := range doc.Shown {
		id, err := payloadID(s)
		if err != nil {
			return nil, err
		}
		opened, err := d.key.Open(d.run.Tenant, d.id, id, shownKind(doc.Step), found.payloads[id].Cipher)
		if err != nil || hex.EncodeToString(opened.Commit[:]) != s.Commit {
			return nil, errUnreadable
		}
		if s.Name == draftPart {
			continue
		}
		var t stoppedText
		if err := json.Unmarshal(opened.Content, &t); err != nil {
			return nil, errUnreadable
		}
		out = append(out, t)
	}
	return out, nil
}
