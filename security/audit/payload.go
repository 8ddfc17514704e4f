package audit

import "strings"

// An awaited is a payload that an entry brought into the vault and that was not
// seen yet.
type awaited struct {
	stream, kind string
	seq          int64
	commit, sum  Hash
	doubtful     bool // the entry that says so was altered
}

// Disclosed reports whether payloads of this kind may leave the process: what
// went in, what came out and what was shown. Drafts, withheld outputs and a
// judge's reasons may not.
func Disclosed(kind string) bool {
	name, _, _ := strings.Cut(kind, ":")
	return name == "input" || name == "output" || name == "shown"
}

// refer remembers the payloads that an entry brought, and those it erased.
func (v *Verifier) refer(e Entry, b *Body, altered bool) {
	if b.Action == PayloadErased && !altered {
		for _, p := range b.Payloads {
			v.erased[strings.Clone(p.ID)] = struct{}{}
		}
		if b.Target != "" {
			v.erased[strings.Clone(b.Target)] = struct{}{}
		}
	}
	if v.mode.noPayloads || b.Adopted != "" || !b.Action.keepsPayloads() {
		return // adopted ones are awaited where they came from
	}
	for _, p := range b.Payloads {
		v.await(e, p, altered)
	}
}

func (v *Verifier) await(e Entry, p Payload, altered bool) {
	if first, ok := v.awaited[p.ID]; ok {
		if !altered && !first.doubtful && (first.commit != p.Commit || first.sum != p.Sum || first.kind != p.Kind) {
			v.findPayload(PayloadAltered, e.Stream, e.Seq, p.ID, "an earlier entry says something else about it")
		}
		first.doubtful = first.doubtful && altered
		return
	}
	v.awaited[strings.Clone(p.ID)] = &awaited{
		stream: strings.Clone(e.Stream), kind: strings.Clone(p.Kind), seq: e.Seq,
		commit: p.Commit, sum: p.Sum, doubtful: altered,
	}
}

// Payload takes a stored payload and compares it with what the entries of its
// stream say, which must have come before.
func (v *Verifier) Payload(p SeenPayload) {
	a, ok := v.awaited[p.ID]
	if !ok {
		if len(v.strays) < maxReported {
			v.strays = append(v.strays, p)
		}
		return
	}
	delete(v.awaited, p.ID)
	switch detail := a.compare(p); {
	case detail == "":
		v.payloads.Matching++
	case a.doubtful: // the altered entry is the finding
	default:
		v.payloads.Altered++
		v.findPayload(PayloadAltered, a.stream, a.seq, p.ID, detail)
	}
}

// compare says what of a stored payload is not what its entry says.
func (a *awaited) compare(p SeenPayload) string {
	switch {
	case p.Broken:
		return "it does not open"
	case p.Sum.IsZero() && p.Commit.IsZero():
		return "there is nothing of it to compare"
	case !p.Sum.IsZero() && p.Sum != a.sum:
		return "the stored bytes are not those that were sealed"
	case !p.Commit.IsZero() && p.Commit != a.commit:
		return "the content is not what was committed to"
	case p.Run != "" && p.Run != a.stream:
		return "it stands under another run"
	case p.Kind != "" && p.Kind != a.kind:
		return "it stands as another kind"
	}
	return ""
}

// settle ends what is still open: what never came was erased or is missing,
// and what nobody named is not evidence.
func (v *Verifier) settle() {
	for id, a := range v.awaited {
		_, one := v.erased[id]
		_, all := v.erased[a.stream]
		switch {
		case one || all:
			v.payloads.Erased++
		case a.doubtful:
		case v.mode.disclosed && !Disclosed(a.kind):
		default:
			v.payloads.Missing++
			v.findPayload(PayloadMissing, a.stream, a.seq, id, "it is not there, and no entry says that it was erased")
		}
	}
	before := v.faults()
	for _, p := range v.strays {
		s := v.streams[p.Run]
		if s != nil && s.faults > 0 || p.Run == "" && before > 0 {
			continue // the entry that named it may be a finding already
		}
		v.payloads.Altered++
		v.find(Finding{Kind: PayloadAltered, Stream: p.Run, Payload: p.ID, Detail: "no entry refers to it"})
	}
}

func (v *Verifier) findPayload(kind, stream string, seq int64, id, detail string) {
	v.find(Finding{Kind: kind, Stream: stream, Seq: &seq, Payload: id, Detail: detail})
}
