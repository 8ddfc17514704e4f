package audit

import (
	"fmt"
	"strings"
)

// A Verifier reads a ledger once and says what does not hold. It is used on the
// live record and on bundles.
//
// The entries of one stream arrive in the order of seq; streams may come one
// after another or mixed. The payloads of a stream come after its entries, a
// stream's head at any time. Read stream by stream, it holds about 250 bytes
// for each stream and the payloads of one; what it cannot settle until the end
// are payloads that never come. It is not safe for concurrent use.
//
// After a fault it goes on from what is stored, so one change gives one finding
// or two, not one for every entry that follows.
type Verifier struct {
	mode     mode
	streams  map[string]*stream
	heads    int
	entries  int64
	payloads PayloadCounts
	awaited  map[string]*awaited // by payload id: named by an entry, not seen yet
	strays   []SeenPayload       // seen, and not named by any entry before
	erased   map[string]struct{} // payload ids, and runs
	findings []Finding
	left     int // findings beyond maxReported
	buf      []byte
}

// mode says what the input leaves out.
type mode struct {
	noPayloads bool // no payloads are there to be checked
	disclosed  bool // only what may leave the process is there
	partial    bool // streams may begin late
	sparse     bool // control streams have gaps
}

// maxReported bounds a report on a record that was rewritten as a whole.
const maxReported = 10_000

// A Row is the plain columns that the live table keeps beside an entry's body
// to filter by. They are not hashed, so they must say what the body says.
type Row struct {
	Tenant, Action, Outcome, Step, Actor, Workflow string
	AtUS                                           int64
}

// A SeenPayload is a stored payload, as far as it could be read. Whatever is
// zero was not read and is not compared; but with neither Sum nor Commit it
// does not hold.
type SeenPayload struct {
	ID     string // pay_…
	Run    string // run_…
	Kind   string
	Sum    Hash // SHA-256 of the stored ciphertext
	Commit Hash // recomputed from what it was opened to
	Broken bool // it should have opened and did not
}

// NewVerifier makes a Verifier for a live record, in which every payload that
// an entry refers to must be seen or have been erased.
func NewVerifier() *Verifier {
	return &Verifier{
		streams: make(map[string]*stream),
		awaited: make(map[string]*awaited),
		erased:  make(map[string]struct{}),
		buf:     make([]byte, 0, 2048),
	}
}

// Entry takes the next entry of a stream. Row is nil for a bundle.
func (v *Verifier) Entry(e Entry, row *Row) {
	v.entries++
	s := v.stream(e.Stream)
	place := s.place(v, e)
	if place == outOfOrder {
		return
	}
	buf, err := e.check(v.buf)
	v.buf = buf
	altered := err != nil
	// Where prev is not stored but taken from the row before, a missing row
	// makes the next one uncheckable; the gap is the finding.
	if altered && !(place == afterGap && row != nil) {
		v.add(e, EntryAltered, "its hash is not that of its content at this place")
	}
	s.link(v, e, place, altered)
	body, err := ParseBody(e.Body)
	if err != nil {
		if !altered {
			v.add(e, EntryAltered, "its body cannot be read: "+err.Error())
		}
		s.follow(e, altered, nil)
		return
	}
	if !altered {
		s.judge(v, e, &body)
		v.columns(e, row, &body)
	}
	v.refer(e, &body, altered)
	s.follow(e, altered, &body)
}

// Head says what the live record's own row says of a stream: how many entries
// it has, the last one's hash, and, for a run, whether its state is terminal.
func (v *Verifier) Head(stream string, entries int64, head Hash, closed bool) {
	v.heads++
	s := v.stream(stream)
	s.headed, s.headEntries, s.headHash, s.headClosed = true, entries, head, closed
}

// Report ends the reading and gives the result.
func (v *Verifier) Report() Report {
	for name, s := range v.streams {
		s.finish(v, name)
	}
	v.settle()
	findings := v.findings
	if v.left > 0 {
		findings = append(findings, Finding{Kind: ChainBroken, Detail: fmt.Sprintf("%d more findings are left out", v.left)})
	}
	var streams int64
	for _, s := range v.streams {
		if s.next > 0 {
			streams++
		}
	}
	return report(v.entries, streams, v.payloads, findings)
}

func (v *Verifier) stream(name string) *stream {
	s, ok := v.streams[name]
	if !ok {
		s = new(stream)
		v.streams[strings.Clone(name)] = s
	}
	return s
}

// columns compares the plain columns with the body.
func (v *Verifier) columns(e Entry, row *Row, b *Body) {
	if row == nil {
		return
	}
	said := Row{
		Tenant: b.Tenant, Action: string(b.Action), Outcome: b.Outcome, Step: b.Step,
		Actor: b.Actor, Workflow: b.Name, AtUS: b.AtUS,
	}
	if *row == said {
		return
	}
	var names []string
	for _, c := range []struct {
		name   string
		differ bool
	}{
		{"tenant", row.Tenant != said.Tenant},
		{"action", row.Action != said.Action},
		{"outcome", row.Outcome != said.Outcome},
		{"step", row.Step != said.Step},
		{"actor", row.Actor != said.Actor},
		{"workflow", row.Workflow != said.Workflow},
		{"at_us", row.AtUS != said.AtUS},
	} {
		if c.differ {
			names = append(names, c.name)
		}
	}
	v.add(e, ColumnMismatch, "not what the body says: "+strings.Join(names, ", "))
}

// Differs notes that a row beside the record is not what an entry says of it.
func (v *Verifier) Differs(stream string, seq int64, detail string) {
	v.find(Finding{Kind: ColumnMismatch, Stream: stream, Seq: &seq, Detail: detail})
}

// Untold notes a row beside the record of which no entry tells. The stream may be
// empty: it is not known.
func (v *Verifier) Untold(stream, detail string) {
	v.find(Finding{Kind: ColumnMismatch, Stream: stream, Detail: detail})
}

// add notes a finding about an entry.
func (v *Verifier) add(e Entry, kind, detail string) {
	seq := e.Seq
	v.find(Finding{Kind: kind, Stream: e.Stream, Seq: &seq, Index: e.Index, Detail: detail})
}

func (v *Verifier) find(f Finding) {
	if f.Stream != "" {
		v.stream(f.Stream).faults++
	}
	if len(v.findings) >= maxReported {
		v.left++
		return
	}
	f.Stream = strings.Clone(f.Stream)
	v.findings = append(v.findings, f)
}

// faults counts the findings so far.
func (v *Verifier) faults() int { return len(v.findings) + v.left }
