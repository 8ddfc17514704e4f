package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/vault"
	"github.com/custodyhq/custody/security/waiver"
	"github.com/custodyhq/custody/store"
)

// A Label is what people decided about one text that the firewall stopped as an
// instruction. It is content.
type Label struct {
	ID      string
	Text    string
	Label   string // attack, benign
	Kind    string // review, release
	Channel string // person, document, tool, model
	Rule    string // the first that stopped it; "" if nothing tells
	Source  string // apr_… or rel_…
	AtUS    int64
	Run     security.ID // zero: the text was handed in
	Step    string
	Payload string // that holds the text
}

// The kinds of label, and the labels.
const (
	labelReview  = "review"
	labelRelease = "release"
	attackLabel  = "attack"
	benignLabel  = "benign"
)

// A LabelCursor is a place in the list of labels: first the reviews, then the
// releases. The zero LabelCursor is its beginning.
type LabelCursor struct {
	Review, Release security.ID
	Releases        bool // the reviews are through
	End             bool // there is nothing more
}

const labelPage = 100

// Labels lists what people decided, newest first: a page, and where the next
// begins. What was erased is left out, and so is what does not hold: a vote that
// nobody signed must not teach the firewall. A rejected review labels its text
// only if it showed no other; else nobody said which of them was the attack.
func (e *Engine) Labels(ctx context.Context, tenant string, from LabelCursor) ([]Label, LabelCursor, error) {
	if !from.Releases {
		rows, err := e.db.Approvals(ctx, tenant, store.ApprovalFilter{Reviews: true, Cursor: from.Review, Limit: labelPage})
		if err != nil {
			return nil, from, err
		}
		var out []Label
		for _, row := range rows {
			from.Review = row.ID
			some, err := e.reviewLabels(ctx, row)
			if err != nil {
				return nil, from, err
			}
			out = append(out, some...)
		}
		from.Releases = len(rows) < labelPage
		return out, from, nil
	}
	rows, err := e.db.Releases(ctx, tenant, from.Release, labelPage)
	if err != nil {
		return nil, from, err
	}
	var out []Label
	for _, row := range rows {
		from.Release = row.ID
		some, err := e.releaseLabels(ctx, row)
		if err != nil {
			return nil, from, err
		}
		out = append(out, some...)
	}
	from.End = len(rows) < labelPage
	return out, from, nil
}

// lost reports whether content is not there any more, or not what was sealed.
func lost(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, store.ErrNotFound) || errors.Is(err, vault.ErrAltered) || errors.Is(err, vault.ErrNoKey)
}

