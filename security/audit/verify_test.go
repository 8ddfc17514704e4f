package audit_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/custodyhq/custody/security/audit"
)

func TestAnUntouchedLedgerIsIntact(t *testing.T) {
	t.Parallel()
	got := sample().verify(t)
	want := audit.Report{
		Verdict: audit.Intact, Tier: "T0", Entries: 15, Streams: 4,
		Payloads: audit.PayloadCounts{Matching: 6}, Findings: []audit.Finding{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// Each attack is one thing that somebody who owns the database does. The report
// must name that place and no other.
func TestEveryAttackIsNamedAtItsPlace(t *testing.T) {
	t.Parallel()
	edit := func(e *audit.Entry, from, to string) {
		if !strings.Contains(e.Body, from) {
			panic("the attack does nothing")
		}
		e.Body = strings.Replace(e.Body, from, to, 1)
	}
	for name, c := range map[string]struct {
		attack func(l *ledger)
		want   []string
	}{
		"edits a body": {
			func(l *ledger) { edit(&l.entries[runA][2], `"outcome":"ok"`, `"outcome":"error"`) },
			[]string{"entry.altered A#2"},
		},
		"edits the last body": {
			func(l *ledger) { edit(&l.entries[runA][4], `"succeeded"`, `"failed"`) },
			[]string{"entry.altered A#4"},
		},
		"edits a body and its column": {
			func(l *ledger) {
				edit(&l.entries[runB][1], `"actor":"subj_1"`, `"actor":"subj_2"`)
				l.rows[runB][1].Actor = "subj_2"
			},
			[]string{"entry.altered B#1"},
		},
		"edits a body and computes its hash": {
			func(l *ledger) {
				edit(&l.entries[runA][1], `"call_1"`, `"call_2"`)
				rehash(&l.entries[runA][1])
			},
			[]string{"entry.altered A#1", "chain.broken A#2"},
		},
		"edits the entry before the last and computes its hash": {
			func(l *ledger) {
				edit(&l.entries[runA][3], `"file"`, `"mail"`)
				rehash(&l.entries[runA][3])
				l.rows[runA][3].Step = "mail"
			},
			[]string{"entry.altered A#3", "chain.broken A#4"},
		},
		"edits the last body and computes its hash": {
			func(l *ledger) {
				edit(&l.entries[runA][4], `"succeeded"`, `"failed"`)
				rehash(&l.entries[runA][4])
			},
			[]string{"entry.altered A#4"},
		},
		"edits a hash":                    {func(l *ledger) { l.entries[runA][2].Hash[7] ^= 1 }, []string{"entry.altered A#2"}},
		"edits the last hash":             {func(l *ledger) { l.entries[runC][2].Hash[7] ^= 1 }, []string{"entry.altered C#2"}},
		"edits prev":                      {func(l *ledger) { l.entries[runA][2].Prev[7] ^= 1 }, []string{"entry.altered A#2"}},
		"gives the first entry a prev":    {func(l *ledger) { e := &l.entries[ctl][0]; e.Prev[0] = 1; rehash(e) }, []string{"chain.broken ctl-1#0", "chain.broken ctl-1#1"}},
		"deletes a middle entry":          {func(l *ledger) { l.cut(runA, 1) }, []string{"entry.missing A#1"}},
		"deletes two middle entries":      {func(l *ledger) { l.cut(runA, 2); l.cut(runA, 1) }, []string{"entry.missing A#1"}},
		"deletes the first entry":         {func(l *ledger) { l.cut(runB, 0) }, []string{"entry.missing B#0"}},
		"deletes the last entry":          {func(l *ledger) { l.cut(runA, 4) }, []string{"entry.missing A#4"}},
		"deletes the tail of an open run": {func(l *ledger) { l.cut(runC, 2); l.cut(runC, 1) }, []string{"entry.missing C#1"}},
		"deletes all entries of a run":    {func(l *ledger) { l.entries[runB] = nil; l.sealed[runB] = nil }, []string{"entry.missing B#0"}},
		"cuts the tail and sets the head back": {
			func(l *ledger) {
				l.cut(runA, 4)
				l.heads[runA] = head{entries: 4, hash: l.entries[runA][3].Hash, closed: true}
			},
			[]string{"entry.missing A#4"},
		},
		"opens a closed run again": {
			func(l *ledger) { h := l.heads[runA]; h.closed = false; l.heads[runA] = h },
			[]string{"stream.reopened A#4"},
		},
		"goes on after run.closed": {
			func(l *ledger) {
				l.add(runA, audit.Fact{Action: audit.StepResult, Outcome: "ok", Run: runA, Step: "x"})
			},
			[]string{"stream.reopened A#5"},
		},
		"adds an entry beyond the head": {
			func(l *ledger) {
				h := l.heads[runC]
				l.add(runC, audit.Fact{Action: audit.StepResult, Outcome: "ok", Run: runC, Step: "x"})
				l.heads[runC] = h
			},
			[]string{"chain.broken C#3"},
		},
		"forks a stream": {
			func(l *ledger) {
				l.entries[runC] = append(l.entries[runC], l.entries[runC][1])
				l.rows[runC] = append(l.rows[runC], l.rows[runC][1])
			},
			[]string{"stream.forked C#1"},
		},
		"swaps two entries": {
			func(l *ledger) {
				e, r := l.entries[runA], l.rows[runA]
				e[1], e[2], r[1], r[2] = e[2], e[1], r[2], r[1]
			},
			[]string{"entry.missing A#1", "stream.forked A#1"},
		},
		"edits a column":        {func(l *ledger) { l.rows[runA][1].Outcome = "denied" }, []string{"column.mismatch A#1"}},
		"edits every column":    {func(l *ledger) { l.rows[runA][1] = audit.Row{} }, []string{"column.mismatch A#1"}},
		"alters stored bytes":   {func(l *ledger) { l.sealed[runA][0].Sum[0] ^= 1 }, []string{"payload.altered A#0"}},
		"alters a commitment":   {func(l *ledger) { l.sealed[runA][1].Commit[0] ^= 1 }, []string{"payload.altered A#2"}},
		"makes content garbage": {func(l *ledger) { l.sealed[runA][1].Broken = true }, []string{"payload.altered A#2"}},
		"empties a payload":     {func(l *ledger) { p := &l.sealed[runA][1]; p.Sum, p.Commit = audit.Hash{}, audit.Hash{} }, []string{"payload.altered A#2"}},
		"relabels a payload":    {func(l *ledger) { l.sealed[runA][1].Kind = "input" }, []string{"payload.altered A#2"}},
		"moves a payload":       {func(l *ledger) { l.sealed[runA][1].Run = runB }, []string{"payload.altered A#2"}},
		"deletes a payload":     {func(l *ledger) { l.sealed[runB] = l.sealed[runB][:1] }, []string{"payload.missing B#2"}},
		"adds a payload": {
			func(l *ledger) { l.payload(runC, "input", 7) },
			[]string{"payload.altered C"},
		},
		"swaps two payloads": {
			func(l *ledger) { p := l.sealed[runA]; p[0].ID, p[1].ID = p[1].ID, p[0].ID },
			[]string{"payload.altered A#0", "payload.altered A#2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := sample()
			c.attack(l)
			r := l.verify(t)
			if diff := cmp.Diff(c.want, places(r)); diff != "" || r.Verdict != audit.Broken {
				t.Errorf("findings (-want +got):\n%s%v", diff, r.Findings)
			}
		})
	}
}

// A ledger can hold nonsense although every hash is right.
func TestAWellHashedLedgerMustAlsoMakeSense(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write func(l *ledger)
		want  []string
	}{
		"an entry about another run": {
			func(l *ledger) {
				l.add(runC, audit.Fact{Action: audit.StepIntent, Outcome: "ok", Run: runA, Step: "x"})
			},
			[]string{"entry.altered C#3"},
		},
		"time runs backwards": {
			func(l *ledger) {
				l.at -= 5_000_000
				l.add(runC, audit.Fact{Action: audit.StepIntent, Outcome: "ok", Run: runC, Step: "x"})
			},
			[]string{"chain.broken C#3"},
		},
		"run.closed counts wrong": {
			func(l *ledger) {
				l.add(runC, audit.Fact{Action: audit.RunClosed, Outcome: "ok", Run: runC})
				e := &l.entries[runC][3]
				e.Body = strings.Replace(e.Body, `"count":4`, `"count":6`, 1)
				rehash(e)
				l.heads[runC] = head{entries: 4, hash: e.Hash, closed: true}
			},
			[]string{"entry.missing C#3"},
		},
		"a body that is not canonical": {
			func(l *ledger) {
				e := &l.entries[ctl][1]
				e.Body += " "
				rehash(e)
				l.heads[ctl] = head{entries: 2, hash: e.Hash}
			},
			[]string{"entry.altered ctl-1#1"},
		},
		"one payload, two stories": {
			func(l *ledger) {
				p := l.payload(runC, "output:x", 5)
				l.add(runC, audit.Fact{Action: audit.CallIntent, Outcome: "ok", Run: runC, Payloads: []audit.Payload{p}})
				p.Commit[0] ^= 1
				l.add(runC, audit.Fact{Action: audit.StepResult, Outcome: "ok", Run: runC, Payloads: []audit.Payload{p}})
			},
			[]string{"payload.altered C#4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := sample()
			c.write(l)
			if diff := cmp.Diff(c.want, places(l.verify(t))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoEntriesDoNotVerify(t *testing.T) {
	t.Parallel()
	r := audit.NewVerifier().Report()
	if r.Verdict != audit.Broken || len(r.Findings) != 1 || r.Findings[0].Kind != audit.EntryMissing {
		t.Errorf("an empty ledger is %+v", r)
	}
}

func TestARunWithoutItsRow(t *testing.T) {
	t.Parallel()
	l := sample()
	v := audit.NewVerifier()
	for _, s := range l.streams {
		for i, e := range l.entries[s] {
			v.Entry(e, &l.rows[s][i])
		}
		if s != runB {
			v.Head(s, l.heads[s].entries, l.heads[s].hash, l.heads[s].closed)
		}
		for _, p := range l.sealed[s] {
			v.Payload(p)
		}
	}
	if diff := cmp.Diff([]string{"chain.broken B#0"}, places(v.Report())); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Where the store keeps no prev, the reader takes it from the row before.
func TestAMissingRowDoesNotAccuseTheNextOne(t *testing.T) {
	t.Parallel()
	l := sample()
	l.cut(runA, 2)
	var before audit.Hash
	for i := range l.entries[runA] {
		l.entries[runA][i].Prev = before
		before = l.entries[runA][i].Hash
	}
	got := places(l.verify(t))
	if diff := cmp.Diff([]string{"entry.missing A#2"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestErasedPayloadsAreCountedNotFound(t *testing.T) {
	t.Parallel()
	l := sample()
	l.add(ctl, audit.Fact{Action: audit.PayloadErased, Outcome: "ok", Payloads: []audit.Payload{{ID: l.sealed[runA][0].ID}}})
	l.add(ctl, audit.Fact{Action: audit.PayloadErased, Outcome: "ok", Target: runB})
	l.sealed[runA], l.sealed[runB] = l.sealed[runA][1:], nil
	r := l.verify(t)
	want := audit.PayloadCounts{Matching: 3, Erased: 3}
	if r.Verdict != audit.Intact || r.Payloads != want {
		t.Errorf("after an erasure: %s, %+v, %v", r.Verdict, r.Payloads, r.Findings)
	}
}

func TestAdoptedPayloadsBelongToTheirFirstRun(t *testing.T) {
	t.Parallel()
	l := sample()
	p := audit.Payload{ID: l.sealed[runA][1].ID, Kind: "output:draft"}
	l.add(runC, audit.Fact{Action: audit.StepResult, Outcome: "ok", Run: runC, Step: "draft", Adopted: runA, Payloads: []audit.Payload{p}})
	if r := l.verify(t); r.Verdict != audit.Intact {
		t.Errorf("an adopted step: %v", r.Findings)
	}
}

// After an edit that also changes what an entry says of its payload, the
// payload is not accused.
func TestAnAlteredEntryDoesNotAccuseItsPayload(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"another commitment": {`"commit":"`, `"commit":"f`},
		"another id":         {`"id":"pay_`, `"id":"pay_7`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := sample()
			e := &l.entries[runA][2]
			at := strings.Index(e.Body, change[0]) + len(change[1])
			e.Body = e.Body[:at-1] + "f" + e.Body[at:]
			if diff := cmp.Diff([]string{"entry.altered A#2"}, places(l.verify(t))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	v := audit.NewVerifier()
	for i := range 20_000 {
		v.Entry(audit.Entry{Log: origin, Stream: ctl, Seq: int64(i), Body: "{}"}, nil)
	}
	r := v.Report()
	if r.Verdict != audit.Broken || len(r.Findings) > 10_001 || r.Entries != 20_000 {
		t.Errorf("%d findings for %d entries", len(r.Findings), r.Entries)
	}
}

func TestAReportHasTheFormOfTheAPI(t *testing.T) {
	t.Parallel()
	l := sample()
	l.entries[runA][1].Body = "{}"
	text, err := json.Marshal(l.verify(t))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"verdict":"broken","tier":"T0","entries":15,"streams":4,` +
		`"payloads":{"matching":6,"erased":0,"missing":0,"altered":0},` +
		`"findings":[{"kind":"entry.altered","stream":"` + runA + `","seq":1,"index":null,"payload":null,` +
		`"detail":"its hash is not that of its content at this place"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	var back audit.Report
	if err := json.Unmarshal(text, &back); err != nil || len(back.Findings) != 1 || *back.Findings[0].Seq != 1 {
		t.Errorf("read back: %+v, %v", back, err)
	}
}

// Read stream by stream, a ledger of any length needs little memory. It measures
// the heap, so nothing runs beside it.
func TestALongLedgerNeedsLittleMemory(t *testing.T) {
	var before, after runtime.MemStats
	v := audit.NewVerifier()
	runtime.GC()
	runtime.ReadMemStats(&before)
	const runs = 10_000
	for i := range runs {
		l := newLedger()
		id := fmt.Sprintf("run_01jd3v4m2h8s9d0q7x5z%06d", i)
		l.run(id, true)
		for k, e := range l.entries[id] {
			v.Entry(e, &l.rows[id][k])
		}
		for _, p := range l.sealed[id] {
			v.Payload(p)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if r := v.Report(); r.Entries != 5*runs {
		t.Fatalf("%d entries, %v", r.Entries, r.Findings[:1])
	}
	if held := int64(after.HeapAlloc-before.HeapAlloc) / runs; held > 500 {
		t.Errorf("%d bytes are held for each stream", held)
	}
}

func BenchmarkVerifier(b *testing.B) {
	l := sample()
	row := l.rows[runA]
	b.ReportAllocs()
	for b.Loop() {
		v := audit.NewVerifier()
		for i, e := range l.entries[runA] {
			v.Entry(e, &row[i])
		}
		for _, p := range l.sealed[runA] {
			v.Payload(p)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.entries[runA])), "ns/entry")
}
