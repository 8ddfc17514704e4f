package audit

import "github.com/custodyhq/custody/security"

// A Fact is what happened, before it has a place. It holds names, digests and
// codes, never free text and never content. Strings are cut at 256 bytes when
// written, Key at 1024.
type Fact struct {
	Action    Action
	Outcome   string // ok, error, denied, blocked, withheld, unknown, approve, reject, expire, ...
	Tenant    string
	Run       string // run_…
	Step      string
	Item      string // in a foreach
	Attempt   int    // from 1
	Call      string // call_…: one request
	Key       string // the piece of work: <run>/<step>[/<item>][#part]
	Actor     string // subj_…
	ActorKind string
	Act       []string // who acts for the actor: client ids
	Client    string
	Workflow  string // sha256:… of the definition
	Name      string // of the workflow
	Request   string // Request-Id
	Decision  *Decision
	Authn     *Authn
	Findings  []security.Finding // written without Why
	Model     *Model
	Payloads  []Payload
	Approval  *Approval
	Code      string   // what went wrong: timeout, rate_limited, refused, unfinished, malformed, status, cancelled, connection, ...
	Status    int      // HTTP status of the reply, 0 without one
	State     string   // of the run once it is closed
	Reason    string   // code of why it closed so
	Count     int64    // run.closed: entries of the stream, this one included
	RetryOf   string   // run_…
	Adopted   string   // run_… whose payloads this step takes over
	Due       int64    // microseconds since 1970: tried again, or expires
	Target    string   // control entries: what was read or changed
	Rubric    string   // by which version of its rules the judge decided
	Texts     []string // guard.released: keyed fingerprints of the texts
	Unmet     []string // names of the criteria that the judge held not met
	Build     string
}

// A Decision is what policy said, and what decided it.
type Decision struct {
	Effect   string // allow, deny
	Policies []string
	Missing  []string // codes
}

// An Authn is how the actor had signed in.
type Authn struct {
	ACR      string
	AMR      []string
	AuthTime int64  // seconds since 1970
	Mandate  string // hex of the SHA-256 of the run's mandate
	TokenExp int64  // seconds since 1970
}

// A Model is what a model call was and what it cost.
type Model struct {
	Provider      string
	Model         string // that was asked
	ResponseModel string // that answered
	ID            string // the provider's id of the call
	Finish        string
	In, Out       int64 // tokens; written only if UsageKnown
	UsageKnown    bool
	Micros        int64 // millionths of a US dollar
}

// A Payload refers to sealed content.
type Payload struct {
	ID     string // pay_…
	Kind   string
	Bytes  int
	Commit Hash // HMAC-SHA256(salt, content)
	Sum    Hash // SHA-256 of the ciphertext: "sealed" in the body
}

// An Approval is what a vote or the end of a vote was about.
type Approval struct {
	ID       string // apr_…
	Digest   string // sha256:… of the document
	Decision string
	Quorum   int
	Vote     string   // vote_…
	Voters   []string // subj_…
}

// maxFindings bounds an entry: what a hostile text makes a guard see must not
// make an entry that cannot be stored. The number left out is written.
const maxFindings = 64

// maxEvidence is how many reasons of one finding are written, the heaviest.
const maxEvidence = 8

