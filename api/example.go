package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/custodyhq/custody/security/approval"
	"github.com/custodyhq/custody/security/audit"
	"github.com/custodyhq/custody/store"
)

// What the examples of the description have in common.
const (
	exampleRun     = "run_01m7zn9p4nfm6b2kns050bmg3f"
	exampleApr     = "apr_01m7znc0e8f2m9pwr9dkz0v4at"
	examplePerson  = "subj_01m7zmx0v9fn8r1s4w6y8b0d2g"
	exampleOther   = "subj_01m7zmx1c3e5g7j9m1p3r5t7w9"
	exampleTime    = "2026-11-21T17:52:15.000000Z"
	exampleDigest  = "sha256:2f7ee4d3a7c9a1a4f5e0b8c4d2916e3f70c8b5a1d9e2f3046b7c8d9e0f1a2b3c"
	exampleBody    = `{"act":[],"action":"run.submitted","actor":"` + examplePerson + `","at_us":1795283535000000,"attempt":0,"call":"","key":"","outcome":"ok","run":"` + exampleRun + `","step":"","v":1}`
	exampleRelease = "rel_01m7zmw0000000000000000000"
	exampleProcess = "proc_01m7zmw0000000000000000000"
	exampleRequest = "req_01m7zn9p4nfm6b2kns050bmg3f"
)

// examples are values of the description's objects, by the names of their
// schemas. They are made of the types that are sent, so they cannot lag behind.
func examples() map[string]any {
	stopped := exampleRun
	at, expires, age := exampleTime, "2026-11-21T18:52:15.000000Z", int64(40)
	hash := audit.Hash{0xab, 0xcd}
	receipt := &store.Receipt{Stream: exampleRun, Seq: 0, Hash: hash}
	run := Run{
		ID: exampleRun, Workflow: WorkflowRef{"contract-review", exampleDigest}, State: "waiting",
		Caller: Caller{ID: examplePerson, Kind: "human", Act: []string{}}, WaitingFor: []Wait{{Kind: "approval", ID: exampleApr, Step: "legal", Until: &expires}},
		Steps: []Step{{ID: "draft", State: "succeeded", Attempt: 1}, {ID: "legal", State: "waiting", Attempt: 1}},
		Cost:  Cost{MicroUSD: 1200, TokensIn: 900, TokensOut: 120}, Version: 7, CreatedAt: at, UpdatedAt: at, Receipt: receipt,
	}
	version := Workflow{
		Name: "contract-review", Digest: exampleDigest, Description: "Reviews a contract.", Current: true, Author: exampleOther, CreatedAt: at,
		Input:    json.RawMessage(`{"type": "object", "required": ["contract"], "properties": {"contract": {"type": "string"}}}`),
		Requires: &Requires{Roles: []string{"analyst"}}, Steps: []WorkflowStep{{"draft", "llm"}, {"legal", "approval"}},
	}
	vote := Vote{ID: "vote_01m7zndmf2emhvwsgwh8cam63c", By: exampleOther, Decision: "approve", Digest: exampleDigest, At: at}
	asked := Approval{
		ID: exampleApr, Run: exampleRun, Step: "legal", Attempt: 1, Kind: "step", State: "pending", Document: "{}", Digest: exampleDigest,
		Rule: Rule{Quorum: 2, Groups: []string{"legal"}, OnReject: approval.OnRejectFail}, Votes: []Vote{vote}, You: You{MayVote: true, Reasons: []string{}}, ExpiresAt: expires,
	}
	cast := vote
	cast.State, cast.Receipt = "pending", receipt
	entry := audit.Entry{Log: "custody.example/acme/2026H2", Stream: exampleRun, Hash: hash, Body: exampleBody}
	revoked := Revocation{ID: "rev_01m7zq3f8w6h4k2n0r8t6v4x2z", Kind: "sub", Value: examplePerson, Reason: "left the company", By: exampleOther, CreatedAt: at, Receipt: receipt}
	released := Release{
		ID: exampleRelease, Texts: []string{"k-01m7zmw0000000000000000000:" + strings.Repeat("7f", 32)}, Run: &stopped, Step: "draft",
		Reason: "a clause of our own template", By: exampleOther, CreatedAt: at, Until: expires, Receipt: receipt,
	}
	return map[string]any{
		"Run": run, "Workflow": version, "Approval": asked, "Vote": cast, "Entry": entry, "Revocation": revoked,
		"PageRun": Page[Run]{Data: []Run{run}}, "PageWorkflow": Page[Workflow]{Data: []Workflow{version}}, "PageApproval": Page[Approval]{Data: []Approval{asked}},
		"PageEntry": Page[audit.Entry]{Data: []audit.Entry{entry}}, "PageRevocation": Page[Revocation]{Data: []Revocation{revoked}},
		"Validation": Validation{Digest: exampleDigest, Warnings: []Fault{}},
		"Removed":    Removed{Receipt: receipt},
		"Report":     Report{Verdict: audit.Intact, Tier: "T0", Entries: 652, Streams: 80, Payloads: audit.PayloadCounts{Matching: 240, Erased: 3}, Findings: []Finding{}, Receipt: receipt},
		"Principal": Principal{
			Tenant: "main", ID: examplePerson, Kind: "human", Name: "Alice", Issuer: "https://id.example/realms/acme", Subject: "alice", Client: "custody-cli",
			Roles: []string{"analyst"}, Act: []string{}, ACR: "mfa", AMR: []string{"otp", "pwd"}, MFA: true, AuthTime: &at, AuthAge: &age, IssuedAt: at, ExpiresAt: expires, Missing: []string{}, StepUp: true,
		},
		"Status": Status{
			Version: "1.0.0", Process: exampleProcess, Tier: "T0", Driving: 3, Processes: []Process{{ID: exampleProcess, Version: "1.0.0", StartedAt: at, HeartbeatAge: 0.4}},
			Runs: RunCounts{Queued: 1, Running: 3, Waiting: 2, Succeeded: 640, Failed: 4}, Queue: Queue{OldestAge: 0.2, Later: 2}, Ledger: Ledger{Entries: 5210, Streams: 652, Bytes: 9437184},
		},
		"Readiness":             Readiness{Status: "ok", Checks: []Check{{Name: "database", OK: true}}},
		"Resource":              Resource{Resource: "https://custody.example", Servers: []string{"https://id.example/realms/acme"}, Methods: []string{"header"}, Name: "Custody", Docs: "https://custody.example/docs"},
		"Submission":            submission{Workflow: "contract-review", Input: json.RawMessage(`{"contract": "The parties agree…"}`)},
		"CancelRunRequest":      map[string]string{"reason": "no longer needed"},
		"RetryRunRequest":       struct{}{},
		"Ballot":                ballot{Decision: "approve", Digest: exampleDigest},
		"ChooseWorkflowRequest": map[string]string{"digest": exampleDigest},
		"NewRevocation":         NewRevocation{Kind: "sub", Value: examplePerson, Reason: "left the company"},
		"Release":               released,
		"PageRelease":           Page[Release]{Data: []Release{released}},
		"NewRelease":            NewRelease{Run: exampleRun, Step: "draft", Reason: "a clause of our own template", Until: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)},
		"Mode":                  Mode{Mode: "enforce", Source: "default"},
		"NewMode":               NewMode{Mode: "enforce", Reason: "the new workflow is tuned"},
		"Shown":                 Shown{Name: "summary", Content: `"The parties agree…"`, Salt: strings.Repeat("5a", 32), Commitment: strings.Repeat("c3", 32)},
	}
}

