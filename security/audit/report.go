package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// The verdicts of a Report. Anything but Intact means that the evidence does
// not hold.
const (
	Intact = "intact"
	Broken = "broken"
)

// A Report says whether the evidence holds (API.md section 6.6). The zero
// Report is not intact.
type Report struct {
	Verdict  string        `json:"verdict"`
	Tier     string        `json:"tier"` // T0: chained, not anchored
	Entries  int64         `json:"entries"`
	Streams  int64         `json:"streams"`
	Payloads PayloadCounts `json:"payloads"`
	Findings []Finding     `json:"findings"` // by stream, seq and kind; never null
}

// PayloadCounts says how many of the payloads that entries refer to were
// checked, and what came of it.
type PayloadCounts struct {
	Matching int64 `json:"matching"`
	Erased   int64 `json:"erased"`
	Missing  int64 `json:"missing"`
	Altered  int64 `json:"altered"`
}

// The kinds of finding.
const (
	EntryAltered   = "entry.altered"
	EntryMissing   = "entry.missing"
	ChainBroken    = "chain.broken"
	StreamForked   = "stream.forked"
	StreamReopened = "stream.reopened"
	ColumnMismatch = "column.mismatch"
	PayloadAltered = "payload.altered"
	PayloadMissing = "payload.missing"
	BundleAltered  = "bundle.altered" // a part of a bundle that is no entry and no payload
)

// A Finding is one thing that does not hold, at the narrowest place that is
// known. Detail is for people and holds no content.
type Finding struct {
	Kind    string
	Stream  string // empty when unknown
	Seq     *int64 // nil when unknown
	Index   *int64 // nil without a notary
	Payload string // pay_…, empty when it is not about one
	Detail  string
}

// findingJSON writes what is unknown as null.
type findingJSON struct {
	Kind    string  `json:"kind"`
	Stream  *string `json:"stream"`
	Seq     *int64  `json:"seq"`
	Index   *int64  `json:"index"`
	Payload *string `json:"payload"`
	Detail  string  `json:"detail"`
}

// MarshalJSON writes the form of API.md section 6.6.
func (f Finding) MarshalJSON() ([]byte, error) {
	w := findingJSON{Kind: f.Kind, Seq: f.Seq, Index: f.Index, Detail: f.Detail}
	if f.Stream != "" {
		w.Stream = &f.Stream
	}
	if f.Payload != "" {
		w.Payload = &f.Payload
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Finding) UnmarshalJSON(text []byte) error {
	var w findingJSON
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*f = Finding{Kind: w.Kind, Seq: w.Seq, Index: w.Index, Detail: w.Detail}
	if w.Stream != nil {
		f.Stream = *w.Stream
	}
	if w.Payload != nil {
		f.Payload = *w.Payload
	}
	return nil
}

// String is the finding in one line.
func (f Finding) String() string {
	place := f.Kind
	if f.Stream != "" {
		place += " " + f.Stream
	}
	if f.Seq != nil {
		place += fmt.Sprintf(" #%d", *f.Seq)
	}
	if f.Payload != "" {
		place += " " + f.Payload
	}
	return place + ": " + f.Detail
}

func (f Finding) compare(g Finding) int {
	seq := func(p *int64) int64 {
		if p == nil {
			return -1
		}
		return *p
	}
	return cmp.Or(cmp.Compare(f.Stream, g.Stream), cmp.Compare(seq(f.Seq), seq(g.Seq)),
		cmp.Compare(f.Kind, g.Kind), cmp.Compare(f.Payload, g.Payload))
}

// report sorts the findings and gives the verdict.
func report(entries, streams int64, payloads PayloadCounts, findings []Finding) Report {
	r := Report{Verdict: Intact, Tier: "T0", Entries: entries, Streams: streams, Payloads: payloads, Findings: findings}
	if entries == 0 {
		r.Findings = append(r.Findings, Finding{Kind: EntryMissing, Detail: "there is no entry at all, so nothing can be verified"})
	}
	if len(r.Findings) > 0 {
		r.Verdict = Broken
	}
	r.Findings = append([]Finding{}, r.Findings...)
	slices.SortStableFunc(r.Findings, Finding.compare)
	return r
}
