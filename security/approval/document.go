package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Document is what an approver signs: everything that the decision is about,
// and the commitment of everything that was shown. It holds no content.
type Document struct {
	ID        string // apr_…
	Nonce     string // random, so that equal requests have different digests
	Tenant    string
	Run       string // run_…
	Step      string
	Attempt   int
	Workflow  string   // sha256:… of the definition
	Requester string   // subj_… in whose name the run acts
	Act       []string // who acts for the requester: client ids
	Author    string   // subj_… who published the version, if they may not approve it; else empty
	Effect    string   // what will happen, in the author's words; may be empty
	Kind      Kind
	Findings  []Finding // of a review: what the firewall found
	Shown     []Shown
	Rule      Rule
	MadeAt    int64 // microseconds since 1970
	ExpiresAt int64 // microseconds since 1970; from then on nobody votes
}

// A Kind says what a request is about. The zero Kind is a step of the workflow
// that asks.
type Kind string

// Review is the kind of a request about a text that the firewall stopped.
const Review Kind = "guard.review"

// A Finding is what the firewall found, without content.
type Finding struct {
	Rule     string   `json:"rule"`
	Path     string   `json:"path"` // JSON Pointer
	Start    int      `json:"start"`
	End      int      `json:"end"`
	Evidence []string `json:"evidence"` // names, heaviest first
	Text     string   `json:"text"`     // keyed fingerprint of the whole text
}

// A Shown names one thing that the approver sees.
type Shown struct {
	Name    string `json:"name"`
	Commit  string `json:"commit"`  // hex of HMAC-SHA256(salt, content)
	Payload string `json:"payload"` // pay_…
}

// ErrDocument is returned for a text that is not a canonical document.
var ErrDocument = errors.New("not an approval document in its canonical form")

// wire is the JSON form of a Document.
type wire struct {
	V         int       `json:"v"`
	Approval  string    `json:"approval"`
	Nonce     string    `json:"nonce"`
	Tenant    string    `json:"tenant"`
	Run       string    `json:"run"`
	Step      string    `json:"step"`
	Attempt   int       `json:"attempt"`
	Workflow  string    `json:"workflow"`
	Requester requester `json:"requester"`
	Author    string    `json:"author"`
	Effect    string    `json:"effect"`
	Kind      Kind      `json:"kind"`
	Findings  []Finding `json:"findings"`
	Shown     []Shown   `json:"shown"`
	Rule      Rule      `json:"rule"`
	MadeAt    int64     `json:"made_at_us"`
	ExpiresAt int64     `json:"expires_at_us"`
}

type requester struct {
	ID  string   `json:"id"`
	Act []string `json:"act"`
}

// Text is the canonical form (RFC 8785): exactly what is hashed and shown.
func (d Document) Text() string {
	shown := make([]object, len(d.Shown))
	for i, s := range d.Shown {
		shown[i] = object{"commit": s.Commit, "name": s.Name, "payload": s.Payload}
	}
	o := object{
		"v": int64(1), "approval": d.ID, "nonce": d.Nonce, "tenant": d.Tenant,
		"run": d.Run, "step": d.Step, "attempt": int64(d.Attempt), "workflow": d.Workflow,
		"requester": object{"id": d.Requester, "act": d.Act},
		"shown":     shown, "rule": d.Rule.object(),
		"made_at_us": d.MadeAt, "expires_at_us": d.ExpiresAt,
	}
	if d.Author != "" {
		o["author"] = d.Author
	}
	if d.Effect != "" {
		o["effect"] = d.Effect
	}
	if d.Kind != "" {
		o["kind"] = string(d.Kind)
	}
	if len(d.Findings) > 0 {
		found := make([]object, len(d.Findings))
		for i, f := range d.Findings {
			found[i] = object{"rule": f.Rule, "path": f.Path, "start": int64(f.Start), "end": int64(f.End), "evidence": f.Evidence, "text": f.Text}
		}
		o["findings"] = found
	}
	return string(o.appendTo(make([]byte, 0, 1024)))
}

// Digest is SHA-256 of the canonical text, as sha256:… .
func (d Document) Digest() string { return Digest(d.Text()) }

// Digest is SHA-256 of a document's text, as sha256:… .
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ParseDocument reads what Text wrote, and nothing else: writing it again must
// give the same bytes, so one document has one digest.
func ParseDocument(text string) (Document, error) {
	var w wire
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if dec.Decode(&w) != nil || w.V != 1 { // the decoder's error may repeat content
		return Document{}, ErrDocument
	}
	d := Document{
		ID: w.Approval, Nonce: w.Nonce, Tenant: w.Tenant, Run: w.Run, Step: w.Step, Attempt: w.Attempt,
		Workflow: w.Workflow, Requester: w.Requester.ID, Act: w.Requester.Act, Author: w.Author,
		Effect: w.Effect, Kind: w.Kind, Findings: w.Findings, Shown: w.Shown, Rule: w.Rule, MadeAt: w.MadeAt, ExpiresAt: w.ExpiresAt,
	}
	if d.Text() != text {
		return Document{}, ErrDocument
	}
	return d, nil
}

// validate names the field without which nothing would be bound.
func (d Document) validate() error {
	for _, f := range []struct{ name, value string }{
		{"approval", d.ID},
		{"nonce", d.Nonce},
		{"tenant", d.Tenant},
		{"run", d.Run},
		{"step", d.Step},
		{"workflow", d.Workflow},
		{"requester", d.Requester},
	} {
		if f.value == "" {
			return fmt.Errorf("%w: %s is empty", ErrDocument, f.name)
		}
	}
	const maxTime = 1 << 53 // what every reader of JSON reads exactly
	if d.Attempt < 1 || d.MadeAt <= 0 || d.ExpiresAt <= d.MadeAt || d.ExpiresAt >= maxTime {
		return fmt.Errorf("%w: attempt counts from 1 and it must expire after it was made", ErrDocument)
	}
	return d.Rule.Validate()
}