// others are examples of contents that are no object of ours, by media type.
func others() map[string]any {
	return map[string]any{
		"application/json":                  map[string]any{"summary": "The parties agree…"},
		"application/yaml":                  "name: hello\nrequires: {roles: [analyst]}\nsteps:\n  - {id: say, uses: set, with: {text: hello}}\n",
		"application/x-ndjson":              `{"log": "custody.example/acme/2026H2", "stream": "` + exampleRun + `", "seq": 0}` + "\n",
		"text/event-stream":                 "id: 0\nevent: run.submitted\ndata: {}\n\n",
		"application/x-www-form-urlencoded": map[string]string{"logout_token": "eyJ0eXAiOiJsb2dvdXQrand0In0.e30.c2ln"},
	}
}

// exemplify gives every content an example.
func exemplify(op *huma.Operation, samples map[string]any) {
	other := others()
	give := func(media string, m *huma.MediaType) {
		if m.Example != nil || m.Schema == nil {
			return
		}
		name := objectOf(m.Schema.Ref)
		sample, known := samples[name]
		if choice := slices.Concat(m.Schema.OneOf, m.Schema.AnyOf); len(choice) > 0 {
			sample, known = samples[objectOf(choice[0].Ref)], true
		}
		switch list := m.Schema.Items; {
		case known:
		case list != nil && samples[objectOf(list.Ref)] != nil:
			sample = []any{samples[objectOf(list.Ref)]}
		default:
			sample = other[media]
		}
		m.Example = sample
	}
	if op.RequestBody != nil {
		for media, m := range op.RequestBody.Content {
			give(media, m)
		}
	}
	for _, r := range op.Responses {
		for media, m := range r.Content {
			give(media, m)
		}
	}
}

func problemExample(status int, name string, types map[string]problemType) Problem {
	return Problem{
		Type: typePrefix + name, Title: http.StatusText(status), Status: status, Detail: types[name].why,
		RequestID: exampleRequest,
	}
}
