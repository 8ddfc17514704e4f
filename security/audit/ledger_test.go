package audit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/custodyhq/custody/security/audit"
)

const origin = "localhost/test"

// The runs of the tests: names as in real life, the contents are made up.
const (
	runA = "run_01jd3v4m2h8s9d0q7x5z1k6b3a"
	runB = "run_01jd3v4m2h8s9d0q7x5z1k6b3b"
	runC = "run_01jd3v4m2h8s9d0q7x5z1k6b3c"
	ctl  = "ctl-1"
)

// A ledger is what the store would hold: entries, their columns, payloads and
// heads, in the order in which the store reads them.
type ledger struct {
	streams []string
	entries map[string][]audit.Entry
	rows    map[string][]audit.Row
	sealed  map[string][]audit.SeenPayload
	content map[string][]audit.DisclosedPayload
	heads   map[string]head
	at      int64
}

type head struct {
	entries int64
	hash    audit.Hash
	closed  bool
}

func newLedger() *ledger {
	return &ledger{
		entries: map[string][]audit.Entry{}, rows: map[string][]audit.Row{},
		sealed: map[string][]audit.SeenPayload{}, content: map[string][]audit.DisclosedPayload{},
		heads: map[string]head{}, at: 1_790_000_000_000_000,
	}
}

// add appends a fact to a stream as the store does.
func (l *ledger) add(stream string, f audit.Fact) {
	h, ok := l.heads[stream]
	if !ok {
		l.streams = append(l.streams, stream)
	}
	l.at += 1000
	f.Tenant, f.Actor, f.Workflow = "main", "subj_1", "sha256:77"
	if f.Action == audit.RunClosed {
		f.Count, h.closed = h.entries+1, true
	}
	body := f.AppendBody(nil, l.at)
	hash, _ := audit.AppendLeaf(nil, origin, stream, h.entries, h.hash, body)
	l.entries[stream] = append(l.entries[stream], audit.Entry{
		Log: origin, Stream: stream, Seq: h.entries, Prev: h.hash, Hash: hash, Body: string(body),
	})
	l.rows[stream] = append(l.rows[stream], audit.Row{
		Tenant: f.Tenant, Action: string(f.Action), Outcome: f.Outcome, Step: f.Step,
		Actor: f.Actor, Workflow: f.Name, AtUS: l.at,
	})
	l.heads[stream] = head{entries: h.entries + 1, hash: hash, closed: h.closed}
}

// payload makes the n-th payload of a stream and what the ledger says of it.
func (l *ledger) payload(stream, kind string, n int) audit.Payload {
	id := fmt.Sprintf("pay_01jd3v4m2h8s9d0q7x5z1k6%s%d", stream[len(stream)-1:], n+10)
	salt := sha256.Sum256([]byte(id))
	content := []byte("content of " + id)
	mac := hmac.New(sha256.New, salt[:])
	mac.Write(content)
	p := audit.Payload{ID: id, Kind: kind, Bytes: len(content), Commit: audit.Hash(mac.Sum(nil)), Sum: sha256.Sum256([]byte("cipher" + id))}
	l.sealed[stream] = append(l.sealed[stream], audit.SeenPayload{ID: id, Run: stream, Kind: kind, Sum: p.Sum, Commit: p.Commit})
	l.content[stream] = append(l.content[stream], audit.DisclosedPayload{ID: id, Commit: p.Commit, Salt: salt[:], Content: content})
	return p
}

// run adds a whole run of one step, or one that is still waiting.
func (l *ledger) run(id string, closed bool) {
	l.add(id, audit.Fact{Action: audit.RunSubmitted, Outcome: "ok", Run: id, Payloads: []audit.Payload{l.payload(id, "input", 0)}})
	l.add(id, audit.Fact{
		Action: audit.StepIntent, Outcome: "ok", Run: id, Step: "draft", Attempt: 1, Call: "call_1", Key: id + "/draft",
		Decision: &audit.Decision{Effect: "allow", Policies: []string{"workflow.requires"}},
	})
	l.add(id, audit.Fact{
		Action: audit.StepResult, Outcome: "ok", Run: id, Step: "draft", Attempt: 1, Call: "call_1", Key: id + "/draft",
		Payloads: []audit.Payload{l.payload(id, "output:draft", 1)},
	})
	if closed {
		l.add(id, audit.Fact{Action: audit.StepSkipped, Outcome: "ok", Run: id, Step: "file"})
		l.add(id, audit.Fact{Action: audit.RunClosed, Outcome: "ok", Run: id, State: "succeeded"})
	}
}

// sample is a ledger of two closed runs, one that waits and a control stream.
func sample() *ledger {
	l := newLedger()
	l.run(runA, true)
	l.run(runB, true)
	l.run(runC, false)
	l.add(ctl, audit.Fact{Action: audit.CtlOpened, Outcome: "ok"})
	l.add(ctl, audit.Fact{Action: audit.PayloadRead, Outcome: "ok", Run: runA, Target: runA})
	return l
}

// verify reads the ledger as the store reads the live record.
func (l *ledger) verify(t testing.TB) audit.Report {
	t.Helper()
	v := audit.NewVerifier()
	for _, s := range l.streams {
		for i, e := range l.entries[s] {
			v.Entry(e, &l.rows[s][i])
		}
		h := l.heads[s]
		v.Head(s, h.entries, h.hash, h.closed)
		for _, p := range l.sealed[s] {
			v.Payload(p)
		}
	}
	return v.Report()
}

// cut removes an entry and its columns.
func (l *ledger) cut(stream string, seq int) {
	l.entries[stream] = append(l.entries[stream][:seq:seq], l.entries[stream][seq+1:]...)
	l.rows[stream] = append(l.rows[stream][:seq:seq], l.rows[stream][seq+1:]...)
}

// rehash gives an entry the hash of its content, as a forger would.
func rehash(e *audit.Entry) {
	e.Hash, _ = audit.AppendLeaf(nil, e.Log, e.Stream, e.Seq, e.Prev, []byte(e.Body))
}

// places lists findings as "kind stream#seq", which is what a report must get
// right.
func places(r audit.Report) []string {
	names := map[string]string{runA: "A", runB: "B", runC: "C"}
	list := []string{}
	for _, f := range r.Findings {
		place := f.Stream
		if n, ok := names[place]; ok {
			place = n
		}
		if f.Seq != nil {
			place = fmt.Sprintf("%s#%d", place, *f.Seq)
		}
		list = append(list, f.Kind+" "+place)
	}
	return list
}

func commitment(salt, content string) audit.Hash {
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write([]byte(content))
	return audit.Hash(mac.Sum(nil))
}
