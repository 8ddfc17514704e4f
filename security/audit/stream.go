package audit

import (
	"fmt"
	"strings"
)

// A stream is what a Verifier remembers of one stream.
type stream struct {
	next     int64 // the seq that comes next; 0 before the first entry
	at       int64 // microseconds of the last entry
	stored   Hash  // the last entry's hash as stored
	computed Hash  // and as computed from its content
	before   int64 // the link to the last entry is broken, and waits to be confirmed: seq of the last entry

	closed, reopened bool
	altered          bool // the last entry was not what was hashed
	broken           bool // the last entry did not follow the one before it
	faults           int32

	headed, headClosed bool
	headEntries        int64
	headHash           Hash
}

// isRun tells a run's stream from a control stream.
func isRun(stream string) bool { return strings.HasPrefix(stream, "run_") }

// A place says how an entry follows the one before it.
type place uint8

const (
	inOrder place = iota
	afterGap
	outOfOrder
)

// place compares seq with what comes next.
func (s *stream) place(v *Verifier, e Entry) place {
	switch {
	case e.Seq == s.next:
		return inOrder
	case e.Seq < s.next:
		v.add(e, StreamForked, "a second entry, or an entry out of order, at this place")
		return outOfOrder
	case v.mode.partial && s.next == 0, v.mode.sparse && !isRun(e.Stream):
		return afterGap
	}
	missing := e
	missing.Seq, missing.Index = s.next, nil
	v.add(missing, EntryMissing, span(s.next, e.Seq-1))
	return afterGap
}

func span(first, last int64) string {
	if first == last {
		return "the entry is missing"
	}
	return fmt.Sprintf("the entries %d to %d are missing", first, last)
}

// link compares prev with the entry before. A wrong one means that this entry
// or the one before was rewritten. Which, the next entry tells: if it names
// this one as it stands, this one is genuine.
func (s *stream) link(v *Verifier, e Entry, p place, altered bool) {
	unconfirmed, suspect := s.before, s.altered || s.broken
	s.before, s.broken = 0, false
	if p == afterGap {
		return
	}
	// After a change of the hash alone, prev names what the content gives.
	follows := e.Prev == s.stored || s.altered && e.Prev == s.computed
	switch {
	case follows && unconfirmed > 0 && !altered:
		s.rewritten(v, e, unconfirmed-1)
	case !follows && !altered:
		v.add(e, ChainBroken, "prev is not the hash of the entry before it")
		s.broken = true
		if !suspect {
			s.before = e.Seq // of 0 nothing comes before
		}
	}
}

// rewritten names the entry before a broken link, once what follows the link
// has been confirmed.
func (s *stream) rewritten(v *Verifier, e Entry, seq int64) {
	e.Seq, e.Index = seq, nil
	v.add(e, EntryAltered, "it was rewritten with a hash of its own: the entries after it follow another one")
}

// judge checks what a genuine entry says against its place.
func (s *stream) judge(v *Verifier, e Entry, b *Body) {
	if s.closed && !s.reopened {
		s.reopened = true
		v.add(e, StreamReopened, "it stands after run.closed, which is the last entry for ever")
	}
	if isRun(e.Stream) && b.Run != e.Stream {
		v.add(e, EntryAltered, "its body is about another run than its stream")
	}
	if b.AtUS < s.at {
		v.add(e, ChainBroken, "its time is before that of the entry before it")
	}
	if b.Action == RunClosed && b.Count != e.Seq+1 {
		v.add(e, EntryMissing, fmt.Sprintf("run.closed counts %d entries, it is number %d", b.Count, e.Seq+1))
	}
}

// follow makes an entry the last one; b is nil when it cannot be read.
func (s *stream) follow(e Entry, altered bool, b *Body) {
	s.next, s.stored, s.altered = e.Seq+1, e.Hash, altered
	s.computed = e.Hash
	if altered {
		s.computed, _ = appendLeaf(nil, e.Log, e.Stream, e.Seq, e.Prev, e.Body)
	}
	if b != nil && !altered {
		s.at = max(s.at, b.AtUS)
		s.closed = s.closed || b.Action == RunClosed
	}
}

// finish compares a stream with its head.
func (s *stream) finish(v *Verifier, name string) {
	last := Entry{Stream: name, Seq: s.next - 1}
	end := Entry{Stream: name, Seq: s.next}
	switch {
	case !s.headed && v.heads > 0 && isRun(name):
		v.add(Entry{Stream: name}, ChainBroken, "the run that the stream belongs to is not there")
	case !s.headed:
	case s.next < s.headEntries:
		v.add(end, EntryMissing, span(s.next, s.headEntries-1)+": the run counts more")
	case s.next > s.headEntries:
		v.add(Entry{Stream: name, Seq: s.headEntries}, ChainBroken, "it stands after the last entry that the run counts")
	case s.headHash != s.stored && !(s.altered && s.headHash == s.computed) && s.next > 0:
		v.add(last, EntryAltered, "it is not the last entry that the run names")
	default:
		if s.before > 0 && s.next > 0 {
			s.rewritten(v, Entry{Stream: name}, s.before-1)
		}
		s.state(v, last, end)
	}
}

// state compares the run's state with its last entry.
func (s *stream) state(v *Verifier, last, end Entry) {
	switch {
	case !isRun(last.Stream) || s.altered:
	case s.next == 0:
		v.add(end, EntryMissing, "the run is there and none of its entries is")
	case s.headClosed && !s.closed:
		v.add(end, EntryMissing, "the run is closed and run.closed is not there")
	case !s.headClosed && s.closed:
		v.add(last, StreamReopened, "run.closed is there and the run is not closed")
	}
}