// reviewLabels are the texts of a review that people decided.
func (e *Engine) reviewLabels(ctx context.Context, a store.Asked) ([]Label, error) {
	req, votes := request(a)
	d := req.Document
	state, err := approval.Use(req, votes, e.cfg.Keys, d.Rule, d.Workflow, a.Run.Name("run"), a.Step, a.Attempt)
	if err != nil || d.Kind != approval.Review || state != approval.Approved && state != approval.Rejected {
		return nil, nil //nolint:nilerr // it teaches nothing
	}
	shown, err := e.Shown(ctx, a.Approval)
	if lost(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Label
	texts := 0
	for _, s := range shown {
		var t stoppedText
		if s.Name == draftPart || json.Unmarshal(s.JSON, &t) != nil {
			continue
		}
		texts++
		rule := injectionRule(t.Findings)
		if rule == "" {
			continue
		}
		out = append(out, Label{
			ID: req.Document.ID + "-" + strconv.Itoa(texts), Text: t.Text, Label: benignLabel, Kind: labelReview, Channel: t.Channel, Rule: rule, Source: d.ID,
			AtUS: a.Votes[len(a.Votes)-1].AtUS, Run: a.Run, Step: a.Step, Payload: s.Payload.Name("pay"),
		})
	}
	if state == approval.Approved {
		return out, nil
	}
	if texts > 1 {
		return nil, nil
	}
	for i := range out {
		out[i].Label = attackLabel
	}
	return out, nil
}

// injectionRule is the first rule about instructions that stopped a text; ""
// says that it was stopped for something else, which is no matter of attack or
// not.
func injectionRule(found []security.Finding) string {
	for _, f := range found {
		if f.Kind == "injection" && f.Action != security.Note {
			return f.Rule
		}
	}
	return ""
}

// releaseLabels are the texts of a release that was not lifted.
func (e *Engine) releaseLabels(ctx context.Context, r store.Release) ([]Label, error) {
	said, err := waiver.OpenRelease(e.cfg.Keys, r.Signed, r.Tenant)
	if err != nil || said.ID != r.ID.Name("rel") || r.LiftedUS != 0 {
		return nil, nil //nolint:nilerr // it teaches nothing
	}
	var out []Label
	if r.Run.IsZero() {
		out, err = e.handedInLabel(r)
	} else {
		out, err = e.stoppedLabels(ctx, r)
	}
	if lost(err) {
		return nil, nil
	}
	out = slices.DeleteFunc(out, func(l Label) bool { // only what was released, and nothing that took its place
		return !said.Names(e.cfg.Vault.Fingerprints(r.Tenant, l.Text))
	})
	for i := range out {
		l := &out[i]
		l.ID, l.Label, l.Kind, l.Source, l.AtUS = said.ID+"-"+strconv.Itoa(i+1), benignLabel, labelRelease, said.ID, said.AtUS
	}
	return out, err
}

// handedInLabel opens the text that was handed in. Where it came from nobody
// said, so it counts as a document.
func (e *Engine) handedInLabel(r store.Release) ([]Label, error) {
	if r.Text.Cipher == nil {
		return nil, ErrGone
	}
	key, err := e.cfg.Vault.Unwrap(r.Tenant, r.ID, r.Text.Key)
	if err != nil {
		return nil, err
	}
	o, err := key.Open(r.Tenant, r.ID, r.Text.Payload, releasedKind, r.Text.Cipher)
	if err != nil {
		return nil, err
	}
	return []Label{{Text: string(o.Content), Channel: "document", Payload: r.ID.Name("rel")}}, nil
}

// stoppedLabels finds the texts of a run again, at the places that the refusal
// names: in its input or in the output of a step. A withheld draft is nowhere.
func (e *Engine) stoppedLabels(ctx context.Context, r store.Release) ([]Label, error) {
	run, err := e.db.Run(ctx, r.Tenant, r.Run)
	if err != nil {
		return nil, err
	}
	body, err := e.lastRefusal(ctx, run, r.Step)
	if errors.Is(err, ErrNothingStopped) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Label
	seen := map[string]bool{}
	for _, f := range body.Findings {
		if seen[f.Text] || f.Text == "" || injectionRule([]security.Finding{f}) == "" {
			continue
		}
		l, err := e.textAt(ctx, run, f)
		if lost(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		seen[f.Text] = true
		l.Rule, l.Run, l.Step = f.Rule, run.ID, r.Step
		out = append(out, l)
	}
	return out, nil
}

// textAt opens the value that a finding's path leads into.
func (e *Engine) textAt(ctx context.Context, run store.Run, f security.Finding) (Label, error) {
	place := strings.Split(strings.TrimPrefix(f.Path, "/"), "/")
	var c Content
	var err error
	l := Label{Channel: "person"}
	switch {
	case place[0] == "input":
		c, err = e.Input(ctx, run)
		place = place[1:]
	case place[0] == "steps" && len(place) > 2:
		l.Channel, err = e.channelOf(ctx, run, place[1])
		if err == nil {
			c, err = e.StepOutput(ctx, run, place[1])
		}
		place = place[3:]
	default:
		return l, store.ErrNotFound
	}
	if err != nil {
		return l, err
	}
	var v any
	if json.Unmarshal(c.JSON, &v) != nil {
		return l, ErrGone
	}
	text, ok := follow(v, place)
	if !ok {
		return l, store.ErrNotFound
	}
	l.Text, l.Payload = text, c.Payload.Name("pay")
	return l, nil
}

// channelOf is how the output of a step comes in.
func (e *Engine) channelOf(ctx context.Context, run store.Run, step string) (string, error) {
	def, _, err := e.defs.get(ctx, run.Tenant, run.Workflow, run.Digest)
	if err != nil {
		return "", err
	}
	if i, ok := def.Step(step); ok && def.Steps[i].Kind != nil && def.Steps[i].Kind.Model {
		return "model", nil
	}
	return "tool", nil
}

// follow walks a JSON Pointer (RFC 6901) to a string.
func follow(v any, place []string) (string, bool) {
	for _, token := range place {
		switch t := v.(type) {
		case map[string]any:
			v = t[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(t) {
				return "", false
			}
			v = t[i]
		default:
			return "", false
		}
	}
	s, ok := v.(string)
	return s, ok
}
