package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/security/policy"
	"github.com/custodyhq/custody/workflow/engine"

	"github.com/danielgtaylor/huma/v2"
)

// A Label is what people decided about a text, in the format that
// security/guard/train reads.
type Label struct {
	ID      string `json:"id"`
	Text    string `json:"text"`
	Label   string `json:"label"` // attack, benign
	Kind    string `json:"kind"`  // review, release
	Channel string `json:"channel"`
	Rule    string `json:"rule"`
	Source  string `json:"source"` // apr_… or rel_…
	At      string `json:"at"`
}

func (a *API) labelRoutes() {
	const path = "/v1/guard/labels"
	register(a, operation{
		method: http.MethodGet, path: path, id: "getGuardLabels", who: action(policy.LabelRead), long: true,
		summary: "What people decided about stopped texts, as labelled data",
	}, a.labels)
	a.response(http.MethodGet, path, http.StatusOK, "one text a line, in the format of security/guard/train",
		map[string]*huma.Schema{mediaLines: textSchema("JSON lines of {id, text, label, kind, channel, rule, source, at}")})
}

// labels sends one text a line. Before a page of them is sent the entries that
// say so are committed: if we crash in between, the ledger names a reading that
// nobody got.
func (a *API) labels(ctx context.Context, c caller, _ *struct{}) (*raw, error) {
	if err := a.allow(ctx, c, policy.LabelRead, policy.Target{Tenant: c.Tenant}, "labels"); err != nil {
		return nil, err
	}
	if err := a.stepUp(ctx, c, "labels"); err != nil {
		return nil, err
	}
	page, err := a.labelLines(ctx, c, engine.LabelCursor{})
	if err != nil {
		return nil, err
	}
	return writing(func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", mediaLines)
		w.Header().Set("Cache-Control", "no-store")
		rc := http.NewResponseController(w)
		defer patient(rc)
		for {
			_ = rc.SetWriteDeadline(time.Now().Add(writeTime))
			_, err := w.Write(page.lines)
			cut(err)
			if page.next.End {
				return
			}
			page, err = a.labelLines(ctx, c, page.next)
			cut(err)
		}
	}), nil
}

type labelPage struct {
	lines []byte
	next  engine.LabelCursor
}

// labelLines reads a page of labels and records that it is read.
func (a *API) labelLines(ctx context.Context, c caller, from engine.LabelCursor) (labelPage, error) {
	all, next, err := a.cfg.Engine.Labels(ctx, c.Tenant, from)
	if err != nil {
		return labelPage{}, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, l := range all {
		f := audit.Fact{Action: audit.PayloadRead, Outcome: "ok", Step: l.Step, Target: l.Payload}
		if !l.Run.IsZero() {
			f.Run = l.Run.Name("run")
		}
		if _, err := a.record(ctx, c, f); err != nil {
			return labelPage{}, unavailable()
		}
		_ = enc.Encode(Label{ // strings, and a Buffer takes all
			ID: l.ID, Text: l.Text, Label: l.Label, Kind: l.Kind, Channel: l.Channel, Rule: l.Rule, Source: l.Source, At: stamp(l.AtUS),
		})
	}
	return labelPage{out.Bytes(), next}, nil
}
