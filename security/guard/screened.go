package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/custodyhq/custody/security"
	"github.com/custodyhq/custody/security/guard/detector"
)

// Screened is a draft that passed the schema and the rules, and not yet the
// judge. Only Screen and Rescreen make one; the zero Screened releases nothing.
type Screened struct {
	value any
	json  []byte
	label security.Label
	path  string
	noted []Offending
	judge bool
	ok    bool
}

// OK reports whether s came from Screen.
func (s Screened) OK() bool { return s.ok }

// Judgeable is the draft as the judge may see it: a copy, after redaction.
func (s Screened) Judgeable() any { return clone(s.value) }

// Bytes is the draft as JSON, for sealing before the judge is asked. Rescreen
// reads it.
func (s Screened) Bytes() []byte { return slices.Clone(s.json) }

// Label says where the draft comes from.
func (s Screened) Label() security.Label { return s.label }

// Noted are the texts in which something was found that did not stop them, for
// fingerprints; they are content. The findings are those that Screen returned.
func (s Screened) Noted() []Offending { return s.noted }

// Screen checks a draft on its way out: its schema, then secrets and personal
// data in every string. A *Refusal means that it is withheld. The path is the
// JSON Pointer of the output, such as /steps/draft/output. What is pardoned is
// only noted.
func (g *Guard) Screen(value any, label security.Label, path string, out OutRules, p Pardon) (Screened, []security.Finding, error) {
	if err := out.check(value); err != nil {
		return withheld(nil, nil, out.misfit(path, err))
	}
	w := g.walk(security.Withhold, out.modes(len(g.config.Links) > 0), p)
	r, err := g.outbound(&out, w.modes)
	if err != nil {
		return withheld(nil, nil, schemaAs(security.Withhold, "guard.settings", path, "The settings of the step's guard cannot be used."))
	}
	w.reader, w.channel = r, detector.Model.String()
	clean := w.value(value, path, "", 0)
	if w.stopped {
		return withheld(w.findings, w.texts)
	}
	if w.redacted {
		// Redaction may break a format or a length: such a draft would fail later.
		if err := out.check(clean); err != nil {
			return withheld(w.findings, w.texts, out.misfit(path, err))
		}
	}
	body, err := encode(clean)
	if err != nil {
		return withheld(w.findings, w.texts, unreadable(security.Withhold, path))
	}
	return Screened{value: clean, json: body, label: label, path: path, noted: w.texts, judge: out.Judge, ok: true}, w.findings, nil
}

// Rescreen opens a draft that was sealed by Bytes before a crash and screens it
// again, under the rules of today.
func (g *Guard) Rescreen(body []byte, label security.Label, path string, out OutRules, p Pardon) (Screened, []security.Finding, error) {
	value, err := decode(body)
	if err != nil {
		return withheld(nil, nil, unreadable(security.Withhold, path))
	}
	return g.Screen(value, label, path, out, p)
}

// Release lets the draft go if the judge has nothing against it. A *Refusal
// means that it is withheld. The judge cannot overrule the rules: they have
// already been asked.
func (s Screened) Release(v Verdict) (Released, error) {
	if !s.ok {
		return Released{}, refuse([]security.Finding{unreadable(security.Withhold, s.path)})
	}
	if v.said == pass || v.said == noJudge && !s.judge {
		return Released{value: s.value, json: s.json, label: s.label, ok: true}, nil
	}
	why := "The judge did not let the output pass."
	switch v.said {
	case fail:
	case unasked:
		why = "The run has asked the judge as often as it may."
	default:
		why = "The step has a judge, and it gave no verdict."
	}
	return Released{}, refuse([]security.Finding{{
		Rule: "judge.withheld", Kind: "judge", Action: security.Withhold, Path: s.path, Why: why,
	}})
}

func (r OutRules) check(value any) error {
	if r.Schema == nil {
		return nil
	}
	return r.Schema(value)
}

func withheld(before []security.Finding, texts []Offending, more ...security.Finding) (Screened, []security.Finding, error) {
	r := refuse(append(before, more...), texts...)
	return Screened{}, r.Findings, r
}

// misfit is the finding for a draft that does not fit its schema.
func (r OutRules) misfit(path string, err error) security.Finding {
	action := security.Withhold
	if r.ReviseSchema {
		action = security.Revise
	}
	return schemaAs(action, "schema.invalid", path, "The output does not fit the schema of the step: "+err.Error())
}

func schemaAs(action, rule, path, why string) security.Finding {
	return security.Finding{Rule: rule, Kind: "schema", Action: action, Path: path, Why: why}
}

func unreadable(action, path string) security.Finding {
	return security.Finding{
		Rule: "value.unreadable", Kind: "schema", Action: action, Path: path,
		Why: "The value is not plain JSON, so the guard cannot read all of it.",
	}
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}