// AppendBody appends the fact as canonical JSON, at the given microsecond since
// 1970. It allocates nothing beyond buf. Fields that every entry has are always
// written, the others when they are not empty. Bytes that are not UTF-8, and
// NUL, which PostgreSQL's jsonb refuses, are written as U+FFFD.
func (f *Fact) AppendBody(buf []byte, at int64) []byte {
	w := writer{buf: append(buf, '{')}
	w.list("act", f.Act)
	w.text("action", string(f.Action))
	w.some("actor", f.Actor)
	w.some("actor_kind", f.ActorKind)
	w.some("adopted", f.Adopted)
	f.Approval.append(&w)
	w.number("at_us", at)
	w.number("attempt", int64(f.Attempt))
	f.Authn.append(&w)
	w.some("build", f.Build)
	w.text("call", f.Call)
	w.some("client", f.Client)
	w.some("code", f.Code)
	w.count("count", f.Count)
	f.Decision.append(&w)
	w.count("due_us", f.Due)
	f.appendFindings(&w)
	w.some("item", f.Item)
	w.long("key", f.Key)
	f.Model.append(&w)
	w.some("name", f.Name)
	w.text("outcome", f.Outcome)
	f.appendPayloads(&w)
	w.some("reason", f.Reason)
	w.some("request", f.Request)
	w.some("retry_of", f.RetryOf)
	w.some("rubric", f.Rubric)
	w.text("run", f.Run)
	w.some("state", f.State)
	w.count("status", int64(f.Status))
	w.text("step", f.Step)
	w.some("target", f.Target)
	w.some("tenant", f.Tenant)
	w.list("texts", f.Texts)
	w.list("unmet", f.Unmet)
	w.number("v", 1)
	w.some("workflow", f.Workflow)
	return w.end('}').buf
}

func (d *Decision) append(w *writer) {
	if d == nil {
		return
	}
	w.begin("decision", '{')
	w.some("effect", d.Effect)
	w.list("missing", d.Missing)
	w.list("policies", d.Policies)
	w.end('}').next()
}

func (a *Authn) append(w *writer) {
	if a == nil {
		return
	}
	w.begin("authn", '{')
	w.some("acr", a.ACR)
	w.list("amr", a.AMR)
	w.count("auth_time", a.AuthTime)
	w.some("mandate", a.Mandate)
	w.count("token_exp", a.TokenExp)
	w.end('}').next()
}

func (m *Model) append(w *writer) {
	if m == nil {
		return
	}
	w.begin("model", '{')
	w.some("finish", m.Finish)
	w.some("id", m.ID)
	w.count("microusd", m.Micros)
	w.some("model", m.Model)
	w.some("provider", m.Provider)
	w.some("response_model", m.ResponseModel)
	if m.UsageKnown {
		w.number("tokens_in", m.In)
		w.number("tokens_out", m.Out)
	}
	w.end('}').next()
}

func (a *Approval) append(w *writer) {
	if a == nil {
		return
	}
	w.begin("approval", '{')
	w.some("decision", a.Decision)
	w.some("digest", a.Digest)
	w.some("id", a.ID)
	w.count("quorum", int64(a.Quorum))
	w.some("vote", a.Vote)
	w.list("voters", a.Voters)
	w.end('}').next()
}

func (f *Fact) appendFindings(w *writer) {
	if len(f.Findings) == 0 {
		return
	}
	w.begin("findings", '[')
	for i := range f.Findings[:min(len(f.Findings), maxFindings)] {
		x := &f.Findings[i]
		w.open('{')
		w.text("action", x.Action)
		w.number("end", int64(x.End))
		w.evidence(x.Evidence)
		w.text("kind", x.Kind)
		w.some("pardon", x.Pardon)
		w.text("path", x.Path)
		w.some("read", x.Read)
		w.text("rule", x.Rule)
		w.count("score", int64(x.Score))
		w.number("start", int64(x.Start))
		w.some("text", x.Text)
		w.end('}').next()
	}
	w.end(']').next()
	w.count("findings_left", int64(len(f.Findings)-min(len(f.Findings), maxFindings)))
}

// evidence writes what weighed most for a finding.
func (w *writer) evidence(all []security.Evidence) {
	if len(all) == 0 {
		return
	}
	w.begin("evidence", '[')
	for _, e := range all[:min(len(all), maxEvidence)] {
		w.open('{')
		w.text("name", e.Name)
		w.number("weight", int64(e.Weight))
		w.end('}').next()
	}
	w.end(']').next()
}

func (f *Fact) appendPayloads(w *writer) {
	if len(f.Payloads) == 0 {
		return
	}
	w.begin("payloads", '[')
	for i := range f.Payloads {
		p := &f.Payloads[i]
		w.open('{')
		w.number("bytes", int64(p.Bytes))
		w.hash("commit", p.Commit)
		w.text("id", p.ID)
		w.text("kind", p.Kind)
		w.hash("sealed", p.Sum)
		w.end('}').next()
	}
	w.end(']').next()
}
